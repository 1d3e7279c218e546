"""How a comparison's page is read, for somebody who sees one for the first time."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alvin_core import ComparisonSummary

__all__ = ["reading_help"]

ENTRIES = (
    (
        "Arm, seed, round",
        "An arm is a strategy with its settings. A seed fixes the labeled set that all arms start from, and all "
        "chance. In each round an arm trains a model, proposes examples, and has them annotated.",
    ),
    (
        "The mean over the learning curve",
        "One number for a whole curve: the area under it, divided by its width. It rewards being good early as "
        "well as late, and is steadier than the last point alone. Verdicts rest on it.",
    ),
    (
        "{level} interval",
        "Seeds differ. Of intervals computed this way, {level} hold the true mean. Two bands that overlap can "
        "still belong to a clear difference, since differences are taken seed by seed.",
    ),
    (
        "Better, worse",
        "The difference to {reference} is larger than chance between seeds explains, after allowing for the number of "
        "comparisons made. Intervals are not widened for it: one that leaves out 0 can still be no measurable "
        "difference.",
    ),
    (
        "No measurable difference",
        "This many seeds cannot tell the two apart. It does not mean that they are equal: a true difference "
        "smaller than the one in the column “detectable”, in points, would mostly be missed.",
    ),
    (
        "Too few seeds",
        "Whatever the runs had shown, the test could not have called it a difference with so many comparisons.",
    ),
    (
        "Worst group",
        "The lowest accuracy of any class and attribute value together: where a shortcut hurts most. Splits named "
        "ood:… are out of distribution: there the shortcut says nothing, or misleads.",
    ),
    (
        "Selected whose attribute is not the usual one of their class",
        "Examples that contradict a shortcut. They are rare in the pool, and what a strategy against shortcuts "
        "should find.",
    ),
)


def reading_help(summary: ComparisonSummary) -> str:
    """Return HTML that explains the words and figures of the page; all texts are escaped."""
    known = {"level": f"{100 * summary.confidence:g} %", "reference": summary.reference}
    told = ((term.format(**known), text.format(**known)) for term, text in ENTRIES)
    return (
        "<dl>" + "".join(f"<div><dt>{escape(term)}</dt><dd>{escape(text)}</dd></div>" for term, text in told) + "</dl>"
    )
