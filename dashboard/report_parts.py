"""Pieces of a comparison's page: verdicts in words, tables, the key of lines. All texts are escaped here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from dashboard.figures.curves import CLEAR, ArmStyle, arm_styles

if TYPE_CHECKING:
    from alvin_core import ArmDifference, ComparisonSummary

__all__ = [
    "arm_key",
    "counted",
    "difference_table",
    "labels_table",
    "shares_table",
    "verdict_cards",
]

MISSING = "–"
MARKS = {"better": "▲", "worse": "▼", "no measurable difference": "=", "too few seeds": "?"}
KEYS = {"better": "better", "worse": "worse", "no measurable difference": "even", "too few seeds": "few"}

# Strokes and outlines of the key, as SVG writes what Plotly names.
_DASHES = {
    "solid": "",
    "dash": "7 4",
    "dot": "2 3",
    "dashdot": "7 3 2 3",
    "longdash": "11 4",
    "longdashdot": "11 3 2 3",
}
_OUTLINES = {
    "diamond": "M18 2.5 22.5 7 18 11.5 13.5 7Z",
    "square": "M14.5 3.5h7v7h-7Z",
    "triangle-up": "M18 2.5 22.5 10.5h-9Z",
    "triangle-down": "M18 11.5 22.5 3.5h-9Z",
    "x": "M15.5 3 18 5.5 20.5 3 22 4.5 19.5 7 22 9.5 20.5 11 18 8.5 15.5 11 14 9.5 16.5 7 14 4.5Z",
    "cross": "M16.7 2.5h2.6v3.2h3.2v2.6h-3.2v3.2h-2.6V8.3h-3.2V5.7h3.2Z",
    "pentagon": "M18 2.5 22.5 5.8 20.8 11h-5.6L13.5 5.8Z",
    "star": "M18 2 19.4 5.4 23 5.6 20.2 8 21.1 11.5 18 9.5 14.9 11.5 15.8 8 13 5.6 16.6 5.4Z",
    "hexagon": "M18 2.5 22 4.7v4.6L18 11.5 14 9.3V4.7Z",
    "bowtie": "M13.5 3v8L22.5 3v8Z",
    "circle": "M18 3.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6Z",
}


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 seed``, ``10 seeds``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def verdict_cards(summary: ComparisonSummary) -> str:
    """Return HTML with a block for each arm: its verdicts as counts, and clear ones as sentences."""
    blocks = []
    for arm in summary.arms:
        own = [one for one in summary.primary if one.arm == arm]
        if not own:
            continue
        counts = "".join(
            f"{_pill(verdict, f'{verdict} in {n}')} " for verdict in MARKS if (n := _n_of(summary, arm, verdict))
        )
        clear = [one for one in own if one.difference.verdict in CLEAR]
        items = "".join(
            f'<li class="{KEYS[one.difference.verdict]}">{escape(one.sentence)}</li>'
            for one in sorted(clear, key=lambda one: one.difference.verdict)
        )
        for verdict in ("no measurable difference", "too few seeds"):
            items += _others([one for one in own if one.difference.verdict == verdict], verdict)
        blocks.append(f'<div class="arm"><h3>{escape(arm)}</h3><div>{counts}</div><ul>{items}</ul></div>')
    return f'<div class="arms">{"".join(blocks)}</div>' if blocks else ""


def _others(differences: Sequence[ArmDifference], verdict: str) -> str:
    """One line for all that is not clear, each with its difference and the ends of its interval in points."""
    if not differences:
        return ""
    told = "; ".join(f"{one.words} ({_points(one.difference.mean)}, {_ends(one.difference)})" for one in differences)
    return f'<li class="{KEYS[verdict]}">{escape(f"{verdict.capitalize()} in points: {told}.")}</li>'


def _n_of(summary: ComparisonSummary, arm: str, verdict: str) -> int:
    return sum(one.arm == arm and one.difference.verdict == verdict for one in summary.primary)


def _pill(verdict: str, text: str) -> str:
    return f'<span class="pill {KEYS[verdict]}"><i>{MARKS[verdict]}</i>{escape(text)}</span>'


def arm_key(styles: Mapping[str, ArmStyle]) -> str:
    """Return HTML of the key: each arm's name after a piece of its line with its marker."""
    names = "".join(f"<span>{_sample(style)}{escape(arm)}</span>" for arm, style in styles.items())
    return f'<div class="key">{names}</div>'


def _sample(style: ArmStyle) -> str:
    dashes = f' stroke-dasharray="{_DASHES[style.dash]}"' if _DASHES[style.dash] else ""
    return (
        f'<svg width="36" height="14" viewBox="0 0 36 14" aria-hidden="true"><path d="M0 7H36" stroke="{style.color}" '
        f'stroke-width="2"{dashes}/><path d="{_OUTLINES[style.symbol]}" fill="{style.color}"/></svg>'
    )


def difference_table(summary: ComparisonSummary, differences: Sequence[ArmDifference]) -> str:
    """Return HTML of a table with a row for each difference, in percentage points."""
    heads = ("arm", "difference", f"{100 * summary.confidence:g} % interval", "p, corrected", "verdict", "detectable")
    styles = arm_styles(summary.arms, summary.reference)
    rows, before = [], ""
    for one in differences:
        found = one.difference
        if one.measure != before:
            rows.append(_heading(one.words, len(heads)))
            before = one.measure
        cells = [
            f'<td class="name">{_sample(styles[one.arm])}{escape(one.arm)}</td>',
            f"<td>{_points(found.mean)}</td>",
            f"<td>{_ends(found)}</td>",
            f"<td>{_p(found.p_corrected)}</td>",
            f'<td class="name">{_pill(found.verdict, found.verdict)}</td>',
            f"<td>{MISSING if found.detectable is None else f'{100 * found.detectable:.1f}'}</td>",
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return _table(heads, rows, names=(0, 4))


def labels_table(summary: ComparisonSummary) -> str:
    """Return HTML of a table: how many labels each arm needs to do as well as the reference at the end."""
    heads = ("arm", "labels", "saved", "saved in each seed", "seeds that do not get there")
    styles = arm_styles(summary.arms, summary.reference)
    rows, before = [], ""
    for one in summary.labels_to_reach:
        if one.measure != before:
            rows.append(_heading(f"{one.words}: {one.target:.3f}", len(heads)))
            before = one.measure
        each = one.saved_per_seed
        spread = f" ± {(each.high - each.low) / 2:,.0f}" if each is not None and math.isfinite(each.low) else ""
        cells = [
            f'<td class="name">{_sample(styles[one.arm])}{escape(one.arm)}</td>',
            f"<td>{'not reached' if one.n_labeled is None else f'{one.n_labeled:,.0f}'}</td>",
            f"<td>{MISSING if one.saved is None else f'{one.saved:,.0f}'}</td>",
            f"<td>{MISSING if each is None else f'{each.mean:,.0f}{spread}'}</td>",
            f"<td>{one.n_not_reached} of {len(one.per_seed)}</td>",
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return _table(heads, rows, names=(0,))


def _heading(text: str, width: int) -> str:
    return f'<tr class="first"><th class="name" colspan="{width}" scope="rowgroup">{escape(text)}</th></tr>'


def shares_table(summary: ComparisonSummary) -> str:
    """Return HTML of a table of groups and classes among what each arm selected; nothing where they are not known."""
    rows = []
    for name in summary.figures:
        kind, _, part = name.partition(":")
        if kind not in ("group_share", "class_share"):
            continue
        cells = "".join(f"<td>{_share(summary.selection(name, arm).annotated)}</td>" for arm in summary.arms)
        rows.append(f'<tr><td class="name">{escape(part)}</td>{cells}</tr>')
    if not rows:
        return ""
    table = _table(("group or class", *summary.arms), rows, names=(0,))
    return (
        f"<details><summary>Groups and classes among the selected, over the annotated rounds</summary>{table}</details>"
    )


def _table(heads: Sequence[str], rows: Sequence[str], names: Sequence[int]) -> str:
    shown = "".join(
        f"<th{' class=name' if place in names else ''}>{escape(head)}</th>" for place, head in enumerate(heads)
    )
    return f'<div class="scroll"><table><thead><tr>{shown}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _points(value: float) -> str:
    if not math.isfinite(value):
        return MISSING
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _ends(found: Any) -> str:
    return f"{_points(found.low)} to {_points(found.high)}" if math.isfinite(found.low) else MISSING


def _p(value: float) -> str:
    if not math.isfinite(value):
        return MISSING
    return f"{value:.3f}" if value >= 0.001 else "&lt; 0.001"


def _share(interval: Any) -> str:
    if interval is None:
        return MISSING
    spread = f" ± {100 * (interval.high - interval.low) / 2:.0f}" if math.isfinite(interval.low) else ""
    return f"{100 * interval.mean:.0f}{spread} %"
