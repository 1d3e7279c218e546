"""Compare: strategies side by side on the same data, and what can be said of their difference."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from alvin_core import AlvinError
from dashboard import comparing
from dashboard.people import may
from dashboard.state import Place
from dashboard.theme import card, empty_state
from dashboard.views import header
from dashboard.views.compare_choice import Choice, read_choice, render_choice
from dashboard.views.compare_chosen import render_chosen
from dashboard.views.compare_maps import render_maps, render_tools
from dashboard.views.compare_only import render_only
from dashboard.views.compare_selected import render_selected
from dashboard.views.compare_start import offer_start, render_progress, render_start
from dashboard.views.compare_verdict import render_curves, render_labels, render_verdict

__all__ = ["render"]


def render(place: Place) -> None:
    """Draw the page."""
    with header.actions():
        offer_start(place)
    choice = read_choice(place)
    with card("compare"):
        render_choice(choice)
        for problem in choice.problems:
            st.html(f'<div class="alvin-muted">{escape(problem)}</div>')
        render_progress(place, choice)
    if choice.waiting:
        with card("compare_maps"):
            empty_state(
                f"The comparison {choice.waiting} is being made.",
                "Its texts are read once, which takes longest. Maps and curves appear here as its runs finish.",
            )
    elif choice.is_ready:
        _body(place, choice)
    elif choice.comparison is None:
        with card("compare_first"):
            empty_state(
                "There is nothing to compare this run with.",
                "In a comparison every strategy begins with the same labels, with several seeds, so that chance can be "
                "told from difference. Runs on the same data, such as a fork, can be compared as well.",
            )
            if may("owner"):
                render_start(place)
    else:
        _too_early(place, choice)


def _body(place: Place, choice: Choice) -> None:
    """Draw what there is; where runs cannot be compared, the reason."""
    try:
        found = comparing.found_side_by_side(choice.run_ids, choice.round_no)
    except AlvinError as error:
        with card("compare_maps"):
            empty_state("These cannot be compared.", str(error))
        return
    with card("compare_maps"):
        render_tools(place, choice, found)
        st.fragment(partial(render_maps, place, choice, found), key="compare_maps")()
        st.fragment(partial(render_chosen, place, choice), key="compare_chosen")()
    _said(place, choice)
    with card("compare_selected"):
        render_selected(place, choice, found)
    with card("compare_only"):
        render_only(place, choice, found)


def _too_early(place: Place, choice: Choice) -> None:
    with card("compare_maps"):
        empty_state(
            "No two of these have a round in common yet.",
            "Maps are drawn as soon as both strategies have trained round 0 with this seed. "
            "Other seeds may be further.",
        )
    if any(state.n_rounds for state in choice.states):
        _said(place, choice)


def _said(place: Place, choice: Choice) -> None:
    left, right = st.columns([0.36, 0.64], gap="small")
    with left, card("compare_verdict"):
        render_verdict(place, choice)
    with right, card("compare_curves"):
        render_curves(place, choice)
        render_labels(choice)
