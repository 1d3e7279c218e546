"""From an approximate search to exact neighbors: keep some more, measure them in float64, prove, repeat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.space import SearchSpace
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.types import FloatArray, IntArray

__all__ = ["Refine", "Report", "by_measuring", "distances_to", "keep_lowest", "nearest_exactly", "take_nearest"]

Report = Callable[[int], None]
"""Told how many anchors of the space at hand are searched."""

Search = Callable[[SearchSpace, int, Report], tuple[IntArray, NDArray[np.float64]]]
"""(space, n_kept, report) -> positions (n_anchors, n_kept), cutoffs (n_anchors,).

Whatever position a search leaves out has a float32 squared distance of at least the anchor's cutoff.
"""

Measure = Callable[[SearchSpace, IntArray], NDArray[np.float64]]
"""(space, positions (n_anchors, n)) -> float64 distances (n_anchors, n)."""

Refine = Callable[[SearchSpace, IntArray, int], tuple[IntArray, FloatArray]]
"""(space, positions (n_anchors, n), k) -> the k nearest of them and their float64 distances, both (n_anchors, k).

Nearest first, equal distances by position. May reorder the positions that it is given.
"""

SPARE = 6  # kept beyond k: with fewer, rounding alone sends too many anchors to a second search
WIDER = 4  # an anchor whose proof fails is searched again, keeping so many times more
LINKS_AT_ONCE = 16_000_000  # kept positions in memory at once, over all anchors
LINKS_MEASURED_AT_ONCE = 500_000  # fewer where every link is measured in float64, so that progress is told often
NUMBERS_AT_ONCE = 2_000_000


def nearest_exactly(
    space: SearchSpace, k: int, search: Search, refine: Refine, progress: Progress
) -> tuple[IntArray, FloatArray]:
    """Find the k nearest positions of every anchor, exactly.

    Returns
    -------
    positions, distances : arrays of shape (n_anchors, k)
        Nearest first; equal distances by position.

    Notes
    -----
    Suppose a position x that the search left out were as near as the k-th kept one, at distance d. Its
    float32 squared distance would be at most d² + e, where e bounds the rounding, and at least the cutoff.
    So cutoff > d² + e proves that there is none. Where that fails the anchor is searched again, keeping more;
    when all positions are kept there is nothing left to prove.
    """
    positions: IntArray = np.empty((space.n_anchors, k), dtype=np.int32)
    distances: FloatArray = np.empty((space.n_anchors, k))
    pending = np.arange(space.n_anchors)
    n_kept = k + SPARE + k // 8
    repeated = False
    while len(pending):
        if WIDER * n_kept >= space.n_positions:
            n_kept = space.n_positions
        unproven = []
        step = max(1, (LINKS_AT_ONCE if n_kept < space.n_positions else LINKS_MEASURED_AT_ONCE) // n_kept)
        for start in range(0, len(pending), step):
            rows = pending[start : start + step]
            part = space if len(rows) == space.n_anchors else space.take(rows)
            report = _reporter(progress, space.n_anchors, start, len(pending), repeated=repeated)
            report(0)
            kept: IntArray
            if n_kept == space.n_positions:
                kept, cutoffs = _everything(part), np.full(len(rows), np.inf)
            else:
                kept, cutoffs = search(part, n_kept, report)
            positions[rows], distances[rows] = refine(part, kept, k)
            furthest = distances[rows, -1]
            proven = cutoffs > (furthest * space.scale) ** 2 + part.rounding_bounds(furthest)
            unproven.append(rows[~proven])
            report(len(rows))
        pending = np.concatenate(unproven)
        n_kept *= WIDER
        repeated = True
    return positions, distances


def _reporter(progress: Progress, n_anchors: int, before: int, n_pending: int, *, repeated: bool) -> Report:
    """Count anchors in the first search; in a repeated one all are counted already, so a note tells of it."""

    def report(done: int) -> None:
        if repeated:
            note = f"near ties: {before + done} of {n_pending} anchors searched again, wider"
            progress(ProgressEvent("retrieve", n_anchors, n_anchors, note))
        else:
            progress(ProgressEvent("retrieve", before + done, n_anchors))

    return report


def _everything(space: SearchSpace) -> NDArray[np.int32]:
    return np.tile(np.arange(space.n_positions, dtype=np.int32), (space.n_anchors, 1))


def by_measuring(measure: Measure) -> Refine:
    """Return a refinement that measures every position and sorts."""

    def refine(space: SearchSpace, positions: IntArray, k: int) -> tuple[IntArray, FloatArray]:
        positions.sort(axis=1)  # the lower position wins a tie, and memory is read in order
        return take_nearest(positions, measure(space, positions), k)

    return refine


def take_nearest(positions: IntArray, distances: NDArray[np.float64], k: int) -> tuple[IntArray, FloatArray]:
    """Return the k nearest of each row, nearest first; where equal, in the order they come."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(positions, order, axis=1), np.take_along_axis(distances, order, axis=1)


def keep_lowest(values: FloatArray, positions: IntArray, n_kept: int) -> tuple[FloatArray, IntArray]:
    """Keep the columns with the lowest values of each row, in no order; all where there are no more."""
    if values.shape[1] <= n_kept:
        return values, positions
    columns = np.argpartition(values, n_kept - 1, axis=1)[:, :n_kept]
    return np.take_along_axis(values, columns, axis=1), np.take_along_axis(positions, columns, axis=1)


def distances_to(space: SearchSpace, positions: IntArray) -> NDArray[np.float64]:
    """Measure distances in float64, by differences: of shape (n_anchors, n_kept)."""
    n_anchors, n_kept = positions.shape
    dim = space.pool.shape[1]
    distances = np.empty((n_anchors, n_kept))
    step = max(1, NUMBERS_AT_ONCE // dim)  # (anchor, position) links at once
    anchors_at_once = max(1, step // n_kept)
    for start in range(0, n_anchors, anchors_at_once):
        part = slice(start, start + anchors_at_once)
        anchors = space.anchor_vectors(part)[:, None, :]  # (n, 1, dim)
        for begin in range(0, n_kept, step):
            columns = slice(begin, begin + step)
            differences = space.pool[space.rows[positions[part, columns]]] - anchors  # (n, n_columns, dim)
            distances[part, columns] = np.sqrt(np.einsum("acd,acd->ac", differences, differences))
    return distances
