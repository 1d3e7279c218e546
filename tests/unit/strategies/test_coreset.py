"""Coreset: the greedy farthest-first picks, against distances in float64 and a line worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import Cancelled, DataError
from alvin_core.progress import ProgressEvent
from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool, coreset, get_strategy
from alvin_core.types import Groups, Selection


def pool_of(vectors: np.ndarray, labeled: np.ndarray, ids: np.ndarray | None = None) -> Pool:
    classes = np.arange(len(labeled)) % 2
    none = np.zeros(len(labeled), dtype=bool)
    return Pool(
        ids=np.array([f"example-{row:05d}" for row in range(len(vectors))]) if ids is None else ids,
        vectors=vectors.astype(np.float32),
        labeled=LabeledSet(
            ids=np.array([f"labeled-{row}" for row in range(len(labeled))]),
            classes=classes,
            vectors=labeled.astype(np.float32),
            groups=Groups(none, classes, "forgetting", none),
            probs=np.full((len(labeled), 2), 0.5),
        ),
    )


def select(pool: Pool, budget: int) -> Selection:
    return get_strategy("coreset").select(pool, budget, RunSettings(), np.random.default_rng(0))


def distances_to(points: np.ndarray, center: np.ndarray) -> np.ndarray:
    return np.sqrt(((points.astype(np.float64) - center.astype(np.float64)) ** 2).sum(axis=1))


def assert_each_pick_is_the_farthest(pool: Pool, selection: Selection, tolerance: float) -> None:
    """Follow the picks in float64; a pick may be another one only where the two tie within the tolerance."""
    assert pool.vectors is not None
    assert pool.labeled is not None
    nearest = np.min([distances_to(pool.vectors, center) for center in pool.labeled.vectors], axis=0)
    for row, score in zip(selection.rows, selection.scores, strict=True):
        assert nearest[row] >= nearest.max() * (1 - tolerance)
        assert score == pytest.approx(nearest.max(), rel=tolerance, abs=0)
        nearest = np.minimum(nearest, distances_to(pool.vectors, pool.vectors[row]))
        nearest[row] = -1


def test_on_a_line_the_ends_are_taken_and_then_the_middle_of_the_widest_gap() -> None:
    # Labeled: 0. 10 is farthest (10); then -4 and 5 are 4 and 5 away; then -4; then 2, which is 2 from 0.
    pool = pool_of(np.array([[2.0], [10.0], [5.0], [-4.0], [9.5]]), np.array([[0.0]]))
    selection = select(pool, 5)
    assert selection.rows.tolist() == [1, 2, 3, 0, 4]
    assert selection.scores.tolist() == [10.0, 5.0, 4.0, 2.0, 0.5]
    assert selection.ranking.tolist() == [1, 2, 3, 0, 4]


def test_of_examples_equally_far_the_lower_id_is_taken() -> None:
    vectors = np.array([[0.0, 3.0], [3.0, 0.0], [0.0, -3.0], [-3.0, 0.0]])
    pool = pool_of(vectors, np.array([[0.0, 0.0]]), ids=np.array(["d", "b", "c", "a"]))
    assert select(pool, 4).ids.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("n_pool", "n_labeled", "dim"), [(400, 30, 5), (300, 1, 60), (9000, 12, 8)])
def test_every_pick_is_the_farthest_in_float64(n_pool: int, n_labeled: int, dim: int) -> None:
    rng = np.random.default_rng(dim)
    pool = pool_of(rng.normal(size=(n_pool, dim)), rng.normal(size=(n_labeled, dim)))
    assert_each_pick_is_the_farthest(pool, select(pool, 60), tolerance=1e-5)


def test_tight_clusters_far_from_each_other_and_the_origin_lose_no_precision() -> None:
    # Products of float32 vectors of norm 1e2 err by some 1e-3: more than the squared distances within a cluster here.
    rng = np.random.default_rng(1)
    centers = rng.normal(size=(4, 40)) * 2 + 10
    points = centers[rng.integers(0, 4, 500)] + 1e-3 * rng.normal(size=(500, 40))
    pool = pool_of(points, centers[:1] + 1e-3)
    assert_each_pick_is_the_farthest(pool, select(pool, 80), tolerance=1e-5)


def test_the_order_of_the_pool_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    pool = pool_of(np.repeat(rng.normal(size=(40, 4)), 3, axis=0), rng.normal(size=(3, 4)))
    assert pool.vectors is not None
    shuffled = rng.permutation(len(pool))
    other = replace(pool, ids=pool.ids[shuffled], vectors=pool.vectors[shuffled])
    assert select(pool, 100).ids.tolist() == select(other, 100).ids.tolist()


def test_equal_examples_are_taken_by_id_until_all_are() -> None:
    pool = pool_of(np.ones((6, 3)), np.zeros((1, 3)), ids=np.array(list("fbdace")))
    selection = select(pool, 6)
    assert selection.ids.tolist() == list("abcdef")
    assert selection.scores.tolist() == pytest.approx([3**0.5, 0, 0, 0, 0, 0])


def test_vectors_that_may_not_be_written_to_are_read_all_the_same() -> None:
    pool = pool_of(np.array([[1.0], [4.0]]), np.array([[0.0]]))
    assert pool.vectors is not None
    pool.vectors.setflags(write=False)
    assert select(pool, 2).rows.tolist() == [1, 0]


def test_vectors_that_are_not_finite_are_refused() -> None:
    pool = pool_of(np.array([[1.0], [np.nan]]), np.array([[0.0]]))
    with pytest.raises(DataError):
        select(pool, 1)
    with pytest.raises(DataError, match="row 1 holds NaN"):
        coreset.farthest_first(pool.vectors, pool.ids, np.ones(2), 1)


def test_a_cancel_is_heard_before_every_pick() -> None:
    heard: list[int] = []

    def stop_at_three(event: ProgressEvent) -> None:
        if event.stage == "select":
            heard.append(event.done)
        if heard and heard[-1] == 3:
            raise Cancelled("stopped")

    pool = replace(pool_of(np.random.default_rng(0).normal(size=(50, 2)), np.zeros((1, 2))), progress=stop_at_three)
    with pytest.raises(Cancelled):
        select(pool, 20)
    assert heard == [0, 1, 2, 3]


def test_the_work_grows_with_the_pool_the_labeled_set_and_the_budget() -> None:
    rng = np.random.default_rng(0)
    entry = get_strategy("coreset")
    pool = pool_of(rng.normal(size=(100, 4)), rng.normal(size=(10, 4)))
    few = entry.steps(pool, RunSettings(budget=5))
    assert entry.steps(pool, RunSettings(budget=50)) > few
    assert entry.steps(pool_of(rng.normal(size=(1000, 4)), rng.normal(size=(10, 4))), RunSettings(budget=5)) > few
    assert entry.steps(pool_of(rng.normal(size=(100, 4)), rng.normal(size=(90, 4))), RunSettings(budget=5)) > few
