"""How a summary was computed, in sentences for its readers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from alvin_core.experiments.words import counted

if TYPE_CHECKING:
    from alvin_core.experiments.summary import ComparisonSummary

__all__ = ["how_computed"]

TEST_NAMES = {"t": "paired t-test", "sign-flip": "sign-flip test (the signs of the seeds' differences, permuted)"}


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
    return (*told, *_power(summary))


def _seeds_compared(summary: ComparisonSummary) -> str:
    counts = sorted({one.difference.n for one in summary.primary})
    return counted(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def _power(summary: ComparisonSummary) -> list[str]:
    found = [one.difference for one in summary.primary]
    points = sorted(
        100 * one.detectable for one in found if one.detectable is not None and math.isfinite(one.detectable)
    )
    told = []
    if points:
        span = (
            f"{points[0]:.1f}" if f"{points[0]:.1f}" == f"{points[-1]:.1f}" else f"{points[0]:.1f} to {points[-1]:.1f}"
        )
        told.append(
            f"With so many seeds, a true difference of {span} percentage points, depending on the measure and the arm, "
            "would be found four times in five (80 % power); smaller ones are likely to be missed."
        )
    needed = [one.seeds_needed for one in found if one.seeds_needed is not None]
    if needed:
        told.append(
            f"The smallest p that can be reached after correction is {max(one.smallest_p for one in found):.2g}: "
            f"{max(needed)} seeds are needed before any verdict is possible everywhere."
        )
    return told
