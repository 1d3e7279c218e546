"""Each example's nearest others: exact, or nearly so where there are many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.projection.searching import nearest_rows
from alvin_core.types import Float32Array, IntArray

__all__ = ["EXACT_UP_TO", "space_neighbors"]

EXACT_UP_TO = 20_000  # examples; beyond, an inverted file finds nearly all neighbours in a fraction of the time
N_LISTS_PER_ROOT, N_LISTS_READ = 4, 32  # of the inverted file: lists per square root of n, lists read for each query
QUERIES_AT_ONCE = 4096
STAGE = "neighbours"


def space_neighbors(vectors: Float32Array, k: int, progress: Progress) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Find each vector's k nearest others, exactly for up to 20,000 vectors.

    Returns
    -------
    rows, distances : int32 and float64 arrays of shape (n, k)
        Nearest first. Beyond 20,000, a row of -1 is one that was not found.

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
    """Leave each query itself out, or the last where many duplicates hid it; an empty place stays -1."""
    is_own = found == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    shape = (len(own), found.shape[1] - 1)
    rows = found[~is_own].reshape(shape)
    distances = np.sqrt(np.maximum(squares[~is_own].reshape(shape).astype(np.float64), 0))
    return rows.astype(np.int32), np.maximum.accumulate(np.where(rows < 0, 0, distances), axis=1)
