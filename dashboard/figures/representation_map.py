"""The representation space of a round as a Plotly figure: pool, labeled examples, anchors, selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLASS_COLOURS", "representation_map"]

# Okabe & Ito's palette: told apart with every common kind of colour blindness.
CLASS_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
SELECTED_COLOUR = "#111827"
SEGMENT_COLOUR = "rgba(75, 85, 99, 0.35)"


def representation_map(
    examples: pd.DataFrame, anchors: pd.DataFrame, classes: Sequence[str], *, title: str = "", note: str = ""
) -> go.Figure:
    """Draw a round's representation space in two dimensions.

    Parameters
    ----------
    examples : DataFrame
        One row an example: ``id``, ``text``, ``x``, ``y``, ``labeled`` and ``selected`` (bool), ``is_minority`` (of the
        labeled), ``label`` (of the labeled) and ``predicted`` (of the others).
    anchors : DataFrame
        One row an anchor to draw: ``x``, ``y``, and its parents' places ``minority_x``, ``minority_y``, ``majority_x``,
        ``majority_y``.
    classes : sequence of str
        In the order in which they take their colours.
    title, note : str
        Above the figure, and small below it.

    Returns
    -------
    plotly.graph_objects.Figure
        Unlabeled examples take the colour of the predicted class, labeled ones that of their own; minority examples
        are diamonds, so the groups are told apart without colour as well.
    """
    figure = go.Figure()
    pool, labeled = examples[~examples["labeled"]], examples[examples["labeled"]]
    for colour, name in zip(CLASS_COLOURS, classes, strict=False):
        shown = pool[pool["predicted"] == name]
        figure.add_trace(_points(shown, f"pool, predicted {name}", colour, "circle", size=4, opacity=0.35))
    figure.add_trace(_segments(anchors))
    for colour, name in zip(CLASS_COLOURS, classes, strict=False):
        of_class = labeled[labeled["label"] == name]
        is_minority = of_class["is_minority"].astype(bool)
        figure.add_trace(_points(of_class[~is_minority], f"{name}, majority", colour, "circle", size=8, outlined=True))
        figure.add_trace(_points(of_class[is_minority], f"{name}, minority", colour, "diamond", size=11, outlined=True))
    figure.add_trace(
        go.Scatter(
            x=anchors["x"], y=anchors["y"], mode="markers", name="anchor", hoverinfo="skip",
            marker={"symbol": "x-thin", "size": 6, "line": {"width": 1.4, "color": SELECTED_COLOUR}},
        )
    )  # fmt: skip
    selected = examples[examples["selected"]]
    figure.add_trace(
        _points(selected, "selected", "rgba(0,0,0,0)", "circle", size=15, line={"width": 2.2, "color": SELECTED_COLOUR})
    )
    _lay_out(figure, title, note)
    return figure


def _points(
    rows: pd.DataFrame,
    name: str,
    colour: str,
    symbol: str,
    *,
    size: int,
    opacity: float = 1.0,
    outlined: bool = False,
    line: dict[str, object] | None = None,
) -> go.Scatter:
    if line is None:
        line = {"width": 1 if outlined else 0, "color": "white"}
    return go.Scatter(
        x=rows["x"],
        y=rows["y"],
        mode="markers",
        name=name,
        text=rows["text"],
        hovertemplate="%{text}<extra>" + name + "</extra>",
        marker={"color": colour, "symbol": symbol, "size": size, "opacity": opacity, "line": line},
    )


def _segments(anchors: pd.DataFrame) -> go.Scatter:
    """All segments as one trace, broken by gaps: hundreds of traces would be slow to draw."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for row in anchors.itertuples():
        xs += [row.minority_x, row.majority_x, None]
        ys += [row.minority_y, row.majority_y, None]
    return go.Scatter(
        x=xs, y=ys, mode="lines", name="segment", hoverinfo="skip", line={"color": SEGMENT_COLOUR, "width": 1}
    )


def _lay_out(figure: go.Figure, title: str, note: str) -> None:
    hidden = {"visible": False}
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.02, "font": {"size": 18}},
        margin={"l": 10, "r": 10, "t": 50 if title else 10, "b": 40},
        xaxis=hidden,
        yaxis=hidden,
        legend={"itemsizing": "constant", "bgcolor": "rgba(255,255,255,0.8)"},
        font={"family": "Inter, DejaVu Sans, sans-serif", "color": "#1f2937"},
        annotations=[
            {
                "text": note, "x": 0, "y": -0.03, "xref": "paper", "yref": "paper", "showarrow": False,
                "xanchor": "left", "yanchor": "top", "font": {"size": 12, "color": "#6b7280"},
            }
        ],
    )  # fmt: skip
