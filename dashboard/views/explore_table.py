"""The table of what a lasso, a search or a filter holds, with its export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import numpy as np
import streamlit as st

from alvin_core import csv_of
from dashboard import data
from dashboard.state import Place, go
from dashboard.theme import empty_state
from dashboard.views.fresh import draw_again

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from alvin_core import MapColumns

__all__ = ["export_of", "render_table", "table_of"]

SHOWN: Final = 500
TABLE_HEIGHT: Final = 440
LONGEST_CELL: Final = 300  # characters of a text in the table: what is sent grows with them; the export cuts nothing


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
    # Other points are another table: a row that is chosen in one would else be chosen in the next.
    key = f"table_{crc32(best.tobytes()):08x}_{place.round_no}"
    with st.container(key="table"):
        st.dataframe(
            _shortened(table_of(place, columns, best[:SHOWN])),
            key=key,
            hide_index=True,
            height=height,
            row_height=28,
            on_select=lambda: _open_row(key, columns, best),
            selection_mode="single-row",
            column_config=_column_config(),
        )
    if len(points) > SHOWN:
        st.caption(f"The first {SHOWN} are shown, selected and uncertain ones first; the export has all.")
    st.download_button(
        f"Export {len(points):,} as CSV",
        data=lambda: csv_of(export_of(place, columns, best)).encode("utf-8", errors="replace"),
        file_name=f"{data.opened(place.run_id).name}-round-{place.round_no}.csv",
        mime="text/csv",
        key="export_table",
        on_click="ignore",
        icon=":material/download:",
    )


def table_of(place: Place, columns: MapColumns, points: NDArray[np.int64]) -> pd.DataFrame:
    """Return what is known of some points, a row each. A label is there only where it was given."""
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
            "predicted": _named(columns.predicted[points], columns.classes),
            "confidence": columns.confidence[points],
            "label": _named(columns.label_now[points], columns.classes),
            "selected": columns.selected[points],
            "entropy": columns.entropy[points],
            "group": groups[columns.is_minority[points] + 1],
            "attribute": _named(columns.attribute[points], columns.attributes),
            "id": columns.ids[points],
        }
    )


def export_of(place: Place, columns: MapColumns, points: NDArray[np.int64]) -> pd.DataFrame:
    """Return `table_of` with all else that the round knows: forgetting, ranks and places on the map."""
    frame = table_of(place, columns, points)
    forgotten = columns.n_forgotten[points]
    frame["trained_on"] = columns.labeled[points]
    frame["n_forgotten"] = np.where(forgotten < 0, "", forgotten.astype(str).astype(object))
    for name, ranks in columns.ranks.items():  # 0: not among those that the strategy ranked
        frame[f"rank_{name}"] = np.where(ranks[points] == 0, "", ranks[points].astype(str).astype(object))
    projection, _ = data.shown_projection(place.run_id, place.round_no, place.space)
    frame["map_x"], frame["map_y"] = projection.xy[points].T
    frame["round"] = place.round_no
    return frame


def _shortened(frame: pd.DataFrame) -> pd.DataFrame:
    for name in ("text", "text_a", "text_b"):
        if name in frame:
            frame[name] = [one if len(one) <= LONGEST_CELL else one[: LONGEST_CELL - 1] + "…" for one in frame[name]]
    return frame


def _named(codes: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.object_]:
    return np.array([*names, ""], dtype=object)[codes]  # the code -1 of what is missing takes the last


def _best_first(columns: MapColumns, points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Selected examples first, then by entropy: what a person would look at first."""
    return points[np.lexsort((-columns.entropy[points], ~columns.selected[points]))]


def _open_row(key: str, columns: MapColumns, points: NDArray[np.int64]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(points):
        go(example=str(columns.ids[points[rows[0]]]))
        st.session_state["side"] = "Example"
        draw_again("explore_side", "explore_map")


def _column_config() -> dict[str, Any]:
    column, number = st.column_config.TextColumn, st.column_config.NumberColumn
    return {
        "text": column(width=186),
        "text_a": column(width=120),
        "text_b": column(width=120),
        "predicted": column(width=82),
        "confidence": number("conf.", format="%.2f", width=52, help="Confidence: the predicted class's probability"),
        "entropy": number(format="%.2f"),
    }
