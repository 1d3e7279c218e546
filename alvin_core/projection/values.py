"""A map and what is known about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from alvin_core.types import Float32Array, IdArray, check_lengths

__all__ = ["Method", "Projection", "Space"]

Method = Literal["umap", "pca"]
Space = Literal["model", "encoder"]

ROUNDING = 1e-5  # how far beyond the unit disc float32 may carry a point


@dataclass(frozen=True)
class Projection:
    """Every example of the pool at a place in the plane.

    Attributes
    ----------
    ids : array of shape (n,)
        In an order that never changes: that of the pool in the data set.
    xy : float32 array of shape (n, 2)
        Within the unit disc, about its middle.
    method : {"umap", "pca"}
        How it was made, which is PCA where there are too few examples for UMAP.
    space : {"model", "encoder"}
    round_no : int
        The round whose space it shows. The encoder's space is the same in every round.
    neighbors_kept : float
        Share of each example's 10 nearest in the space that are among its 10 nearest on the map, in [0, 1].
    n_neighbors_checked : int
        How many examples that share is measured on.
    displacement : float or None
        Mean distance between an example's place here and on the map that this one continues, in units of that map's
        RMS radius. None where it continues none.
    kept_freely : float or None
        What the latest map that was laid out without regard to an earlier one kept of the neighbours: this map's own
        share where it continues none. None with PCA.
    units : float
        UMAP's own units in one unit of the map: where a later layout goes on.
    """

    ids: IdArray
    xy: Float32Array
    method: Method
    space: Space
    round_no: int
    neighbors_kept: float
    n_neighbors_checked: int
    displacement: float | None = None
    kept_freely: float | None = None
    units: float = 1.0

    def __post_init__(self) -> None:
        check_lengths("Projection", ids=self.ids, xy=self.xy)
        if self.xy.ndim != 2 or self.xy.shape[1] != 2 or self.xy.dtype != np.float32:
            raise ValueError(f"Projection: xy must be float32 of shape (n, 2), found {self.xy.dtype} {self.xy.shape}")
        # Written so that NaN fails as well.
        if not np.all(np.square(self.xy, dtype=np.float64).sum(axis=1) <= (1 + ROUNDING) ** 2):
            raise ValueError("Projection: every point of xy must lie within the unit disc")

    def __len__(self) -> int:
        return len(self.xy)

    @cached_property
    def revision(self) -> str:
        """A hash of the places: two maps with the same one look the same."""
        return hashlib.sha256(np.ascontiguousarray(self.xy, dtype="<f4").tobytes()).hexdigest()[:16]
