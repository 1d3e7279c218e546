"""What a summary says as a whole, and how it was computed, in sentences for its readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alvin_core.experiments.words import counted

if TYPE_CHECKING:
    from alvin_core.experiments.summary import ComparisonSummary
    from alvin_core.statistics import PairedDifference

__all__ = ["headline", "how_computed", "power_words"]

TEST_NAMES = {"t": "paired t-test", "sign-flip": "sign-flip test (the signs of the seeds' differences, permuted)"}


def headline(summary: ComparisonSummary) -> str:
    """Say in one or two sentences what a comparison found."""
    if not summary.primary:
        return "Nothing can be said yet: no two arms have finished seeds in common."
    verdicts = [one.difference.verdict for one in summary.primary]
    if set(verdicts) == {"too few seeds"}:
        needed = max((one.difference.seeds_needed or 0 for one in summary.primary), default=0)
        more = f"; {needed} are needed" if needed else ""
        n_most = max(one.difference.n for one in summary.primary)
        return f"Too few seeds to tell anything: {n_most} can be compared{more}."
    better, worse = (_whose(summary, verdict) for verdict in ("better", "worse"))
    if not better and not worse:
        return f"No measurable difference to {summary.reference} in any of {counted(len(verdicts), 'comparison')}."
    nobody = "" if better else f" No arm is measurably better than {summary.reference} in anything."
    return f"{'; '.join(filter(None, (better, worse)))}.{nobody}"


def _whose(summary: ComparisonSummary, verdict: str) -> str:
    """Say which arms have a verdict; empty where none has."""
    arms = [words for arm in summary.arms if (words := _in_measures(summary, arm, verdict))]
    if not arms:
        return ""
    who = f"{', '.join(arms[:-1])} and {arms[-1]} are" if len(arms) > 1 else f"{arms[0]} is"
    return f"{who} measurably {verdict} than {summary.reference}"


def _in_measures(summary: ComparisonSummary, arm: str, verdict: str) -> str:
    """Return an arm with the number of measures in which it has a verdict; empty where it has it in none."""
    own = [one.difference.verdict for one in summary.primary if one.arm == arm]
    n = sum(one == verdict for one in own)
    return f"{arm} (in {n} of {counted(len(own), 'measure')})" if n else ""


def power_words(found: Sequence[PairedDifference]) -> str:
    """Say in one sentence which differences so few seeds would have missed; empty where that cannot be told."""
    sizes = sorted(one.detectable for one in found if one.detectable is not None)
    if not sizes:
        return ""
    ends = list(dict.fromkeys(f"{100 * size:.1f}" if size < 1 else "over 100" for size in (sizes[0], sizes[-1])))
    which = ", depending on the measure and the arm," if len(ends) > 1 else ""
    return (
        f"With {counted(max(one.n for one in found), 'seed')}, a true difference of {' to '.join(ends)} points{which} "
        "would be found four times in five (80 % power); smaller ones would mostly be missed."
    )


def how_computed(summary: ComparisonSummary) -> tuple[str, ...]:
    """Say in sentences which seeds, test and correction the numbers rest on, and what they could have found.

    Parameters
    ----------
    summary : ComparisonSummary

    Returns
    -------
    tuple of str
    """
    level, alpha = f"{100 * summary.confidence:g} %", f"{1 - summary.confidence:.2g}"
    sizes = summary.n_labeled
    told = [
        f"{counted(len(summary.seeds), 'seed')}; in each, every arm starts from the same {sizes[0]:,} labels. "
        f"{counted(len(sizes), 'trained round')}, up to {sizes[-1]:,} labels.",
        f"Values are means over seeds ± half of a {level} t-interval. The mean over the learning curve is the area "
        "under it (trapezoids) divided by its range of labels.",
    ]
    if not summary.primary:
        return (*told, "Nothing was tested: that takes two arms with finished seeds in common.")
    n_comparisons = len(summary.primary)
    told.append(
        f"Differences are arm − {summary.reference}, paired by seed, over {_seeds_compared(summary)}: "
        f"{TEST_NAMES[summary.test]}, p corrected by Holm over {counted(n_comparisons, 'comparison')} (accuracy and "
        f"worst-group accuracy of the mean over the curve, all arms together) at {alpha}. Verdicts go by the corrected "
        "p; the interval of a difference is its own, not corrected."
    )
    if summary.secondary:
        told.append(
            f"Differences at {sizes[-1]:,} labels are secondary: corrected over their own "
            f"{counted(len(summary.secondary), 'comparison')}, and no verdict rests on them. Macro-F1 is not tested."
        )
    needed = [one.difference.seeds_needed for one in summary.primary if one.difference.seeds_needed is not None]
    if needed:
        smallest = max(one.difference.smallest_p for one in summary.primary)
        told.append(
            f"The smallest p that can be reached after correction is {smallest:.2g}: {max(needed)} seeds are needed "
            "before any verdict is possible everywhere."
        )
    return tuple(told)


def _seeds_compared(summary: ComparisonSummary) -> str:
    counts = sorted({one.difference.n for one in summary.primary})
    return counted(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
