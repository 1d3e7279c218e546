"""A comparison's summary as Markdown: tables, verdicts in words, and how they were computed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from alvin_core.experiments.results import AGAINST, FIGURES
from alvin_core.experiments.summary import ArmCurve, ArmDifference, ComparisonSummary, LabelsToReach
from alvin_core.experiments.words import counted, figure_words, kind_of, measure_words, split_of
from alvin_core.statistics import Interval, PairedDifference

__all__ = ["interval_text", "to_markdown"]

FAMILIES = (("accuracy", "Accuracy"), ("worst_group", "Worst-group accuracy"), ("macro_f1", "Macro-F1"))
MISSING = "–"
MINUS = "\N{MINUS SIGN}"

_MARKS = re.compile(r"([\\`*_\[\]<>|&~])")


def to_markdown(summary: ComparisonSummary) -> str:
    """Write a summary as Markdown.

    Parameters
    ----------
    summary : ComparisonSummary

    Returns
    -------
    str
        What was found in a sentence; a table for each kind of measure, with arms as columns and a row for each split;
        what was selected; the verdicts on the areas under the curves; notes; and how all was computed. It ends with a
        line break. Bold are differences whose corrected p is below one minus the confidence.
    """
    parts = [_head(summary)]
    for kind, title in FAMILIES:
        measures = [measure for measure in summary.measures if kind_of(measure) == kind]
        if measures:
            parts += _family(summary, kind, title, measures)
    parts += _selected(summary) + _labels(summary) + _verdicts(summary)
    if summary.notes:
        parts += ["## Notes", _items(summary.notes)]
    parts += ["## How this was computed", _items(summary.method())]
    return "\n\n".join(parts) + "\n"


def interval_text(interval: Interval | PairedDifference | None, sign: str = "") -> str:
    """Write an interval: ``0.916 ± 0.008``, with its two ends where they lie unevenly, without where there are none.

    Parameters
    ----------
    interval : Interval, PairedDifference or None
    sign : {"", "+"}
        ``"+"`` writes the sign of positive numbers too.
    """
    if interval is None:
        return MISSING
    mean, low, high = interval.mean, interval.low, interval.high
    if not (math.isfinite(low) and math.isfinite(high)):
        return _number(mean, sign)
    if f"{high - mean:.3f}" == f"{mean - low:.3f}":
        return f"{_number(mean, sign)} ± {(high - low) / 2:.3f}"
    return f"{_number(mean, sign)} [{_number(low, sign)}, {_number(high, sign)}]"


def _number(value: float, sign: str) -> str:
    # Adding 0 makes a negative zero positive.
    return f"{round(value, 3) + 0.0:{sign}.3f}".replace("-", MINUS)


def _head(summary: ComparisonSummary) -> str:
    sizes = summary.n_labeled
    told = f"{counted(len(summary.arms), 'arm')}, {counted(len(summary.seeds), 'seed')}, {sizes[0]:,}"
    told += f" to {sizes[-1]:,} labels; the reference is {_safe(summary.reference)}."
    source = f"Data: {_safe(summary.source)}. " if summary.source else ""
    if summary.primary:
        told += " Bold differences are measurable after correction."
    found = " ".join(filter(None, [_safe(summary.headline()), _safe(summary.power())]))
    return f"# {_safe(summary.name)}\n\n{found}\n\n{source}{told}"


def _family(summary: ComparisonSummary, kind: str, title: str, measures: Sequence[str]) -> list[str]:
    last = f"at {summary.n_labeled[-1]:,} labels"
    areas = _table(summary, measures, lambda curve: curve.area, summary.primary)
    finals = _table(summary, measures, lambda curve: curve.final, summary.secondary)
    if kind == "macro_f1":
        return [f"## {title} (not tested)", "Mean over the learning curve:", areas, f"{last.capitalize()}:", finals]
    return [f"## {title}, mean over the learning curve", areas, f"### {title} {last} (secondary)", finals]


def _table(
    summary: ComparisonSummary,
    measures: Sequence[str],
    value: Callable[[ArmCurve], Interval | None],
    differences: Sequence[ArmDifference],
) -> str:
    found = {(one.measure, one.arm): one.difference for one in differences}
    compared = [arm for arm in summary.arms if any((measure, arm) in found for measure in measures)]
    heads = ["", *summary.arms, *(f"{arm} − {summary.reference}" for arm in compared)]
    rows = []
    for measure in measures:
        cells = [interval_text(value(summary.curve(measure, arm))) for arm in summary.arms]
        cells += [_difference_cell(found.get((measure, arm))) for arm in compared]
        rows.append([_safe(split_of(measure)), *cells])
    return _rows([_safe(head) for head in heads], rows)


def _difference_cell(difference: PairedDifference | None) -> str:
    text = interval_text(difference, "+")
    return f"**{text}**" if difference is not None and difference.verdict in ("better", "worse") else text


def _selected(summary: ComparisonSummary) -> list[str]:
    figures = [figure for figure in (*FIGURES, AGAINST) if figure in summary.figures]
    if not figures:
        return []
    rows = [
        [figure_words(figure), *(interval_text(summary.selection(figure, arm).annotated) for arm in summary.arms)]
        for figure in figures
    ]
    about = "Means over the proposals that were annotated; not tested."
    return ["## What was selected", about, _rows(["", *map(_safe, summary.arms)], rows)]


def _labels(summary: ComparisonSummary) -> list[str]:
    if not summary.labels_to_reach:
        return []
    last = f"{summary.n_labeled[-1]:,}"
    heads = ["measure", "arm", "labels", "saved", "saved in each seed", "seeds that do not get there"]
    rows = [[_safe(measure_words(one.measure)), _safe(one.arm), *_labels_cells(one)] for one in summary.labels_to_reach]
    about = f"Not tested. {MISSING}: never, or, in each seed, not in all of them."
    return [f"## Labels to do as well as {_safe(summary.reference)} with {last}", about, _rows(heads, rows)]


def _labels_cells(one: LabelsToReach) -> list[str]:
    saved = one.saved_per_seed
    if saved is None:
        each = MISSING
    elif math.isfinite(saved.low):
        each = f"{saved.mean:.0f} ± {(saved.high - saved.low) / 2:.0f}"
    else:
        each = f"{saved.mean:.0f}"
    counts = [MISSING if number is None else f"{number:.0f}" for number in (one.n_labeled, one.saved)]
    return [*counts, each, f"{one.n_not_reached} of {len(one.per_seed)}"]


def _verdicts(summary: ComparisonSummary) -> list[str]:
    title = f"## Verdicts, against {_safe(summary.reference)}"
    if not summary.primary:
        return [title, "Nothing could be tested; see the notes."]
    return [title, "On the mean over the learning curve.", _items([one.sentence for one in summary.primary])]


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _items(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {_safe(sentence)}" for sentence in sentences)


def _safe(text: str) -> str:
    """Return Markdown that shows a text as it is, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
