"""Examples that only one of the compared runs selected, each with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboard.plain_text import plain
from dashboard.state import Place, go
from dashboard.theme import section_title
from dashboard.views.compare_choice import Choice

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core import SideBySide

__all__ = ["only_frame", "render_only"]

LONGEST: Final = 240  # characters of a text
WHOSE: Final = "only_of"
TABLE_HEIGHT: Final = 330


def render_only(place: Place, choice: Choice, found: SideBySide) -> None:
    """Draw the table of one run's own choice."""
    section_title(
        "Chosen by one alone",
        help="What only one of these runs selected in this round, and why: its place under the strategy that chose it, "
        "its place under others by the same model, and its place in the other runs' models.",
    )
    counts = [one.n_only for one in found.runs]
    letters = [side.letter for side in choice.sides]
    if st.session_state.get(WHOSE) not in letters:
        st.session_state[WHOSE] = letters[0]
    words = {
        side.letter: plain(f"{side.letter.upper()} {side.label} · {count:,}")
        for side, count in zip(choice.sides, counts, strict=True)
    }
    whose = st.segmented_control(
        "Whose",
        letters,
        key=WHOSE,
        format_func=lambda letter: words[letter],
        required=True,
        label_visibility="collapsed",
    )
    at = letters.index(whose) if whose in letters else 0
    frame = only_frame(choice, found, at)
    if frame.empty:
        st.html('<div class="alvin-muted">Nothing: all that it selected was selected by another one as well.</div>')
        return
    key = f"only_{choice.sides[at].run_id}_{found.round_no}"
    ids = frame["id"].tolist()
    with st.container(key="only_table"):
        st.dataframe(
            frame,
            key=key,
            hide_index=True,
            height=min(TABLE_HEIGHT, 38 + 28 * len(frame)),
            row_height=28,
            on_select=lambda: _open_row(key, ids),
            selection_mode="single-row",
            column_config=_column_config(),
        )
    if len(frame) < counts[at]:
        st.caption(f"The first {len(frame):,} of {counts[at]:,} are shown, by rank.")


def _open_row(key: str, ids: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(ids):
        go(example=ids[rows[0]])


def only_frame(choice: Choice, found: SideBySide, at: int) -> pd.DataFrame:
    """Return a row for each example that one run alone selected, by its rank there.

    Parameters
    ----------
    choice : Choice
    found : SideBySide
    at : int
        The run's place.
    """
    import pandas as pd

    picks = [pick for pick in found.only if pick.chosen_by == at]
    shown: dict[str, Any] = {
        "rank": [pick.rank for pick in picks],
        "text": [" | ".join(pick.texts)[:LONGEST] for pick in picks],
        "why": [pick.reason.removeprefix("Selected: ") for pick in picks],
        "predicted": [pick.views[at].predicted for pick in picks],
        "confidence": [pick.views[at].confidence for pick in picks],
    }
    for name in dict.fromkeys(name for pick in picks for name in pick.ranks):
        shown[f"{name} here"] = [_rank(*pick.ranks.get(name, (0, 0))) for pick in picks]
    for other, side in enumerate(choice.sides):
        if other != at:
            title = f"in {side.letter.upper()} {side.label}"
            shown[title] = [_elsewhere(pick.views[other]) for pick in picks]
    if any(pick.anchor for pick in picks):
        shown["nearest anchor between"] = [_parents(pick.anchor) for pick in picks]
    shown["id"] = [pick.id for pick in picks]
    return pd.DataFrame(shown)


def _rank(place: int, n_ranked: int) -> str:
    return f"{place:,} of {n_ranked:,}" if place else "not ranked"


def _elsewhere(view: Any) -> str:
    if view.labeled:
        return "labeled already"
    return f"{_rank(view.rank, view.n_ranked)} · {view.predicted} {view.confidence:.2f}"


def _parents(anchor: Any) -> str:
    if anchor is None:
        return ""
    return (
        f"{anchor.class_}, {anchor.distance:.2f} away: {anchor.weight:.2f} × “{anchor.minority_text[:90]}” and "
        f"{1 - anchor.weight:.2f} × “{anchor.majority_text[:90]}”"
    )


def _column_config() -> dict[str, Any]:
    column, number = st.column_config.TextColumn, st.column_config.NumberColumn
    return {
        "rank": number(width=48),
        "text": column(width=280),
        "why": column(width=330),
        "predicted": column(width=82),
        "confidence": number("conf.", format="%.2f", width=58),
        "nearest anchor between": column(width=300),
        "id": column(width=100),
    }
