"""The list of runs: what each is, how far it is, and what can be done with it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError, get_job, list_comparisons, list_jobs, list_trash
from dashboard import data, jobs
from dashboard.acting import enqueue_job
from dashboard.figures.strip import round_strip_values
from dashboard.people import help_why_not, may
from dashboard.state import Place, go, notify
from dashboard.theme import empty_state, section_title
from dashboard.views.explore_fork import ask_to_fork, fork_dialog
from dashboard.views.header import source_name
from dashboard.views.runs_keeping import render_keeping

if TYPE_CHECKING:
    from alvin_core import Job, RunInfo

__all__ = ["render_list"]

OPEN_ROW: Final = "_runs_open"  # the run whose actions are shown; empty: none
ALL_SHOWN: Final = "_runs_all"
COMPARED_TOO: Final = "runs_of_comparisons"
SEARCH_FROM: Final = 11  # runs, from which on a search is worth its place
SHOWN: Final = 20
MOST_ROUNDS: Final = 50
EVERY: Final = 1.0  # seconds between looks at a run that is busy


@dataclass(frozen=True)
class Row:
    """A run as the list shows it."""

    info: RunInfo
    job: Job | None
    parent: str


def render_list(place: Place) -> None:
    """Draw the list, the newest run first."""
    infos = list(reversed(data.runs(of_comparisons=st.session_state.get(COMPARED_TOO, False))))
    section_title(f"Runs ({len(infos)})" if infos else "Runs")
    n_compared = _offer_comparisons()
    if not infos:
        empty_state(
            f"There are no {'other ' if n_compared else ''}runs yet.",
            "Take a sample, or data of your own, and start one beside this."
            if may("owner")
            else "An owner starts them.",
        )
        return
    found = _found(infos)
    if not found:
        empty_state("No run is called so.", "The search looks at names, data and strategies.")
    names = _names(infos)
    busy = {job.run_id: job for job in list_jobs(data.store(), active=True, limit=1000) if job.run_id}
    shown = found if st.session_state.get(ALL_SHOWN) else found[:SHOWN]
    for info in shown:
        parent = "" if info.parent is None else f"forked from {_parent(info.parent, names)}"
        _render_row(place, Row(info, busy.get(info.id), parent))
    if len(found) > len(shown):
        st.button(f"Show all {len(found)}", key="runs_all", on_click=_show_all)


def _offer_comparisons() -> int:
    """Let the user see the runs of comparisons as well, which would drown the others; return how many are finished."""
    found = list_comparisons(data.store()) if data.has_store() else ()
    n_runs = sum(info.n_finished for info in found)
    if n_runs:
        of = "a comparison" if len(found) == 1 else f"{len(found)} comparisons"
        st.checkbox(f"Show the {n_runs:,} finished runs of {of} as well", key=COMPARED_TOO)
    return n_runs


def _show_all() -> None:
    st.session_state[ALL_SHOWN] = True


def _found(infos: list[RunInfo]) -> list[RunInfo]:
    if len(infos) < SEARCH_FROM:
        return infos
    words = st.text_input(
        "Search", key="runs_search", placeholder="Search names, data, strategies", label_visibility="collapsed"
    )
    wanted = words.lower().split()
    return [
        info for info in infos if all(word in f"{info.name} {info.source} {info.strategy}".lower() for word in wanted)
    ]


def _names(infos: list[RunInfo]) -> Mapping[str, str]:
    trashed = {info.id: f"{info.name} (in the trash)" for info in list_trash(data.store())}
    return {**trashed, **{info.id: info.name for info in infos}}


def _parent(parent: tuple[str, int], names: Mapping[str, str]) -> str:
    run_id, round_no = parent
    return f"{names.get(run_id) or _unlisted(run_id)} at round {round_no}"


def _unlisted(run_id: str) -> str:
    """Return the name of a run that is not in the list: that of a comparison, or none any more."""
    try:
        return data.opened(run_id).name
    except AlvinError:
        return f"a run that was deleted ({run_id})"


def _render_row(place: Place, row: Row) -> None:
    info = row.info
    is_open = st.session_state.get(OPEN_ROW, place.run_id) == info.id
    here = "here" if info.id == place.run_id else "other"
    with st.container(key=f"run_row_{here}_{info.id}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"run_line_{info.id}"):
            st.html(_words(row))
            st.button("Open", key=f"open_{info.id}", on_click=_open, args=(info,), width="content")
            st.button(
                "Less" if is_open else "More",
                key=f"more_{info.id}",
                type="tertiary",
                on_click=_toggle,
                args=(info.id, is_open),
                width="content",
            )
        if row.job is not None:
            st.fragment(_busy, run_every=EVERY)(row.job.id)
        if is_open:
            _actions(place, row)


def _words(row: Row) -> str:
    info = row.info
    state = "busy" if row.job else info.state
    words = {"busy": "training", "ready": "ready", "waiting": "waits for labels"}
    if row.job is not None and row.job.kind == "project":
        state, words["busy"] = "busy", "drawing a map"
    rounds = f"{info.n_rounds} round{'' if info.n_rounds == 1 else 's'}"
    strategy = "ALVIN" if info.strategy == "alvin" else info.strategy
    facts = [source_name(info.source), strategy, rounds, f"{info.n_labeled:,} labeled", *_figures(info)]
    origin = [*([row.parent] if row.parent else []), f"created {info.created_at[:16].replace('T', ' ')} UTC"]
    return (
        f'<div class="runs-row"><div class="runs-name"><b>{html.escape(info.name)}</b>'
        f'<span class="runs-state {state}">{words[state]}</span></div>'
        f"<div>{' · '.join(f'<bdi>{html.escape(fact)}</bdi>' for fact in facts)}</div>"
        f'<div class="alvin-note">{html.escape(" · ".join(origin))}</div></div>'
    )


def _figures(info: RunInfo) -> list[str]:
    """Return the accuracies of the newest round; none before the first."""
    if not info.n_rounds:
        return []
    try:
        values = round_strip_values(data.record(info.id, info.n_rounds - 1))
    except AlvinError:  # deleted between two lines; the list is read anew at once
        return []
    return [f"{one.label} {one.value}" for one in values if one.label in ("test", "worst group")]


def _busy(job_id: int) -> None:
    """Tell how far a run's job is; when it ends, the page follows."""
    try:
        job = get_job(data.store(), job_id)
    except AlvinError:  # deleted with its run
        st.rerun()
    if not job.active:
        st.rerun()
    share = min(job.done / job.total, 1.0) if job.total else 0.0
    bar = f'<div class="alvin-bar"><i style="width:{100 * share:.0f}%"></i></div>'
    st.html(f'<div class="alvin-job" role="status"><span>{html.escape(jobs.describe(job))}</span>{bar}</div>')


def _open(info: RunInfo) -> None:
    go(run=info.name, page="label" if info.state == "waiting" and not info.n_rounds else "explore")


def _toggle(run_id: str, is_open: bool) -> None:
    st.session_state[OPEN_ROW] = "" if is_open else run_id


def _actions(place: Place, row: Row) -> None:
    info = row.info
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"run_train_{info.id}"):
        if info.state == "waiting":
            st.button(
                "Give labels",
                key=f"label_{info.id}",
                on_click=lambda: go(run=info.name, page="label"),
                help="This run waits for a person's labels; then it can go on.",
            )
        else:
            _train(row)
        st.button(
            "Fork",
            key=f"fork_{info.id}",
            disabled=not info.n_rounds or not may("owner"),
            help=help_why_not("owner")
            or "A new run that shares the rounds before this one's newest. Explore forks at any round.",
            on_click=ask_to_fork,
            args=(info.id,),
        )
    render_keeping(info)
    if info.n_rounds:
        n = info.n_rounds
        fork_dialog(replace(place, run=data.opened(info.id), run_id=info.id, round_no=n - 1, n_rounds=n))


def _train(row: Row) -> None:
    info = row.info
    n = st.number_input(
        "Rounds",
        1,
        MOST_ROUNDS,
        1 if not info.n_rounds else 3,
        key=f"train_n_{info.id}",
        label_visibility="collapsed",
        width=84,
    )
    training = row.job is not None and row.job.kind == "rounds"
    st.button(
        f"Train {n} round{'' if n == 1 else 's'}",
        key=f"train_{info.id}",
        type="primary",
        disabled=training or not may("owner"),
        on_click=_enqueue,
        args=(info.id, int(n)),
        help=help_why_not("owner")
        or ("The worker is at it." if training else "The run goes on from its newest round."),
    )


def _enqueue(run_id: str, n: int) -> None:
    try:
        enqueue_job(data.store(), "rounds", run=run_id, params={"n": n})
    except AlvinError as error:
        notify(str(error), kind="error")
