"""What a search is given, checked at the door."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import DataError, DeviceError, PoolError, SettingsError
from alvin_core.types import Anchors, Float32Array, FloatArray, IdArray, IntArray

__all__ = ["AnchorPoints", "check_device", "check_ids", "check_k", "checked_anchors", "checked_pool"]

DEVICES = ("cpu", "cuda", "mps")


@dataclass(frozen=True)
class AnchorPoints:
    """Anchors as plain arrays that were checked, with only the parents that occur.

    Attributes
    ----------
    parents : float32 array of shape (n_parents, dim)
    first, second : int array of shape (n_anchors,)
        Rows in ``parents``.
    weights : float64 array of shape (n_anchors,)
        Weight of the first parent, in [0, 1].
    """

    parents: Float32Array
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    weights: NDArray[np.float64]

    def take(self, rows: IntArray) -> AnchorPoints:
        """Return some of the anchors, again with only the parents that occur among them."""
        first, second = self.first[rows], self.second[rows]
        occurs = np.zeros(len(self.parents), dtype=bool)
        occurs[first] = occurs[second] = True
        places = np.cumsum(occurs) - 1
        return AnchorPoints(
            self.parents[occurs], places[first], places[second], np.ascontiguousarray(self.weights[rows])
        )


def checked_pool(vectors: FloatArray) -> Float32Array:
    """Return the pool's vectors as a float32 array whose rows lie together; copied only where they do not."""
    return _finite_matrix("pool_vectors", vectors)


def check_ids(ids: IdArray, n_pool: int) -> IdArray:
    """Return the ids as an array, one for each pool vector."""
    array = np.asarray(ids)
    if array.ndim != 1 or len(array) != n_pool:
        raise DataError(f"pool_ids has shape {array.shape}, but pool_vectors has {n_pool} rows; give one id for each")
    return array


def check_k(k: int, n_pool: int) -> None:
    try:
        whole = operator.index(k)
    except TypeError:
        whole = 0
    if whole < 1 or isinstance(k, bool):
        raise SettingsError(f"k = {k!r} is out of range: it must be a whole number of at least 1")
    if k > n_pool:
        raise PoolError(f"k = {k} neighbors asked for, but the pool has {n_pool} examples; lower k to {n_pool} at most")


def check_device(device: str) -> str:
    """Return the kind of device: ``cpu``, ``cuda`` or ``mps``."""
    kind = str(device).partition(":")[0]
    if kind not in DEVICES:
        raise DeviceError(f"device = {device!r} is unknown; choose one of: cpu, cuda, cuda:1, mps")
    return kind


def checked_anchors(anchors: Anchors, dim: int) -> AnchorPoints:
    """Return the anchors as checked arrays.

    Raises
    ------
    DataError
        On parents of another dimension or that are not finite, rows that are not there, weights outside [0, 1].
    """
    parents = _finite_matrix("anchors.parent_vectors", anchors.parent_vectors, may_be_empty=True)
    if parents.shape[1] != dim:
        raise DataError(
            f"pool_vectors have dimension {dim}, but anchors.parent_vectors have {parents.shape[1]}; "
            "encode both with the same model"
        )
    weights = np.asarray(anchors.weights)
    if weights.ndim != 1 or weights.dtype.kind != "f" or not np.all((weights >= 0) & (weights <= 1)):
        raise DataError("anchors.weights must be floating-point numbers in [0, 1], of shape (n_anchors,)")
    first = _rows("anchors.minority_rows", anchors.minority_rows, len(parents))
    second = _rows("anchors.majority_rows", anchors.majority_rows, len(parents))
    points = AnchorPoints(parents, first, second, weights.astype(np.float64))
    return points.take(np.arange(len(weights)))


def _rows(name: str, rows: IntArray, n_parents: int) -> NDArray[np.intp]:
    array = np.asarray(rows)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and len(array)):
        raise DataError(f"{name} must be whole numbers of shape (n_anchors,), found {array.dtype} {array.shape}")
    if len(array) and not (array.min() >= 0 and array.max() < n_parents):
        raise DataError(
            f"{name} runs from {array.min()} to {array.max()}, but there are {n_parents} parent_vectors; "
            f"use rows from 0 to {n_parents - 1}"
        )
    return array.astype(np.intp)


def _finite_matrix(name: str, vectors: FloatArray, *, may_be_empty: bool = False) -> Float32Array:
    array = np.asarray(vectors)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or (array.shape[1] == 0 and not may_be_empty):
        raise DataError(
            f"{name} must be real numbers of shape (n, dim) with dim >= 1, found {array.dtype} {array.shape}"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused just below
        matrix = np.ascontiguousarray(array, dtype=np.float32)
    # Two reductions instead of isfinite(): no array of the pool's size. NaN makes both NaN.
    if matrix.size and not (np.isfinite(matrix.min()) and np.isfinite(matrix.max())):
        row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise DataError(
            f"{name}: row {row} holds NaN, infinite or too large values (float32 ends at 3.4e38); "
            "remove that example or encode it again in float32"
        )
    return matrix
