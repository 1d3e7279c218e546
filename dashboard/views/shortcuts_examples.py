"""Examples that contradict the chosen cue beside those that follow it; a click opens one."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboard import cue_data
from dashboard.cue_marks import marked
from dashboard.cue_words import cue_name
from dashboard.state import Place, go
from dashboard.theme import empty_state, plain, section_title
from dashboard.views import shortcuts_choice as choice
from dashboard.views.shortcuts_parts import anchored_title

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["render_examples"]

SHOWN: Final = 5  # in each column
MORE: Final = "_shortcuts_more"  # session key: the cue whose examples are all shown
STATUS: Final = {"labeled": "labeled", "selected": "selected in this round", "pool": "unlabeled"}


def render_examples(place: Place) -> None:
    """Draw both columns."""
    anchored_title("Examples", "examples", "Texts with the chosen cue. A click opens one on the map and in the editor.")
    now = choice.chosen(place)
    if now is None:
        empty_state("No examples to show.", "They appear once a cue is chosen in the table.")
        return
    frame = cue_data.examples_of(place.run_id, place.round_no, now.cue, now.label)
    follows = frame["follows"].astype(bool)
    against, along = st.columns(2, gap="small")
    with against:
        section_title("Contradict it", f"They hold {cue_name(now.cue)}, and are not {now.label}.")
        _column("against", place, now, frame[~follows])
    with along:
        section_title("Follow it", f"They hold {cue_name(now.cue)}, and are {now.label}.")
        _column("along", place, now, frame[follows])
    longest = max(int((~follows).sum()), int(follows.sum()))
    if longest > SHOWN:
        _more(now, longest)


def _more(now: choice.Choice, longest: int) -> None:
    if st.session_state.get(MORE) == now:
        st.button(
            "Show fewer", key="examples_fewer", type="tertiary", on_click=lambda: st.session_state.pop(MORE, None)
        )
        return
    st.button(
        f"Show {longest - SHOWN:,} more",
        key="examples_more",
        type="tertiary",
        on_click=lambda: st.session_state.update({MORE: now}),
    )


def _column(name: str, place: Place, now: choice.Choice, frame: pd.DataFrame) -> None:
    if frame.empty:
        st.html('<div class="alvin-muted">None is labeled, selected or predicted so.</div>')
        return
    shown = frame if st.session_state.get(MORE) == now else frame.head(SHOWN)
    for number, row in enumerate(shown.to_dict("records")):
        _example(f"{name}_{number}", place, now, row)


def _example(key: str, place: Place, now: choice.Choice, row: dict[Any, Any]) -> None:
    """One example; the whole of it is a button."""
    example_id = str(row["id"])
    texts = [str(row[name]) for name in ("text_a", "text", "text_b") if name in row]
    here = example_id == place.example
    with st.container(key=f"{'exhere' if here else 'example'}_{key}"):
        st.html(marked(texts, now.cue) + _about(row))
        st.button(
            plain(f"Open example {example_id}"),
            key=f"open_{key}",
            on_click=choice.open_example,
            args=(example_id,),
            width="stretch",
        )
    if here:
        with st.container(key=f"examplefoot_{key}", horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Why this one (Explore)", key=f"why_{key}", on_click=_to_explore, args=(example_id,), width="content"
            )
            st.html('<a class="alvin-link" href="#shortcuts-edit" target="_self">Edit its words</a>', width="content")


def _to_explore(example_id: str) -> None:
    go(page="explore", example=example_id)
    st.session_state["side"] = "Example"
    st.rerun()


def _about(row: dict[Any, Any]) -> str:
    label = str(row["label"] or "")
    given = f"<b>{escape(label)}</b> · " if label else ""
    model = f"model: {escape(str(row['predicted']))} {float(row['confidence']):.2f}"
    wrong = " ✗" if label and label != row["predicted"] else ""
    return f'<div class="alvin-about">{given}{model}{wrong} · {STATUS.get(str(row["status"]), "")}</div>'
