"""UMAP's graph: who is near whom in the space, and how much.

The numbers are those of `umap.umap_.fuzzy_simplicial_set`, which the tests compare with. Written with numpy because
importing umap and compiling its loops takes ten seconds and more in each process, and these few lines take none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.projection.searching import nearest_rows
from alvin_core.types import Float32Array, FloatArray, IntArray

__all__ = ["N_NEIGHBORS", "Graph", "fuzzy_graph", "space_neighbors"]

N_NEIGHBORS = 15  # UMAP's default, itself included
EXACT_UP_TO = 20_000  # examples; beyond, an inverted file finds nearly all neighbours in a fraction of the time
N_LISTS_PER_ROOT, N_LISTS_READ = 4, 32  # of the inverted file: lists per square root of n, lists read for each query
QUERIES_AT_ONCE = 4096
N_BISECTIONS = 64
LEAST_BANDWIDTH = 1e-3  # of the mean distance: below it, near duplicates would hold nothing else
STAGE = "neighbours"


@dataclass(frozen=True)
class Graph:
    """Symmetric, each edge in both directions.

    Attributes
    ----------
    heads, tails : int32 arrays of shape (n_edges,)
    weights : float32 array of shape (n_edges,)
        In (0, 1].
    """

    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    weights: Float32Array


def space_neighbors(vectors: Float32Array, k: int, progress: Progress) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Find each vector's k nearest others, exactly for up to 20,000 vectors.

    Returns
    -------
    rows, distances : int32 and float64 arrays of shape (n, k)
        Nearest first.

    Raises
    ------
    SettingsError
        When there are more and faiss is not installed.
    """
    n = len(vectors)
    progress(ProgressEvent(STAGE, 0, n))
    if n <= EXACT_UP_TO:
        own = np.arange(n)
        return nearest_rows(
            vectors, vectors, k, query_rows=own, report=lambda done: progress(ProgressEvent(STAGE, done, n))
        )
    return _nearly_all(vectors, k, progress)


def _nearly_all(vectors: Float32Array, k: int, progress: Progress) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Find most of the k nearest others by an inverted file: the same ones whenever it is asked."""
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"a map of {len(vectors):,} examples needs faiss, which is not installed; `pip install faiss-cpu`, or use "
            f"the method 'pca' (UMAP of at most {EXACT_UP_TO:,} examples works without)"
        ) from error

    n, dim = vectors.shape
    centred = np.ascontiguousarray(vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dim), dim, int(N_LISTS_PER_ROOT * n**0.5))
    index.cp.min_points_per_centroid = 1  # short lists are meant; faiss would say on the screen that they are few
    index.train(centred)
    index.add(centred)
    index.nprobe = N_LISTS_READ
    rows = np.empty((n, k), dtype=np.int32)
    distances = np.empty((n, k))
    for start in range(0, n, QUERIES_AT_ONCE):
        part = slice(start, min(start + QUERIES_AT_ONCE, n))
        squares, found = index.search(centred[part], k + 1)
        rows[part], distances[part] = _without_own(squares, found, np.arange(part.start, part.stop))
        progress(ProgressEvent(STAGE, part.stop, n))
    return rows, distances


def _without_own(
    squares: Float32Array, found: IntArray, own: IntArray
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Leave each query itself out, or the last where many duplicates hid it; an empty place repeats the nearest."""
    is_own = found == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    shape = (len(own), found.shape[1] - 1)
    rows = found[~is_own].reshape(shape)
    distances = np.sqrt(np.maximum(squares[~is_own].reshape(shape).astype(np.float64), 0))
    empty = rows < 0
    rows, distances = np.where(empty, rows[:, :1], rows), np.where(empty, distances[:, :1], distances)
    return rows.astype(np.int32), distances


def fuzzy_graph(rows: IntArray, distances: FloatArray) -> Graph:
    """Weigh each example's neighbours by their distance beyond the nearest, and join both directions.

    Parameters
    ----------
    rows, distances : arrays of shape (n, k)
        Each example's nearest others, nearest first.

    Notes
    -----
    McInnes et al. (2018), section 3.1, with local connectivity 1: weight ``exp(-(d - rho) / sigma)``, where rho is the
    distance of the nearest that is not a duplicate and sigma makes the weights of a neighbourhood sum to
    ``log2(k + 1)``; of two directions a and b the edge gets ``a + b - a b``.
    """
    n, k = rows.shape
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1)
    nearest[~np.isfinite(nearest)] = 0
    beyond = np.maximum(distances - nearest[:, None], 0)
    means = distances.sum(axis=1) / (k + 1)  # UMAP counts the example among its own neighbours
    least = LEAST_BANDWIDTH * np.where(nearest > 0, means, means.mean())
    bandwidths = np.maximum(_bandwidths(beyond, np.log2(k + 1)), least)
    # Without a bandwidth all distances are 0, and so is what lies beyond.
    weights = np.exp(-beyond / np.where(bandwidths > 0, bandwidths, 1)[:, None])
    return _joined(n, np.repeat(np.arange(n), k), rows.ravel().astype(np.int64), weights.ravel())


def _bandwidths(beyond: FloatArray, target: float) -> FloatArray:
    """Bisect for the bandwidth at which the weights of each row sum to the target."""
    low, high = np.zeros(len(beyond)), np.full(len(beyond), np.inf)
    middle = np.ones(len(beyond))
    for _ in range(N_BISECTIONS):
        above = np.exp(-beyond / middle[:, None]).sum(axis=1) > target
        high, low = np.where(above, middle, high), np.where(above, low, middle)
        # Written so that a bandwidth without an upper bound doubles; it ends where the rounding of float32 does.
        middle = np.where(np.isinf(high), np.minimum(2 * middle, 1e30), (low + np.minimum(high, 1e30)) / 2)
        middle = np.maximum(middle, 1e-30)
    return middle


def _joined(n: int, heads: NDArray[Any], tails: NDArray[Any], weights: FloatArray) -> Graph:
    lower, upper = np.minimum(heads, tails), np.maximum(heads, tails)
    pairs, places = np.unique(lower * n + upper, return_inverse=True)
    # The rest that no direction leaves: 1 - (a + b - a b) = (1 - a)(1 - b).
    forth, back = np.zeros(len(pairs)), np.zeros(len(pairs))
    forth[places[heads < tails]] = weights[heads < tails]
    back[places[heads > tails]] = weights[heads > tails]
    joined = (forth + back - forth * back).astype(np.float32)
    first, second = (pairs // n).astype(np.int32), (pairs % n).astype(np.int32)
    keep = (joined > 0) & (first != second)
    first, second, joined = first[keep], second[keep], joined[keep]
    return Graph(np.concatenate([first, second]), np.concatenate([second, first]), np.concatenate([joined, joined]))
