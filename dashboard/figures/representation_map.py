"""The representation space of a round as a Plotly figure: what the interactive map shows, for notebooks and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from alvin_core import SettingsError
from dashboard.colouring import MISSING
from dashboard.figures.framing import lay_out, map_notes
from dashboard.figures.texts import hover_text, plain_text
from dashboard.layers import LAYERS
from dashboard.palette import Theme, theme

if TYPE_CHECKING:
    from alvin_core import MapAnchors, MapColumns, Projection
    from dashboard.colouring import Codes, LegendEntry

__all__ = ["representation_map"]

MANY_POINTS = 20_000  # more are drawn by WebGL
RING, DASHED_RING = 15, 20  # pixels across
MOST_DASHED = 200  # each is a shape of its own: markers have no dashes

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class _Drawing:
    """What every layer is drawn from."""

    columns: MapColumns
    xy: NDArray[np.float32]
    codes: Codes
    texts: Sequence[str] | None
    look: Theme
    webgl: bool

    def points(self, rows: Rows, marker: dict[str, Any], **about: Any) -> go.Scatter | go.Scattergl:
        kind = go.Scattergl if self.webgl else go.Scatter
        return kind(
            x=self.xy[rows, 0],
            y=self.xy[rows, 1],
            mode="markers",
            marker=marker,
            showlegend=False,
            customdata=rows,
            **self._hover(rows),
            **about,
        )

    def _hover(self, rows: Rows) -> dict[str, Any]:
        if self.texts is None:
            return {"hoverinfo": "skip"}
        told = [f"{hover_text(self.texts[row])}<br><i>{self._says(row)}</i>" for row in rows.tolist()]
        return {"text": told, "hovertemplate": "%{text}<extra></extra>"}

    def _says(self, row: int) -> str:
        columns = self.columns
        predicted = f"predicted {columns.classes[columns.predicted[row]]} {columns.confidence[row]:.2f}"
        label = int(columns.label[row]) if columns.labeled[row] else -1
        return plain_text(f"label {columns.classes[label]} · {predicted}" if label >= 0 else predicted)

    def legend(self, name: str, marker: dict[str, Any], **about: Any) -> go.Scatter:
        """A line of the legend: a trace without a point."""
        return go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=marker, hoverinfo="skip", **about)


def representation_map(
    columns: MapColumns,
    projection: Projection,
    codes: Codes,
    *,
    anchors: MapAnchors | None = None,
    texts: Sequence[str] | None = None,
    layers: Mapping[str, bool] | None = None,
    other: str | None = None,
    title: str = "",
    note: str = "",
    dark: bool = False,
    webgl: bool | None = None,
) -> go.Figure:
    """Draw a round's representation space in two dimensions.

    Parameters
    ----------
    columns : MapColumns
    projection : Projection
    codes : Codes
        As `dashboard.colouring.color_by` makes them.
    anchors : MapAnchors, optional
    texts : sequence of str, optional
        One a point, in the order of the map, shown on hovering.
    layers : mapping of str to bool, optional
        Those of `LAYERS` to be left out; all are drawn otherwise.
    other : str, optional
        A strategy whose choice is ringed with dashes.
    title, note : str
        Above the figure, and small below it, before what is said of every map.
    dark : bool
    webgl : bool, optional
        Whether a browser draws by WebGL; by default above 20,000 points. Without it at most so many are drawn, evenly
        taken from the pool, and the note says so.

    Returns
    -------
    plotly.graph_objects.Figure
        Diamonds are minority examples, discs majority ones, so groups are told apart without colour. ``customdata`` of
        a point is its index on the map.

    Raises
    ------
    SettingsError
        When arrays do not fit each other, or the round has no ranking by ``other``.
    """
    n = len(columns.ids)
    if projection.xy.shape != (n, 2) or codes.values.shape != (n,) or (texts is not None and len(texts) != n):
        raise SettingsError(f"places, colours and texts must be of the {n:,} points of the map, one each")
    if other is not None and other not in columns.ranks:
        raise SettingsError(f"the round has no ranking by {other!r}; it has: {', '.join(columns.ranks) or 'none'}")
    on = {name: (layers or {}).get(name, True) for name in LAYERS}
    drawing = _Drawing(columns, projection.xy, codes, texts, theme(dark), n > MANY_POINTS if webgl is None else webgl)
    pool = np.flatnonzero(~columns.labeled) if on["pool"] else np.empty(0, dtype=np.int64)
    drawn = pool if drawing.webgl or len(pool) <= MANY_POINTS else pool[_evenly(len(pool), MANY_POINTS)]
    traces = _pool(drawing, drawn)
    if anchors is not None and on["segments"]:
        traces.append(_segments(drawing, anchors))
    if anchors is not None and on["anchors"]:
        traces.append(_anchors(drawing, anchors))
    if on["labeled"]:
        traces += _labeled(drawing)
    if on["selected"]:
        traces.append(_selected(drawing))
    figure = go.Figure([*_colour_legend(drawing), *traces])
    if other is not None and on["other"]:
        _ring_other(figure, drawing, other)
    notes = [note, *map_notes(projection, anchors if on["anchors"] else None)]
    if len(drawn) < len(pool):
        notes.append(f"{len(drawn):,} of {len(pool):,} pool points drawn.")
    lay_out(figure, projection.xy, codes, drawing.look, title=title, note=" ".join(filter(None, notes)))
    return figure


def _pool(drawing: _Drawing, rows: Rows) -> list[go.Scatter | go.Scattergl]:
    """Grey first, so that what a colouring speaks of lies above."""
    size = 4.5 if len(rows) <= 5_000 else 3 if len(rows) <= 100_000 else 2
    base = {"symbol": "circle", "size": size, "line": {"width": 0}}
    faint, clear = 0.35, 0.6
    return [
        drawing.points(
            of_colour,
            {**base, **colour, "opacity": faint if group == f"code {MISSING}" else clear},
            legendgroup=group,
        )
        for of_colour, colour, group in _by_colour(drawing, rows)
    ]


def _labeled(drawing: _Drawing) -> list[go.Scatter | go.Scattergl]:
    columns, look = drawing.columns, drawing.look
    minority = columns.labeled & (columns.is_minority == 1)
    kinds = (
        (columns.labeled & ~minority, "circle", 8, look.card),
        (minority, "diamond", 11, look.ink),
    )
    traces = []
    for mask, symbol, size, outline in kinds:
        for rows, colour, group in _by_colour(drawing, np.flatnonzero(mask)):
            marker = {"symbol": symbol, "size": size, "opacity": 1, "line": {"width": 1, "color": outline}, **colour}
            traces.append(drawing.points(rows, marker, legendgroup=group))
    for symbol, name in (("circle", "majority"), ("diamond", "minority (inferred)")):
        traces.append(drawing.legend(name, {"symbol": symbol, "size": 9, "color": look.ink}, legendgroup=name))
    return traces


def _by_colour(drawing: _Drawing, rows: Rows) -> list[tuple[Rows, dict[str, Any], str]]:
    """Return rows, marker and legend group for each colour; of a ramp all at once."""
    codes = drawing.codes
    values = codes.values[rows]
    parts = []
    entries = sorted(codes.entries, key=lambda entry: not entry.grey)
    for entry in entries:
        of_entry = rows[values == entry.code]
        if len(of_entry):
            parts.append((of_entry, {"color": entry.color}, _group(entry)))
    if codes.ramp is not None:
        known = values != MISSING
        if known.any():
            marker = {"color": values[known], "coloraxis": "coloraxis"}
            parts.append((rows[known], marker, "ramp"))
    return parts


def _colour_legend(drawing: _Drawing) -> list[go.Scatter]:
    return [
        drawing.legend(
            f"{plain_text(entry.label)}  {entry.count:,}",
            {"symbol": "square", "size": 9, "color": entry.color},
            legendgroup=_group(entry),
        )
        for entry in drawing.codes.entries
    ]


def _group(entry: LegendEntry) -> str:
    return f"code {entry.code}"


def _segments(drawing: _Drawing, anchors: MapAnchors) -> go.Scatter:
    """All segments as one trace, broken by gaps: hundreds of traces would be slow to draw."""
    kept = (anchors.minority >= 0) & (anchors.majority >= 0)
    ends = np.full((int(kept.sum()), 4, 2), np.nan)
    ends[:, 0], ends[:, 2] = drawing.xy[anchors.minority[kept]], drawing.xy[anchors.majority[kept]]
    ends[:, 1] = anchors.xy[kept]  # through the anchor: its place is approximate, and off the straight line
    return go.Scatter(
        x=ends[..., 0].ravel(),
        y=ends[..., 1].ravel(),
        mode="lines",
        name="segment to both parents",
        hoverinfo="skip",
        line={"color": drawing.look.muted, "width": 0.8},
        opacity=0.45 * _thinning(anchors),
    )


def _thinning(anchors: MapAnchors) -> float:
    """Hundreds of segments would cover what they run across."""
    return float(np.clip(60 / max(len(anchors.xy), 1), 0.4, 1))


def _anchors(drawing: _Drawing, anchors: MapAnchors) -> go.Scatter:
    return go.Scatter(
        x=anchors.xy[:, 0],
        y=anchors.xy[:, 1],
        mode="markers",
        name="anchor, place approximate",
        hoverinfo="skip",
        marker={"symbol": "x-thin", "size": 6, "line": {"width": 1.3, "color": drawing.look.ink}},
        opacity=max(0.5, _thinning(anchors)),
    )


def _selected(drawing: _Drawing) -> go.Scatter:
    rows = np.flatnonzero(drawing.columns.selected)
    return go.Scatter(
        x=drawing.xy[rows, 0],
        y=drawing.xy[rows, 1],
        mode="markers",
        name="selected",
        hoverinfo="skip",
        marker={"symbol": "circle-open", "size": RING, "line": {"width": 2.2}, "color": drawing.look.accent},
    )


def _ring_other(figure: go.Figure, drawing: _Drawing, other: str) -> None:
    places = drawing.columns.ranks[other]
    rows = np.flatnonzero((places >= 1) & (places <= min(drawing.columns.budget, MOST_DASHED)))
    for number, row in enumerate(rows.tolist()):
        figure.add_shape(
            type="circle",
            xsizemode="pixel",
            ysizemode="pixel",
            xanchor=float(drawing.xy[row, 0]),
            yanchor=float(drawing.xy[row, 1]),
            **{name: sign * DASHED_RING / 2 for name, sign in (("x0", -1), ("x1", 1), ("y0", -1), ("y1", 1))},
            line={"color": drawing.look.ink, "width": 1.4, "dash": "dot"},
            name=f"{plain_text(other)}'s choice",
            legendgroup="other",
            showlegend=number == 0,
        )


def _evenly(n: int, most: int) -> Rows:
    return np.linspace(0, n - 1, most).astype(np.int64)
