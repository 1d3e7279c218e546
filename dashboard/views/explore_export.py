"""The map as a file: a page that stays interactive, or an image for a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.colouring import color_by
from dashboard.figures.exporting import Format, export_figure
from dashboard.figures.representation_map import representation_map
from dashboard.state import Place, notify

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from alvin_core import MapColumns

__all__ = ["export_tools", "figure_of"]

MIMES: dict[Format, str] = {"html": "text/html", "svg": "image/svg+xml", "png": "image/png"}
MOST_TEXTS = 5_000  # points whose texts go into a file, for hovering


def export_tools(place: Place, columns: MapColumns) -> None:
    """Offer the map as HTML, SVG and PNG; each is drawn when it is asked for."""
    st.caption("This map as a file")
    with st.container(horizontal=True, gap="small"):
        for format_, mime in MIMES.items():
            st.download_button(
                format_.upper(),
                data=lambda format_=format_: _content(place, columns, format_),
                file_name=f"{data.opened(place.run_id).name}-round-{place.round_no}.{format_}",
                mime=mime,
                key=f"export_{format_}",
                on_click="ignore",
            )


def figure_of(
    place: Place, columns: MapColumns, match: NDArray[np.bool_] | None, *, webgl: bool | None = None
) -> go.Figure:
    """Return the map of a round as a Plotly figure: the same colours, marks and notes."""
    run = data.opened(place.run_id)
    projection, note = data.shown_projection(place.run_id, place.round_no, place.space)
    color = place.color if match is not None or place.color != "match" else "class"
    texts = [" ⫽ ".join(one) for one in run.texts(columns.rows)] if len(columns.ids) <= MOST_TEXTS else None
    return representation_map(
        columns,
        projection,
        color_by(columns, color, match=match),
        anchors=run.map_anchors(place.round_no, projection),
        texts=texts,
        title=f"{run.name}, round {place.round_no}",
        note=note,
        dark=place.dark,
        webgl=webgl,
    )


def _content(place: Place, columns: MapColumns, format_: Format) -> bytes:
    try:
        return export_figure(figure_of(place, columns, None), format_)
    except AlvinError as error:
        notify(str(error), kind="error")
        raise
