"""The plane of the two largest variances: instant, deterministic, numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.projection.checking import ROWS_AT_ONCE, checked
from alvin_core.types import Float32Array

__all__ = ["principal_plane"]

WIDEST = 512  # dimensions up to which all variances are computed at once; above, the largest two alone
N_DIRECTIONS, N_TIMES = 8, 12  # of the iteration that finds them


def principal_plane(vectors: NDArray[Any]) -> Float32Array:
    """Return each vector's coordinates along the two directions of the largest variance.

    Parameters
    ----------
    vectors : array of shape (n, dim)

    Returns
    -------
    float32 array of shape (n, 2)
        With the mean at the origin, in the vectors' own units. The second column is 0 where there is no second
        direction (dim 1, two examples), both where all vectors are equal.

    Raises
    ------
    DataError
        When a vector holds NaN or infinity.

    Notes
    -----
    A direction's sign is free: the entry of largest magnitude, the first of several, is made positive. Above 512
    dimensions the directions come from subspace iteration with a fixed start (Halko et al., 2011, algorithm 4.4).
    """
    vectors = checked(vectors)
    plane = np.zeros((len(vectors), 2), dtype=np.float32)
    if len(vectors) < 2:
        return plane
    middle = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    directions = _directions(vectors, middle)  # (dim, at most 2)
    largest = np.abs(directions).argmax(axis=0)
    directions *= np.where(directions[largest, np.arange(directions.shape[1])] < 0, -1, 1)
    for part in _parts(len(vectors)):
        plane[part, : directions.shape[1]] = (vectors[part] - middle) @ directions.astype(np.float32)
    if not np.abs(plane).max() > 1e-6 * max(1e-30, float(np.abs(middle).max())):
        return np.zeros_like(plane)  # what is left of equal vectors is rounding
    return plane


def _parts(n: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, n, ROWS_AT_ONCE)]


def _directions(vectors: Float32Array, middle: Float32Array) -> NDArray[np.float64]:
    dim = vectors.shape[1]
    if dim <= WIDEST:
        _, found = np.linalg.eigh(_times_own_transpose(vectors, middle, None))
        return np.ascontiguousarray(found[:, ::-1][:, :2])
    basis = np.random.default_rng(0).standard_normal((dim, N_DIRECTIONS))
    for _ in range(N_TIMES):
        basis, _ = np.linalg.qr(basis)
        product = _times_own_transpose(vectors, middle, basis)
        small = basis.T @ product
        basis, last = product, basis
    _, found = np.linalg.eigh((small + small.T) / 2)
    return np.asarray(last @ found[:, ::-1][:, :2])


def _times_own_transpose(
    vectors: Float32Array, middle: Float32Array, basis: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return X'X, of shape (dim, dim), or X'X times a basis, of centred rows X."""
    dim = vectors.shape[1]
    total = np.zeros((dim, dim if basis is None else basis.shape[1]))
    for part in _parts(len(vectors)):
        block = vectors[part] - middle
        total += block.T @ (block if basis is None else block @ basis.astype(np.float32))
    return total
