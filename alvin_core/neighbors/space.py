"""The space a search happens in: pool and anchors, moved and scaled so that float32 loses little."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.checking import AnchorPoints
from alvin_core.types import Float32Array, IntArray

__all__ = ["SearchSpace"]

UNIT_ROUNDOFF = 2.0**-24  # of float32
ROWS_FOR_CENTRE = 4096
PAIRS_AT_ONCE = 4096
PARENTS_OF_TABLE = 1024  # with no more of them, all products between parents are taken: 8 MB


@dataclass(frozen=True)
class SearchSpace:
    """What every backend searches.

    Attributes
    ----------
    pool : float32 array of shape (n_pool, dim)
        As given.
    rows : int32 array of shape (n_positions,)
        Pool rows to search, by ascending id. A *position* is a place in it, so the lower position wins a tie.
    points : AnchorPoints
    centre : float32 array of shape (dim,)
        Subtracted before float32 products are taken: far from the origin they cancel. Any point near the
        middle does, so it is the mean of a sample.
    scale : float
        A power of two that brings all coordinates below 1 (of numbers near float32's largest below 2**30), so that no
        square leaves float32's range.
    """

    pool: Float32Array
    rows: NDArray[np.int32]
    points: AnchorPoints
    centre: Float32Array
    scale: float

    @classmethod
    def around(cls, pool: Float32Array, rows: NDArray[np.int32], points: AnchorPoints) -> SearchSpace:
        """Choose centre and scale for the pool and the anchors' parents."""
        sample = pool[:: max(1, len(pool) // ROWS_FOR_CENTRE)]
        centre = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
        lowest = min(float(pool.min()), float(points.parents.min()))
        highest = max(float(pool.max()), float(points.parents.max()))
        reach = max(highest - float(centre.min()), float(centre.max()) - lowest)
        # 2**±100: far enough for anything, and still a float32 of full precision.
        exponent = max(-100, min(100, -math.ceil(math.log2(reach)))) if reach > 0 else 0
        return cls(pool, rows, points, centre, 2.0**exponent)

    @property
    def n_positions(self) -> int:
        return len(self.rows)

    @property
    def n_anchors(self) -> int:
        return len(self.points.weights)

    @property
    def scaled_centre(self) -> Float32Array:
        return self.centre * np.float32(self.scale)

    def take(self, anchor_rows: IntArray) -> SearchSpace:
        """Return the same space with some of the anchors."""
        return replace(self, points=self.points.take(anchor_rows))

    def tile_size(self, n_numbers: int, multiple_of: int) -> int:
        """Return how many positions have at most ``n_numbers`` coordinates, and products with the parents."""
        n_parents, dim = self.points.parents.shape
        return int(max(1, n_numbers // (max(n_parents, dim) * multiple_of)) * multiple_of)

    def tiles(self, size: int) -> Iterator[tuple[int, int]]:
        """Cut the positions into stretches (start, stop) of at most ``size``."""
        for start in range(0, self.n_positions, size):
            yield start, min(start + size, self.n_positions)

    def tile(self, start: int, stop: int, *, rows_of: int = 1) -> Float32Array:
        """Return centred and scaled vectors of some positions, of shape (n, dim).

        ``rows_of`` rounds n up to a multiple; the rows beyond ``stop - start`` are zero.
        """
        n_rows = stop - start
        vectors = np.empty((-(-n_rows // rows_of) * rows_of, self.pool.shape[1]), dtype=np.float32)
        # Scaled before it is centred: the difference of two finite numbers may be infinite.
        np.multiply(self._pool_rows(start, stop), np.float32(self.scale), out=vectors[:n_rows])
        vectors[:n_rows] -= self.scaled_centre
        vectors[n_rows:] = 0
        return vectors

    def _pool_rows(self, start: int, stop: int) -> Float32Array:
        rows = self.rows[start:stop]
        if rows[-1] - rows[0] == stop - start - 1 and np.all(np.diff(rows) == 1):
            return self.pool[rows[0] : rows[-1] + 1]  # already in order: no copy
        return self.pool[rows]

    def scaled_parents(self) -> Float32Array:
        """Return the parents' centred and scaled vectors, of shape (n_parents, dim)."""
        return self.points.parents * np.float32(self.scale) - self.scaled_centre

    def anchor_vectors(self, rows: slice) -> NDArray[np.float64]:
        """Return the exact vectors of some anchors, neither centred nor scaled, of shape (n, dim)."""
        weights = self.points.weights[rows, None]
        first = self.points.parents[self.points.first[rows]]
        second = self.points.parents[self.points.second[rows]]
        return np.asarray(weights * first + (1.0 - weights) * second)

    def anchor_norms(self) -> NDArray[np.float64]:
        """Return the anchors' squared norms, centred and scaled, of shape (n_anchors,)."""
        first, second, weights = self.points.first, self.points.second, self.points.weights
        parents = self.scaled_parents()
        if len(parents) <= PARENTS_OF_TABLE:
            exact = parents.astype(np.float64)
            products, pair_of = (exact @ exact.T).ravel(), first * len(parents) + second
        else:
            products, pair_of = _products_of_pairs(parents, first, second)
        norms = np.einsum("pd,pd->p", parents, parents, dtype=np.float64)
        rest = 1.0 - weights
        return np.asarray(
            weights**2 * norms[first] + rest**2 * norms[second] + 2.0 * weights * rest * products[pair_of]
        )

    def rounding_bounds(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bound the error of float32 squared distances between each anchor and points near it.

        Parameters
        ----------
        distances : float64 array of shape (n_anchors,)
            For each anchor, how far away the points may be; neither centred nor scaled.

        Returns
        -------
        float64 array of shape (n_anchors,)
            In centred and scaled units. Holds for any order of summation, fused or not.

        Notes
        -----
        A dot product of length n errs by at most n·u·‖x‖·‖y‖ (Higham 2002, section 3.1). So ‖x‖², ‖y‖² and −2x·y,
        each summed in float32, err by n·u·(‖x‖ + ‖y‖)² together, and everything else (centring, interpolating,
        adding up) by a few u·(‖x‖ + ‖y‖)²: 32 is far more than it can be.
        """
        parents = self.scaled_parents()
        norms = np.sqrt(np.einsum("pd,pd->p", parents, parents, dtype=np.float64))
        anchor_reach = np.maximum(norms[self.points.first], norms[self.points.second])
        point_reach = anchor_reach + distances * self.scale
        dim = parents.shape[1]
        smallest = dim * 2.0**-126  # below this float32 rounds absolutely, not relatively
        return np.asarray((dim + 32) * UNIT_ROUNDOFF * (anchor_reach + point_reach) ** 2 + smallest)


def _products_of_pairs(
    parents: Float32Array, first: IntArray, second: IntArray
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the product of each pair that occurs, and which is whose: of shapes (n_pairs,) and (n_anchors,)."""
    pairs, pair_of = np.unique(first * len(parents) + second, return_inverse=True)
    products = np.empty(len(pairs))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        ones, others = np.divmod(pairs[part], len(parents))
        products[part] = np.einsum("pd,pd->p", parents[ones], parents[others], dtype=np.float64)
    return products, pair_of
