"""The compiled loop of `nearest_sets`. Imported only where numba is."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.compiling import STRICT, compiled
from alvin_core.neighbors.segment_vectors import LANES, append_below
from alvin_core.types import Float32Array

__all__ = ["lowest_of_rows"]


@compiled(STRICT)
def lowest_of_rows(
    products: Float32Array,
    norms: Float32Array,
    subsets: NDArray[np.uint8],
    rows: NDArray[np.int32],
    gaps: NDArray[np.float32],
) -> None:
    """Write where the k lowest of each row of ``norms + products`` stand, and how far the next one is.

    Parameters
    ----------
    products : float32 array of shape (n_points, n)
        n is a multiple of LANES.
    norms : float32 array of shape (n,)
        NEVER_NEAR in the padding.
    subsets : uint8 array
        ``SUBSETS`` of `segment_vectors`.
    rows : int32 array of shape (n_points, k)
        Written to: ascending. k is below n without the padding.
    gaps : float32 array of shape (n_points,)
        Written to: the next lowest value less the k-th.
    """
    n_points, n = products.shape
    k = rows.shape[1]
    one = np.float32(1)
    values, places, low = np.empty(k + 1, np.float32), np.empty(k + 1, np.int32), np.empty(LANES, np.int32)
    for point in range(n_points):
        row = products[point]
        values[:] = np.inf
        bar = values[k]
        for start in range(0, n, LANES):
            n_low = append_below(norms, row, start, one, one, bar, subsets, low, 0)
            for number in range(n_low):
                x = low[number]
                value = norms[x] + row[x]
                if value < bar:
                    place = k
                    while place > 0 and value < values[place - 1]:
                        values[place] = values[place - 1]
                        places[place] = places[place - 1]
                        place -= 1
                    values[place] = value
                    places[place] = x
                    bar = values[k]
        gaps[point] = values[k] - values[k - 1]
        rows[point] = np.sort(places[:k])
