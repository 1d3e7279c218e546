"""The strip under the map: the rounds, what can be done with them, and the figures of the one that is shown."""

from __future__ import annotations

import time
from typing import Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.acting import enqueue_job
from dashboard.at_hand import is_busy
from dashboard.figures.strip import round_strip_values
from dashboard.jobs import job_progress
from dashboard.people import help_why_not
from dashboard.state import Place, go, notify
from dashboard.theme import TERMS, figure_tile, term
from dashboard.views import header
from dashboard.views.explore_fork import ask_to_fork, fork_dialog
from dashboard.views.holding import by_hand, hold

__all__ = ["enqueue_rounds", "render_strip"]

PLAYING: Final = "_playing"  # when play showed the round that is on the screen; absent: it stands still
PLAY_SECONDS: Final = 1.8  # of a round while playing: the points move for half a second, and are then looked at
MOST_ROUNDS: Final = 50  # that one press runs


def render_strip(place: Place) -> None:
    """Draw the strip."""
    rounds, figures = st.columns([0.42, 0.58], gap="medium", vertical_alignment="center")
    with rounds:
        _scrubber(place)
        job_progress(place.run_id)
    with figures:
        _tiles(place)
    with header.actions():
        _actions(place)
    _play(place)


def _scrubber(place: Place) -> None:
    words, bar, button = st.columns([0.17, 0.62, 0.21], vertical_alignment="center")
    newest = place.n_rounds - 1
    with words:
        st.html(f'<div class="alvin-rounds">{term("Rounds", TERMS["round"])}<br><small>0 to {newest}</small></div>')
    with bar:
        hold("round", place.round_no)
        st.slider(
            "Round",
            min_value=0,
            max_value=max(newest, 1),
            key="round",
            disabled=newest < 1,
            on_change=by_hand("round", _scrub),
            label_visibility="collapsed",
            help="The rounds of this run. Round 0 trains on the initial labels.",
        )
    with button:
        playing = PLAYING in st.session_state
        st.button(
            "Pause" if playing else "Play",
            key="play",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            help="Show the rounds one after the other",
            disabled=newest < 1,
            on_click=_toggle_play,
            args=(place.round_no, newest),
            width="stretch",
        )


def _scrub() -> None:
    st.session_state.pop(PLAYING, None)
    go(round_no=st.session_state["round"])


def _toggle_play(round_no: int, newest: int) -> None:
    if st.session_state.pop(PLAYING, None) is None:
        st.session_state[PLAYING] = time.monotonic()
        if round_no == newest:  # from the end it starts over
            go(round_no=0)


def _play(place: Place) -> None:
    """Move on to the next round while playing; a fragment of its own, so that nothing else reruns in between."""
    playing = PLAYING in st.session_state
    st.fragment(_tick, run_every=PLAY_SECONDS / 4 if playing else None)(place.round_no, place.n_rounds - 1)


def _tick(round_no: int, newest: int) -> None:
    since = st.session_state.get(PLAYING)
    if since is None or time.monotonic() - since < PLAY_SECONDS:
        return
    if round_no >= newest:
        del st.session_state[PLAYING]
    else:
        st.session_state[PLAYING] = time.monotonic()
        go(round_no=round_no + 1)
    st.rerun()


def _actions(place: Place) -> None:
    assert place.run is not None
    waits_for = place.run.waits_for
    busy = is_busy(place.run_id)
    refusal = help_why_not("owner")
    st.button(
        "Fork",
        key="fork",
        disabled=bool(refusal),
        help=refusal or "A new run that shares the rounds before this one",
        on_click=ask_to_fork,
        args=(place.run_id,),
    )
    fork_dialog(place)
    n = st.number_input(
        "Rounds",
        1,
        MOST_ROUNDS,
        3,
        key="run_count",
        label_visibility="collapsed",
        help="How many rounds to run",
        width=48,
    )
    st.button(
        f"Run {n}",
        key="run_n",
        disabled=bool(waits_for or refusal) or busy,
        help=refusal or f"Annotate and train {n} rounds, one after the other",
        on_click=enqueue_rounds,
        args=(place.run_id, int(n)),
    )
    st.button(
        "Step",
        key="step",
        type="primary",
        disabled=bool(waits_for or refusal) or busy,
        help=refusal or _step_help(place, waits_for, busy=busy),
        on_click=enqueue_rounds,
        args=(place.run_id, 1),
    )


def _step_help(place: Place, waits_for: str, *, busy: bool) -> str:
    if busy:
        return "The worker is at it."
    if waits_for:
        return "Labels are missing: give them on the page Label."
    assert place.run is not None
    who = "The oracle answers what was selected" if place.run.annotator == "oracle" else "Your labels are taken"
    return f"{who}, the model is trained again, and the next examples are selected."


def enqueue_rounds(run_id: str, n: int) -> None:
    """Ask the worker for the next rounds of a run; a refusal is shown."""
    st.session_state.pop(PLAYING, None)
    try:
        enqueue_job(data.store(), "rounds", run=run_id, params={"n": n})
    except AlvinError as error:
        notify(str(error), kind="error")


def _tiles(place: Place) -> None:
    values = round_strip_values(data.record(place.run_id, place.round_no))
    st.html('<div class="alvin-figures">' + "".join(figure_tile(*one) for one in values) + "</div>")
