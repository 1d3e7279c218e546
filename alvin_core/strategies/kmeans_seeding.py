"""k-means++ seeding over points that are outer products of two short vectors, and are never written out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alvin_core.types import Float32Array, FloatArray, IntArray, check_lengths

__all__ = ["OuterProducts", "sample_centres"]

# A float32 product of two vectors of some hundred dimensions is wrong by 1e-7 to 1e-6 of the product of their norms.
# A squared distance that is small beside the squared norms it is the difference of is found again in float64.
CANCELLED = 1e-2  # of the two squared norms: below, less than four digits would be left
DOUBT = 1e-5  # of the two squared norms: more than float32 can be wrong by
BLOCK_ROWS = 1024  # rows whose distances are found in float64 at a time: 3 MB for each array of 384 dimensions


@dataclass(frozen=True)
class OuterProducts:
    """Points ``g = a ⊗ z``, of dimension n_short × dim, known by their factors.

    ``⟨a ⊗ z, b ⊗ y⟩ = ⟨a, b⟩⟨z, y⟩``, so norms and distances need the factors alone.

    Attributes
    ----------
    short : float64 array of shape (n, n_short)
        The factors ``a``.
    long : float32 array of shape (n, dim)
        The factors ``z``.
    squared_norms : float64 array of shape (n,)
        ``‖g‖²``.
    """

    short: FloatArray
    long: Float32Array
    squared_norms: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        check_lengths("OuterProducts", short=self.short, long=self.long)
        squares = np.empty(len(self.short))
        for start in range(0, len(squares), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            squares[part] = _row_products(self.short[part], self.short[part])
            long = self.long[part].astype(np.float64)
            squares[part] *= _row_products(long, long)
        object.__setattr__(self, "squared_norms", squares)

    def __len__(self) -> int:
        return len(self.short)

    def approach(self, nearest: FloatArray, centre: int) -> None:
        """Lower each point's squared distance to its nearest centre where a new centre is nearer, in place.

        Parameters
        ----------
        nearest : float64 array of shape (n,)
            Squared distances to the nearest centre before; infinite where there was none.
        centre : int
            The row of the new centre. Points of its factors come to 0 exactly, and none below 0.

        Notes
        -----
        One pass over the points, n (dim + n_short) multiplications. The products of the long factors are float32;
        distances in which they cancel are found again in float64 from the factors' differences.
        """
        products = (self.short @ self.short[centre]) * (self.long @ self.long[centre])  # float64, (n,)
        scale = self.squared_norms + self.squared_norms[centre]
        distances = scale - 2 * products
        rows = np.flatnonzero((distances <= CANCELLED * scale) & (distances - DOUBT * scale <= nearest))
        for start in range(0, len(rows), BLOCK_ROWS):
            part = rows[start : start + BLOCK_ROWS]
            distances[part] = self._exact_distances(part, centre)
        np.minimum(nearest, distances, out=nearest)

    def _exact_distances(self, rows: IntArray, centre: int) -> NDArray[np.float64]:
        """Squared distances of some points to a centre, from ``g − c = (a − a_c) ⊗ z + a_c ⊗ (z − z_c)``."""
        short_centre = self.short[centre]
        apart_short = self.short[rows] - short_centre
        long = self.long[rows].astype(np.float64)
        apart_long = long - self.long[centre]
        first = _row_products(apart_short, apart_short) * _row_products(long, long)
        second = (short_centre @ short_centre) * _row_products(apart_long, apart_long)
        mixed = (apart_short @ short_centre) * _row_products(long, apart_long)
        return np.asarray(np.maximum(first + second + 2 * mixed, 0.0))


def _row_products(first: FloatArray, second: FloatArray) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->i", first, second))


def sample_centres(
    points: OuterProducts,
    n_centres: int,
    rng: np.random.Generator,
    *,
    first: int,
    order: IntArray,
    report: Callable[[int], None] | None = None,
) -> list[int]:
    """Draw centres one after the other, each with a chance in proportion to its squared distance to those before.

    Parameters
    ----------
    points : OuterProducts
    n_centres : int
        How many to draw at most, the first included.
    rng : numpy.random.Generator
        One ``rng.random()`` for each centre but the first.
    first : int
        The row of the first centre.
    order : int array of shape (n,)
        Every row once: the order in which chances are added up.
    report : callable, optional
        Told before each centre how many are drawn; may raise to stop.

    Returns
    -------
    list of int
        Rows, none twice and no two equal points; fewer than ``n_centres`` where every other point equals a drawn
        one.

    Notes
    -----
    D² sampling of Arthur & Vassilvitskii (2007), section 2.2, without trying several draws for each centre.
    """
    centres = [first]
    nearest = np.full(len(points), np.inf)
    while len(centres) < n_centres:
        if report is not None:
            report(len(centres))
        points.approach(nearest, centres[-1])
        nearest[centres[-1]] = 0.0  # never drawn twice, whatever the precision
        ends = np.cumsum(nearest[order])
        if ends[-1] == 0:
            break
        # The first that ends beyond the number: a point of no weight ends where the one before it does. Where the sum
        # is nearly 0 the product may round up to it.
        number = min(rng.random() * ends[-1], np.nextafter(ends[-1], 0))
        centres.append(int(order[np.searchsorted(ends, number, side="right")]))
    return centres
