"""The table of what a lasso, a search or a filter holds, with its export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import streamlit as st

from dashboard import data
from dashboard.state import Place, go
from dashboard.theme import empty_state, plain

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from alvin_core import MapColumns

__all__ = ["render_table"]

SHOWN: Final = 500
TABLE_HEIGHT: Final = 380


def render_table(place: Place, points: NDArray[np.int64] | None, what: str, *, height: int = TABLE_HEIGHT) -> None:
    """Draw the table of some points.

    Parameters
    ----------
    place : Place
    points : int array or None
        Places on the map; None where nothing was asked for yet.
    what : str
        Where they come from, in words: ``"in the lasso"``.
    height : int
        Of the table, in pixels.
    """
    if points is None:
        empty_state(
            "Nothing is chosen.",
            "Draw a lasso on the map (hold Shift and drag), search the texts, or set a filter: "
            "what they hold is listed here.",
        )
        return
    columns = data.columns(place.run_id, place.round_no)
    st.html(f'<div class="alvin-count"><b>{len(points):,}</b> of {len(columns.ids):,} examples {what}</div>')
    if not len(points):
        return
    best = _best_first(columns, points)
    frame = table_of(place, columns, best[:SHOWN])
    chosen = st.dataframe(
        frame,
        key="table",
        hide_index=True,
        height=height,
        row_height=28,
        on_select=lambda: _open_row(place, columns, best),
        selection_mode="single-row",
        column_config=_column_config(),
    )
    del chosen
    if len(points) > SHOWN:
        st.caption(f"The {SHOWN} most uncertain are shown; the export has all {len(points):,}.")
    st.download_button(
        f"Export {len(points):,} as CSV",
        data=lambda: table_of(place, columns, best).to_csv(index=False).encode("utf-8"),
        file_name=f"{data.opened(place.run_id).name}-round-{place.round_no}.csv",
        mime="text/csv",
        key="export_table",
        on_click="ignore",
        icon=":material/download:",
    )


def table_of(place: Place, columns: MapColumns, points: NDArray[np.int64]) -> pd.DataFrame:
    """Return what is known of some points, a row each."""
    import pandas as pd

    run = data.opened(place.run_id)
    texts = run.texts(columns.rows[points])
    parts: dict[str, Any] = (
        {"text_a": [one[0] for one in texts], "text_b": [one[1] for one in texts]}
        if texts and len(texts[0]) == 2
        else {"text": [one[0] for one in texts]}
    )
    groups = np.array(["", "majority", "minority"], dtype=object)
    return pd.DataFrame(
        {
            **parts,
            "label": _named(columns.label_now[points], columns.classes),
            "predicted": _named(columns.predicted[points], columns.classes),
            "confidence": columns.confidence[points],
            "entropy": columns.entropy[points],
            "group": groups[columns.is_minority[points] + 1],
            "attribute": _named(columns.attribute[points], columns.attributes),
            "selected": columns.selected[points],
            "id": columns.ids[points],
        }
    )


def _named(codes: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.object_]:
    return np.array([*names, ""], dtype=object)[codes]  # the code -1 of what is missing takes the last


def _best_first(columns: MapColumns, points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Selected examples first, then by entropy: what a person would look at first."""
    return points[np.lexsort((-columns.entropy[points], ~columns.selected[points]))]


def _open_row(place: Place, columns: MapColumns, points: NDArray[np.int64]) -> None:
    rows = st.session_state["table"]["selection"]["rows"]
    if rows:
        go(example=str(columns.ids[points[rows[0]]]))
        st.session_state["side"] = "Example"
        st.rerun(["explore_map", "explore_side"])


def _column_config() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "text": st.column_config.TextColumn(plain("text"), width="large"),
        "confidence": number(format="%.2f"),
        "entropy": number(format="%.2f"),
    }
