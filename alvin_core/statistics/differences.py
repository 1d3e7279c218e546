"""Paired differences to a reference: the interval, the corrected test, and the verdict."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError
from alvin_core.statistics.intervals import half_widths, moments
from alvin_core.statistics.power import detectable_difference
from alvin_core.statistics.significance import (
    holm_corrected,
    reachable_p,
    sign_flip_p,
    smallest_corrected,
    t_test_p,
)
from alvin_core.statistics.values import PairedDifference, PairedTest, Verdict, level_of
from alvin_core.types import BoolArray, FloatArray

__all__ = ["paired_differences"]


def paired_differences(
    values: FloatArray, *, confidence: float = 0.95, test: PairedTest = "t"
) -> tuple[PairedDifference, ...]:
    """Judge differences between arms and their reference over seeds, all of them together.

    Parameters
    ----------
    values : float array of shape (n_comparisons, n_seeds)
        Arm minus reference at each seed, as shares (0.02 is two points). NaN where one of the two is missing: that
        seed is left out of that row, and ``n`` tells it.
    confidence : float
        Of the intervals; ``1 - confidence`` bounds the probability of any false claim among all rows. [field]
    test : {"t", "sign-flip"}
        ``t`` is exact for normal differences and near it for others; ``sign-flip`` assumes symmetry alone, but needs
        seeds before it can tell anything: 9 for 12 comparisons. [ours]

    Returns
    -------
    tuple of PairedDifference
        One for each row, in order.

    Raises
    ------
    SettingsError
        When the confidence or the test is none that there is.
    ValueError
        When the values are not two-dimensional, or one is infinite.

    Notes
    -----
    Where a difference cannot be tested as asked:

    - all differences 0 (rounding aside): p = 1, "no measurable difference", at any number of seeds from two;
    - all equal but not 0: the standard deviation is 0 and t is undefined, so p is the sign-flip test's, and ``test``
      says so; the interval is the point itself;
    - fewer than two seeds: no interval, p = 1, "too few seeds". The row still counts as a comparison.

    p is Student's (1908) or the sign-flip test's (Fisher, 1935), corrected by Holm (1979) over all rows; the interval
    is each row's own and is not widened.
    """
    level = level_of(confidence)
    if test not in get_args(PairedTest):
        raise SettingsError(f"test={test!r} is none of {', '.join(get_args(PairedTest))}; t is the default")
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or np.isinf(table).any():
        raise ValueError(f"paired_differences: finite values (n_comparisons, n_seeds) expected, found {table.shape}")
    n, mean, sd = moments(table)
    by_sign_flip = (sd == 0) & (mean != 0) if test == "t" else np.ones(len(table), dtype=bool)
    p = t_test_p(n, mean, sd)
    p[by_sign_flip] = _sign_flip_p_of_rows(table, by_sign_flip & (n > 1) & (mean != 0))[by_sign_flip]
    smallest = smallest_corrected(p, reachable_p(n, by_sign_flip))
    half = half_widths(n, sd, confidence)
    columns = (n, mean, mean - half, mean + half, sd, p, holm_corrected(p), smallest, by_sign_flip)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(_judged(*row, n_comparisons=len(table), confidence=confidence, level=level) for row in rows)


def _sign_flip_p_of_rows(table: NDArray[np.float64], tested: BoolArray) -> NDArray[np.float64]:
    """Sign-flip p of the tested rows, 1 for the others, of shape (n_comparisons,)."""
    p = np.ones(len(table))
    for row in np.flatnonzero(tested):
        known = table[row][~np.isnan(table[row])]
        p[row] = sign_flip_p(known)
    return p


def _judged(
    n: int,
    mean: float,
    low: float,
    high: float,
    sd: float,
    p: float,
    p_corrected: float,
    smallest_p: float,
    by_sign_flip: bool,
    *,
    n_comparisons: int,
    confidence: float,
    level: float,
) -> PairedDifference:
    """One row with its verdict."""
    needed = _seeds_needed(by_sign_flip, n_comparisons, level)
    # Beyond exact counting a p that cannot be reached is for want of random patterns, which no seed would mend.
    too_few = smallest_p > level and n < needed
    verdict = _verdict(mean, sd, p_corrected <= level, too_few)
    detectable = None
    if not by_sign_flip or smallest_p <= level:
        detectable = detectable_difference(n, sd, level / n_comparisons)
    return PairedDifference(
        n=n,
        mean=mean,
        low=low,
        high=high,
        sd=sd,
        p=p,
        p_corrected=p_corrected,
        smallest_p=smallest_p,
        detectable=detectable,
        seeds_needed=needed if verdict == "too few seeds" else None,
        verdict=verdict,
        n_comparisons=n_comparisons,
        confidence=confidence,
        test="sign-flip" if by_sign_flip else "t",
    )


def _verdict(mean: float, sd: float, found: bool, too_few: bool) -> Verdict:
    if found:
        return "better" if mean > 0 else "worse"
    if sd == 0 and mean == 0:
        return "no measurable difference"  # however few the seeds: there is nothing that more could confirm
    return "too few seeds" if too_few else "no measurable difference"


@lru_cache(maxsize=256)
def _seeds_needed(by_sign_flip: bool, n_comparisons: int, level: float) -> int:
    """Smallest n at which the smallest p there can be, corrected, is not above the level."""
    return next(n for n in count(2) if not by_sign_flip or n_comparisons * 0.5 ** (n - 1) <= level)
