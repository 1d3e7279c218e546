"""Shortcuts: what goes with which label in what the model was trained on, what contradicts it, and what to do."""

from __future__ import annotations

import streamlit as st

from dashboard.at_hand import is_busy
from dashboard.jobs import job_progress
from dashboard.state import NO_ROUND, Place, go
from dashboard.theme import card, empty_state
from dashboard.views.fresh import on_its_own
from dashboard.views.shortcuts_counterfactual import render_counterfactual
from dashboard.views.shortcuts_cue import render_cue
from dashboard.views.shortcuts_examples import render_examples
from dashboard.views.shortcuts_groups import render_groups
from dashboard.views.shortcuts_headline import render_headline
from dashboard.views.shortcuts_parts import anchored_title
from dashboard.views.shortcuts_slices import render_slices
from dashboard.views.shortcuts_table import render_cues
from dashboard.views.shortcuts_training import render_training

__all__ = ["render"]


def render(place: Place) -> None:
    """Draw the page."""
    if place.round_no == NO_ROUND:
        _before_the_first_round(place)
        return
    with card("headline"):
        render_headline(place)
        if is_busy(place.run_id):
            job_progress(place.run_id)
    left, right = st.columns([0.5, 0.5], gap="small")
    with left:
        for key, draw in (
            ("table", render_cues),
            ("examples", render_examples),
            ("groups", render_groups),
            ("training", render_training),
        ):
            with card(f"shortcuts_{key}"):
                st.fragment(on_its_own(draw), key=f"shortcuts_{key}")(place)
    with right, card("shortcuts_cue"):
        st.fragment(on_its_own(render_cue), key="shortcuts_cue")(place)
    with card("shortcuts_slices"):
        st.fragment(on_its_own(render_slices), key="shortcuts_slices")(place)
    with card("shortcuts_edit"):
        anchored_title(
            "Edit a text", "edit", "Change words of the open example, or leave some out, and see the prediction move."
        )
        render_counterfactual(place)


def _before_the_first_round(place: Place) -> None:
    with card("headline"):
        empty_state(
            "No round is trained yet.",
            "Shortcuts are looked for in what a round was trained on. Round 0 is trained on the page Explore.",
        )
        st.button("Go to Explore", key="to_explore", on_click=lambda: go(page="explore"))
        if is_busy(place.run_id):
            job_progress(place.run_id)
