"""The line on top of every page: where one can go, and which run and round is in sight."""

from __future__ import annotations

import html
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import streamlit as st

from dashboard import data, people, state, theme
from dashboard.own_store import why_closed
from dashboard.state import NO_ROUND, PAGES, Page, Place
from dashboard.views import signing_in, tour
from dashboard.watching import look, watch

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from alvin_core import RunInfo

__all__ = ["actions", "render", "render_notices"]

TITLES: dict[Page, str] = {
    "explore": "Explore",
    "compare": "Compare",
    "shortcuts": "Shortcuts",
    "label": "Label",
    "classroom": "Classroom",
    "runs": "Runs",
}
_ACTIONS = "_header_actions"
CLOSED: Final = "Nothing can be changed on this server."


def render(place: Place) -> None:
    """Draw the header and the messages under it."""
    with st.container(key="header", horizontal=True, vertical_alignment="center"):
        st.html('<span class="alvin-brand">ALVIN Studio</span>', width="content")
        with st.container(key="nav", horizontal=True):
            for page in PAGES:
                _link(page, here=page == place.page)
        _pulse(place)
        if place.run is not None:
            _chips(place)
        st.session_state[_ACTIONS] = st.container(key="header_actions", horizontal=True)
        signing_in.render_who(people.person())
        st.button("?", key="tour_open", help="Show the tour", on_click=tour.open_tour, width="content")
    _say_closed()
    render_notices()


def _say_closed() -> None:
    """Say on top of every page that nothing can be changed, where the store may only be read."""
    why = why_closed()
    if not why:
        return
    who = people.person()
    told = f"{why[0].upper()}{why[1:]}." if who.role == "owner" else "Its store may only be read: ask who runs it."
    st.html(f'<div class="alvin-closed" role="status"><b>{CLOSED}</b> {html.escape(told)}</div>')


def actions() -> DeltaGenerator:
    """Return the container at the header's right end, for a page's main buttons. Empty at the start of each run."""
    container: DeltaGenerator = st.session_state[_ACTIONS]
    return container


def _link(page: Page, *, here: bool) -> None:
    with st.container(key=f"nav-{page}-here" if here else f"nav-{page}-other", width="content"):
        st.button(
            TITLES[page],
            key=f"nav_{page}",
            type="tertiary",
            width="content",
            on_click=lambda: state.go(page=page),
        )


def _chips(place: Place) -> None:
    run = place.run
    assert run is not None  # the caller looked
    name = theme.plain(run.name)
    # The name first: a narrow window cuts what comes after it.
    with st.popover(f"**{name}** · {theme.plain(source_name(run.source))}", key="run_menu", on_change="rerun") as menu:
        if menu.open:
            _run_menu(run.id)
    if place.round_no == NO_ROUND:
        strategy, words = run.settings.strategy, "<b>No round yet</b>"
    else:
        record = data.record(run.id, place.round_no)
        strategy, words = record.strategy, f"<b>Round {record.round}</b> · {record.n_labeled:,} labeled"
    shown = "ALVIN" if strategy == "alvin" else html.escape(strategy)
    st.html(
        f'<span class="alvin-chip"><span class="alvin-chip-word">{theme.term("strategy")} </span><b>{shown}</b></span>',
        width="content",
    )
    st.html(f'<span class="alvin-chip">{words}</span>', width="content")


def source_name(source: str) -> str:
    """Return a short name of where data came from: a file's name without its ending."""
    short = PurePath(source.replace("\\", "/")).name or source or "data"
    stem = short.rsplit(".", 1)[0] or short
    return stem if len(stem) <= 24 else stem[:23] + "…"


def _run_menu(run_id: str) -> None:
    infos = {info.id: info for info in reversed(data.runs())}
    if run_id not in infos:  # one of a comparison
        infos |= {info.id: info for info in data.runs(of_comparisons=True) if info.id == run_id}

    def change() -> None:
        chosen = st.session_state["run_choice"]
        state.go(run=infos[chosen].name)

    ids = list(infos)
    st.session_state["run_choice"] = run_id
    st.selectbox(
        "Run",
        ids,
        key="run_choice",
        format_func=lambda id_: _describe(infos[id_]),
        on_change=change,
    )
    st.button("All runs, and new ones", key="all_runs", on_click=lambda: state.go(page="runs"))


def _describe(info: RunInfo) -> str:
    rounds = "no round yet" if info.n_rounds == 0 else f"round {info.n_rounds - 1}"
    return f"{info.name} — {info.strategy}, {rounds}, {info.n_labeled:,} labeled"


def _pulse(place: Place) -> None:
    """Follow what other tabs, or the worker, did to the run, and say when the worker is away."""
    with st.container(key="pulse", width="content"):
        sight = look(place.run_id)
        hidden = " hidden" if sight["worker"] else ""
        words = "the worker is starting"
        st.html(f'<span class="alvin-chip warn alvin-worker-away"{hidden}>{words}</span>', width="content")
        watch(place.run_id, key="watch", sight=sight)


def render_notices() -> None:
    """Show the messages, each with a button that takes it away."""
    with st.container(key="notices"):
        for number, notice in enumerate(state.notices()):
            with st.container(key=f"notice_{notice.kind}_{number}", horizontal=True, vertical_alignment="center"):
                st.html(f'<div class="alvin-message" role="status">{html.escape(notice.text)}</div>')
                if notice.details:
                    with st.popover("Details", key=f"details_{number}", width="content"):
                        st.html(f'<pre class="alvin-details">{html.escape(notice.details)}</pre>')
                st.button(
                    "Dismiss",
                    key=f"dismiss_{number}",
                    type="tertiary",
                    width="content",
                    on_click=lambda key=notice.key: state.dismiss(key),
                )
