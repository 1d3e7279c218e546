"""The parts of the segment search: vector code against numpy, bounds to the last bit, lists of the lowest values."""

from __future__ import annotations

from functools import partial

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from alvin_core.neighbors import segments
from alvin_core.neighbors.checking import AnchorPoints
from alvin_core.neighbors.segment_kernels import NEVER_NEAR, search_anchors
from alvin_core.neighbors.segment_tile import BLOCK, Tile
from alvin_core.neighbors.segment_vectors import LANES, SUBSETS, append_below
from alvin_core.neighbors.space import SearchSpace

NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32)
WEIGHTS = st.floats(0, 1, width=32)


@numba.njit
def appended(first, second, start, weight, rest, bar, subsets, found, n_found):
    return append_below(first, second, start, weight, rest, bar, subsets, found, n_found)


def interpolated(first: np.ndarray, second: np.ndarray, weight: np.float32) -> np.ndarray:
    """Two products and a sum, each rounded to float32."""
    return weight * first + (np.float32(1) - weight) * second


def make_space(pool: np.ndarray, parents: np.ndarray, weights: np.ndarray) -> SearchSpace:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, len(parents), len(weights)) for _ in range(2))
    points = AnchorPoints(parents.astype(np.float32), first, second, weights.astype(np.float64))
    pool = pool.astype(np.float32)
    return SearchSpace.around(pool, np.arange(len(pool), dtype=np.int32), points)


def make_tile(space: SearchSpace, start: int, stop: int) -> Tile:
    alone = partial(segments._in_threads, n_chunks=1, alone=True)
    return Tile.of(space, space.scaled_parents(), start, stop, alone)


def lists(space: SearchSpace, tiles: list[Tile], n_kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Search tile after tile; the lowest values and their positions, of shape (n_anchors, n_kept)."""
    lowest = np.full((space.n_anchors, n_kept), np.inf, dtype=np.float32)
    positions = np.zeros((space.n_anchors, n_kept), dtype=np.int32)
    points = space.points
    for tile in tiles:
        search_anchors(
            tile.values, tile.fine, tile.middle, tile.coarse, tile.order, tile.start, points.first, points.second,
            points.weights.astype(np.float32), SUBSETS, lowest, positions,
        )  # fmt: skip
    return lowest, positions


@pytest.mark.parametrize("chosen", range(2**LANES))
def test_any_set_of_eight_lanes_is_appended_in_order(chosen) -> None:
    lanes = np.array([chosen >> lane & 1 for lane in range(LANES)], dtype=bool)
    numbers = np.zeros(24, np.float32)
    numbers[16:][~lanes] = 1
    found = np.full(12, -1, np.int32)
    n = appended(numbers, numbers, 16, np.float32(0.5), np.float32(0.5), np.float32(1), SUBSETS, found, 3)
    assert n == 3 + lanes.sum()
    assert found[3:n].tolist() == (16 + np.flatnonzero(lanes)).tolist()
    assert (found[:3] == -1).all()
    assert (found[3 + LANES :] == -1).all()


@settings(max_examples=300, deadline=None)
@given(
    first=hnp.arrays(np.float32, LANES, elements=NUMBERS),
    second=hnp.arrays(np.float32, LANES, elements=NUMBERS),
    weight=WEIGHTS,
    lane=st.integers(0, LANES - 1),
)
def test_what_is_appended_is_below_the_bar_to_the_last_bit(first, second, weight, lane) -> None:
    weight = np.float32(weight)
    values = interpolated(first, second, weight)
    for bar in (values[lane], np.nextafter(values[lane], np.float32(np.inf))):
        found = np.empty(LANES, np.int32)
        n = appended(first, second, 0, weight, np.float32(1) - weight, bar, SUBSETS, found, 0)
        assert found[:n].tolist() == np.flatnonzero(values < bar).tolist()


@pytest.mark.parametrize("n_pool", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 9 * BLOCK + 5])
def test_a_tile_holds_every_position_once_and_the_lowest_of_every_block(n_pool) -> None:
    rng = np.random.default_rng(n_pool)
    space = make_space(rng.normal(size=(n_pool + 3, 5)), rng.normal(size=(6, 5)), rng.random(4))
    tile = make_tile(space, 3, n_pool + 3)
    n_tile = tile.values.shape[1]
    assert n_tile % BLOCK == 0
    assert sorted(tile.order[:n_pool]) == list(range(n_pool))
    assert (tile.values[:, n_pool:] == NEVER_NEAR).all()
    assert tile.values[:, :n_pool].max() < NEVER_NEAR / 4
    for size, lowest in ((LANES, tile.fine), (LANES**2, tile.middle), (BLOCK, tile.coarse)):
        expected = tile.values.reshape(6, -1, size).min(axis=2)
        np.testing.assert_array_equal(lowest[:, : expected.shape[1]], expected)
        assert (lowest[:, expected.shape[1] :] == NEVER_NEAR).all()
    vectors = space.tile(3, n_pool + 3)[tile.order[:n_pool]].astype(np.float64)
    exact = (vectors**2).sum(axis=1) - 2 * space.scaled_parents().astype(np.float64) @ vectors.T
    np.testing.assert_allclose(tile.values[:, :n_pool], exact, atol=1e-5)


@settings(max_examples=200, deadline=None)
@given(
    first=hnp.arrays(np.float32, 16, elements=NUMBERS),
    second=hnp.arrays(np.float32, 16, elements=NUMBERS),
    weight=WEIGHTS,
)
def test_the_bound_of_a_block_is_above_nothing_in_it_to_the_last_bit(first, second, weight) -> None:
    bound = interpolated(first.min(), second.min(), np.float32(weight))
    assert (bound <= interpolated(first, second, np.float32(weight))).all()


@pytest.mark.parametrize("levels", [2, 4, 1000])
@pytest.mark.parametrize(
    ("n_pool", "step", "n_kept"), [(700, 700, 17), (5000, 1024, 12), (1300, 512, 600), (513, 512, 3)]
)
def test_the_lists_hold_the_lowest_float32_values_of_all_tiles(n_pool, step, n_kept, levels) -> None:
    rng = np.random.default_rng([n_pool, levels])
    pool, parents = rng.integers(0, levels, (n_pool, 4)), rng.integers(0, levels, (7, 4))  # few levels: many ties
    space = make_space(pool, parents, np.concatenate([rng.random(60), [0, 1, 1e-45, 0.5]]).astype(np.float32))
    tiles = [make_tile(space, start, min(start + step, n_pool)) for start in range(0, n_pool, step)]
    lowest, positions = lists(space, tiles, n_kept)
    values = np.empty((len(parents), n_pool), np.float32)
    for tile in tiles:
        n = min(step, n_pool - tile.start)
        values[:, tile.start + tile.order[:n]] = tile.values[:, :n]
    points = space.points
    for anchor, weight in enumerate(points.weights.astype(np.float32)):
        everything = interpolated(values[points.first[anchor]], values[points.second[anchor]], weight)
        np.testing.assert_array_equal(np.sort(lowest[anchor]), np.sort(everything)[:n_kept])
        np.testing.assert_array_equal(everything[positions[anchor]], lowest[anchor])
        assert len(set(positions[anchor].tolist())) == n_kept
        assert lowest[anchor, 0] == lowest[anchor].max()


def test_the_order_in_which_anchors_come_does_not_change_their_lists() -> None:
    # What an anchor keeps first is a guess from the one before: a bad guess may cost time and nothing else.
    rng = np.random.default_rng(3)
    space = make_space(rng.normal(size=(3000, 6)), rng.normal(size=(8, 6)), rng.random(90))
    shuffled = space.take(np.random.default_rng(4).permutation(90))
    one, other = (np.sort(lists(each, [make_tile(each, 0, 3000)], 11)[0], axis=1) for each in (space, shuffled))
    np.testing.assert_array_equal(other, one[np.random.default_rng(4).permutation(90)])


def test_however_the_work_is_cut_the_answer_is_the_same(monkeypatch) -> None:
    rng = np.random.default_rng(5)
    space = make_space(rng.normal(size=(2000, 6)), rng.normal(size=(8, 6)), rng.random(200))
    quiet = {"device": "cpu", "progress": lambda event: None}
    whole = segments.nearest(space, 9, **quiet)
    monkeypatch.setattr(segments, "TOO_SMALL_FOR_THREADS", 0)
    monkeypatch.setattr(segments, "WORK_AT_ONCE", 20_000)
    monkeypatch.setattr(segments, "TILE_NUMBERS", 8 * 512)
    monkeypatch.setattr(numba, "get_num_threads", lambda: 3)
    for one, other in zip(segments.nearest(space, 9, **quiet), whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_taking_anchors_takes_the_parents_that_occur_among_them() -> None:
    rng = np.random.default_rng(6)
    parents = rng.normal(size=(10, 3)).astype(np.float32)
    points = AnchorPoints(parents, np.array([9, 2, 2, 7]), np.array([4, 9, 2, 0]), np.array([0.1, 0.2, 0.3, 0.4]))
    some = points.take(np.array([2, 0]))
    np.testing.assert_array_equal(some.parents, parents[[2, 4, 9]])
    np.testing.assert_array_equal(some.parents[some.first], parents[[2, 9]])
    np.testing.assert_array_equal(some.parents[some.second], parents[[2, 4]])
    assert some.weights.tolist() == [0.3, 0.1]
