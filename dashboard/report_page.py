"""A comparison's summary as one HTML page: verdicts, curves, differences, and where it all comes from.

The page holds everything it needs, and forbids itself the network. Texts are shown as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from plotly.offline import get_plotlyjs

from dashboard.figures.curves import arm_styles, difference_forest, learning_curve, selection_curve
from dashboard.palette import FONT, LIGHT
from dashboard.report_parts import (
    arm_key,
    counted,
    difference_table,
    labels_table,
    shares_table,
    verdict_cards,
)
from dashboard.report_reading import reading_help

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from alvin_core import ComparisonSummary

__all__ = ["report_page"]

STYLE = Path(__file__).with_name("assets") / "report" / "report.css"
SCRIPT = Path(__file__).with_name("assets") / "report" / "report.js"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
TOKENS = ("page", "card", "border", "ink", "muted", "accent")
FAMILIES = (
    ("accuracy", "Accuracy"),
    ("worst_group", "Worst-group accuracy"),
    ("macro_f1", "Macro-F1"),
)
SELECTED = (
    "mean_confidence",
    "against",
    "overlap_entropy",
    "candidate_share",
    "diversity",
    "mean_entropy",
)


class _Plots:
    """Figures of the page: each is a place in it, and its content as JSON that the page's script draws."""

    def __init__(self) -> None:
        self.data: list[str] = []

    def place(self, figure: go.Figure, words: str) -> str:
        """Return the HTML of a place for a figure; ``words`` say what it shows to those who do not see it."""
        number = len(self.data)
        # "<" could end the script element that holds it.
        self.data.append(str(figure.to_json()).replace("<", "\\u003c"))
        height = int(figure.layout.height)
        return (
            f'<div class="plot" id="plot-{number}" role="img" aria-label="{escape(words)}" style="height: {height}px">'
            "</div>"
        )

    def scripts(self) -> str:
        return "".join(
            f'<script type="application/json" class="plot-data" data-plot="plot-{number}">{content}</script>\n'
            for number, content in enumerate(self.data)
        )


def report_page(summary: ComparisonSummary, provenance: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Return the page.

    Parameters
    ----------
    summary : ComparisonSummary
    provenance : mapping of str to sequence of (str, str)
        Titled tables of names and values: where the numbers come from.

    Returns
    -------
    str
        A whole HTML document. The same summary gives the same page.
    """
    plots = _Plots()
    body = "\n".join(
        [
            _header(summary),
            "<main>",
            _verdict(summary),
            *_curves(summary, plots),
            _differences(summary, plots),
            _labels(summary),
            _selected(summary, plots),
            _how(summary, provenance),
            _section("reading", "How to read this page", reading_help(summary)),
            "</main>",
        ]
    )
    style = _tokens() + STYLE.read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(summary.name)} · ALVIN Studio</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n"
        f"<script>{get_plotlyjs()}</script>\n{plots.scripts()}"
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>\n</body>\n</html>\n"
    )


def _tokens() -> str:
    colours = "".join(f"--{name}: {getattr(LIGHT, name)}; " for name in TOKENS)
    return f":root {{ {colours}--font: {FONT}; }}\n"


def _header(summary: ComparisonSummary) -> str:
    sizes = summary.n_labeled
    chips = [
        f"<b>{escape(summary.source)}</b>" if summary.source else "",
        counted(len(summary.arms), "arm"),
        counted(len(summary.seeds), "seed"),
        f"{sizes[0]:,} to {sizes[-1]:,} labels" if len(sizes) > 1 else f"{sizes[0]:,} labels",
    ]
    shown = "".join(f'<span class="chip">{chip}</span>' for chip in chips if chip)
    return (
        '<header><div class="brand">ALVIN Studio</div><div class="kind">Comparison</div>'
        f'<h1>{escape(summary.name)}</h1><div class="chips">{shown}</div></header>'
    )


def _section(key: str, title: str, content: str, note: str = "") -> str:
    told = f'<p class="note">{note}</p>' if note else ""
    return f'<section id="{key}" class="card"><h2>{escape(title)}</h2>{told}{content}</section>'


def _verdict(summary: ComparisonSummary) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in summary.notes)
    told = f'<ul class="warnings">{notes}</ul>' if notes else ""
    headline = f'<p class="headline">{escape(summary.headline())}</p>'
    if power := summary.power():
        headline += f'<p class="note">{escape(power)}</p>'
    return _section("verdict", "Verdict", headline + told + verdict_cards(summary))


def _curves(summary: ComparisonSummary, plots: _Plots) -> list[str]:
    """One card for each kind of measure, with a figure for each split; one key names the lines of all."""
    styles = arm_styles(summary.arms, summary.reference)
    found = []
    for kind, title in FAMILIES:
        curves = [summary.curve(measure, summary.arms[0]) for measure in summary.measures]
        curves = [curve for curve in curves if curve.kind == kind]
        if not curves:
            continue
        figures = "".join(
            f"<figure><figcaption>{escape(curve.split)}</figcaption>"
            f"{plots.place(learning_curve(summary, curve.measure, legend=False), f'Learning curves: {curve.words}')}"
            "</figure>"
            for curve in curves
        )
        grid = f'{arm_key(styles)}<div class="grid">{figures}</div>'
        if kind == "macro_f1":  # only described; open on demand, and in print
            grid = f"<details><summary>Show the curves</summary>{grid}</details>"
        note = f"Means over seeds; bands are {100 * summary.confidence:g} % intervals of the mean."
        if kind == "macro_f1":
            note += " Not tested."
        found.append(_section(f"curves-{kind}", f"{title} by number of labels", grid, note))
    return found


def _differences(summary: ComparisonSummary, plots: _Plots) -> str:
    if not summary.primary:
        return ""
    against = escape(summary.reference)
    note = (
        f"Arm minus {against}, of the mean over the learning curve, in percentage points with "
        f"{100 * summary.confidence:g} % intervals. Filled markers: measurable after correction. Hollow ones: not."
    )
    forest = plots.place(difference_forest(summary), f"Differences to {summary.reference} with intervals")
    last = f"{summary.n_labeled[-1]:,}"
    second = (
        f"<details><summary>The same after the last round, at {last} labels (secondary: no verdict rests on it)"
        f"</summary>{difference_table(summary, summary.secondary)}</details>"
    )
    content = f"{forest}{difference_table(summary, summary.primary)}{second}"
    return _section("differences", f"Differences to {summary.reference}", content, note)


def _labels(summary: ComparisonSummary) -> str:
    if not summary.labels_to_reach:
        return ""
    title = f"Labels to do as well as {summary.reference} with {summary.n_labeled[-1]:,}"
    note = (
        "Where an arm's mean curve first reaches the reference's last value, on straight lines between rounds. Not "
        "tested. A mean over seeds is given only where every seed gets there."
    )
    return _section("labels", title, labels_table(summary), note)


def _selected(summary: ComparisonSummary, plots: _Plots) -> str:
    names = [name for name in SELECTED if name in summary.figures]
    if not names:
        return ""
    figures = "".join(
        f"<figure><figcaption>{escape(words[0].upper() + words[1:])}</figcaption>"
        f"{plots.place(selection_curve(summary, name, legend=False), words)}</figure>"
        for name in names
        for words in [summary.selection(name, summary.arms[0]).words]
    )
    key = arm_key(arm_styles(summary.arms, summary.reference))
    note = "Of each round's proposal, before it was annotated. The last round's proposal was not annotated. Not tested."
    content = f'{key}<div class="grid">{figures}</div>{shares_table(summary)}'
    return _section("selected", "What was selected", content, note)


def _how(summary: ComparisonSummary, provenance: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    method = "".join(f"<li>{escape(sentence)}</li>" for sentence in summary.method())
    tables = "".join(
        f'<div><h3>{escape(title)}</h3><table class="facts"><tbody>'
        + "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        + "</tbody></table></div>"
        for title, rows in provenance.items()
    )
    return _section(
        "provenance", "How this was computed", f'<ul class="method">{method}</ul><div class="facts-grid">{tables}</div>'
    )
