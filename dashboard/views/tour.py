"""Ninety seconds for those who see the dashboard for the first time: a small card that is never in the way."""

from __future__ import annotations

import html

import streamlit as st

from dashboard import state
from dashboard.remembering import recall, remember
from dashboard.state import Place

__all__ = ["open_tour", "render"]

SEEN = "tour-seen"  # the mark that somebody saw it
FRAGMENT = "tour_card"
STEPS: tuple[tuple[str, str], ...] = (
    (
        "The map",
        "Each point is a text of the pool, placed by how the model of this round sees it: near means alike to the "
        "model. Drag to move, scroll to zoom. A map of two dimensions loses some neighbours; its corner says how many.",
    ),
    (
        "Colours and marks",
        "Colour is the class: given where a text is labeled, predicted where it is not. A diamond is a minority "
        "example, which contradicts what the model found easy; a disc is a majority example.",
    ),
    (
        "Anchors",
        "Between a minority and a majority example of one class, ALVIN sets anchors (×). The unlabeled texts nearest "
        "to them are the candidates. Rings mark those that were selected.",
    ),
    (
        "One round",
        "“Step” labels the selected texts where the labels are known, trains again and selects anew. The points move "
        "to where the new model sees them. Drag the rounds to go back in time.",
    ),
    (
        "Why this one",
        "Click a point: its text, what the model thinks of it, the anchors that retrieved it with both parents, and "
        "where every other strategy would have ranked it. It tells why not, too.",
    ),
    (
        "A whole region",
        "Draw a lasso around points to see them as a table, to export them, or to label all of them at once.",
    ),
    (
        "Shortcuts",
        "The Shortcuts page says which words and attributes go with which label in what the model was trained on, "
        "shows the examples that contradict them, and follows each one through the rounds.",
    ),
    (
        "Compare",
        "The Compare page puts strategies side by side from the same start: what each selected, what only one of them "
        "chose, and whether it made a difference that can be measured.",
    ),
    (
        "Label",
        "The Label page hands out the selected texts one after the other, for the keyboard. The model's opinion "
        "comes only after yours. Every label is on disk before the screen says so.",
    ),
)


def render(place: Place) -> None:
    """Show the step of the tour where it is open; it opens by itself the first time that there is a map to show."""
    if state.TOUR_STEP not in st.session_state and place.n_rounds:
        st.session_state[state.TOUR_STEP] = 0 if recall(SEEN) is None else None
    st.fragment(_card, key=FRAGMENT)()


def _card() -> None:
    step: int | None = st.session_state.get(state.TOUR_STEP)
    if step is None:
        return
    title, text = STEPS[step]
    with st.container(key="tour"):
        st.html(
            f'<div role="note" aria-label="Tour"><div class="alvin-tour-title">{html.escape(title)}</div>'
            f'<div class="alvin-tour-text">{html.escape(text)}</div></div>'
        )
        with st.container(horizontal=True, vertical_alignment="center", key="tour_buttons"):
            st.html(f'<span class="alvin-tour-dots">{step + 1} of {len(STEPS)}</span>')
            last = step == len(STEPS) - 1
            if not last:
                st.button("Skip tour", key="tour_skip", type="tertiary", width="content", on_click=_close)
            st.button(
                "Done" if last else "Next",
                key="tour_next",
                type="primary",
                width="content",
                on_click=_close if last else _go_on,
            )


def open_tour() -> None:
    """Begin the tour at its first step; for a button's ``on_click``."""
    st.session_state[state.TOUR_STEP] = 0
    st.rerun(FRAGMENT)  # the card alone: the page stays as it is


def _go_on() -> None:
    st.session_state[state.TOUR_STEP] = min((st.session_state[state.TOUR_STEP] or 0) + 1, len(STEPS) - 1)


def _close() -> None:
    st.session_state[state.TOUR_STEP] = None
    remember(SEEN)
