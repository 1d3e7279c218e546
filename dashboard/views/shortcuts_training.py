"""The dataset map: how training went with each labeled example, linked to the map by lasso."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import streamlit as st

from dashboard import cue_data, data
from dashboard.at_hand import row_of
from dashboard.figures.shortcuts import dataset_map
from dashboard.palette import theme
from dashboard.state import Place
from dashboard.theme import empty_state
from dashboard.views import shortcuts_choice as choice
from dashboard.views.shortcuts_parts import anchored_title

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["render_training"]

HEIGHT: Final = 330  # pixels
LISTED: Final = 200
LONGEST_CELL: Final = 200  # characters of a text in the table
KEY: Final = "dataset_map"


def render_training(place: Place) -> None:
    """Draw the dataset map, and what a lasso holds."""
    anchored_title(
        f"Training of round {place.round_no}",
        "training",
        "Dataset map (Swayamdipta et al. 2020). Low confidence: hard, mislabeled, or against a shortcut. High "
        "variability: undecided. A diamond is a minority example.",
    )
    frame = cue_data.training_map(place.run_id, place.round_no)
    if frame.empty:
        empty_state("Nothing to draw.", "This round has no record of its training.")
        return
    lit, now = choice.lit(place), choice.chosen(place)
    st.plotly_chart(
        dataset_map(frame, _texts(place, frame), lit=_pointed_out(place), look=theme(place.dark), height=HEIGHT),
        key=KEY,
        on_select=lambda: _lassoed(place),
        selection_mode=("lasso", "box"),
        config={"displayModeBar": False},
        theme=None,
    )
    if lit is not None and lit.source != "slice":
        _listed(place, frame, lit)
    elif now is not None:
        st.caption("Those with the chosen cue stand out. Draw around points to see them on the map and as a list.")


def _pointed_out(place: Place) -> list[str] | None:
    """Ids that stand out: those of a lasso on the other map or of a slice, else those with the cue; None for all.

    A lasso on the drawing itself changes nothing here: another figure would take it away.
    """
    lit, now = choice.lit(place), choice.chosen(place)
    if lit is not None and lit.source != "dataset":
        return list(lit.ids)
    if now is None:
        return None
    held = cue_data.members_of(place.run_id, place.round_no, now.cue)
    ids: list[str] = data.columns(place.run_id, place.round_no).ids[held].tolist()
    return ids


def _texts(place: Place, frame: pd.DataFrame) -> list[str]:
    assert place.run is not None
    rows = [_row_of(place.run_id, str(one)) for one in frame["id"]]
    known = [row for row in rows if row is not None]
    found = iter(place.run.texts(known))
    return ["" if row is None else " ⫽ ".join(next(found)) for row in rows]


def _row_of(run_id: str, example_id: str) -> int | None:
    """An example that was added a moment ago may not be in what is kept of the data."""
    try:
        return row_of(run_id, example_id)
    except KeyError:
        return None


def _lassoed(place: Place) -> None:
    points: list[dict[str, Any]] = st.session_state[KEY]["selection"]["points"]
    ids = set(cue_data.training_map(place.run_id, place.round_no)["id"].astype(str))
    found = [one for one in dict.fromkeys(str(_id_of(point)) for point in points) if one in ids]
    lit = choice.lit(place)
    if found or (lit is not None and lit.source == "dataset"):  # an empty one of a new figure puts out nothing else
        choice.light(place, "dataset", found)
        choice.follow()


def _id_of(point: dict[str, Any]) -> object:
    """The browser wraps a point's own datum in a list."""
    datum = point.get("customdata")
    return datum[0] if isinstance(datum, list) and datum else datum


def _listed(place: Place, frame: pd.DataFrame, lit: choice.Lit) -> None:
    held = frame.assign(text=_texts(place, frame))[frame["id"].astype(str).isin(set(lit.ids))]
    n_other = len(lit.ids) - len(held)
    others = f", {n_other:,} others are not labeled" if n_other else ""
    st.caption(f"{len(held):,} labeled examples in the lasso{others}. Save them as a slice below.")
    if held.empty:
        return
    shown = held.sort_values("confidence").head(LISTED)
    ids = shown["id"].astype(str).tolist()
    key = f"lassoed_{crc32(repr(ids).encode()):08x}"
    st.dataframe(
        _as_table(shown),
        key=key,
        hide_index=True,
        height=min(38 + 28 * len(shown), 220),
        row_height=28,
        on_select=lambda: _open_row(key, ids),
        selection_mode="single-cell",
        column_config={
            "text": st.column_config.TextColumn(width=236),
            "confidence": st.column_config.NumberColumn("conf.", format="%.2f", width=50),
            "variability": st.column_config.NumberColumn("var.", format="%.2f", width=46),
            "right": st.column_config.NumberColumn("right", format="percent", width=52),
        },
    )


def _as_table(frame: pd.DataFrame) -> pd.DataFrame:
    shown = frame[["text", "label", "confidence", "variability", "correctness"]].rename(
        columns={"correctness": "right"}
    )
    return shown.assign(
        text=[one if len(one) <= LONGEST_CELL else one[: LONGEST_CELL - 1] + "…" for one in shown["text"]]
    )


def _open_row(key: str, ids: list[str]) -> None:
    cells = st.session_state[key]["selection"]["cells"]
    if cells and 0 <= cells[0][0] < len(ids):
        choice.open_example(ids[cells[0][0]])
