"""What a paired t-test can find: power, the detectable difference, the seeds that a difference needs."""

from __future__ import annotations

from functools import lru_cache
from math import isnan, sqrt

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError

__all__ = ["POWER", "detectable_difference", "power_of", "seeds_for"]

POWER = 0.8  # [field] Cohen (1988)
MOST_SEEDS = 100_000  # nobody runs more; a difference that needs them is as good as none


def power_of(difference: float, sd: float, n: int, level: float) -> float:
    """Probability that a two-sided paired t-test finds a true difference.

    Parameters
    ----------
    difference : float
        The true mean difference; its sign does not matter.
    sd : float
        Standard deviation of the differences over seeds, in the same units, at least 0.
    n : int
        Seeds. Below 2 there is no test, and the power is 0.
    level : float
        Level of the test, in (0, 1); ``(1 - confidence) / n_comparisons`` for Holm's most severe step.

    Returns
    -------
    float
        In [0, 1]; equal to ``level`` where the difference is 0. With sd 0 every difference but 0 is found.

    Raises
    ------
    SettingsError
        When the level, or the standard deviation, is out of its range.

    Notes
    -----
    The two tails of the noncentral t distribution (Cohen, 1988). With T = (Z + δ) / S and the critical value c, both
    tails together are P(S < |Z + δ| / c): the χ² distribution function averaged over the normal Z. That average is
    taken by the trapezoid rule, which stays accurate for two seeds and a level of 0.0001, where c is in the thousands.
    """
    _check_level(level)
    if not sd >= 0:
        raise SettingsError(f"sd={sd} must be 0 or more; give the standard deviation of the differences over seeds")
    if n < 2:
        return 0.0
    if sd == 0:
        return float(difference != 0)
    return _power_of_shift(abs(difference) / sd * sqrt(n), n, level)


def _power_of_shift(shift: float, n: int, level: float) -> float:
    """Power of the two-sided t-test whose statistic is shifted by ``shift`` (the noncentrality)."""
    from scipy.special import chdtr, stdtrit

    z, weights = _normal_nodes()
    critical = -stdtrit(n - 1, level / 2)
    return float(weights @ chdtr(n - 1, (n - 1) * ((z + shift) / critical) ** 2))


@lru_cache(maxsize=1)
def _normal_nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the standard normal distribution and their weights, which sum to 1."""
    z = np.linspace(-9, 9, 4001)
    weights = np.exp(-(z**2) / 2)
    return z, weights / weights.sum()


def detectable_difference(n: int, sd: float, level: float, power: float = POWER) -> float | None:
    """Smallest true difference that a two-sided paired t-test finds with the given power.

    Parameters
    ----------
    n : int
        Seeds.
    sd : float
        Standard deviation of the differences over seeds.
    level, power : float
        In (0, 1).

    Returns
    -------
    float or None
        In the units of ``sd``; None with fewer than two seeds, or where sd is 0 or NaN, which tells nothing of how
        differences vary.

    Raises
    ------
    SettingsError
        When the level or the power is out of its range.
    """
    _check_level(level)
    _check_power(power)
    if n < 2 or isnan(sd) or sd <= 0:
        return None
    return _detectable_shift(n, level, power) / sqrt(n) * sd


@lru_cache(maxsize=1024)
def _detectable_shift(n: int, level: float, power: float) -> float:
    """Noncentrality at which the power is as given: it depends on no data, so rows of one table share it."""
    from scipy.optimize import brentq

    if power <= level:
        return 0.0
    highest = 4.0
    while _power_of_shift(highest, n, level) < power:
        highest *= 2
    return float(brentq(lambda shift: _power_of_shift(shift, n, level) - power, 0, highest))


def seeds_for(difference: float, sd: float, level: float, power: float = POWER) -> int | None:
    """Smallest number of seeds at which a two-sided paired t-test finds a true difference with the given power.

    Parameters
    ----------
    difference : float
        The true mean difference.
    sd : float
        Standard deviation of the differences over seeds, in the same units.
    level, power : float
        In (0, 1).

    Returns
    -------
    int or None
        At least 2; None where 100,000 seeds would not do, as for a difference of 0.

    Raises
    ------
    SettingsError
        When the level, the power or the standard deviation is out of its range.
    """
    _check_power(power)
    below, enough = 1, 2
    while power_of(difference, sd, enough, level) < power:
        below, enough = enough, 2 * enough
        if enough > MOST_SEEDS:
            return None
    while enough - below > 1:
        middle = (below + enough) // 2
        if power_of(difference, sd, middle, level) < power:
            below = middle
        else:
            enough = middle
    return enough


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise SettingsError(f"level={level} must be above 0 and below 1; 0.05 over the number of comparisons is usual")


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise SettingsError(f"power={power} must be above 0 and below 1; 0.8 is usual")
