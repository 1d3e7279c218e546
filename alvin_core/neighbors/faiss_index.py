"""Search by faiss: brute force (exact), and a navigable graph (approximate)."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.exact import Report, by_measuring, distances_to, keep_lowest, nearest_exactly, take_nearest
from alvin_core.neighbors.space import SearchSpace
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.types import Float32Array, FloatArray, IntArray

__all__ = ["nearest_flat", "nearest_hnsw"]

TILE_ROWS = 65_536
LINKS_PER_SEARCH = 50_000_000  # anchors × positions between two reports: well under a second in few dimensions
GRAPH_LINKS = 32  # of each point in the graph, M of Malkov & Yashunin (2020), who find 5 to 48 reasonable
BUILD_WIDTH = 200  # candidates while building; wider finds better links and builds slower
SEARCH_WIDTH = 128  # candidates while searching, at least; wider finds more true neighbors and searches slower
ANCHORS_AT_ONCE = 4096


def nearest_flat(space: SearchSpace, k: int, *, device: str, progress: Progress) -> tuple[IntArray, FloatArray]:
    """Find the k nearest positions of every anchor; see `nearest_exactly`. Works on the processor alone."""
    return nearest_exactly(space, k, _search_flat, by_measuring(distances_to), progress)


def _search_flat(space: SearchSpace, n_kept: int, report: Report) -> tuple[IntArray, NDArray[np.float64]]:
    values: FloatArray = np.empty((space.n_anchors, 0), dtype=np.float32)
    positions: IntArray = np.empty((space.n_anchors, 0), dtype=np.int32)
    anchors_at_once = max(64, LINKS_PER_SEARCH // min(TILE_ROWS, space.n_positions))
    parents = space.scaled_parents()
    for start, stop in space.tiles(TILE_ROWS):
        tile = space.tile(start, stop)
        n_found = min(n_kept, stop - start)
        found_values = np.empty((space.n_anchors, n_found), dtype=np.float32)
        found = np.empty((space.n_anchors, n_found), dtype=np.int32)
        for begin in range(0, space.n_anchors, anchors_at_once):
            part = slice(begin, begin + anchors_at_once)
            found_values[part], found[part] = faiss.knn(_anchors(space, parents, part), tile, n_found)
            report((space.n_anchors * start + begin * (stop - start)) // space.n_positions)
        found += start
        values, positions = keep_lowest(np.hstack([values, found_values]), np.hstack([positions, found]), n_kept)
    return positions, values.max(axis=1).astype(np.float64)


def _anchors(space: SearchSpace, parents: Float32Array, part: slice) -> Float32Array:
    """Return centred and scaled vectors of some anchors, of shape (n, dim)."""
    weights = space.points.weights[part, None].astype(np.float32)
    rest = (1.0 - space.points.weights[part, None]).astype(np.float32)
    return np.ascontiguousarray(weights * parents[space.points.first[part]] + rest * parents[space.points.second[part]])


def nearest_hnsw(space: SearchSpace, k: int, *, device: str, progress: Progress) -> tuple[IntArray, FloatArray]:
    """Find most of the k nearest positions of every anchor; distances are exact, neighbors may be missed.

    Notes
    -----
    Hierarchical navigable small worlds, Malkov & Yashunin (2020). Built by several threads the graph differs a
    little from call to call, and so may the neighbors. Where the graph yields fewer than k the anchor is
    searched by brute force.
    """
    index = faiss.IndexHNSWFlat(space.pool.shape[1], GRAPH_LINKS)
    index.hnsw.efConstruction = BUILD_WIDTH
    index.hnsw.efSearch = max(SEARCH_WIDTH, 2 * k)
    for start, stop in space.tiles(ANCHORS_AT_ONCE):
        progress(ProgressEvent("retrieve", 0, space.n_anchors, f"graph: {start} of {space.n_positions} examples"))
        index.add(space.tile(start, stop))
    positions: IntArray = np.empty((space.n_anchors, k), dtype=np.int32)
    parents = space.scaled_parents()
    for begin in range(0, space.n_anchors, ANCHORS_AT_ONCE):
        progress(ProgressEvent("retrieve", begin, space.n_anchors))
        part = slice(begin, begin + ANCHORS_AT_ONCE)
        positions[part] = index.search(_anchors(space, parents, part), k)[1]
    short = np.flatnonzero((positions < 0).any(axis=1))
    positions[short] = 0
    positions.sort(axis=1)
    positions, distances = take_nearest(positions, distances_to(space, positions), k)
    if len(short):
        positions[short], distances[short] = nearest_flat(space.take(short), k, device=device, progress=progress)
    progress(ProgressEvent("retrieve", space.n_anchors, space.n_anchors))
    return positions, distances
