"""The classroom's left side: the stages of a round, the world true to scale, its legend, and the curves below."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from alvin_core import AlvinError
from dashboard.figures.world import STAGES, legend_marks, world_figure
from dashboard.figures.world_small import LINES, rounds_svg
from dashboard.palette import theme as look_of
from dashboard.state import Place
from dashboard.theme import card, empty_state, picture, section_title
from dashboard.views.classroom_address import LAST_TURN, SHOWN, Spot, current_spot, redraw
from dashboard.views.classroom_fetch import kept_world, world_at
from dashboard.views.classroom_phase import render_diagram
from dashboard.views.classroom_quiz import lettered
from dashboard.views.classroom_words import STAGE_NAMES, verdict
from dashboard.views.holding import by_hand, hold

__all__ = ["render_scene"]

HEIGHT = 600  # pixels of two worlds, one below the other
HEIGHT_OF_ONE = 420
SHOW_NAMES = {"both": "Both", "alvin": "ALVIN", "entropy": "Entropy"}


def render_scene(place: Place) -> None:
    """Draw the world at its stage, or the phase diagram."""
    spot = current_spot()
    # A place of its own for each: while one is drawn in the other's place, the browser mixes the two.
    world_place, phase_place = st.container(), st.container()
    if spot.view == "phase":
        with phase_place:
            render_diagram(spot)
        return
    with world_place, card("scene"):
        _stages(spot)
        try:
            world = _waited_for(spot)
        except AlvinError as error:
            empty_state("This world cannot be shown.", str(error))
            st.button("Try again", key="world_again", on_click=redraw)
            return
        if spot.show == "both":
            left, right = st.columns([0.7, 0.3], gap="small")
        else:
            left, right = st.container(), st.container()
        with left:
            _world(place, spot, world)
        with right:
            _curves(place, spot, world)


def _waited_for(spot: Spot) -> dict[str, Any]:
    if kept_world(spot) is not None:
        return world_at(spot)
    # The first world waits for a process that loads its libraries; later ones take a fraction of a second.
    with st.spinner("Computing this world …"):
        return world_at(spot)


def _world(place: Place, spot: Spot, world: dict[str, Any]) -> None:
    figure = world_figure(
        world, spot.strategies, spot.turn, spot.stage, look=look_of(place.dark), focus=spot.anchor,
        truth=spot.truth, letters=lettered(spot, world), height=HEIGHT if spot.show == "both" else HEIGHT_OF_ONE,
    )  # fmt: skip
    st.plotly_chart(
        figure, key="world", theme=None, config={"displayModeBar": False, "scrollZoom": False},
        alt=f"The world at round {spot.turn}, stage {STAGE_NAMES[spot.stage]}",
    )  # fmt: skip
    marks = legend_marks(world["classes"], spot.stage, look_of(place.dark), truth=spot.truth)
    st.html(_marks(marks))


def _marks(marks: Sequence[tuple[str, str, str]]) -> str:
    shown = (
        f'<span><i style="color:{escape(color)}">{glyph}</i>{escape(label)}</span>' for glyph, color, label in marks
    )
    return f'<div class="classroom-marks">{"".join(shown)}</div>'


def _stages(spot: Spot) -> None:
    """The six stages with the way on and back."""
    with st.container(key="classroom_stages", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<span class="classroom-round">Round <b>{spot.turn}</b></span>', width="content")
        hold("stage_choice", spot.stage)
        st.segmented_control(
            "Stage",
            STAGES,
            key="stage_choice",
            required=True,
            format_func=lambda stage: f"{STAGES.index(stage) + 1} {STAGE_NAMES[stage]}",
            label_visibility="collapsed",
            on_change=by_hand("stage_choice", lambda: redraw(stage=st.session_state["stage_choice"])),
        )
        before, after = _step(spot, -1), _step(spot, 1)
        st.button(
            "Back", key="back_stage", disabled=before is None, on_click=_go_to, args=(before,), width="content",
        )  # fmt: skip
        # A label that does not change: the button stays under the pointer of who presses it again and again.
        st.button(
            "Next", key="next_stage", type="primary", disabled=after is None, on_click=_go_to, args=(after,),
            width="content", help=_what_follows(after),
        )  # fmt: skip


def _step(spot: Spot, by: int) -> tuple[int, str] | None:
    """Return the round and stage before or after, or None at the lesson's ends."""
    place = spot.turn * len(STAGES) + STAGES.index(spot.stage) + by
    turn, stage = divmod(place, len(STAGES))
    return (turn, STAGES[stage]) if 0 <= turn <= LAST_TURN else None


def _what_follows(after: tuple[int, str] | None) -> str:
    if after is None:
        return "This is the last round here."
    return f"On to: round {after[0]}, {STAGE_NAMES[after[1]].lower()}"


def _go_to(spot: tuple[int, str]) -> None:
    redraw(turn=spot[0], stage=spot[1])


def _curves(place: Place, spot: Spot, world: dict[str, Any]) -> None:
    """What is drawn, and below it how both strategies did so far."""
    with st.container(key="classroom_tools", horizontal=spot.show != "both", vertical_alignment="center", gap="small"):
        hold("show", spot.show)
        st.segmented_control(
            "Strategies",
            SHOWN,
            key="show",
            required=True,
            format_func=SHOW_NAMES.get,  # type: ignore[arg-type]
            label_visibility="collapsed",
            on_change=lambda: redraw(show=st.session_state["show"]),
        )
        hold("truth", spot.truth)
        st.toggle(
            "Reveal all labels",
            key="truth",
            help="Show the classes of unlabeled points, which only the oracle knows.",
            on_change=lambda: redraw(truth=st.session_state["truth"]),
            width="content",
        )
    section_title("Over the rounds")
    st.html(_marks([("●─", LINES["alvin"].color, "ALVIN"), ("■╌", LINES["entropy"].color, "uncertainty sampling")]))
    # A round's accuracy is a question at its first stage, so it shows from the second on.
    known = spot.turn - (spot.stage == STAGES[0])
    svg = rounds_svg(world["runs"], known, LAST_TURN, look_of(place.dark), beside=spot.show != "both")
    st.html(picture(svg, "Balanced accuracy and worst group over the rounds"))
    st.html(f'<div class="classroom-words">{verdict(world, known)}</div>')
