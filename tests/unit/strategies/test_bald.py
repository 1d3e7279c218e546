"""BALD: mutual information by hand, blocks that change nothing, and draws that are no probabilities."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import Cancelled, PoolError
from alvin_core.progress import ProgressEvent
from alvin_core.settings import BaldSettings, RunSettings
from alvin_core.strategies import Pool, bald, get_strategy
from alvin_core.types import Selection


def pool_of(draws: np.ndarray, ids: Sequence[str] | None = None) -> Pool:
    """A pool whose draws, of shape (n_draws, n_pool, n_classes), are given."""
    names = ids or [f"example-{row:04d}" for row in range(draws.shape[1])]

    def draw_probs(rows: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        assert n_draws == len(draws)
        return draws[:, rows].astype(np.float32)

    return Pool(ids=np.array(names), probs=draws.mean(axis=0).astype(np.float32), draw_probs=draw_probs, draw_steps=7)


def select(pool: Pool, budget: int, n_draws: int, seed: int = 0) -> Selection:
    settings = RunSettings(bald=BaldSettings(n_draws=n_draws))
    return get_strategy("bald").select(pool, budget, settings, np.random.default_rng(seed))


def random_draws(n_draws: int, n_pool: int, n_classes: int = 3) -> np.ndarray:
    return np.random.default_rng(4).dirichlet(np.ones(n_classes), size=(n_draws, n_pool))


def entropy(*probs: float) -> float:
    return -sum(p * math.log(p) for p in probs)


def test_two_draws_that_are_sure_of_different_classes_disagree_by_log_two() -> None:
    draws = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert bald.mutual_information(draws) == pytest.approx([math.log(2)], abs=1e-15)


def test_mutual_information_is_the_entropy_of_the_mean_less_the_mean_entropy() -> None:
    draws = np.array([[[0.8, 0.2]], [[0.6, 0.4]]])
    expected = entropy(0.7, 0.3) - (entropy(0.8, 0.2) + entropy(0.6, 0.4)) / 2
    assert expected == pytest.approx(0.02415725, abs=1e-8)
    assert bald.mutual_information(draws) == pytest.approx([expected], abs=1e-15)


def test_draws_that_agree_give_exactly_zero_however_unsure_they_are() -> None:
    one = random_draws(1, 500)
    found = bald.mutual_information(np.repeat(one, 7, axis=0))
    assert (found == 0).all()


@pytest.mark.parametrize("at_once", [1, 2 * 5 * 3, 7 * 5 * 3, 10**6])
def test_parts_that_are_worked_on_at_a_time_change_no_bit(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = random_draws(5, 31)
    draws[:, ::4] = [0.0, 0.0, 1.0]  # impossible classes, and draws that agree on them
    draws[1, ::8] = [1.0, 0.0, 0.0]
    monkeypatch.setattr(bald, "NUMBERS_AT_ONCE", at_once)
    found = bald.mutual_information(draws.astype(np.float32))
    monkeypatch.undo()
    np.testing.assert_array_equal(found, bald.mutual_information(draws.astype(np.float32)))
    exact = draws.astype(np.float32).astype(np.float64)
    means = [entropy(*(p for p in mean if p)) for mean in exact.mean(axis=0).tolist()]
    each = [[entropy(*(p for p in probs if p)) for probs in draw] for draw in exact.tolist()]
    assert found == pytest.approx(np.array(means) - np.mean(each, axis=0), abs=1e-14)
    assert (found[4::8] == 0).all()


def test_an_unsure_model_whose_draws_agree_is_passed_over_for_draws_that_disagree() -> None:
    draws = np.array([[[0.5, 0.5], [0.9, 0.1]], [[0.5, 0.5], [0.6, 0.4]]])
    assert select(pool_of(draws), 1, n_draws=2).ids.tolist() == ["example-0001"]


def test_where_no_draw_differs_from_another_the_user_is_told() -> None:
    alike = np.repeat(random_draws(1, 6), 3, axis=0)
    selection = select(pool_of(alike), 2, n_draws=3)
    assert selection.ids.tolist() == ["example-0000", "example-0001"]
    assert selection.warnings == (
        "all draws agree on every example, so the ids decide; a higher training.dropout may tell them apart",
    )
    assert select(pool_of(random_draws(3, 6)), 2, n_draws=3).warnings == ()


def test_the_whole_pool_is_ranked_and_ties_go_by_id() -> None:
    agree, disagree = [[0.7, 0.3], [0.7, 0.3]], [[1.0, 0.0], [0.0, 1.0]]
    draws = np.array([agree, disagree, agree, disagree]).swapaxes(0, 1)
    selection = select(pool_of(draws, ids=["d", "c", "b", "a"]), 1, n_draws=2)
    assert selection.ids.tolist() == ["a"]
    assert selection.ranking.tolist() == [3, 1, 2, 0]
    assert selection.scores == pytest.approx([math.log(2)])


def test_blocks_hold_whole_draws_cover_every_row_once_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pool_of(random_draws(5, 101))
    whole = select(pool, 101, n_draws=5)
    asked: list[tuple[list[int], int, int]] = []

    def watched(rows: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        asked.append((rows.tolist(), n_draws, seed))
        assert pool.draw_probs is not None
        return pool.draw_probs(rows, n_draws, seed)

    monkeypatch.setattr(bald, "BLOCK_VALUES", 5 * 3 * 10)
    blocks = select(replace(pool, draw_probs=watched), 101, n_draws=5)
    np.testing.assert_array_equal(blocks.ranking, whole.ranking)
    np.testing.assert_array_equal(blocks.scores, whole.scores)
    assert [len(rows) for rows, _, _ in asked] == [10] * 10 + [1]
    assert [row for rows, _, _ in asked for row in rows] == list(range(101))
    assert {n_draws for _, n_draws, _ in asked} == {5}
    assert len({seed for _, _, seed in asked}) == 1


def test_even_where_one_row_is_more_than_a_block_rows_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pool_of(random_draws(5, 4))
    whole = select(pool, 4, n_draws=5)
    monkeypatch.setattr(bald, "BLOCK_VALUES", 1)
    assert select(pool, 4, n_draws=5).ids.tolist() == whole.ids.tolist()


def test_the_seed_of_the_draws_comes_from_the_generator() -> None:
    seeds: list[int] = []

    def noted(rows: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        seeds.append(seed)
        return random_draws(n_draws, len(rows))

    pool = replace(pool_of(random_draws(2, 6)), draw_probs=noted)
    for seed in (1, 1, 2):
        select(pool, 1, n_draws=2, seed=seed)
    assert seeds[0] == seeds[1] != seeds[2]


def test_a_draw_that_is_no_number_is_refused() -> None:
    draws = random_draws(4, 6)
    pool = pool_of(draws)
    draws[2, 3] = np.nan
    with pytest.raises(PoolError, match=r"not probabilities.*row 3"):
        select(pool, 2, n_draws=4)


def test_the_work_grows_with_the_examples_the_draws_and_what_a_draw_costs() -> None:
    def steps(pool: Pool, n_draws: int) -> int:
        return get_strategy("bald").steps(pool, RunSettings(bald=BaldSettings(n_draws=n_draws)))

    pool = pool_of(random_draws(5, 11))
    assert steps(pool.take(np.arange(5)), 6) * 22 == steps(pool, 6) * 10 == steps(pool, 12) * 5
    assert steps(replace(pool, draw_steps=107), 6) == steps(pool, 6) + 100 * 11 * 6


def test_it_stops_between_blocks_when_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bald, "BLOCK_VALUES", 5 * 3 * 10)

    def stop_at_half(event: ProgressEvent) -> None:
        if event.done >= 50:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        select(replace(pool_of(random_draws(5, 101)), progress=stop_at_half), 3, n_draws=5)


def test_a_part_of_the_pool_scores_as_in_the_whole() -> None:
    pool = pool_of(random_draws(5, 40))
    rows = np.array([31, 4, 17])
    whole, part = select(pool, 40, n_draws=5), select(pool.take(rows), 3, n_draws=5)
    of_whole = dict(zip(whole.ids.tolist(), whole.scores.tolist(), strict=True))
    assert dict(zip(part.ids.tolist(), part.scores.tolist(), strict=True)) == {
        name: of_whole[name] for name in pool.ids[rows].tolist()
    }


def test_memory_does_not_grow_with_the_draws() -> None:
    n_pool, n_draws = 400_000, 20
    pattern = random_draws(n_draws, 1, 2).astype(np.float32)
    probs = np.full((n_pool, 2), 0.5, dtype=np.float32)

    def draw_probs(rows: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        return np.repeat(pattern, len(rows), axis=1)

    pool = Pool(ids=np.arange(n_pool), probs=probs, draw_probs=draw_probs)
    tracemalloc.start()
    try:
        select(pool, 5, n_draws=n_draws)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50e6  # all draws at once are 64 MB in float32 and 128 MB in float64
