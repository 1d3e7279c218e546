"""Places for vectors that were not there when a map was made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.projection.checking import checked
from alvin_core.projection.searching import nearest_rows
from alvin_core.types import Float32Array, check_lengths

__all__ = ["place_by_neighbors"]

N_NEAREST = 10


def place_by_neighbors(vectors: NDArray[Any], xy: Float32Array, new: NDArray[Any]) -> Float32Array:
    """Put new vectors at the barycentre of the places of their 10 nearest.

    Parameters
    ----------
    vectors : array of shape (n, dim)
        Of the examples on the map.
    xy : float32 array of shape (n, 2)
        Their places.
    new : array of shape (n_new, dim)

    Returns
    -------
    float32 array of shape (n_new, 2)

    Raises
    ------
    DataError
        When a vector holds NaN or infinity.

    Notes
    -----
    The weights are inverse distances, so that a vector on the way to an example ends at that example's own place;
    where all distances are alike, as they are in many dimensions, this is the plain mean. The place is approximate:
    between two clusters there may be nothing, or a third one.
    """
    check_lengths("place_by_neighbors", vectors=vectors, xy=xy)
    vectors, new = checked(vectors), checked(new, "new vectors")
    if vectors.shape[1] != new.shape[1]:
        raise ValueError(f"new vectors have {new.shape[1]} dimensions, the map's have {vectors.shape[1]}")
    if not len(vectors):
        raise ValueError("a map of no examples has no places to give")
    rows, distances = nearest_rows(vectors, new, min(N_NEAREST, len(vectors)))
    with np.errstate(divide="ignore", invalid="ignore"):
        # Relative to the nearest, so that no inverse overflows; at distance 0 it is the neighbour itself, or several.
        weights = np.where(distances[:, :1] > 0, distances[:, :1] / distances, distances == 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("mk,mkd->md", weights, xy[rows]), dtype=np.float32)
