"""Saving a changed text as a labeled example of the run."""

from __future__ import annotations

from html import escape
from typing import Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.people import help_why_not, may
from dashboard.state import Place
from dashboard.theme import section_title

__all__ = ["forget_saved", "render_saving"]

SAVED: Final = "_counterfactual_saved"  # session key: what became of the last save


def render_saving(place: Place, texts: tuple[str, ...], *, is_new: bool) -> None:
    """Draw the choice of a class and the button, and say what a save did.

    Parameters
    ----------
    place : Place
    texts : tuple of str
        What would be saved.
    is_new : bool
        Whether it is another text than the example's.
    """
    assert place.run is not None
    section_title(
        "Save as a labeled example",
        help="It joins this run's labeled set, marked as a counterfactual that a person wrote. The next round trains "
        "on it. It is never in the pool, never evaluated on and has no place on the map; an undo takes it out again.",
    )
    with st.container(key="counterfactual_saving", horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox(
            "Its label",
            place.run.dataset.classes,
            index=None,
            key="counterfactual_label",
            placeholder="Which class is it?",
            label_visibility="collapsed",
            width=200,
        )
        st.button(
            "Save",
            key="counterfactual_save",
            disabled=label is None or not is_new or not may("annotator"),
            help=help_why_not("annotator"),
            on_click=_add,
            args=(place, texts, label),
        )
    told = st.session_state.get(SAVED)
    if told is not None:
        st.html(f'<div class="alvin-cf-saved {told[0]}" role="status">{escape(told[1])}</div>')
    elif not is_new:
        st.html('<div class="alvin-muted">Change the text first: this one is in the data as it is.</div>')


def forget_saved() -> None:
    """Take the word about the last save off the screen."""
    st.session_state.pop(SAVED, None)


def _add(place: Place, texts: tuple[str, ...], label: str) -> None:
    assert place.run is not None
    try:
        new_id = place.run.add_example(texts, label, parent_id=place.example or "", annotator=place.annotator)
    except AlvinError as error:
        st.session_state[SAVED] = ("error", str(error))
        return
    data.labels_changed(place.run_id)
    st.session_state[SAVED] = (
        "done",
        f"Saved as {new_id} with the label {label}, written by {place.annotator}. The next round trains on it.",
    )
