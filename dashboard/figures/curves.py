"""A comparison as Plotly figures: learning curves, paired differences, and what was selected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from dashboard.figures.texts import plain_text
from dashboard.palette import FONT, LIGHT, Theme, class_colours

if TYPE_CHECKING:
    from alvin_core import ArmDifference, ComparisonSummary

__all__ = ["ArmStyle", "arm_styles", "difference_forest", "learning_curve", "selection_curve"]

# Colour is never alone: a line's dashes and its markers tell the same.
DASHES = ("dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
SYMBOLS = ("diamond", "square", "triangle-up", "x", "triangle-down", "cross", "pentagon", "star", "hexagon", "bowtie")
SHARES = ("overlap_entropy", "candidate_share", "against", "group_share", "class_share")
CLEAR = ("better", "worse")
ROW, HEADING = 25, 30  # pixels
LETTER, LONGEST = 7.0, 24  # pixels of a letter of an arm's name, and letters before it is cut


@dataclass(frozen=True)
class ArmStyle:
    """How an arm is drawn in every figure of a comparison.

    Attributes
    ----------
    color : str
    dash : str
        Of its line, as Plotly names it.
    symbol : str
        Of its markers, as Plotly names it.
    """

    color: str
    dash: str
    symbol: str


def arm_styles(arms: Sequence[str], reference: str, look: Theme = LIGHT) -> dict[str, ArmStyle]:
    """Return each arm's style; the reference is a solid line in the colour of text, with round markers."""
    others = [arm for arm in arms if arm != reference]
    styles = {reference: ArmStyle(look.ink, "solid", "circle")}
    for row, (arm, color) in enumerate(zip(others, class_colours(len(others)), strict=True)):
        styles[arm] = ArmStyle(color, DASHES[row % len(DASHES)], SYMBOLS[row % len(SYMBOLS)])
    return {arm: styles[arm] for arm in arms}


def learning_curve(summary: ComparisonSummary, measure: str, *, look: Theme = LIGHT, legend: bool = True) -> go.Figure:
    """Draw the learning curves of one measure: a line for each arm, and a band for its interval.

    Parameters
    ----------
    summary : ComparisonSummary
    measure : str
        One of ``summary.measures``.
    look : Theme
    legend : bool
        Whether the figure names its lines itself.

    Returns
    -------
    plotly.graph_objects.Figure
        One trace for each line and one for each band; no title.

    Raises
    ------
    SettingsError
        When there is no such measure.
    """
    curves = {arm: summary.curve(measure, arm).rounds for arm in summary.arms}
    figure = _lines(summary, curves, look, legend)
    figure.update_yaxes(tickformat=".2f")
    return figure


def selection_curve(
    summary: ComparisonSummary, figure_name: str, *, look: Theme = LIGHT, legend: bool = True
) -> go.Figure:
    """Draw a figure of what each arm selected, round by round, with bands for its intervals.

    Parameters
    ----------
    summary : ComparisonSummary
    figure_name : str
        One of ``summary.figures``.
    look : Theme
    legend : bool

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    SettingsError
        When there is no such figure.
    """
    curves = {arm: summary.selection(figure_name, arm).rounds for arm in summary.arms}
    figure = _lines(summary, curves, look, legend)
    is_share = figure_name.partition(":")[0] in SHARES
    figure.update_yaxes(tickformat=".0%" if is_share else ".2f", rangemode="tozero" if is_share else "nonnegative")
    return figure


def difference_forest(summary: ComparisonSummary, *, secondary: bool = False, look: Theme = LIGHT) -> go.Figure:
    """Draw each arm's difference to the reference with its interval, in percentage points.

    Parameters
    ----------
    summary : ComparisonSummary
    secondary : bool
        The differences after the last round instead of those of the areas under the curves.
    look : Theme

    Returns
    -------
    plotly.graph_objects.Figure
        As high as its rows need. A filled marker is a measurable difference, a hollow one is none.
    """
    differences = summary.secondary if secondary else summary.primary
    styles = arm_styles(summary.arms, summary.reference, look)
    figure = go.Figure()
    places, headings, depth = _forest_places(differences)
    for arm in summary.arms:
        rows = [row for row, one in enumerate(differences) if one.arm == arm]
        if rows:
            figure.add_trace(_forest_trace(arm, rows, differences, places, styles[arm], look))
    figure.add_vline(x=0, line={"color": look.ink, "width": 1})
    names = [_cut(one.arm) for one in differences]
    left = int(LETTER * max((len(name) for name in names), default=0)) + 14
    for measure, y in headings:
        # At the very left, above the arms' names, so that a narrow screen holds it.
        figure.add_annotation(
            text=f"<b>{plain_text(measure)}</b>", x=0, xref="paper", xanchor="left", xshift=-left, y=y, yref="y",
            showarrow=False, font={"size": 12, "color": look.ink}, bgcolor=look.card,
        )  # fmt: skip
    _frame(figure, look, legend=False, height=int(depth) + 70)
    figure.update_layout(margin={"l": left})
    figure.update_xaxes(title={"text": plain_text(f"points ({_cut(summary.reference)} = 0)")})
    figure.update_yaxes(
        tickvals=places, ticktext=[plain_text(name) for name in names], range=[-depth, 0], showgrid=False,
        automargin=False,
    )  # fmt: skip
    return figure


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _forest_places(differences: Sequence[ArmDifference]) -> tuple[list[float], list[tuple[str, float]], float]:
    """Return each row's place, each measure's heading with its place, and the depth of all, in pixels downwards."""
    places, headings, depth, before = [], [], 4.0, ""
    for one in differences:
        if one.measure != before:
            headings.append((one.words, -(depth + HEADING / 2)))
            depth += HEADING
            before = one.measure
        places.append(-(depth + ROW / 2))
        depth += ROW
    return places, headings, depth + 4


def _forest_trace(
    arm: str,
    rows: Sequence[int],
    differences: Sequence[ArmDifference],
    places: Sequence[float],
    style: ArmStyle,
    look: Theme,
) -> go.Scatter:
    found = [differences[row].difference for row in rows]
    return go.Scatter(
        x=[100 * one.mean for one in found],
        y=[places[row] for row in rows],
        name=plain_text(arm),
        mode="markers",
        marker={
            "symbol": style.symbol,
            "size": 10,
            "color": [style.color if one.verdict in CLEAR else look.card for one in found],
            "line": {"color": style.color, "width": 1.8},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [100 * (one.high - one.mean) for one in found],
            "arrayminus": [100 * (one.mean - one.low) for one in found],
            "color": style.color,
            "thickness": 1.6,
            "width": 4,
        },
        text=[plain_text(f"{one.verdict}; p = {one.p_corrected:.2g} after correction") for one in found],
        hovertemplate="%{x:+.1f} points<br>%{text}<extra></extra>",
    )


def _lines(summary: ComparisonSummary, curves: dict[str, tuple[Any, ...]], look: Theme, legend: bool) -> go.Figure:
    figure = go.Figure()
    styles = arm_styles(summary.arms, summary.reference, look)
    faint = 0.13 if len(summary.arms) <= 4 else 0.07
    for arm, intervals in curves.items():  # all bands below all lines
        figure.add_trace(_band(summary.n_labeled, arm, intervals, styles[arm], faint))
    for arm, intervals in curves.items():
        figure.add_trace(_line(summary.n_labeled, arm, intervals, styles[arm]))
    _frame(figure, look, legend=legend, height=300)
    figure.update_xaxes(title={"text": "labeled examples"}, tickvals=_ticks(summary.n_labeled), tickformat=",")
    figure.update_yaxes(autorangeoptions={"minallowed": 0})  # nothing here is below 0, though a band may be
    return figure


def _band(sizes: Sequence[int], arm: str, intervals: Sequence[Any], style: ArmStyle, faint: float) -> go.Scatter:
    known = [(n, one) for n, one in zip(sizes, intervals, strict=True) if one is not None and math.isfinite(one.low)]
    upper, lower = [one.high for _, one in known], [one.low for _, one in known]
    along = [n for n, _ in known]
    red, green, blue = (int(style.color[at : at + 2], 16) for at in (1, 3, 5))
    return go.Scatter(
        x=[*along, *reversed(along)],
        y=[*upper, *reversed(lower)],
        fill="toself",
        fillcolor=f"rgba({red}, {green}, {blue}, {faint})",
        line={"width": 0},
        mode="lines",
        name=plain_text(arm),
        legendgroup=plain_text(arm),
        showlegend=False,
        hoverinfo="skip",
    )


def _line(sizes: Sequence[int], arm: str, intervals: Sequence[Any], style: ArmStyle) -> go.Scatter:
    return go.Scatter(
        x=list(sizes),
        y=[None if one is None else one.mean for one in intervals],
        mode="lines+markers",
        name=plain_text(arm),
        legendgroup=plain_text(arm),
        line={"color": style.color, "width": 2, "dash": style.dash},
        marker={"symbol": style.symbol, "size": 7, "color": style.color},
        text=["" if one is None else plain_text(_told(one)) for one in intervals],
        hovertemplate=f"{plain_text(arm)}, %{{x:,}} labels<br>%{{text}}<extra></extra>",
    )


def _told(interval: Any) -> str:
    seeds = f"{interval.n} seed" + ("" if interval.n == 1 else "s")
    if not math.isfinite(interval.low):
        return f"{interval.mean:.3f}; {seeds}"
    return f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f}); {seeds}"


def _ticks(sizes: Sequence[int]) -> list[int]:
    """Return the numbers of labels to write below the axis: at most six, the first and the last among them."""
    step = max(1, math.ceil((len(sizes) - 1) / 5))
    inner = [n for n in sizes[:-1:step] if sizes[-1] - n > 0.5 * (sizes[-1] - sizes[0]) / 5]
    return [*inner, sizes[-1]]


def _frame(figure: go.Figure, look: Theme, *, legend: bool, height: int) -> None:
    axis = {
        "gridcolor": look.border,
        "linecolor": look.border,
        "automargin": True,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"color": look.muted, "size": 11.5},
        "title": {"font": {"color": look.muted, "size": 12}, "standoff": 8},
    }
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        paper_bgcolor=look.card,
        plot_bgcolor=look.card,
        hovermode="closest",
        hoverlabel={"bgcolor": look.card, "bordercolor": look.border, "font": {"color": look.ink}, "align": "left"},
        font={"family": FONT, "color": look.ink, "size": 12},
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
