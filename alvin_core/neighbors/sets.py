"""Which vectors are nearest to points, where their order and distances do not matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.checking import AnchorPoints
from alvin_core.neighbors.points import nearest_to_points
from alvin_core.neighbors.space import UNIT_ROUNDOFF, SearchSpace
from alvin_core.types import Float32Array, IntArray

__all__ = ["nearest_sets"]

NUMBERS_AT_ONCE = 4_000_000  # products in memory at once


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
    import torch

    from alvin_core.device import plan_device
    from alvin_core.neighbors.torch_exact import full_precision
    from alvin_core.settings import RuntimeSettings

    own = np.arange(len(points))
    anchors = AnchorPoints(points, own, own, np.ones(len(points)))
    space = SearchSpace.around(vectors, np.arange(len(vectors), dtype=np.int32), anchors)
    place = torch.device(plan_device(RuntimeSettings(device=device)).device)
    with torch.inference_mode(), full_precision(place):
        parents = torch.from_numpy(space.scaled_parents()).to(place)
        others = torch.from_numpy(space.tile(0, len(vectors))).to(place)
        values = torch.addmm((others * others).sum(dim=1), parents, others.T, alpha=-2)
        lowest, found = values.topk(k + 1, dim=1, largest=False)
        rows = found[:, :k].sort(dim=1).values.cpu().numpy().astype(np.int32)
        gaps = (lowest[:, k] - lowest[:, k - 1]).cpu().numpy().astype(np.float64)
        reach = torch.linalg.vector_norm(parents, dim=1) + torch.linalg.vector_norm(others, dim=1).max()
        lengths = reach.cpu().numpy().astype(np.float64)
    # Each value may be off by the bound of `SearchSpace.rounding_bounds`; their difference rounds once more.
    dim = vectors.shape[1]
    bounds = (dim + 32) * UNIT_ROUNDOFF * lengths**2 + dim * 2.0**-126
    return rows, gaps > 2.5 * bounds
