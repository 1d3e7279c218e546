"""Label: one example after the other from the keyboard, or a region of the map at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import data, state
from dashboard.acting import enqueue_job
from dashboard.at_hand import is_busy
from dashboard.jobs import job_progress
from dashboard.labelling_cues import begin_counting
from dashboard.labelling_desk import Message
from dashboard.labelling_queue import left_of, names_of
from dashboard.labelling_seat import lease_seconds, stamp_of
from dashboard.people import help_why_not, may
from dashboard.state import Place
from dashboard.theme import card, empty_state
from dashboard.views.label_bench import REGION, Bench, bench_of, opinions_of, pool_of, shown_text
from dashboard.views.label_browse import render_finder, render_region
from dashboard.views.label_card import PRESSES, render_card, render_message, state_of, take_press, undo_button
from dashboard.views.label_side import progress_of, render_name, render_side

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

__all__ = ["render"]

ASSETS: Final = Path(__file__).parents[1] / "assets"
HEIGHT: Final = 668  # pixels of the columns: with the header and the line of jobs they fill a screen of 800
LOOK_EVERY: Final = 3.0  # seconds between two looks of the browser at what others do
SEAT: Final = "label_seat"  # key of what tells that somebody is here
MODE: Final = "label_mode"
OPENED: Final = "_label_opened"  # the example that the address asked for, once it is in front
WORDS: Final = {"queue": "Queue", "browse": "Browse"}


def render(place: Place) -> None:
    """Draw the page."""
    _furnish()
    bench = bench_of(place)
    opinions_of(bench)  # read before the first key, so that no key has to wait for it
    if bench.n_rounds:
        begin_counting(bench.run, bench.n_rounds - 1)
    _open_asked(place, bench)
    with st.container(key="label_page"):
        _work(place)
        job_progress(place.run_id)


def _furnish() -> None:
    """Put the page's style into the page; it takes no room."""
    st.html(f"<style>{_asset('label.css')}</style>")


@lru_cache(maxsize=3)
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _presses() -> Callable[..., object]:
    return st.components.v2.component("alvin_label_presses", js=_asset("label_keys.js"))


@lru_cache(maxsize=1)
def _seat() -> Callable[..., object]:
    return st.components.v2.component("alvin_label_seat", js=_asset("label_seat.js"))


def _open_asked(place: Place, bench: Bench) -> None:
    """Put the example of the address in front, when the address asks for one that was not asked for before."""
    asked = place.example
    if asked is None or st.session_state.get(OPENED) == (place.run_id, asked):
        return
    st.session_state[OPENED] = (place.run_id, asked)
    if asked not in pool_of(bench.run).index_of:
        text = f"Run {bench.run.name} has no pool example {asked}; only those are labeled."
        bench.desk.message = Message("error", text)
        return
    st.session_state.pop(REGION, None)  # it would stand in the example's place
    bench.desk.mode, bench.desk.found = "browse", [asked]
    bench.desk.show(asked)


@st.fragment(key="label_work")
def _work(place: Place) -> None:
    """All that a key changes: it reruns alone."""
    try:
        bench = bench_of(place)
        bench.desk.look(bench.run, bench.annotator)
    except AlvinError as error:  # the run was deleted, or the disk is gone
        empty_state("Nothing can be labeled here.", f"{error}.")
        return
    left, right = st.columns([62, 38], gap="small")
    _draw_columns(place, bench, left, right)
    with st.container(key="label_presses_box"):
        _sit(bench)
        # Last, and never twice the same: when it arrives in the browser the page is drawn and takes the next press.
        stamp = time.time_ns()
        _presses()(key=PRESSES, data={"stamp": str(stamp)}, height=1, on_press_change=partial(take_press, place))


def _sit(bench: Bench) -> None:
    """Have the browser tell whether its person is here, and follow what others do to the queue."""
    seat, sight = bench.desk.seat, bench.desk.state
    told = {"seat": "", "stamp": "", "every": 0}
    if seat is not None and sight is not None:
        every = min(LOOK_EVERY, lease_seconds() / 5)
        told = {"seat": seat.token, "stamp": stamp_of(sight, seat.annotator), "every": round(1000 * every)}
    _seat()(key=SEAT, data=told, height=1, on_changed_change=lambda: None)


def _draw_columns(place: Place, bench: Bench, left: DeltaGenerator, right: DeltaGenerator) -> None:
    with left, card("label_left", height=HEIGHT):
        _mode(place, bench)
        _left(place, bench)
    with right, card("label_right", height=HEIGHT):
        render_name(bench)
        if bench.desk.mode == "browse":
            render_finder(place, bench)
        render_side(place, bench)


def _mode(place: Place, bench: Bench) -> None:
    st.session_state[MODE] = bench.desk.mode
    with st.container(key="label_bar", horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "What to label",
            list(WORDS),
            key=MODE,
            format_func=lambda mode: WORDS[mode],
            required=True,
            label_visibility="collapsed",
            on_change=_turn,
            args=(place,),
        )
        if bench.refusal:
            st.html(f'<span class="label-look-on">Look on: {shown_text(bench.refusal)}.</span>')
        elif not bench.can_label:
            st.html('<span class="label-hint">Enter your name on the right; the keys work from then on.</span>')


def _turn(place: Place) -> None:
    bench_of(place).desk.turn_to(st.session_state[MODE])


def _left(place: Place, bench: Bench) -> None:
    if bench.desk.mode == "browse" and render_region(place, bench):
        return
    if bench.desk.current is not None:
        render_card(place, bench)
    elif bench.desk.mode == "browse":
        empty_state("No example is open.", "Search, or take one of the lists on the right; a click opens it here.")
        render_message(bench)
    else:
        _nothing_pending(place, bench)


def _nothing_pending(place: Place, bench: Bench) -> None:
    """Say why the queue is empty and what comes next."""
    st.html(f'<div class="label-state" {state_of(bench)}></div>')
    total = progress_of(bench).total
    run, others = bench.run, _with_others(bench)
    waits_for = run.waits_for
    train = "Train" if may("owner") else "An owner trains"
    if others:
        empty_state(
            "Nothing is left for you now.", f"{others}. What is given back, or is wanted of you, comes by itself."
        )
    elif waits_for:  # such as a second class
        more = "" if bench.refusal else " Browse finds more examples to label."
        empty_state("The next round cannot be trained yet.", f"{waits_for}.{more}")
    elif not bench.n_rounds and run.annotator == "oracle":
        empty_state("Nothing is proposed yet.", f"The initial labels come from the data set. {train} round 0 to begin.")
    elif not total:
        empty_state("Nothing is left to propose.", "Every example of the pool has a label.")
    else:
        what = "proposed examples are" if bench.n_rounds else "examples of the initial set are"
        more = "" if bench.refusal else ", or go on freely under Browse"
        empty_state(f"All {total:,} {what} labeled.", f"{train} the next round on them{more}.")
    with st.container(key="label_next", horizontal=True, horizontal_alignment="center"):
        st.button(
            "Train the next round" if bench.n_rounds else "Train round 0",
            key="train_next",
            type="primary",
            disabled=bool(waits_for or others) or not may("owner") or is_busy(place.run_id),
            help=help_why_not("owner"),
            on_click=_train,
            args=(place.run_id,),
        )
        undo_button(place, bench)
    render_message(bench)


def _with_others(bench: Bench) -> str:
    """Say what of the proposal is still open though this person's queue is empty; empty where nothing is."""
    state = bench.desk.state
    if state is None or not state.n_open:
        return ""
    left = left_of(state, bench.annotator)
    parts = []
    if left.n_others:
        parts.append(f"{left.n_others:,} {'is' if left.n_others == 1 else 'are'} with {names_of(left.others)}")
    if left.n_waiting:
        wants = "waits" if left.n_waiting == 1 else "wait"
        parts.append(f"{left.n_waiting:,} {wants} for what others say of {'it' if left.n_waiting == 1 else 'them'}")
    return " and ".join(parts) or f"{left.n:,} are open"


def _train(run_id: str) -> None:
    try:
        enqueue_job(data.store(), "rounds", run=run_id, params={"n": 1})
    except AlvinError as error:
        state.notify(str(error), kind="error")
    st.rerun()  # the whole page: its line of jobs stands outside of this fragment
