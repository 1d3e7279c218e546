"""Exact search on the segments between parents: no anchor needs products of its own.

An anchor lies on the segment between its two parents, so its distance to a pool vector follows from theirs.
The products of parents and pool are taken once; what remains for each anchor and pool vector is one
multiplication, one addition and one comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.exact import Report, nearest_exactly
from alvin_core.neighbors.segment_kernels import BLOCK, BUNDLE, measure_links, search_bundles
from alvin_core.neighbors.space import UNIT_ROUNDOFF, SearchSpace
from alvin_core.progress import Progress
from alvin_core.types import FloatArray, IntArray

__all__ = ["nearest"]

TILE_NUMBERS = 64_000_000  # products in memory at once, and coordinates: 256 MB of each at most
WORK_AT_ONCE = 1_000_000_000  # anchors × positions, or numbers measured, between two reports: well under a second
ANCHOR_OVERHEAD = 30_000  # what an anchor costs beyond its positions, in positions
TOO_SMALL_FOR_THREADS = 20_000_000  # anchors × positions that one thread finishes in a few milliseconds
CHUNKS_PER_THREAD = 4


def nearest(space: SearchSpace, k: int, *, device: str, progress: Progress) -> tuple[IntArray, FloatArray]:
    """Find the k nearest positions of every anchor; see `nearest_exactly`. Works on the processor alone."""
    return nearest_exactly(space, k, _search, _measure, progress)


def _search(space: SearchSpace, n_kept: int, report: Report) -> tuple[IntArray, NDArray[np.float64]]:
    points = space.points
    order, bundles = _bundle(points.first, points.second)
    first, second = points.first[order], points.second[order]
    weights = points.weights[order].astype(np.float32)
    values = np.full((len(order), n_kept), np.inf, dtype=np.float32)
    positions = np.zeros((len(order), n_kept), dtype=np.int32)
    parents = space.scaled_parents()
    for start, stop in space.tiles(space.tile_size(TILE_NUMBERS, BLOCK)):
        tile = _Tile.of(space, parents, start, stop)

        def work(begin: int, end: int, tile: _Tile = tile) -> None:
            search_bundles(
                tile.products, tile.norms, tile.start, tile.slack, bundles[begin : end + 1],
                first, second, weights, values, positions,
            )  # fmt: skip

        def tell(n_bundles: int, start: int = start, stop: int = stop) -> None:
            done = len(order) * start + int(bundles[n_bundles]) * (stop - start)
            report(done // space.n_positions)

        cost = len(order) * (len(tile.norms) + ANCHOR_OVERHEAD)
        _in_threads(work, len(bundles) - 1, cost / WORK_AT_ONCE, alone=cost < TOO_SMALL_FOR_THREADS, report=tell)
    found = np.empty_like(positions)
    found[order] = positions
    cutoffs = np.empty(len(order))
    cutoffs[order] = values[:, 0]  # the root of each heap: the worst that is kept
    return found, cutoffs + space.anchor_norms()


@dataclass(frozen=True)
class _Tile:
    """A stretch of the pool, as `search_bundles` takes it."""

    products: NDArray[np.float32]
    norms: NDArray[np.float32]
    start: int
    slack: np.float32

    @classmethod
    def of(cls, space: SearchSpace, parents: NDArray[np.float32], start: int, stop: int) -> _Tile:
        vectors = space.tile(start, stop, rows_of=BLOCK)
        norms = np.einsum("xd,xd->x", vectors, vectors)
        longest = float(norms.max())
        reach = float(np.einsum("pd,pd->p", parents, parents).max()) ** 0.5
        # A value is ‖x‖² − 2 anchor·x in four roundings, of numbers no greater than this sum.
        slack = 16 * UNIT_ROUNDOFF * (longest + 4 * reach * longest**0.5) + 2.0**-100
        norms[stop - start :] = np.inf  # padding is never near
        products = (parents * np.float32(-2)) @ vectors.T
        return cls(products.astype(np.float32, copy=False), norms, start, np.float32(slack))


def _bundle(first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    """Sort anchors by their pair and cut them into bundles of one pair, at most BUNDLE long.

    Returns
    -------
    order : int array of shape (n_anchors,)
    bundles : int array of shape (n_bundles + 1,)
        Bundle i is ``order[bundles[i] : bundles[i + 1]]``.
    """
    pairs = first.astype(np.int64) * (int(second.max()) + 1) + second
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    places = np.arange(len(pairs))
    is_first = np.append(True, pairs[1:] != pairs[:-1])
    within = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return order, np.append(np.flatnonzero(within % BUNDLE == 0), len(pairs))


def _measure(space: SearchSpace, positions: IntArray) -> NDArray[np.float64]:
    points = space.points
    distances = np.empty(positions.shape)

    def measure_part(begin: int, end: int) -> None:
        part = slice(begin, end)
        measure_links(
            space.pool, space.rows, points.parents, points.first[part], points.second[part], points.weights[part],
            positions[part], distances[part],
        )  # fmt: skip

    cost = positions.size * (space.pool.shape[1] + 100)
    _in_threads(measure_part, len(positions), cost / WORK_AT_ONCE, alone=cost < TOO_SMALL_FOR_THREADS)
    return distances


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
