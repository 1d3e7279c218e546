"""What a round hands to the strategies: the model's last layer, draws under dropout, and parts of a pool."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alvin_core import round_pool
from alvin_core.round import run_round
from alvin_core.settings import RunSettings
from alvin_core.strategies import Pool, registry
from alvin_core.strategies.ranking import take_highest
from alvin_core.training.trainer import TrainedModel
from alvin_core.types import Selection
from tests.unit import tiny_round as tiny

ROWS = np.arange(tiny.N_POOL)  # of pool and labeled set


@pytest.fixture
def handed(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Pool, Any]]:
    """``handed(**settings)`` runs a round and returns the pool that its strategy saw, and the round."""
    pools: list[Pool] = []

    def spy(pool: Pool, budget: int, params: object, rng: np.random.Generator) -> Selection:
        pools.append(pool)
        return take_highest(pool, np.arange(len(pool), 0, -1.0), budget)

    entry = registry.Strategy("spy", spy, frozenset({"probs"}), "", None)
    monkeypatch.setitem(registry._TABLE, "spy", entry)

    def play(**settings: object) -> tuple[Pool, Any]:
        result = tiny.tiny_round(tiny_encoder, strategy="spy", **settings)
        return pools[-1], result

    return play


@pytest.mark.parametrize("space", ["model", "encoder"])
@pytest.mark.parametrize("depth", [0, 1])
def test_the_readout_gives_the_predictions_of_pool_and_labeled_set_in_both_spaces(
    handed: Callable[..., tuple[Pool, Any]], space: str, depth: int
) -> None:
    pool, result = handed(space=space, training__trainable_layers=depth)
    assert pool.readout is not None
    assert pool.labeled is not None
    assert pool.labeled.probs is not None
    for vectors, probs in (
        (pool.readout.vectors, pool.probs),
        (pool.readout.labeled_vectors, pool.labeled.probs),
    ):
        logits = vectors.astype(np.float64) @ pool.readout.weight.T + pool.readout.bias
        by_hand = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probs, by_hand, atol=1e-5)
    np.testing.assert_array_equal(pool.labeled.probs, result.probs[result.labeled_rows])
    assert (pool.vectors is pool.readout.vectors) is (space == "model")
    assert isinstance(pool.settings, RunSettings)


@pytest.mark.parametrize("space", ["model", "encoder"])
def test_the_vectors_of_the_pool_are_no_copy_of_the_round_s(
    handed: Callable[..., tuple[Pool, Any]], space: str
) -> None:
    pool, result = handed(space=space)
    assert pool.vectors is not None
    assert pool.labeled is not None
    assert np.shares_memory(pool.vectors, result.vectors)
    np.testing.assert_array_equal(np.vstack([pool.vectors, pool.labeled.vectors]), result.vectors)
    np.testing.assert_array_equal(result.vector_rows, [*result.pool_rows, *result.labeled_rows])


@pytest.mark.parametrize("space", ["model", "encoder"])
def test_what_is_predicted_together_does_not_depend_on_what_is_labeled(
    tiny_encoder: Path, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict, asked = TrainedModel.predict, []

    def recorded(model: TrainedModel, rows: np.ndarray, **options: Any) -> Any:
        asked.append((rows.tolist(), predicted := predict(model, rows, **options)))
        return predicted

    monkeypatch.setattr(TrainedModel, "predict", recorded)
    settings = tiny.make_settings(tiny_encoder, space=space)
    inputs = tiny.make_inputs(tiny.make_dataset(), settings, labeled=[30, 3, 17, 39, 0])
    vectors = []
    result = run_round(inputs, settings, tiny.PLAN, look=lambda model: vectors.append(model.predict(ROWS).vectors))
    assert [rows for rows, _ in asked[1:]] == [list(range(tiny.N_POOL)), list(range(tiny.N_POOL, len(inputs.dataset)))]
    np.testing.assert_array_equal(result.probs[ROWS], asked[0][1].probs)
    read = vectors[0] if space == "model" else inputs.embeddings
    np.testing.assert_array_equal(result.vectors, read[result.vector_rows])


@pytest.mark.parametrize("places", [[], [0], [10], [0, 10], [5, 4, 3], [10, 1, 0, 7], list(range(10, -1, -1))])
@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_vectors_are_moved_to_the_end_in_the_order_asked_and_the_others_keep_theirs(
    places: list[int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_pool, "MOVED_AT_ONCE", at_once)
    vectors = np.random.default_rng(0).random((11, 3), dtype=np.float32)
    expected = vectors[[*sorted(set(range(11)) - set(places)), *places]]
    round_pool.move_to_end(vectors, np.array(places, dtype=np.int64))
    np.testing.assert_array_equal(vectors, expected)


def test_draws_are_of_the_asked_rows_in_their_order(handed: Callable[..., tuple[Pool, Any]]) -> None:
    pool, _ = handed(training__dropout=0.0)  # so that a draw is the prediction
    assert pool.draw_probs is not None
    assert pool.probs is not None
    rows = np.array([7, 0, 3])
    drawn = pool.draw_probs(rows, 2, 9)
    assert drawn.shape == (2, 3, 2)
    np.testing.assert_allclose(drawn[1], pool.probs[rows], atol=1e-6)


def test_a_part_of_a_pool_holds_the_rows_that_were_asked_for(handed: Callable[..., tuple[Pool, Any]]) -> None:
    pool, _ = handed(training__dropout=0.0)
    rows = np.array([9, 2, 4])
    part = pool.take(rows)
    assert len(part) == 3
    assert pool.probs is not None
    assert part.probs is not None
    assert pool.vectors is not None
    assert part.vectors is not None
    assert pool.readout is not None
    assert part.readout is not None
    assert part.draw_probs is not None
    assert part.ids.tolist() == pool.ids[rows].tolist()
    np.testing.assert_array_equal(part.probs, pool.probs[rows])
    np.testing.assert_array_equal(part.vectors, pool.vectors[rows])
    np.testing.assert_array_equal(part.readout.vectors, pool.readout.vectors[rows])
    np.testing.assert_array_equal(part.readout.weight, pool.readout.weight)
    np.testing.assert_allclose(part.draw_probs(np.array([1]), 1, 0)[0], pool.probs[[2]], atol=1e-6)
    assert part.labeled is pool.labeled


def test_a_part_of_a_pool_without_a_model_has_none() -> None:
    part = Pool(ids=np.array(["a", "b", "c"])).take(np.array([2]))
    assert part.ids.tolist() == ["c"]
    assert [getattr(part, item.name) for item in dataclasses.fields(part)][1:6] == [None] * 5
