"""The segment search against brute force in float64, where float32 would be wrong if nothing were proven."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from alvin_core.neighbors import nearest_in_pool
from alvin_core.types import Anchors, Neighbors

RELATIVE = 1e-9  # float64 sums in another order agree far better than this


def anchors_between(
    parents: np.ndarray, n_anchors: int, rng: np.random.Generator, weights: np.ndarray | None = None
) -> Anchors:
    """Draw anchors between random parents, in arbitrary order, some pairs repeated."""
    first = rng.integers(0, max(1, len(parents) // 3), n_anchors)
    second = rng.integers(0, len(parents), n_anchors)
    if weights is None:
        weights = rng.beta(2, 2, n_anchors)
    return Anchors(
        parents.astype(np.float32),
        np.arange(len(parents)),
        first,
        second,
        np.asarray(weights, dtype=np.float32),
        np.zeros(n_anchors, dtype=np.int64),
    )


def brute_force_distances(pool: np.ndarray, anchors: Anchors) -> np.ndarray:
    """Return all distances, (n_anchors, n_pool), in float64 and by differences."""
    weights = anchors.weights.astype(np.float64)[:, None]
    parents = anchors.parent_vectors.astype(np.float64)
    vectors = weights * parents[anchors.minority_rows] + (1 - weights) * parents[anchors.majority_rows]
    differences = np.asarray(pool, dtype=np.float32).astype(np.float64)[None] - vectors[:, None]
    return np.sqrt((differences**2).sum(axis=2))


def assert_is_brute_force(found: Neighbors, pool: np.ndarray) -> None:
    """Check distances, and that every row returned really is at the distance stated for it."""
    everything = brute_force_distances(pool, found.anchors)
    expected = np.sort(everything, axis=1)[:, : found.k]
    tiny = 1e-12 * float(np.abs(everything).max())
    np.testing.assert_allclose(found.distances, expected, rtol=RELATIVE, atol=tiny)
    np.testing.assert_allclose(
        np.take_along_axis(everything, found.rows.astype(np.int64), axis=1), found.distances, rtol=RELATIVE, atol=tiny
    )
    assert (np.diff(found.distances, axis=1) >= 0).all()
    in_order = np.sort(found.rows, axis=1)
    assert (in_order[:, 1:] != in_order[:, :-1]).all()


def random_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return rng.normal(size=(n, dim)).astype(np.float32)


def clustered_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return (rng.normal(size=(5, dim))[rng.integers(0, 5, n)] * 10 + rng.normal(size=(n, dim)) * 0.01).astype(np.float32)


def duplicated_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return random_points(rng, max(1, n // 20), dim)[rng.integers(0, max(1, n // 20), n)]


def equal_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return np.full((n, dim), 0.3, dtype=np.float32)


def shifted_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return (1000 + 0.01 * rng.normal(size=(n, dim))).astype(np.float32)


def tiny_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return (1e-6 * rng.normal(size=(n, dim))).astype(np.float32)


def vanishing_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return (1e-30 * rng.normal(size=(n, dim))).astype(np.float32)  # whose squares float32 cannot hold


def huge_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return (1e30 * rng.normal(size=(n, dim))).astype(np.float32)  # the same at the other end


def largest_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    points = rng.uniform(-3.4e38, -2e38, size=(n, dim)).astype(np.float32)
    points[::9] *= -1  # whose distance from the middle of all float32 cannot hold
    return points


def grid_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return rng.integers(-2, 3, size=(n, dim)).astype(np.float32)


def points_with_outlier(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    points = random_points(rng, n, dim)
    points[n // 2] = 1e6
    return points


def silent_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    points = np.maximum(random_points(rng, n, dim) - 1, 0)
    points[: n // 2] = 0  # a hidden layer that says nothing about half of the pool
    return points


def subnormal_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return (1e-42 * rng.normal(size=(n, dim))).astype(np.float32)  # a few hundred of float32's smallest steps


def far_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return (1e6 + rng.normal(size=(n, dim))).astype(np.float32)  # float32 has 16 steps from 0 to 1 there: many ties


def points_on_sphere(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    points = rng.normal(size=(n, dim))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def points_on_line(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return np.outer(rng.permutation(n), np.ones(dim)).astype(np.float32)  # every distance occurs twice


def zero_points(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    return np.zeros((n, dim), dtype=np.float32)


WORLDS = [
    random_points,
    clustered_points,
    duplicated_points,
    equal_points,
    shifted_points,
    tiny_points,
    vanishing_points,
    huge_points,
    largest_points,
    grid_points,
    points_with_outlier,
    silent_points,
    subnormal_points,
    far_points,
    points_on_sphere,
    points_on_line,
    zero_points,
]


@pytest.mark.parametrize("backend", ["segments", "torch"])
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
@pytest.mark.parametrize(("n_pool", "dim"), [(1, 3), (129, 1), (700, 2), (2500, 24)])
def test_neighbors_are_those_of_brute_force_in_every_world(world, n_pool, dim, backend) -> None:
    rng = np.random.default_rng([n_pool, dim])
    pool, parents = world(rng, n_pool, dim), world(rng, 12, dim)
    anchors = anchors_between(parents, 150, rng)
    found = nearest_in_pool(pool, np.arange(n_pool), anchors, k=min(10, n_pool), backend=backend)
    assert_is_brute_force(found, pool)


@pytest.mark.parametrize("backend", ["segments", "torch"])
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_neighbors_are_those_of_brute_force_for_all_anchors_of_all_pairs(world, backend) -> None:
    # As in a round: many weights of each pair, 0 and 1 and the smallest number among them, and many blocks.
    rng = np.random.default_rng(10)
    pool, parents = world(rng, 4700, 6), world(rng, 9, 6)
    first, second = (np.repeat(rows.ravel(), 12) for rows in np.meshgrid(np.arange(3), np.arange(3, 9)))
    weights = rng.beta(2, 2, len(first)).astype(np.float32)
    weights[::12], weights[1::12], weights[2::12] = 0, 1, 1e-45
    anchors = Anchors(parents, np.arange(9), first, second, weights, np.zeros(len(first), dtype=np.int64))
    found = nearest_in_pool(pool, rng.permutation(4700), anchors, k=10, backend=backend)
    assert_is_brute_force(found, pool)


@pytest.mark.parametrize("k", [1, 2, 9, 64, 300, 399, 400])
def test_any_k_up_to_the_whole_pool(k) -> None:
    rng = np.random.default_rng(k)
    pool = random_points(rng, 400, 8)
    found = nearest_in_pool(pool, np.arange(400), anchors_between(random_points(rng, 9, 8), 40, rng), k=k)
    assert_is_brute_force(found, pool)


def test_one_anchor_has_its_neighbors() -> None:
    rng = np.random.default_rng(0)
    pool = random_points(rng, 1000, 5)
    assert_is_brute_force(nearest_in_pool(pool, np.arange(1000), anchors_between(pool[:4], 1, rng), k=3), pool)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_an_anchor_at_the_end_of_its_segment_finds_its_parent_first(weight) -> None:
    rng = np.random.default_rng(1)
    pool = random_points(rng, 3000, 16)
    anchors = anchors_between(pool[:30], 60, rng, np.full(60, weight))
    found = nearest_in_pool(pool, np.arange(3000), anchors, k=4, backend="segments")
    assert_is_brute_force(found, pool)
    parent = anchors.minority_rows if weight == 1 else anchors.majority_rows
    assert (found.rows[:, 0] == parent).all()
    assert (found.distances[:, 0] == 0).all()


def test_a_pair_of_one_and_the_same_parent_is_that_parent() -> None:
    rng = np.random.default_rng(2)
    pool = random_points(rng, 1500, 7)
    rows = np.arange(20)
    anchors = Anchors(pool[:20], rows, rows, rows, rng.random(20).astype(np.float32), np.zeros(20, dtype=np.int64))
    found = nearest_in_pool(pool, np.arange(1500), anchors, k=5, backend="segments")
    assert (found.rows[:, 0] == rows).all()
    assert_is_brute_force(found, pool)


def test_one_parent_alone_and_its_anchors() -> None:
    rng = np.random.default_rng(11)
    pool = random_points(rng, 1200, 5)
    found = nearest_in_pool(pool, np.arange(1200), anchors_between(pool[:1], 30, rng), k=8, backend="segments")
    assert_is_brute_force(found, pool)


def test_many_anchors_on_one_pair() -> None:
    rng = np.random.default_rng(3)
    pool = random_points(rng, 900, 6)
    anchors = anchors_between(pool[:3], 500, rng)
    assert_is_brute_force(nearest_in_pool(pool, np.arange(900), anchors, k=6, backend="segments"), pool)


def test_a_tight_cluster_between_distant_parents_is_told_apart() -> None:
    # Distances in the cluster are a millionth of those to the parents: float32 cannot order them.
    rng = np.random.default_rng(4)
    parents = np.zeros((2, 10), dtype=np.float32)
    parents[0, 0], parents[1, 0] = -4, 4
    pool = (4e-6 * rng.normal(size=(2000, 10))).astype(np.float32)
    anchors = Anchors(
        parents, np.arange(2), np.zeros(50, int), np.ones(50, int), np.full(50, 0.5, np.float32), np.zeros(50, int)
    )
    notes = []
    found = nearest_in_pool(
        pool, np.arange(2000), anchors, k=10, backend="segments", progress=lambda event: notes.append(event.note)
    )
    assert_is_brute_force(found, pool)
    assert any("searched again, wider" in note for note in notes)


def test_copies_of_one_vector_come_in_the_order_of_their_ids() -> None:
    rng = np.random.default_rng(5)
    pool = np.repeat(random_points(rng, 40, 6), 50, axis=0)
    ids = rng.permutation(2000)
    anchors = anchors_between(pool[::100], 80, rng)
    found = nearest_in_pool(pool, ids, anchors, k=70, backend="segments")
    assert_is_brute_force(found, pool)
    group = np.arange(2000) // 50
    for rows in found.rows:
        assert (group[rows[:50]] == group[rows[0]]).all()
        np.testing.assert_array_equal(found.pool_ids[rows[:50]], np.sort(ids[group == group[rows[0]]]))
        assert (group[rows[50:]] == group[rows[50]]).all()
        np.testing.assert_array_equal(found.pool_ids[rows[50:]], np.sort(ids[group == group[rows[50]]])[:20])


def test_equal_distances_of_different_vectors_are_ordered_by_id() -> None:
    # The corners of a cube are equally far from its centre, exactly so in floating point.
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 9)).reshape(9, -1).T.astype(np.float32)  # 512 corners
    ids = np.array([f"{number:03d}" for number in np.random.default_rng(6).permutation(512)])
    parents = np.stack([np.full(9, 0.5), np.full(9, -0.5)]).astype(np.float32)
    anchors = Anchors(
        parents, np.arange(2), np.array([0]), np.array([1]), np.array([0.5], np.float32), np.zeros(1, int)
    )
    for k in (1, 5, 64, 512):
        found = nearest_in_pool(corners, ids, anchors, k=k, backend="segments")
        assert (found.distances == 3.0).all()
        np.testing.assert_array_equal(found.ids[0], np.sort(ids)[:k])


def test_small_tiles_give_the_same_as_one(monkeypatch) -> None:
    from alvin_core.neighbors import segments

    rng = np.random.default_rng(7)
    pool = random_points(rng, 3000, 12)
    anchors = anchors_between(random_points(rng, 20, 12), 300, rng)
    whole = nearest_in_pool(pool, np.arange(3000), anchors, k=12, backend="segments")
    monkeypatch.setattr(segments, "TILE_NUMBERS", 20 * 256)  # tiles of 256: some hold fewer than is kept
    monkeypatch.setattr(segments, "TOO_SMALL_FOR_THREADS", 0)
    tiled = nearest_in_pool(pool, np.arange(3000), anchors, k=12, backend="segments")
    np.testing.assert_array_equal(tiled.rows, whole.rows)
    np.testing.assert_array_equal(tiled.distances, whole.distances)
    many = nearest_in_pool(pool, np.arange(3000), anchors, k=500, backend="segments")
    assert_is_brute_force(many, pool)


def test_anchors_searched_in_parts_give_the_same_as_at_once(monkeypatch) -> None:
    from alvin_core.neighbors import exact

    rng = np.random.default_rng(8)
    pool = random_points(rng, 2000, 12)
    anchors = anchors_between(random_points(rng, 20, 12), 300, rng)
    whole = nearest_in_pool(pool, np.arange(2000), anchors, k=5, backend="segments")
    monkeypatch.setattr(exact, "LINKS_AT_ONCE", 300)
    parts = nearest_in_pool(pool, np.arange(2000), anchors, k=5, backend="segments")
    np.testing.assert_array_equal(parts.rows, whole.rows)


FINITE = st.floats(-100, 100, width=32)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_small_world_is_searched_exactly(data) -> None:
    dim = data.draw(st.integers(1, 4))
    n_pool = data.draw(st.integers(1, 12))
    repeat = data.draw(st.sampled_from([1, 40]))  # copies take the search beyond what is simply measured in full
    pool = np.repeat(data.draw(hnp.arrays(np.float32, (n_pool, dim), elements=FINITE)), repeat, axis=0)
    pool[repeat // 2 :: 3] += np.float32(0.5)
    parents = data.draw(hnp.arrays(np.float32, (3, dim), elements=FINITE))
    weights = data.draw(hnp.arrays(np.float32, 5, elements=st.floats(0, 1, width=32)))
    rows = st.integers(0, 2)
    first, second = (np.array(data.draw(st.lists(rows, min_size=5, max_size=5))) for _ in range(2))
    anchors = Anchors(parents, np.arange(3), first, second, weights, np.zeros(5, dtype=np.int64))
    k = data.draw(st.integers(1, len(pool)))
    assert_is_brute_force(nearest_in_pool(pool, np.arange(len(pool)), anchors, k=k, backend="segments"), pool)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-3, 1.0, 1e3]), offset=st.sampled_from([0.0, 50.0]))
def test_any_large_enough_world_is_searched_exactly(seed, scale, offset) -> None:
    rng = np.random.default_rng(seed)
    n_pool, dim = int(rng.integers(200, 1200)), int(rng.integers(1, 12))
    pool = (offset + scale * rng.normal(size=(n_pool, dim))).astype(np.float32)
    parents = (offset + scale * rng.normal(size=(6, dim))).astype(np.float32)
    anchors = anchors_between(parents, 30, rng)
    found = nearest_in_pool(pool, np.arange(n_pool), anchors, k=int(rng.integers(1, 30)), backend="segments")
    assert_is_brute_force(found, pool)
