"""Starting a new run, and following it until there is something to see."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from alvin_core import AlvinError, Job, RunSettings, get_job
from dashboard import data, jobs
from dashboard.acting import enqueue_job
from dashboard.state import go
from dashboard.theme import plain
from dashboard.views.runs_source import Source, forget_source
from dashboard.watching import watch

__all__ = ["MOST_ROUNDS", "Wanted", "follow", "render_start"]

MOST_ROUNDS: Final = 50
JOB: Final = "_runs_job"  # that this page asked for
FAILED: Final = "_runs_failed"  # why the last start failed
JUST_NOW: Final = 15.0  # seconds: later, whoever comes back to this page wants to stay on it


@dataclass(frozen=True)
class Wanted:
    """All that the form says."""

    source: Source | None
    columns: dict[str, str]
    settings: RunSettings | None
    name: str
    rounds: int


def render_start(wanted: Wanted, data_reason: str, settings_reason: str) -> None:
    """Draw the button, why it cannot be pressed, what became of it, and how far it is."""
    making = JOB in st.session_state
    reason = (
        data_reason
        or ("A setting is wrong." if settings_reason else "")
        or ("This run is being made." if making else "")
    )
    failed = st.session_state.get(FAILED)
    if failed:
        st.error(plain(failed))
    if settings_reason:
        st.error(plain(settings_reason))
    button, words = st.columns([0.22, 0.78], gap="small", vertical_alignment="center")
    with button:
        st.button(
            "Start the run",
            key="start_run",
            type="primary",
            disabled=bool(reason),
            on_click=_start,
            args=(wanted,),
            width="stretch",
        )
    with words:
        if reason and not jobs.active_ids(None):
            st.html(f'<div class="alvin-muted" role="status">{html.escape(reason)}</div>')
        else:
            jobs.job_progress(None)
    watch("", key="watch_making")


def _start(wanted: Wanted) -> None:
    """Ask the worker for the run. Whatever it answers, the form keeps what was typed."""
    st.session_state.pop(FAILED, None)
    source, settings = wanted.source, wanted.settings
    if source is None or settings is None:
        return
    params = {
        "path": source.given,
        "columns": wanted.columns,
        "settings": settings.to_dict(),
        "name": wanted.name or None,
        "rounds": wanted.rounds - 1 if wanted.rounds else None,
        "source": source.name if source.kind == "upload" else source.given,
    }
    try:
        # An upload stays until there is a run with a round: should training fail, it can be tried again.
        st.session_state[JOB] = enqueue_job(data.store(), "create", params=params).id
    except AlvinError as error:
        st.session_state[FAILED] = str(error)


def follow() -> None:
    """Look what became of the run that was asked for here; a finished one is opened."""
    job_id = st.session_state.get(JOB)
    if job_id is None:
        return
    try:
        job = get_job(data.store(), job_id)
    except AlvinError as error:
        st.session_state[FAILED] = str(error)
        del st.session_state[JOB]
        return
    if job.active:
        return
    del st.session_state[JOB]
    if job.state == "failed":
        st.session_state[FAILED] = f"The run could not be made: {job.error or 'the worker ended without a word'}"
    elif job.state == "cancelled":
        made = job.result.get("run")
        there = f"; {made} is in the list, without all of its rounds" if job.result.get("run_id") else ""
        st.session_state[FAILED] = f"Making the run was stopped{there}."
    else:
        _open(job)


def _open(job: Job) -> None:
    forget_source()
    st.session_state.update({"run_name": "", "sample_choice": None, "data_path": ""})
    finished = datetime.now(UTC) if job.finished_at is None else datetime.fromisoformat(job.finished_at)
    if (datetime.now(UTC) - finished).total_seconds() > JUST_NOW:
        return
    try:
        made = data.opened(str(job.result["run_id"]))
    except AlvinError:  # deleted meanwhile
        return
    go(run=made.name, page="label" if made.waits_for else "explore")
    st.rerun()
