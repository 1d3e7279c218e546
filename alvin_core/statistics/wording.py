"""A verdict as one plain sentence."""

from __future__ import annotations

from alvin_core.statistics.power import POWER
from alvin_core.statistics.values import PairedDifference, level_of

__all__ = ["verdict_words"]

MINUS = "\N{MINUS SIGN}"


def verdict_words(difference: PairedDifference, *, arm: str, reference: str, measure: str) -> str:
    """Say in one sentence what a comparison found.

    Parameters
    ----------
    difference : PairedDifference
        Of shares; the sentence gives points, which are hundredths.
    arm, reference : str
        Names of the two that are compared.
    measure : str
        As it reads after "in": "accuracy on ood:balanced".

    Returns
    -------
    str
        Without a full stop, so that it can stand in a list.
    """
    if difference.verdict == "too few seeds":
        return _too_few(difference, arm, reference, measure)
    if difference.verdict == "no measurable difference":
        return f"no measurable difference between {arm} and {reference} in {measure} ({_evidence(difference)})"
    by = f"{_points(abs(difference.mean))} points {difference.verdict} than {reference}"
    return f"{arm} is {by} in {measure} ({_evidence(difference)})"


def _too_few(difference: PairedDifference, arm: str, reference: str, measure: str) -> str:
    found = f"too few seeds to tell {arm} from {reference} in {measure}: {difference.seeds_needed} needed"
    if difference.n < 2:
        return f"{found} ({difference.n} compared)"
    smallest = _p(difference.smallest_p, level_of(difference.confidence))
    return f"{found} (with {difference.n}, {smallest} is the smallest that can be reached{_correction(difference)})"


def _evidence(difference: PairedDifference) -> str:
    """What stands in brackets: interval, p, and, where nothing was found, what would have been."""
    seeds = f"{difference.n} seeds"
    if difference.sd == 0 and difference.mean == 0:
        return f"equal at each of {seeds}"
    nothing_found = difference.verdict == "no measurable difference"
    p, correction = _p(difference.p_corrected, level_of(difference.confidence)), _correction(difference)
    if difference.sd == 0:
        mean = f"{_signed(difference.mean)} points " if nothing_found else "the same "
        return f"{mean}at each of {seeds}, where t is undefined; {p} by the sign-flip test{correction}"
    ends = f"{_signed(difference.low)} to {_signed(difference.high)}"
    interval = f"{100 * difference.confidence:g} % interval {ends}; {p}{correction}"
    if not nothing_found:
        return interval
    return f"mean {_signed(difference.mean)} points, {interval}{_would_have_been_found(difference)}"


def _would_have_been_found(difference: PairedDifference) -> str:
    if difference.detectable is None:
        return ""
    about = "about " if difference.test == "sign-flip" else ""
    power = f"with {about}{100 * POWER:.0f} % power"
    if difference.detectable >= 1:
        return f"; with {difference.n} seeds not even 100 points would have been found {power}"
    return f"; a difference of {_points(difference.detectable)} points would have been found {power}"


def _correction(difference: PairedDifference) -> str:
    if difference.n_comparisons == 1:
        return ""
    return f" after correction for {difference.n_comparisons} comparisons"


def _points(share: float) -> str:
    """A size in points with one decimal; never "0.0" of something that is there."""
    text = f"{100 * share:.1f}"
    return text if text != "0.0" else "less than 0.1"


def _signed(share: float) -> str:
    """A number of points with its sign: +0.4, −3.2 (a true minus), 0.0."""
    text = f"{100 * share:+.1f}"
    return "0.0" if text[1:] == "0.0" else text.replace("-", MINUS)


def _p(p: float, level: float) -> str:
    """P with three decimals, or as many more as it takes to lie on its own side of the level."""
    if p < 0.001:
        return "p < 0.001"
    if p >= 0.9995:
        return "p = 1"
    decimals = next((d for d in range(3, 9) if (round(p, d) <= level) == (p <= level)), 9)
    return f"p = {p:.{decimals}f}"
