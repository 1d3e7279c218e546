"""Explore: the representation space of a round, the example in focus, and what can be done next."""

from __future__ import annotations

import streamlit as st

from dashboard.at_hand import is_busy
from dashboard.jobs import job_progress
from dashboard.people import help_why_not, may
from dashboard.state import NO_ROUND, Place
from dashboard.theme import card, empty_state
from dashboard.views.explore_card import render_card
from dashboard.views.explore_map import chosen_points, render_map
from dashboard.views.explore_strip import enqueue_rounds, render_strip
from dashboard.views.explore_table import render_table
from dashboard.views.fresh import on_its_own

__all__ = ["render"]

SIDE_HEIGHT = 566  # pixels, as high as the map beside it; more scrolls


def render(place: Place) -> None:
    """Draw the page."""
    if place.round_no == NO_ROUND:
        _before_the_first_round(place)
        return
    left, right = st.columns([0.66, 0.34], gap="small")
    with left, card("map"):
        st.fragment(on_its_own(render_map), key="explore_map")(place)
    with right, card("side"):
        st.fragment(on_its_own(_side), key="explore_side")(place)
    with card("strip"):
        render_strip(place)


def _side(place: Place) -> None:
    """The panel beside the map: the example, or the table of what is chosen."""
    st.session_state.setdefault("side", "Example")
    shown = st.segmented_control("Show", ["Example", "Table"], key="side", required=True, label_visibility="collapsed")
    if shown == "Table":
        with st.container(key="listed", height=SIDE_HEIGHT):
            points, what = chosen_points(place)
            render_table(place, points, what)
        return
    with st.container(key="card", height=SIDE_HEIGHT):
        render_card(place)


def _before_the_first_round(place: Place) -> None:
    assert place.run is not None
    with card("first_round"):
        waits_for = place.run.waits_for
        if waits_for:
            empty_state(
                "The first labels are missing.",
                "This run begins with examples that people label: on the page Label. "
                "The map appears once they are given and round 0 is trained.",
            )
        else:
            empty_state(
                "No round is trained yet.",
                "Round 0 trains a model on the initial labels. The texts are read once for it, which takes longest; "
                "later rounds are quick.",
            )
            st.button(
                "Train round 0",
                key="step",
                type="primary",
                on_click=enqueue_rounds,
                args=(place.run_id, 1),
                disabled=not may("owner") or is_busy(place.run_id),
                help=help_why_not("owner"),
            )
        job_progress(place.run_id)
