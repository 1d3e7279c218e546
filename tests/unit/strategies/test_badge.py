"""BADGE: distances and picks of gradients that are never written out, against gradients that are."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import Cancelled
from alvin_core.progress import ProgressEvent
from alvin_core.settings import RunSettings
from alvin_core.strategies import Pool, Readout, badge, get_strategy
from alvin_core.strategies.kmeans_seeding import OuterProducts, sample_centres
from alvin_core.types import Selection


def pool_of(probs: np.ndarray, vectors: np.ndarray, ids: np.ndarray | None = None) -> Pool:
    n_classes, dim = probs.shape[1], vectors.shape[1]
    readout = Readout(
        vectors=vectors.astype(np.float32),
        labeled_vectors=np.zeros((1, dim), dtype=np.float32),
        weight=np.zeros((n_classes, dim), dtype=np.float32),
        bias=np.zeros(n_classes, dtype=np.float32),
    )
    names = np.array([f"example-{row:05d}" for row in range(len(probs))]) if ids is None else ids
    return Pool(ids=names, probs=probs.astype(np.float32), readout=readout)


def random_pool(n_pool: int, n_classes: int = 3, dim: int = 6, seed: int = 0, offset: float = 0.0) -> Pool:
    rng = np.random.default_rng(seed)
    return pool_of(rng.dirichlet(np.ones(n_classes), size=n_pool), rng.normal(size=(n_pool, dim)) + offset)


def select(pool: Pool, budget: int, seed: int = 0) -> Selection:
    return get_strategy("badge").select(pool, budget, RunSettings(), np.random.default_rng(seed))


def written_out(pool: Pool) -> np.ndarray:
    """The gradient embeddings themselves, of shape (n_pool, n_classes · dim), in float64."""
    assert pool.probs is not None
    assert pool.readout is not None
    gradients = []
    for probs, vector in zip(pool.probs.astype(float), pool.readout.vectors.astype(float), strict=True):
        error = probs.copy()
        error[np.argmax(probs)] -= 1
        gradients.append(np.outer(error, vector).ravel())
    return np.array(gradients)


def naive_picks(pool: Pool, budget: int, rng: np.random.Generator) -> list[int]:
    """k-means++ over the written-out gradients, one draw a pick, the largest first; ids in the order of rows."""
    gradients = written_out(pool)
    picks = [int(np.argmax((gradients**2).sum(axis=1)))]
    while len(picks) < budget:
        apart = ((gradients[:, None, :] - gradients[None, picks, :]) ** 2).sum(axis=2).min(axis=1)
        number, total = rng.random(), 0.0
        for row, chance in enumerate(apart / apart.sum()):
            total += chance
            if number < total:
                picks.append(row)
                break
    return picks


@pytest.mark.parametrize("n_classes", [2, 3, 12])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_the_same_numbers_draw_the_same_picks_as_gradients_written_out(n_classes: int, offset: float) -> None:
    pool = random_pool(80, n_classes=n_classes, seed=n_classes, offset=offset)
    for seed in range(5):
        expected = naive_picks(pool, 20, np.random.default_rng(seed))
        assert select(pool, 20, seed).rows.tolist() == expected


def test_three_gradients_worked_out_by_hand() -> None:
    # Errors (−.5, .5), (.4, −.4) and (−.1, .1); vectors (2, 0), (0, 3) and (1, 0).
    pool = pool_of(np.array([[0.5, 0.5], [0.4, 0.6], [0.9, 0.1]]), np.array([[2.0, 0], [0, 3], [1, 0]]))
    assert pool.readout is not None
    points = badge.gradient_embeddings(np.array([[0.5, 0.5], [0.4, 0.6], [0.9, 0.1]]), pool.readout.vectors)
    assert points.squared_norms == pytest.approx([0.5 * 4, 0.32 * 9, 0.02])
    nearest = np.full(3, np.inf)
    points.approach(nearest, 1)
    assert nearest == pytest.approx([2 + 2.88, 0, 2.88 + 0.02])  # the vectors are orthogonal
    points.approach(nearest, 0)
    assert nearest == pytest.approx([0, 0, 0.81 + 0.81])  # (−1, 0, 1, 0) from (−.1, 0, .1, 0)


@pytest.mark.parametrize("offset", [0.0, 5.0, 1000.0])
@pytest.mark.parametrize("n_classes", [2, 12])
def test_distances_are_those_of_gradients_written_out(n_classes: int, offset: float) -> None:
    pool = random_pool(60, n_classes=n_classes, dim=40, offset=offset)
    assert pool.readout is not None
    assert pool.probs is not None
    gradients = written_out(pool)
    points = badge.gradient_embeddings(pool.probs, pool.readout.vectors)
    for centre in range(0, 60, 7):
        nearest = np.full(60, np.inf)
        points.approach(nearest, centre)
        expected = ((gradients - gradients[centre]) ** 2).sum(axis=1)
        np.testing.assert_allclose(nearest, expected, rtol=1e-3, atol=0)
        np.testing.assert_allclose(nearest.sum(), expected.sum(), rtol=1e-5)


def test_near_twins_far_from_the_origin_keep_their_distance() -> None:
    # In float32 the distance of 1e-6 would drown in squared norms of 1e6.
    rng = np.random.default_rng(1)
    base = rng.normal(size=64) * 200
    vectors = np.vstack([base, base, base]).astype(np.float32)
    vectors[1, 5] = np.nextafter(vectors[1, 5], np.float32(np.inf))
    probs = np.array([[0.6, 0.4]] * 3)
    points = badge.gradient_embeddings(probs, vectors)
    nearest = np.full(3, np.inf)
    points.approach(nearest, 0)
    step = float(vectors[1, 5]) - float(vectors[0, 5])
    assert nearest.tolist() == [0.0, pytest.approx(0.32 * step**2, rel=1e-9), 0.0]


def test_distances_never_fall_below_zero() -> None:
    rng = np.random.default_rng(2)
    vectors = (100 + 1e-4 * rng.normal(size=(300, 50))).astype(np.float32)
    probs = np.repeat([[0.5, 0.3, 0.2]], 300, axis=0) + 1e-7 * rng.normal(size=(300, 3))
    points = badge.gradient_embeddings(probs, vectors)
    nearest = np.full(300, np.inf)
    for centre in range(0, 300, 10):
        points.approach(nearest, centre)
        assert (nearest >= 0).all()


def test_the_largest_gradient_is_first() -> None:
    pool = random_pool(50)
    largest = int(np.argmax((written_out(pool) ** 2).sum(axis=1)))
    assert all(select(pool, 1, seed).rows.tolist() == [largest] for seed in range(4))


def test_of_equal_largest_gradients_the_first_id_is_taken() -> None:
    pool = pool_of(np.full((4, 2), 0.5), np.eye(4), ids=np.array(["d", "b", "a", "c"]))
    assert select(pool, 1).ids.tolist() == ["a"]


def test_every_pick_is_drawn_in_proportion_to_the_squared_distance() -> None:
    # Three equal errors on one line: from the first pick at 4, the others are 1 and 3 away; chances 1 : 9.
    pool = pool_of(np.full((3, 2), 0.5), np.array([[4.0], [3.0], [1.0]]))
    n_far = sum(select(pool, 2, seed).rows.tolist() == [0, 2] for seed in range(2000))
    assert abs(n_far / 2000 - 0.9) < 4 * np.sqrt(0.09 / 2000)


def test_the_order_of_the_pool_does_not_matter() -> None:
    pool = random_pool(200)
    shuffled = pool.take(np.random.default_rng(5).permutation(200))
    assert select(pool, 30, 3).ids.tolist() == select(shuffled, 30, 3).ids.tolist()


def test_where_all_predictions_are_certain_the_first_ids_are_taken_and_the_user_is_told() -> None:
    pool = pool_of(np.eye(3)[[0, 1, 2, 0]], np.ones((4, 2)), ids=np.array(["d", "b", "a", "c"]))
    selection = select(pool, 3)
    assert selection.ids.tolist() == ["a", "b", "c"]
    assert selection.warnings == (
        "the gradients of 4 examples are 0 or equal those of the 0 drawn; the other 3 are those of highest entropy",
    )


def test_where_all_gradients_are_equal_one_is_drawn_and_the_rest_go_by_id() -> None:
    pool = pool_of(np.full((6, 2), 0.5), np.ones((6, 3)), ids=np.array(list("fedcba")))
    selection = select(pool, 4)
    assert selection.ids.tolist() == ["a", "b", "c", "d"]
    assert "of the 1 drawn" in selection.warnings[0]


def test_duplicates_of_a_picked_example_are_drawn_only_when_nothing_else_is_left() -> None:
    distinct = random_pool(5, dim=30)
    assert distinct.readout is not None
    pool = distinct.take(np.repeat(np.arange(5), 40))
    pool = replace(pool, ids=np.arange(200))
    for seed in range(10):
        selection = select(pool, 8, seed)
        assert sorted((selection.rows[:5] // 40).tolist()) == [0, 1, 2, 3, 4]
        assert len(np.unique(selection.rows)) == 8
        assert "of the 5 drawn" in selection.warnings[0]


def test_the_rest_go_by_entropy() -> None:
    probs = np.array([[0.5, 0.5], [0.9, 0.1], [0.6, 0.4], [0.7, 0.3]])
    selection = select(pool_of(probs, np.array([[1.0], [0], [0], [0]])), 4)  # a vector of zeros has no gradient
    assert selection.rows.tolist() == [0, 2, 3, 1]


@pytest.mark.parametrize("n_classes", [2, 12])
def test_a_budget_of_the_whole_pool_takes_every_example_once(n_classes: int) -> None:
    selection = select(random_pool(40, n_classes=n_classes), 40)
    assert sorted(selection.rows.tolist()) == list(range(40))
    assert selection.warnings == ()


def test_a_number_just_below_one_draws_an_example_of_some_weight() -> None:
    class AlmostOne(np.random.Generator):
        def random(self, *arguments: object, **options: object) -> float:  # type: ignore[override]
            return 1 - 2.0**-53

    # The second row equals the origin, the others the first pick. At 2.3e-162 a squared norm is the smallest number
    # there is, and its product with what is drawn rounds up to itself.
    long = np.array([[1], [0], [1], [1]], dtype=np.float32)
    for scale in (1.0, 2.3e-162):
        points = OuterProducts(np.full((4, 1), scale), long)
        numbers = AlmostOne(np.random.PCG64(0))
        assert sample_centres(points, 3, numbers, first=0, order=np.arange(4)) == [0, 1]


def test_it_stops_when_cancelled() -> None:
    def stop(event: ProgressEvent) -> None:
        if event.done == 3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        select(replace(random_pool(50), progress=stop), 10)


def test_no_gradient_is_written_out() -> None:
    n_pool, n_classes, dim = 5_000, 12, 128
    pool = random_pool(n_pool, n_classes=n_classes, dim=dim)
    tracemalloc.start()
    try:
        select(pool, 5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n_pool * n_classes * dim * 4 / 6  # a sixth of the gradients in float32


def test_vectors_that_do_not_lie_row_by_row_give_the_same_picks() -> None:
    pool = random_pool(70)
    assert pool.readout is not None
    across = replace(pool, readout=replace(pool.readout, vectors=np.asfortranarray(pool.readout.vectors)))
    assert select(across, 12).rows.tolist() == select(pool, 12).rows.tolist()
