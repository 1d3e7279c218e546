"""The classroom's right side: the world's sliders, and below them what happens at this stage, or the lesson."""

from __future__ import annotations

from typing import Any

import streamlit as st

from alvin_core import AlvinError
from dashboard.state import Place
from dashboard.theme import card
from dashboard.views.classroom_address import CHOICES, MOST_SEED, SLIDERS, VIEWS, Slider, Spot, current_spot, redraw
from dashboard.views.classroom_fetch import world_at
from dashboard.views.classroom_lesson import render_lesson
from dashboard.views.classroom_phase import render_plan
from dashboard.views.classroom_quiz import render_question
from dashboard.views.classroom_stage import render_stage
from dashboard.views.holding import hold

__all__ = ["render_side"]

VIEW_NAMES = {"round": "One round", "lesson": "Lesson", "phase": "Phase diagram"}
FIRST = ("strength", "ambiguity")


def render_side(place: Place) -> None:
    """Draw the controls and what belongs to the view."""
    spot = current_spot()
    with card("classroom_controls"):
        hold("classroom_view", spot.view)
        st.segmented_control(
            "View",
            VIEWS,
            key="classroom_view",
            required=True,
            format_func=VIEW_NAMES.get,  # type: ignore[arg-type]
            label_visibility="collapsed",
            width="stretch",
            on_change=lambda: redraw(view=st.session_state["classroom_view"]),
        )
        if spot.view != "phase":
            for column, key in zip(st.columns(2, gap="medium"), FIRST, strict=True):
                with column:
                    _slider(SLIDERS[key], spot)
        _seed_and_more(spot, with_seed=spot.view != "phase")
    with card("classroom_panel"):
        # A place of its own for each view: while one is drawn in another's place, the browser mixes the two.
        places = {view: st.container(key=f"classroom_{view}", gap="small") for view in VIEWS}
        with places[spot.view]:
            if spot.view == "phase":
                render_plan(spot)
            elif spot.view == "lesson":
                render_lesson(spot)
            else:
                _round(place, spot)


def _round(place: Place, spot: Spot) -> None:
    try:
        world = world_at(spot)
    except AlvinError:  # the world's own place says so
        return
    render_stage(place, spot, world)
    st.fragment(render_question, key="classroom_question")(spot)


def _seed_and_more(spot: Spot, *, with_seed: bool) -> None:
    with st.container(key="classroom_more", horizontal=True, vertical_alignment="center", gap="small"):
        with st.popover("More settings", key="classroom_settings", icon=":material/tune:", width="content"):
            for key in SLIDERS:
                if key not in FIRST:
                    _slider(SLIDERS[key], spot)
            for key in CHOICES:
                _choice(key, spot)
            st.button("Usual settings", key="usual", on_click=_reset, width="content")
        if not with_seed:  # a diagram has seeds of its own
            return
        st.button(
            "New world", key="new_world", icon=":material/casino:", on_click=_new_world, args=(spot,), width="content",
            help="Draw other points with the same settings: the next seed",
        )  # fmt: skip
        st.html(f'<span class="alvin-muted">seed {spot.seed}</span>', width="content")


def _slider(slider: Slider, spot: Spot) -> None:
    hold(slider.key, spot.values[slider.key])
    st.slider(
        slider.label,
        slider.low,
        slider.high,
        step=slider.step,
        key=slider.key,
        help=slider.help,
        on_change=_moved,
        args=(slider.key,),
    )


def _choice(key: str, spot: Spot) -> None:
    choice = CHOICES[key]
    hold(key, spot.values[key])
    st.selectbox(
        choice.label,
        list(choice.options),
        key=key,
        format_func=choice.options.get,
        help=choice.help,
        on_change=_moved,
        args=(key,),
    )


def _moved(key: str) -> None:
    redraw(**{key: st.session_state[key], "anchor": 0})


def _reset() -> None:
    usual: dict[str, Any] = {key: one.default for key, one in SLIDERS.items()}
    redraw(**usual, **{key: next(iter(one.options)) for key, one in CHOICES.items()}, anchor=0)


def _new_world(spot: Spot) -> None:
    redraw(seed=(spot.seed + 1) % (MOST_SEED + 1), turn=0, stage="train", anchor=0)
