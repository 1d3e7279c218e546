"""Exact search on the segments between parents: no anchor needs products of its own.

An anchor lies on the segment between its two parents, so its distance to a pool vector follows from theirs.
The products of parents and pool are taken once. For the same reason a bound for a block of the pool follows
from the parents' bounds, so that an anchor looks at few of the pool's vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numba
import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.exact import Report, nearest_exactly, take_nearest
from alvin_core.neighbors.segment_kernels import measure_links, nearest_links, search_anchors
from alvin_core.neighbors.segment_tile import BLOCK, Tile
from alvin_core.neighbors.segment_vectors import SUBSETS
from alvin_core.neighbors.space import SearchSpace
from alvin_core.progress import Progress
from alvin_core.types import FloatArray, IntArray

__all__ = ["nearest"]

TILE_NUMBERS = 64_000_000  # products in memory at once: 256 MB at most, and a seventh more of bounds
WORK_AT_ONCE = 500_000_000  # anchors × positions, or numbers measured, between two reports: well under a second
ANCHOR_OVERHEAD = 30_000  # what an anchor costs beyond its positions, in positions
TOO_SMALL_FOR_THREADS = 20_000_000  # anchors × positions that one thread finishes in a few milliseconds
CHUNKS_PER_THREAD = 4
PARENTS_TOGETHER = 8  # on either side: the values of so many parents stay in the cache
WEIGHT_STEPS = 1 << 16  # weights are told apart so finely when anchors are put in order
SHORT_LIST = 64  # neighbors that are inserted into a sorted list; more of them are sorted


def nearest(space: SearchSpace, k: int, *, device: str, progress: Progress) -> tuple[IntArray, FloatArray]:
    """Find the k nearest positions of every anchor; see `nearest_exactly`. Works on the processor alone."""
    return nearest_exactly(space, k, _search, _refine, progress)


def _search(space: SearchSpace, n_kept: int, report: Report) -> tuple[IntArray, NDArray[np.float64]]:
    points = space.points
    order = _near_each_other(points.first, points.second, points.weights)
    first, second = points.first[order], points.second[order]
    weights = points.weights[order].astype(np.float32)
    lowest = np.full((len(order), n_kept), np.inf, dtype=np.float32)
    positions = np.zeros((len(order), n_kept), dtype=np.int32)
    parents = space.scaled_parents()
    for start, stop in space.tiles(space.tile_size(TILE_NUMBERS, BLOCK)):
        is_small = len(parents) * (stop - start) < TOO_SMALL_FOR_THREADS
        tile = Tile.of(space, parents, start, stop, partial(_in_threads, n_chunks=1, alone=is_small))

        def work(begin: int, end: int, tile: Tile = tile) -> None:
            part = slice(begin, end)
            search_anchors(
                tile.values, tile.fine, tile.middle, tile.coarse, tile.order, tile.start,
                first[part], second[part], weights[part], SUBSETS, lowest[part], positions[part],
            )  # fmt: skip

        def tell(n_done: int, start: int = start, stop: int = stop) -> None:
            report((len(order) * start + n_done * (stop - start)) // space.n_positions)

        cost = len(order) * (stop - start + ANCHOR_OVERHEAD)
        _in_threads(work, len(order), cost / WORK_AT_ONCE, alone=cost < TOO_SMALL_FOR_THREADS, report=tell)
    found = np.empty_like(positions)
    found[order] = positions
    cutoffs = np.empty(len(order))
    cutoffs[order] = lowest[:, 0]  # the root of each heap: the worst that is kept
    return found, cutoffs + space.anchor_norms()


def _near_each_other(first: IntArray, second: IntArray, weights: NDArray[np.float64]) -> IntArray:
    """Put the anchors in an order in which each is near the one before it: of shape (n_anchors,).

    Those of one pair follow each other, from its first parent to its second; pairs come in squares of a few
    first and a few second parents.
    """
    one, other, side = first.astype(np.int64), second.astype(np.int64), PARENTS_TOGETHER
    squares = (one // side) * (int(other.max()) // side + 1) + other // side
    pairs = (squares * side + one % side) * side + other % side
    from_first = ((1 - weights) * (WEIGHT_STEPS - 1)).astype(np.int64)
    return np.argsort(pairs * WEIGHT_STEPS + from_first, kind="stable")


def _refine(space: SearchSpace, positions: IntArray, k: int) -> tuple[IntArray, FloatArray]:
    points = space.points
    found: IntArray = np.empty((len(positions), k), dtype=np.int32)
    distances = np.empty((len(positions), k if k <= SHORT_LIST else positions.shape[1]))
    if k > SHORT_LIST:
        positions.sort(axis=1)  # the lower position wins a tie

    def measure(begin: int, end: int) -> None:
        part = slice(begin, end)
        anchors = (points.first[part], points.second[part], points.weights[part])
        if k <= SHORT_LIST:
            nearest_links(
                space.pool, space.rows, points.parents, *anchors, positions[part], found[part], distances[part]
            )
        else:
            measure_links(space.pool, space.rows, points.parents, *anchors, positions[part], distances[part])

    cost = positions.size * (space.pool.shape[1] + 100)
    _in_threads(measure, len(positions), cost / WORK_AT_ONCE, alone=cost < TOO_SMALL_FOR_THREADS)
    return (found, distances) if k <= SHORT_LIST else take_nearest(positions, distances, k)


def _in_threads(
    work: Callable[[int, int], None],
    n: int,
    n_chunks: float,
    *,
    alone: bool,
    report: Callable[[int], None] | None = None,
) -> None:
    """Call ``work(begin, end)`` over all of ``range(n)`` in chunks, on as many threads as numba is set to.

    Plain threads, because compiled loops release the interpreter: unlike numba's own parallel loops they
    survive a fork, and several of a caller's threads may search at once. When ``report`` raises, the chunks
    that have not begun are dropped.
    """
    n_threads = 1 if alone else numba.get_num_threads()
    at_least = 1 if n_threads == 1 else CHUNKS_PER_THREAD * n_threads
    borders = np.linspace(0, n, min(n, max(int(n_chunks) + 1, at_least)) + 1).astype(int).tolist()
    with ThreadPoolExecutor(n_threads) as executor:
        futures = [executor.submit(work, begin, end) for begin, end in pairwise(borders)]
        try:
            for end, future in zip(borders[1:], futures, strict=True):
                future.result()
                if report is not None:
                    report(end)
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
