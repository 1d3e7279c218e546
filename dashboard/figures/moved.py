"""A text before and after it was changed, among its neighbours on the map, as a small Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.figures.texts import hover_text
from dashboard.palette import FONT, GREY, LIGHT, Theme

__all__ = ["Neighbour", "moved_text"]

MOST_AROUND = 600  # points that are drawn for orientation
ROOM = 0.35  # of the window on each side, beyond what must be seen


@dataclass(frozen=True)
class Neighbour:
    """One of the nearest pool examples.

    Attributes
    ----------
    place : int
        On the map.
    text : str
    of_before, of_after : bool
        Whether it is near the text as it was, and as it is now.
    """

    place: int
    text: str
    of_before: bool
    of_after: bool

    @property
    def is_left(self) -> bool:
        return self.of_before and not self.of_after

    @property
    def is_new(self) -> bool:
        return self.of_after and not self.of_before


def moved_text(
    xy: NDArray[np.float32],
    before: tuple[float, float],
    after: tuple[float, float] | None,
    neighbours: Sequence[Neighbour],
    *,
    look: Theme = LIGHT,
    height: int = 210,
) -> go.Figure:
    """Draw where a text was and where it is, with its neighbours and what else is around.

    Parameters
    ----------
    xy : float32 array of shape (n, 2)
        Places of all examples on the map.
    before, after : (x, y)
        ``after`` is None where nothing was changed.
    neighbours : sequence of Neighbour
    look : Theme
    height : int
        Pixels.
    """
    ends = [before] if after is None else [before, after]
    shown = np.vstack([ends, xy[[one.place for one in neighbours]]]) if neighbours else np.asarray(ends)
    low, high = _window(shown, xy)
    figure = go.Figure()
    figure.add_trace(_around(xy, low, high))
    for name, symbol, chosen in (
        ("nearest" if after is None else "near before", "circle-open", [one for one in neighbours if one.is_left]),
        ("near both", "circle", [one for one in neighbours if one.of_before and one.of_after]),
        ("near after", "square", [one for one in neighbours if one.is_new]),
    ):
        if chosen:
            figure.add_trace(
                _points(xy[[one.place for one in chosen]], [one.text for one in chosen], name, symbol, look)
            )
    if after is not None:
        figure.add_annotation(
            x=after[0], y=after[1], ax=before[0], ay=before[1], xref="x", yref="y", axref="x", ayref="y",
            showarrow=True, arrowhead=2, arrowwidth=1.6, arrowcolor=look.ink, standoff=5, startstandoff=5, text="",
        )  # fmt: skip
    figure.add_trace(_mark(before, "this text" if after is None else "before", "circle-open", look))
    if after is not None:
        figure.add_trace(_mark(after, "after", "diamond", look))
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        xaxis={"visible": False, "range": [low[0], high[0]], "fixedrange": True},
        yaxis={"visible": False, "range": [low[1], high[1]], "fixedrange": True},
        paper_bgcolor=look.card,
        plot_bgcolor=look.card,
        legend={"orientation": "h", "x": 0, "y": 0, "yanchor": "top", "font": {"size": 11, "color": look.ink}},
        hoverlabel={"bgcolor": look.card, "bordercolor": look.border, "font": {"color": look.ink}, "align": "left"},
        font={"family": FONT, "color": look.ink, "size": 11},
    )
    return figure


def _window(shown: NDArray[np.float64], xy: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of what is seen: all that counts, with room around, and never a speck of the map."""
    low, high = shown.min(axis=0).astype(float), shown.max(axis=0).astype(float)
    least = 0.06 * np.ptp(xy, axis=0).astype(float) if len(xy) > 1 else np.ones(2)
    pad = np.maximum(ROOM * (high - low), np.maximum(least, 1e-6))
    return low - pad, high + pad


def _around(xy: NDArray[np.float32], low: NDArray[np.float64], high: NDArray[np.float64]) -> go.Scatter:
    inside = np.flatnonzero(((xy >= low) & (xy <= high)).all(axis=1))
    inside = inside[:: max(1, -(-len(inside) // MOST_AROUND))]
    return go.Scatter(
        x=xy[inside, 0], y=xy[inside, 1], mode="markers", marker={"size": 3.5, "color": GREY, "opacity": 0.55},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip


def _points(places: NDArray[np.float32], texts: Sequence[str], name: str, symbol: str, look: Theme) -> go.Scatter:
    return go.Scatter(
        x=places[:, 0], y=places[:, 1], mode="markers", name=name, text=[hover_text(one) for one in texts],
        hovertemplate="%{text}<extra></extra>",
        marker={"size": 8, "symbol": symbol, "color": look.accent, "line": {"width": 1.6, "color": look.accent}},
    )  # fmt: skip


def _mark(place: tuple[float, float], name: str, symbol: str, look: Theme) -> go.Scatter:
    return go.Scatter(
        x=[place[0]], y=[place[1]], mode="markers", name=name, hovertemplate=f"{name}<extra></extra>",
        marker={"size": 13, "symbol": symbol, "color": look.ink, "line": {"width": 2, "color": look.ink}},
    )  # fmt: skip
