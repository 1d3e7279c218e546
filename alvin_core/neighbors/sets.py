"""Which vectors are nearest to points, where their order and distances do not matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.device import has_numba
from alvin_core.neighbors.checking import AnchorPoints
from alvin_core.neighbors.points import nearest_to_points
from alvin_core.neighbors.space import UNIT_ROUNDOFF, SearchSpace
from alvin_core.types import Float32Array, IntArray

__all__ = ["nearest_sets"]

NUMBERS_AT_ONCE = 4_000_000  # products in memory at once
NUMBERS_IN_CACHE = 1_600_000  # products that are read again at once


def nearest_sets(points: Float32Array, vectors: Float32Array, *, k: int, device: str = "cpu") -> IntArray:
    """Find which k of a few vectors are nearest to each point, exactly.

    Several times faster than `nearest_to_points`, which measures every neighbor in float64: here only points are
    searched that way whose k-th and next nearest are too near each other for float32 to tell.

    Parameters
    ----------
    points : float32 array of shape (n_points, dim)
    vectors : float32 array of shape (n, dim)
        Of two at the same distance the one of the lower row is taken.
    k : int
        At most n.
    device : str

    Returns
    -------
    int32 array of shape (n_points, k)
        Rows of vectors, ascending.

    Raises
    ------
    DataError
        When a number is not finite.
    DeviceError
        When the device is not there.
    """
    if k >= len(vectors) or not (np.isfinite(points).all() and np.isfinite(vectors).all()):
        return np.sort(nearest_to_points(points, vectors, k=k, device=device)[0], axis=1)
    rows = np.empty((len(points), k), dtype=np.int32)
    size = max(1, NUMBERS_AT_ONCE // max(len(vectors), vectors.shape[1]))
    unclear = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(points), size):
        part = slice(start, start + size)
        rows[part], is_clear = _search(points[part], vectors, k, device)
        unclear.append(start + np.flatnonzero(~is_clear))
    again = np.concatenate(unclear)
    if len(again):
        rows[again] = np.sort(nearest_to_points(points[again], vectors, k=k, device=device)[0], axis=1)
    return rows


def _search(points: Float32Array, vectors: Float32Array, k: int, device: str) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the k nearest in float32, and where they are so beyond doubt."""
    own = np.arange(len(points))
    anchors = AnchorPoints(points, own, own, np.ones(len(points)))
    space = SearchSpace.around(vectors, np.arange(len(vectors), dtype=np.int32), anchors)
    parents, others = space.scaled_parents(), space.tile(0, len(vectors))
    is_here = device == "cpu" and has_numba()
    rows, gaps = _search_here(parents, others, k) if is_here else _search_on(device, parents, others, k)
    lengths = _lengths(parents) + _lengths(others).max()
    # Each value may be off by the bound of `SearchSpace.rounding_bounds`; their difference rounds once more.
    dim = vectors.shape[1]
    bounds = (dim + 32) * UNIT_ROUNDOFF * lengths**2 + dim * 2.0**-126
    return rows, gaps > 2.5 * bounds


def _search_here(points: Float32Array, vectors: Float32Array, k: int) -> tuple[IntArray, NDArray[np.float32]]:
    from alvin_core.neighbors.segment_kernels import NEVER_NEAR
    from alvin_core.neighbors.segment_vectors import LANES, SUBSETS
    from alvin_core.neighbors.set_kernels import lowest_of_rows

    rows, gaps = np.empty((len(points), k), dtype=np.int32), np.empty(len(points), dtype=np.float32)
    n, dim = vectors.shape
    padded = -(-n // LANES) * LANES
    norms, doubled = np.full(padded, NEVER_NEAR, dtype=np.float32), np.zeros((padded, dim), dtype=np.float32)
    norms[:n] = np.einsum("xd,xd->x", vectors, vectors)
    doubled[:n] = vectors * np.float32(-2)
    size = max(1, NUMBERS_IN_CACHE // padded)
    products = np.empty((size, padded), dtype=np.float32)
    for start in range(0, len(points), size):
        part = slice(start, start + size)
        found = products[: len(points[part])]
        np.matmul(points[part], doubled.T, out=found)
        lowest_of_rows(found, norms, SUBSETS, rows[part], gaps[part])
    return rows, gaps


def _search_on(
    device: str, points: Float32Array, vectors: Float32Array, k: int
) -> tuple[IntArray, NDArray[np.float32]]:
    import torch

    from alvin_core.device import plan_device
    from alvin_core.neighbors.torch_exact import full_precision
    from alvin_core.settings import RuntimeSettings

    place = torch.device(plan_device(RuntimeSettings(device=device)).device)
    with torch.inference_mode(), full_precision(place):
        parents, others = (torch.from_numpy(one).to(place) for one in (points, vectors))
        values = torch.addmm((others * others).sum(dim=1), parents, others.T, alpha=-2)
        lowest, found = values.topk(k + 1, dim=1, largest=False)
        rows: IntArray = found[:, :k].sort(dim=1).values.cpu().numpy().astype(np.int32)
        gaps: NDArray[np.float32] = (lowest[:, k] - lowest[:, k - 1]).cpu().numpy()
    return rows, gaps


def _lengths(vectors: Float32Array) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.einsum("xd,xd->x", vectors, vectors, dtype=np.float64)))
