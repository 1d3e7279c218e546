"""Shortcuts drawn: the training of the labeled set as a dataset map, and groups as a heat table."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go

from dashboard.figures.texts import hover_text, plain_text
from dashboard.palette import FONT, LIGHT, MINORITY, RAMPS, WRONG, Theme

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["dataset_map", "group_table"]

DARKEST: Final = 62  # percent of colour behind an accuracy of 0; none is behind 1


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def dataset_map(
    frame: pd.DataFrame,
    texts: Sequence[str],
    *,
    lit: Collection[str] | None = None,
    look: Theme = LIGHT,
    height: int = 360,
) -> go.Figure:
    """Draw how training went with each labeled example.

    Parameters
    ----------
    frame : DataFrame
        ``id, label, confidence, variability, correctness, forgotten, is_minority``, as `Run.dataset_map` returns it.
    texts : sequence of str
        Of the same examples, shown under the pointer.
    lit : collection of str, optional
        Ids to point out; the others fade. None fades nothing.
    look : Theme
    height : int
        Pixels.

    Returns
    -------
    plotly.graph_objects.Figure
        One trace, a point for each row in its order, its id in ``customdata``. Up is confidence (the mean probability
        of the example's label), right is variability (its standard deviation), colour the share of epochs in which
        it was right; a diamond is a minority example.

    Notes
    -----
    Swayamdipta et al. (2020), Dataset cartography.
    """
    ids = [str(one) for one in frame["id"]]
    minority = frame["is_minority"].astype(bool)
    ramp = RAMPS["confidence"]
    figure = go.Figure(
        go.Scatter(
            x=frame["variability"].tolist(),
            y=frame["confidence"].tolist(),
            mode="markers",
            customdata=ids,
            text=[_hover(row, text) for row, text in zip(frame.to_dict("records"), texts, strict=True)],
            hovertemplate="%{text}<extra></extra>",
            selectedpoints=None if lit is None else [row for row, one in enumerate(ids) if one in set(lit)],
            selected={"marker": {"opacity": 1.0}},
            unselected={"marker": {"opacity": 0.18}},
            marker={
                "color": frame["correctness"].tolist(),
                "cmin": 0,
                "cmax": 1,
                "colorscale": [[row / (len(ramp) - 1), one] for row, one in enumerate(ramp)],
                "symbol": ["diamond" if one else "circle" for one in minority],
                "size": [11 if one else 8 for one in minority],
                "line": {"color": [MINORITY if one else look.card for one in minority], "width": 1},
                "colorbar": _colour_bar(look),
            },
        )
    )
    _frame(figure, look, height)
    return figure


def _hover(row: dict[Any, Any], text: str) -> str:
    group = "minority" if row["is_minority"] else "majority"
    return (
        f"{hover_text(text)}<br><b>{plain_text(str(row['label']))}</b>, {group}<br>confidence {row['confidence']:.2f}, "
        f"variability {row['variability']:.2f}, right in {row['correctness']:.0%} of epochs"
    )


def _colour_bar(look: Theme) -> dict[str, Any]:
    return {
        "title": {"text": "epochs<br>right", "font": {"size": 11, "color": look.muted}},
        "tickvals": [0, 0.5, 1],
        "ticktext": ["none", "half", "all"],
        "tickfont": {"size": 11, "color": look.muted},
        "len": 0.6,
        "thickness": 10,
        "outlinewidth": 0,
    }


def _frame(figure: go.Figure, look: Theme, height: int) -> None:
    axis = {
        "gridcolor": look.border,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"color": look.muted, "size": 11},
    }
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 8, "t": 6, "b": 8},
        showlegend=False,
        dragmode="lasso",
        paper_bgcolor=look.card,
        plot_bgcolor=look.card,
        hovermode="closest",
        hoverlabel={"bgcolor": look.card, "bordercolor": look.border, "font": {"color": look.ink}, "align": "left"},
        font={"family": FONT, "color": look.ink, "size": 12},
        newselection={"line": {"color": look.accent, "width": 2}},
    )
    title = {"font": {"color": look.muted, "size": 12}, "standoff": 6}
    figure.update_xaxes(**axis, title={**title, "text": "variability over the epochs →"}, rangemode="tozero")
    figure.update_yaxes(**axis, title={**title, "text": "confidence in the label →"}, range=[-0.04, 1.04])


def group_table(frame: pd.DataFrame, *, labeled: bool = True) -> str:
    """Return HTML of a matrix of classes and attribute values; its names are escaped.

    Parameters
    ----------
    frame : DataFrame
        ``label, attribute, n, share, accuracy``, and ``n_labeled, n_selected`` where they are counted, as
        `Run.group_matrix` returns it.
    labeled : bool
        Whether a cell says how many are labeled, which makes sense of the pool.

    Returns
    -------
    str
        A row for each class, a column for each attribute value. A cell has the accuracy, its colour the stronger the
        lower it is, and the group's size; the worst one is marked and named.
    """
    classes = list(dict.fromkeys(frame["label"].astype(str)))
    attributes = list(dict.fromkeys(frame["attribute"].astype(str)))
    cells = {(str(row["label"]), str(row["attribute"])): row for row in frame.to_dict("records")}
    known = [row for row in cells.values() if row["n"] and math.isfinite(row["accuracy"])]
    worst = min(known, key=lambda row: row["accuracy"], default=None)
    head = "".join(f"<th scope='col'>{escape(_cut(one, 18))}</th>" for one in attributes)
    body = "".join(
        f"<tr><th scope='row'>{escape(_cut(label, 22))}</th>"
        + "".join(_cell(cells.get((label, attribute)), worst, labeled) for attribute in attributes)
        + "</tr>"
        for label in classes
    )
    return (
        f'<div class="alvin-groups"><table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _cell(row: dict[Any, Any] | None, worst: dict[Any, Any] | None, with_labeled: bool) -> str:
    if row is None or not row["n"]:
        return '<td class="none">none</td>'
    counts = (
        f"{int(row['n']):,} · {row['share']:.1%}" if row["share"] < 0.1 else f"{int(row['n']):,} · {row['share']:.0%}"
    )
    labeled = f"<br>{int(row['n_labeled']):,} labeled" if with_labeled else ""
    is_worst = row is worst
    mark = '<span class="worst">▼ worst</span>' if is_worst else ""
    if not math.isfinite(row["accuracy"]):
        return f"<td><b>–</b>{mark}<small>{counts}{labeled}</small></td>"
    depth = DARKEST * (1 - row["accuracy"])
    return (
        f"<td{' class=is-worst' if is_worst else ''} "
        f'style="background:color-mix(in srgb, {WRONG} {depth:.0f}%, transparent)">'
        f"<b>{_accuracy(row['accuracy'])}</b>{mark}<small>{counts}{labeled}</small></td>"
    )


def _accuracy(value: float) -> str:
    return "1.00" if value >= 0.995 else f"{value:.2f}".removeprefix("0")
