"""What every function of a map checks at the door."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import DataError
from alvin_core.types import Float32Array

__all__ = ["ROWS_AT_ONCE", "checked"]

ROWS_AT_ONCE = 8192


def checked(vectors: NDArray[Any], name: str = "vectors") -> Float32Array:
    """Return vectors as float32 of shape (n, dim), without a copy where they are that already.

    Raises
    ------
    DataError
        When one of them holds NaN or infinity: with no distance to it, it has no place.
    """
    if vectors.ndim != 2 or vectors.shape[1] < 1:
        raise ValueError(f"{name} must have the shape (n, dim), found {vectors.shape}")
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE]
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise DataError(
                f"{name} cannot be mapped: row {start + bad[0]} of {len(vectors):,} holds NaN or infinity; "
                "training diverged, so lower training.learning_rate and train the round again"
            )
    return np.asarray(vectors, dtype=np.float32)
