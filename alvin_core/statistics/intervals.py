"""Means over seeds, with t-intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.statistics.values import Interval, level_of
from alvin_core.types import FloatArray, IntArray

__all__ = ["half_widths", "mean_interval", "moments"]

# Shares that are equal as fractions differ by rounding once they were subtracted; no real difference is this small.
SAME = 1e-12


def moments(values: FloatArray) -> tuple[IntArray, NDArray[np.float64], NDArray[np.float64]]:
    """Count, mean and standard deviation of each row, NaN cells left out.

    Parameters
    ----------
    values : float array of shape (n_rows, n_seeds)

    Returns
    -------
    n, mean, sd : arrays of shape (n_rows,)
        ``mean`` is NaN where n is 0, ``sd`` where n is below 2. Values that differ by rounding alone have sd exactly 0,
        and a mean that is 0 but for rounding is exactly 0.
    """
    known = ~np.isnan(values)
    n = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=1) / np.where(n > 0, n, np.nan)
        deviations = np.where(known, values - mean[:, None], 0)  # (n_rows, n_seeds)
        sd = np.sqrt((deviations**2).sum(axis=1) / np.where(n > 1, n - 1, np.nan))
        equal = np.abs(deviations).max(axis=1, initial=0) <= SAME * np.maximum(1, np.abs(mean))
    sd = np.where((n > 1) & equal, 0.0, sd)
    mean = np.where(equal & (np.abs(mean) <= SAME), 0.0, mean)
    return n, mean, sd


def half_widths(n: IntArray, sd: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Half the width of each mean's t-interval, of shape (n_rows,); NaN where n is below 2."""
    from scipy.special import stdtrit

    level = level_of(confidence)
    enough = np.maximum(n, 2)  # sd is NaN below 2 and makes the result so
    return np.asarray(-stdtrit(enough - 1, level / 2) * sd / np.sqrt(enough))


def mean_interval(values: FloatArray, confidence: float = 0.95) -> Interval:
    """Mean over seeds with Student's t-interval.

    Parameters
    ----------
    values : float array of shape (n_seeds,)
        NaN where a seed has no value; it is left out, and ``n`` tells it.
    confidence : float
        In (0, 1). [field]

    Returns
    -------
    Interval
        With ``low`` and ``high`` NaN for fewer than two seeds, and equal to the mean where all values are equal.

    Raises
    ------
    SettingsError
        When the confidence is out of its range.
    ValueError
        When the values are not one row, or one is infinite.

    Notes
    -----
    Student (1908). Exact for normal values; at few seeds close to its confidence for any that are roughly symmetric.
    """
    level_of(confidence)
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1 or np.isinf(row).any():
        raise ValueError(f"mean_interval: one row of finite values (or NaN) expected, found {row}")
    n, mean, sd = moments(row[None])
    half = half_widths(n, sd, confidence)
    return Interval(float(mean[0]), float((mean - half)[0]), float((mean + half)[0]), int(n[0]))
