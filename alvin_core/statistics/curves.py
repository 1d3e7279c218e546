"""Learning curves as one number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.types import FloatArray, IntArray

__all__ = ["curve_area"]


def curve_area(n_labeled: IntArray, values: FloatArray) -> NDArray[np.float64]:
    """Mean height of learning curves: the area under them, divided by the range of ``n_labeled``.

    Parameters
    ----------
    n_labeled : int array of shape (n_rounds,)
        Labeled examples at each round, strictly ascending; the steps may be unequal.
    values : float array of shape (..., n_rounds)

    Returns
    -------
    float64 array of shape (...)
        In the units of ``values``. Of a single round its value; NaN where a round is NaN.

    Raises
    ------
    ValueError
        When there is no round, the lengths differ, or ``n_labeled`` does not ascend.

    Notes
    -----
    The trapezoid rule, as areas under learning curves are usually taken (Guyon et al., 2011), here on a linear axis.
    """
    budgets = np.asarray(n_labeled, dtype=np.float64)
    heights = np.asarray(values, dtype=np.float64)
    if budgets.ndim != 1 or not budgets.size or heights.shape[-1:] != budgets.shape:
        raise ValueError(
            f"curve_area: n_labeled {budgets.shape} and values {heights.shape} must end in one n_rounds >= 1"
        )
    steps = np.diff(budgets)
    if not (steps > 0).all():
        raise ValueError(f"curve_area: n_labeled must ascend strictly, found {budgets.astype(int).tolist()}")
    if budgets.size == 1:
        return np.asarray(heights[..., 0])
    trapezoids = (heights[..., 1:] + heights[..., :-1]) / 2 * steps  # (..., n_rounds - 1)
    return np.asarray(trapezoids.sum(axis=-1) / steps.sum())
