"""The map for browsers without WebGL: the same view as a Plotly figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard.state import Place, go
from dashboard.views.explore_export import figure_of
from dashboard.views.fresh import draw_again

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alvin_core import MapColumns

__all__ = ["render_without_webgl"]


def render_without_webgl(place: Place, columns: MapColumns, mask: NDArray[np.bool_] | None, *, height: int) -> None:
    """Draw the same view as a Plotly figure."""
    st.caption(
        "This browser has no WebGL, so the map is drawn by Plotly: it can be zoomed and clicked, but not lassoed. "
        "Search and filter work as they do elsewhere."
    )
    st.plotly_chart(
        figure_of(place, columns, mask, webgl=False),
        key="plain_map",
        height=height,
        on_select=lambda: _clicked(columns),
        selection_mode="points",
    )


def _clicked(columns: MapColumns) -> None:
    """Open the example that was clicked on the Plotly figure; its points carry their place on the map."""
    points = st.session_state["plain_map"]["selection"]["points"]
    index = points[0].get("customdata") if points else None
    index = index[0] if isinstance(index, list) and index else index
    if isinstance(index, int) and 0 <= index < len(columns.ids):
        go(example=str(columns.ids[index]))
        st.session_state["side"] = "Example"
        draw_again("explore_side")  # the map stays: drawn again it would lose its zoom
