"""How far a map can be trusted: the share of true neighbours that it kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.projection.checking import checked
from alvin_core.projection.searching import nearest_rows
from alvin_core.types import IntArray, check_lengths

__all__ = ["N_NEAREST", "checked_rows", "neighbors_kept", "share_kept"]

N_NEAREST = 10
ALL_UP_TO = 5_000  # examples; of more, a sample is checked
N_SAMPLED = 2_000


def neighbors_kept(vectors: NDArray[Any], xy: NDArray[Any], *, seed: int = 0) -> tuple[float, int]:
    """Return the share of each example's 10 nearest in the space that are among its 10 nearest on the map.

    Parameters
    ----------
    vectors : array of shape (n, dim)
    xy : array of shape (n, 2)
    seed : int
        Of the sample of 2,000 examples that is checked where there are more than 5,000.

    Returns
    -------
    share : float
        In [0, 1]; 1 where there are fewer than two examples. By chance it would be 10 / (n - 1).
    n_checked : int
        Examples that it is the mean of.

    Notes
    -----
    Both neighbourhoods are exact, in Euclidean distance. The measure is Q_NX(10) of Lee & Verleysen (2009).
    """
    check_lengths("neighbors_kept", vectors=vectors, xy=xy)
    vectors = checked(vectors)
    rows = checked_rows(len(vectors), seed)
    if len(vectors) < 2:
        return 1.0, len(rows)
    k = min(N_NEAREST, len(vectors) - 1)
    true, _ = nearest_rows(vectors, vectors[rows], k, query_rows=rows)
    return share_kept(true, rows, xy), len(rows)


def checked_rows(n: int, seed: int = 0) -> IntArray:
    """Return the rows that a map of n examples is checked on, ascending."""
    if n <= ALL_UP_TO:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=N_SAMPLED, replace=False))


def share_kept(true_neighbors: IntArray, rows: IntArray, xy: NDArray[Any]) -> float:
    """Return the share of given neighbours, of shape (n_rows, k), that are among the k nearest on the map."""
    points = np.asarray(xy, dtype=np.float32)
    k = true_neighbors.shape[1]
    shown, _ = nearest_rows(points, points[rows], k, query_rows=rows)
    return float((true_neighbors[:, :, None] == shown[:, None, :]).sum() / true_neighbors.size)
