"""Exact nearest rows, by blocks: never a matrix of all distances at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alvin_core.types import Float32Array, IntArray

__all__ = ["nearest_rows"]

DISTANCES_AT_ONCE = 8_000_000  # float32: 32 MB
MOST_QUERIES_AT_ONCE = 512
N_GROUPS = 1024  # of the distances of one query, whose lowest bound the lowest of all
SPARE = 6  # kept beyond k by the float32 search, and measured again in float64

Report = Callable[[int], None]
"""Told how many queries are answered."""


def nearest_rows(
    vectors: Float32Array,
    queries: Float32Array,
    k: int,
    *,
    query_rows: IntArray | None = None,
    report: Report | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Find the k nearest vectors of each query.

    Parameters
    ----------
    vectors : float32 array of shape (n, dim)
    queries : float32 array of shape (n_queries, dim)
    k : int
        At most n, less one with ``query_rows``.
    query_rows : int array of shape (n_queries,), optional
        The row in ``vectors`` that each query is itself: it is not its own neighbour.
    report : callable, optional

    Returns
    -------
    rows, distances : int32 and float64 arrays of shape (n_queries, k)
        Nearest first; equal distances by row.
    """
    n = len(vectors)
    # Distances do not depend on the origin, and float32 loses least where the numbers are small.
    middle = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = vectors - middle
    squares = np.einsum("nd,nd->n", centred, centred)
    rows = np.empty((len(queries), k), dtype=np.int32)
    distances = np.empty((len(queries), k))
    n_kept = min(n, k + SPARE + (query_rows is not None))
    step = max(1, min(MOST_QUERIES_AT_ONCE, DISTANCES_AT_ONCE // n))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        block = queries[part] - middle
        # The query's own square is the same for all and decides nothing.
        lowest = (-2 * block) @ centred.T  # (n_block, n)
        lowest += squares
        if query_rows is not None:
            np.put_along_axis(lowest, query_rows[part, None].astype(np.intp), np.inf, axis=1)
        kept = _lowest_columns(lowest, n_kept) if n_kept < n else _all(len(block), n)
        rows[part], distances[part] = _measured(
            centred, block, kept, k, None if query_rows is None else query_rows[part]
        )
        if report is not None:
            report(min(start + step, len(queries)))
    return rows, distances


def _lowest_columns(values: Float32Array, k: int) -> NDArray[np.intp]:
    """Return the columns of each row's k lowest values, in no order, of shape (n_rows, k).

    Partitioning a whole row costs as much as measuring it. The k-th lowest of the groups' lowest values is a bound that
    at least k values keep to, and few more, so only these are partitioned.
    """
    n = values.shape[1]
    if n < 4 * N_GROUPS or k > N_GROUPS // 4:
        return np.argpartition(values, k - 1, axis=1)[:, :k]
    columns = np.empty((len(values), k), dtype=np.intp)
    for row, of_row in zip(values, columns, strict=True):
        lowest = row[: n - n % N_GROUPS].reshape(-1, N_GROUPS).min(axis=0)
        near = np.flatnonzero(row <= np.partition(lowest, k - 1)[k - 1])
        if len(near) < k:  # a distance beyond float32 bounds nothing
            near = np.arange(n)
        of_row[:] = near[np.argpartition(row[near], k - 1)[:k]]
    return columns


def _all(n_queries: int, n: int) -> NDArray[np.intp]:
    return np.tile(np.arange(n), (n_queries, 1))


def _measured(
    vectors: Float32Array, queries: Float32Array, kept: NDArray[np.intp], k: int, own: IntArray | None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Measure the kept rows in float64, by differences, and return the k nearest."""
    kept.sort(axis=1)  # the lower row wins a tie
    differences = vectors[kept].astype(np.float64) - queries[:, None, :]  # (n_block, n_kept, dim)
    distances = np.sqrt(np.einsum("qkd,qkd->qk", differences, differences))
    if own is not None:
        distances[kept == own[:, None]] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(kept, order, axis=1).astype(np.int32), np.take_along_axis(distances, order, axis=1)
