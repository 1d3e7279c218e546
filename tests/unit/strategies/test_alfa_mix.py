"""ALFA-Mix on flips worked out by hand, and against the mixtures themselves, with gradients taken by torch.

Neither small-text nor scikit-activeml has ALFA-Mix, so the reference is the method written out in torch below.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from alvin_core.errors import Cancelled, DataError
from alvin_core.groups import infer_groups
from alvin_core.progress import ProgressEvent
from alvin_core.settings import AlfaMixSettings, RunSettings
from alvin_core.strategies import LabeledSet, Pool, Readout, get_strategy
from alvin_core.strategies.alfa_mix import alfa_mix, eps_to_flip, steepest_directions
from alvin_core.types import Selection

LEFT_OR_RIGHT = [[1.0, 0.0], [-1.0, 0.0]]  # class 0 where the first coordinate is positive


def make_readout(
    vectors: object, labeled_vectors: object, weight: object = LEFT_OR_RIGHT, bias: object = (0.0, 0.0)
) -> Readout:
    arrays = (np.asarray(array, dtype=np.float32) for array in (vectors, labeled_vectors, weight, bias))
    return Readout(*arrays)


def make_pool(readout: Readout, classes: np.ndarray, ids: np.ndarray | None = None) -> Pool:
    gold = np.full((2, len(classes)), 0.9)
    labeled = LabeledSet(
        ids=np.array([f"l{row:03d}" for row in range(len(classes))]),
        classes=classes,
        vectors=readout.labeled_vectors,
        groups=infer_groups(gold > 0.5, gold, classes),
        probs=np.full((len(classes), len(readout.weight)), 1 / len(readout.weight)),
    )
    if ids is None:
        ids = np.array([f"p{row:03d}" for row in range(len(readout.vectors))])
    return Pool(ids, labeled=labeled, readout=readout)


def random_readout(seed: int, n_pool: int = 60, n_classes: int = 3, dim: int = 7) -> tuple[Readout, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = np.arange(20) % n_classes
    return make_readout(
        rng.normal(size=(n_pool, dim)),
        rng.normal(size=(20, dim)) + classes[:, None],
        rng.normal(size=(n_classes, dim)),
        rng.normal(size=n_classes),
    ), classes


def select(pool: Pool, budget: int, eps: float = 0.2, seed: int = 0) -> Selection:
    return alfa_mix(pool, budget, AlfaMixSettings(eps=eps), np.random.default_rng(seed))


def flipped_by_mixing(readout: Readout, classes: np.ndarray, eps: float) -> np.ndarray:
    """Which examples change class: every mixture made, the gradient taken by torch, the last layer applied."""
    arrays = (readout.vectors, readout.labeled_vectors, readout.weight, readout.bias)
    vectors, labeled, weight, bias = (torch.tensor(array, dtype=torch.float64) for array in arrays)
    vectors.requires_grad_()
    logits = vectors @ weight.T + bias
    predicted = logits.argmax(dim=1)
    loss = torch.nn.functional.cross_entropy(logits, predicted, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, vectors)
    vectors = vectors.detach()
    flipped = torch.zeros(len(vectors), dtype=torch.bool)
    for name in range(len(weight)):
        of_class = torch.tensor(classes == name)
        mean = (labeled[of_class] if of_class.any() else labeled).mean(dim=0)
        apart = mean - vectors
        pace = eps / math.sqrt(vectors.shape[1]) * apart.norm(dim=1) / gradient.norm(dim=1)
        alpha = torch.where(apart == 0, 0.0, pace[:, None] * gradient / apart)
        mixed = (1 - alpha) * vectors + alpha * mean
        flipped |= (mixed @ weight.T + bias).argmax(dim=1) != predicted
    return flipped.numpy()


def test_an_example_flips_when_the_step_reaches_the_boundary() -> None:
    # The boundary is one away, the gradient points straight at it, and the farther mean is 5 away:
    # eps / sqrt(2) · 5 > 1 from eps = 0.2828 on.
    readout = make_readout([[1.0, 3.0]], [[2.0, 3.0], [-3.0, 0.0]])
    np.testing.assert_allclose(eps_to_flip(readout, np.array([0, 1])), [math.sqrt(2) / 5])


def test_the_candidates_are_those_that_flip_at_eps() -> None:
    # 1, 2 and 4 from the boundary, 4, 5 and 7 from the mean of class 1: they flip from .354, .566 and .808 on.
    readout = make_readout([[4.0, 0.0], [1.0, 0.0], [2.0, 0.0]], [[2.0, 0.0], [-3.0, 0.0]])
    pool = make_pool(readout, np.array([0, 1]))
    selection = select(pool, 2, eps=0.6)
    assert selection.ids.tolist() == ["p001", "p002"]
    assert selection.ranking.tolist() == [1, 2]
    assert selection.warnings == ()


def test_a_coordinate_in_which_the_example_and_the_mean_agree_is_not_moved() -> None:
    # Only the first coordinate moves, by eps / sqrt(2) · 4 · (1 / sqrt(2)) = 2 eps, and the boundary is 1 away;
    # would both move, 0.25 were enough.
    weight = [[1.0, 1.0], [-1.0, -1.0]]
    readout = make_readout([[1.0, 0.0]], [[2.0, 0.0], [-3.0, 0.0]], weight)
    np.testing.assert_allclose(eps_to_flip(readout, np.array([0, 1])), [0.5])


def test_a_class_without_labeled_examples_lends_the_mean_of_all_which_is_never_the_farthest() -> None:
    # The mean of class 0 is 1 away, that of class 2 is 5, and that of all, which class 1 lends, is 2.
    readout = make_readout([[1.0, 0.0]], [[2.0, 0.0], [-4.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0], [-9.0, 0.0]], [0, 0, -99])
    np.testing.assert_allclose(eps_to_flip(readout, np.array([0, 2])), [math.sqrt(2) / 5])


def test_an_example_on_the_only_mean_never_flips() -> None:
    readout = make_readout([[1.0, 2.0], [3.0, 1.0]], [[1.0, 2.0], [1.0, 2.0]])
    flips_at = eps_to_flip(readout, np.array([0, 1]))
    assert np.isinf(flips_at[0])
    assert np.isfinite(flips_at[1])


def test_equal_rows_of_the_last_layer_flip_nothing() -> None:
    readout, classes = random_readout(0)
    flat = replace(readout, weight=np.ones_like(readout.weight))
    assert np.isinf(eps_to_flip(flat, classes)).all()


def test_a_prediction_too_sure_for_its_gradient_still_has_a_direction() -> None:
    # Logits ±1000: the other class' probability is 0 even in float64. The boundary is 1 away and the mean 4.
    readout = make_readout([[1.0, 0.0]], [[2.0, 0.0], [-3.0, 0.0]], [[1000.0, 0.0], [-1000.0, 0.0]])
    np.testing.assert_allclose(eps_to_flip(readout, np.array([0, 1])), [math.sqrt(2) / 4])


def test_the_direction_is_the_gradient_of_finite_differences_over_what_the_prediction_lacks() -> None:
    readout, _ = random_readout(1, n_pool=6)
    vectors, weight = readout.vectors.astype(np.float64), readout.weight.astype(np.float64)
    logits = vectors @ weight.T + readout.bias
    labels = logits.argmax(axis=1)

    def loss(at: np.ndarray) -> np.ndarray:
        logits = at @ weight.T + readout.bias
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(at)), labels]

    found = steepest_directions(logits, labels, weight) * (1 - np.exp(-loss(vectors)))[:, None]
    for column in range(vectors.shape[1]):
        step = np.zeros(vectors.shape[1])
        step[column] = 1e-6
        expected = (loss(vectors + step) - loss(vectors - step)) / 2e-6
        np.testing.assert_allclose(found[:, column], expected, atol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 3, 6])
@pytest.mark.parametrize("eps", [0.05, 0.1, 0.25])
def test_the_candidates_are_those_of_the_mixtures_made_one_by_one(n_classes: int, eps: float) -> None:
    readout, classes = random_readout(n_classes, n_pool=400, n_classes=n_classes)
    flipped = flipped_by_mixing(readout, classes, eps)
    assert 0 < flipped.sum() < 400
    np.testing.assert_array_equal(eps_to_flip(readout, classes) < eps, flipped)


def test_so_they_are_with_silent_units_and_a_class_missing() -> None:
    readout, classes = random_readout(3, n_pool=300)
    vectors = np.maximum(readout.vectors, 0)  # zeros as a rectified hidden layer has them
    labeled_vectors = np.maximum(readout.labeled_vectors, 0)
    vectors[:, 2] = labeled_vectors[:, 2] = 0
    classes = np.where(classes == 2, 1, classes)
    silent = replace(readout, vectors=vectors, labeled_vectors=labeled_vectors)
    for eps in (0.1, 0.3):
        flipped = flipped_by_mixing(silent, classes, eps)
        assert 0 < flipped.sum() < 300
        np.testing.assert_array_equal(eps_to_flip(silent, classes) < eps, flipped)


def test_blocks_do_not_change_who_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    readout, classes = random_readout(4)
    whole = eps_to_flip(readout, classes)
    monkeypatch.setattr("alvin_core.strategies.alfa_mix.NUMBERS_AT_ONCE", 25)
    np.testing.assert_allclose(eps_to_flip(readout, classes), whole, rtol=1e-9)


def test_the_picks_are_candidates_of_different_clusters() -> None:
    # Candidates in three directions, five copies each but for the last digits: one of each is taken.
    rng = np.random.default_rng(5)
    directions = np.repeat([[0.1, 1.0], [0.1, -1.0], [1.0, 0.0]], 5, axis=0)
    vectors = directions * rng.uniform(0.9, 1.1, size=(15, 1)) + rng.normal(scale=1e-3, size=(15, 2))
    readout = make_readout(vectors, [[2.0, 0.0], [-30.0, 0.0]])
    pool = make_pool(readout, np.array([0, 1]))
    selection = select(pool, 3)
    assert sorted(row // 5 for row in selection.rows.tolist()) == [0, 1, 2]
    assert sorted(selection.ranking.tolist()) == list(range(15))
    assert selection.warnings == ()


def test_the_pick_that_flips_soonest_comes_first() -> None:
    readout, classes = random_readout(6, n_pool=200)
    selection = select(make_pool(readout, classes), 12)
    flips_at = eps_to_flip(readout, classes)
    assert (np.diff(flips_at[selection.rows]) >= 0).all()
    assert (np.diff(flips_at[selection.ranking[12:]]) >= 0).all()
    assert (flips_at[selection.ranking] < 0.2).all()


def test_eps_is_raised_by_itself_until_the_candidates_suffice() -> None:
    # They flip from .354, .566 and .808 on: of 0.2, 0.4, 0.6 the last is the first with two candidates.
    readout = make_readout([[4.0, 0.0], [1.0, 0.0], [2.0, 0.0]], [[2.0, 0.0], [-3.0, 0.0]])
    selection = select(make_pool(readout, np.array([0, 1])), 2)
    assert selection.ids.tolist() == ["p001", "p002"]
    assert selection.warnings == ("eps = 0.2 gave 0 candidates; it was raised to 0.6, which gave 2",)


def test_what_lacks_is_drawn_at_random_from_the_others_and_said() -> None:
    # The first flips from sqrt(2) / 998 = .0014 on. The others are 1000 from the boundary, and 1003 from the mean of
    # class 1: they flip from 1.41 on, and eps ends at 1.
    vectors = [[1.0, 0.0]] + [[1000.0, float(row)] for row in range(30)]
    readout = make_readout(vectors, [[999.0, 0.0], [999.0, 1.0], [-3.0, 0.0]])
    pool = make_pool(readout, np.array([0, 0, 1]))
    drawn = [select(pool, 4, seed=seed) for seed in range(8)]
    for selection in drawn:
        assert selection.rows[0] == 0
        assert len(set(selection.rows.tolist())) == 4
        assert selection.warnings == (
            "eps = 0.2 gave 1 candidates; it was raised to 1, which gave 1",
            "3 examples were drawn at random, as mixing changes the class of too few",
        )
    assert len({tuple(sorted(selection.rows.tolist())) for selection in drawn}) > 1


def test_where_nothing_flips_everything_is_drawn() -> None:
    readout = make_readout(np.ones((6, 2)), np.ones((4, 2)))
    selection = select(make_pool(readout, np.array([0, 1, 0, 1])), 6)
    assert sorted(selection.rows.tolist()) == list(range(6))
    assert selection.warnings[-1].startswith("6 examples were drawn at random")


def test_copies_of_one_vector_are_taken_by_id() -> None:
    readout = make_readout(np.tile([[1.0, 0.0]], (8, 1)), [[2.0, 0.0], [-30.0, 0.0]])
    pool = make_pool(readout, np.array([0, 1]), np.array(list("hgfedcba")))
    assert select(pool, 3).ids.tolist() == ["a", "b", "c"]


def test_the_order_of_the_pool_does_not_matter() -> None:
    readout, classes = random_readout(7, n_pool=200)
    pool = make_pool(readout, classes)
    other = pool.take(np.random.default_rng(1).permutation(200))
    for budget in (9, 150):
        assert select(other, budget).ids.tolist() == select(pool, budget).ids.tolist()


def test_vectors_that_are_not_finite_are_refused() -> None:
    readout, classes = random_readout(0)
    readout.vectors[3, 1] = np.nan
    with pytest.raises(DataError, match="row 3"):
        select(make_pool(readout, classes), 2)


@pytest.mark.parametrize("n_pool", [1, 5])
def test_a_tiny_pool_is_taken_whole(n_pool: int) -> None:
    readout, classes = random_readout(8, n_pool=n_pool)
    assert sorted(select(make_pool(readout, classes), n_pool).rows.tolist()) == list(range(n_pool))


def test_a_stop_is_heard() -> None:
    def stop(event: ProgressEvent) -> None:
        raise Cancelled(event.stage)

    readout, classes = random_readout(9)
    with pytest.raises(Cancelled, match="select"):
        select(replace(make_pool(readout, classes), progress=stop), 5)


def test_the_work_grows_with_the_pool_and_with_the_classes() -> None:
    def steps(n_pool: int, n_classes: int) -> int:
        readout, classes = random_readout(0, n_pool=n_pool, n_classes=n_classes)
        return get_strategy("alfa-mix").steps(make_pool(readout, classes), RunSettings())

    assert steps(400, 3) > steps(200, 3)
    assert steps(400, 6) > steps(400, 3)
