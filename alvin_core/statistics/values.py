"""What the statistics hand back, and the check of the one setting that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alvin_core.errors import SettingsError

__all__ = ["Interval", "PairedDifference", "PairedTest", "Verdict", "level_of"]

Verdict = Literal["better", "worse", "no measurable difference", "too few seeds"]
PairedTest = Literal["t", "sign-flip"]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its t-interval.

    Attributes
    ----------
    mean : float
        NaN without any seed.
    low, high : float
        Ends of the interval; NaN with fewer than two seeds.
    n : int
        Seeds that had a value.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class PairedDifference:
    """One arm minus the reference, over the seeds that both have.

    Attributes
    ----------
    n : int
        Seeds with a difference; a seed where it is NaN is left out.
    mean : float
        In the units of the values; NaN without any seed.
    low, high : float
        The t-interval of this difference alone: it is *not* widened for the number of comparisons, while
        ``p_corrected`` is corrected. So an interval that leaves out 0 can stand beside "no measurable difference".
        NaN with fewer than two seeds.
    sd : float
        Standard deviation over seeds (n − 1 in the denominator); exactly 0 where all differences are equal, NaN with
        fewer than two seeds.
    p, p_corrected : float
        Two-sided, before and after Holm's correction, in [0, 1]; 1 with fewer than two seeds.
    smallest_p : float
        The smallest ``p_corrected`` that this row could have had with its n, the other rows being as they are: 0 for
        the t-test from two seeds; for the sign-flip test ``2^(1 - n)`` times the number of comparisons (at most 1),
        less only where rows with more seeds come before it.
    detectable : float or None
        The true difference that the paired t-test at this n, sd and Holm's most severe level
        (``(1 - confidence) / n_comparisons``) finds with 80 % power. For the sign-flip test the same number, as an
        approximation that is too small for few seeds: among 12 comparisons of normal differences it finds it with
        about 72 % power at 10 seeds and 78 % at 20. None where it cannot be told: fewer than two seeds, sd 0, or a
        level that the sign-flip test cannot reach.
    seeds_needed : int or None
        Where the verdict is "too few seeds": the smallest number of seeds at which that verdict goes away.
    verdict : Verdict
        "better" or "worse" where ``p_corrected <= 1 - confidence``.
    n_comparisons : int
        How many differences the correction is for.
    confidence : float
        Of the interval and of the verdict.
    test : PairedTest
        The test that ``p`` is from: the sign-flip test also where t was asked for and all differences are equal but
        not 0, since t is undefined there.
    """

    n: int
    mean: float
    low: float
    high: float
    sd: float
    p: float
    p_corrected: float
    smallest_p: float
    detectable: float | None
    seeds_needed: int | None
    verdict: Verdict
    n_comparisons: int = 1
    confidence: float = 0.95
    test: PairedTest = "t"


def level_of(confidence: float) -> float:
    """Level of the test that belongs to a confidence: 0.05 for 0.95.

    Raises
    ------
    SettingsError
        When the confidence is not between 0 and 1.
    """
    level = round(1 - confidence, 12)  # 1 − 0.9 is a little below 0.1 in binary, and p = 0.1 is to count
    if not 0 < level < 1:
        raise SettingsError(f"confidence={confidence} must be above 0 and below 1; 0.95 is usual")
    return level
