"""What surrounds a map in a Plotly figure: title, legend, colour bar, and the notes that every map needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.figures.texts import plain_text
from dashboard.palette import FONT

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from alvin_core import MapAnchors, Projection
    from dashboard.colouring import Codes, Ramp
    from dashboard.palette import Theme

__all__ = ["lay_out", "map_notes"]


def map_notes(projection: Projection, anchors: MapAnchors | None) -> list[str]:
    """Say what a map is of, and what of it is not to be believed."""
    method = "UMAP" if projection.method == "umap" else "Principal components"
    space = "the model's space" if projection.space == "model" else "the encoder's space"
    told = [f"{method} of {space}; it keeps {projection.neighbors_kept:.0%} of the 10 nearest true neighbours."]
    if anchors is not None and anchors.n_total:
        told.append(
            f"{len(anchors.xy):,} of {anchors.n_total:,} anchors, of those that retrieved the selected; "
            "their places are approximate."
        )
    if anchors is not None and anchors.n_without_place:
        told.append(f"{anchors.n_without_place:,} more have a parent that somebody wrote, which is not on the map.")
    return told


def lay_out(
    figure: go.Figure, xy: NDArray[np.float32], codes: Codes, look: Theme, *, title: str = "", note: str = ""
) -> None:
    """Frame a map: equal scales without axes, the legend with the colouring's title, the note below."""
    ramp = codes.ramp
    (left, bottom), (right, top) = xy.min(axis=0), xy.max(axis=0)
    pad_x, pad_y = 0.04 * (right - left) or 1, 0.04 * (top - bottom) or 1
    legend_title = plain_text(codes.title) if ramp is None else ""
    figure.update_layout(
        template="none",
        title={"text": plain_text(title), "x": 0.015, "font": {"size": 17}},
        margin={"l": 12, "r": 12, "t": 48 if title else 12, "b": 40},
        xaxis={"visible": False, "range": [left - pad_x, right + pad_x]},
        yaxis={"visible": False, "range": [bottom - pad_y, top + pad_y], "scaleanchor": "x"},
        legend={"itemsizing": "trace", "tracegroupgap": 0, "title": {"text": legend_title, "font": {"size": 12}}},
        paper_bgcolor=look.card,
        plot_bgcolor=look.card,
        hoverlabel={"bgcolor": look.card, "bordercolor": look.border, "font": {"color": look.ink}, "align": "left"},
        font={"family": FONT, "color": look.ink, "size": 12},
        annotations=[
            {
                "text": plain_text(note), "x": 0, "y": 0, "xref": "paper", "yref": "paper", "showarrow": False,
                "xanchor": "left", "yanchor": "top", "yshift": -10, "font": {"size": 11.5, "color": look.muted},
            }
        ],
    )  # fmt: skip
    if ramp is not None:
        figure.update_layout(coloraxis=_colour_bar(ramp, codes.title))


def _colour_bar(ramp: Ramp, title: str) -> dict[str, object]:
    steps = [[row / (len(ramp.colors) - 1), colour] for row, colour in enumerate(ramp.colors)]
    bar = {
        "title": {"text": f"{plain_text(title)}<br>{plain_text(ramp.label)}", "side": "top"},
        "tickvals": [0, 254],
        "ticktext": [plain_text(ramp.low), plain_text(ramp.high)],
        "len": 0.4,
        "y": 0,
        "yanchor": "bottom",
        "thickness": 12,
        "outlinewidth": 0,
    }
    return {"cmin": 0, "cmax": 254, "colorscale": steps, "colorbar": bar}
