"""What the worker does, told on the page: progress, a button that stops it, and what became of it."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from alvin_core import AlvinError, Job, RunNotFoundError, list_jobs
from dashboard import data, people, state
from dashboard.acting import cancel_job
from dashboard.remembering import recall, remember

__all__ = ["EVERY", "active_ids", "active_jobs", "describe", "job_progress", "line_of", "tell_finished"]

EVERY = 0.5  # seconds between looks of what follows one job alone while it runs
TOLD = "jobs-told"  # the mark that has the newest finished job that a browser has shown
STAGES = {
    "": "starting",
    "create": "reading the data",
    "load": "loading the model",
    "tokenise": "cutting texts into tokens",
    "encode": "reading the texts",
    "train": "training",
    "predict": "predicting the pool",
    "retrieve": "retrieving neighbours of the anchors",
    "select": "ranking under every strategy",
    "map": "drawing the map",
    "compare": "training",
    "worlds": "sweeping worlds",
}
KINDS = {
    "rounds": "Training",
    "create": "Making the run",
    "project": "Making the map",
    "compare": "Comparing",
    "phase": "Sweeping worlds",
}
WITHOUT_RUN = ("create", "compare", "phase")


def active_jobs(run_id: str | None) -> list[Job]:
    """Return the jobs of a run that wait or run, oldest first; with no run, those that belong to none."""
    if not data.has_store():
        return []
    try:
        found = list_jobs(data.store(), run=run_id or None, active=True)
    except RunNotFoundError:  # deleted meanwhile, and its jobs with it
        return []
    return [job for job in reversed(found) if run_id or job.kind in WITHOUT_RUN]


def active_ids(run_id: str | None) -> tuple[int, ...]:
    """Return the ids of `active_jobs`."""
    return tuple(job.id for job in active_jobs(run_id))


def job_progress(run_id: str | None) -> None:
    """Show what runs for this run, in a line whose room is kept when nothing does.

    Once on a page. `watching.watch` keeps it up to date, and draws the page anew when a job has come or ended.
    """
    st.fragment(_progress)(run_id)


def line_of(active: list[Job]) -> dict[str, Any] | None:
    """Return what the line of jobs says: ``words``, and the ``share`` that is done or None where that is unknown."""
    if not active:
        return None
    # What runs comes before what waits; a map is the least of it.
    job = min(active, key=lambda one: (one.state != "running", one.kind == "project", one.id))
    more = f" · {len(active) - 1} more waiting" if len(active) > 1 else ""
    return {
        "words": describe(job) + more,
        "share": min(job.done / job.total, 1.0) if job.total else None,
        "job": job.id,
        "stopping": job.cancel,
    }


def _progress(run_id: str | None) -> None:
    line = line_of(active_jobs(run_id))
    with st.container(key="job_line", horizontal=True, vertical_alignment="center"):
        if line is None:
            st.html('<div class="alvin-job">&nbsp;</div>')
            return
        st.html(_line(run_id or "", line["words"], line["share"]))
        st.button(
            "Stopping" if line["stopping"] else "Cancel",
            key="cancel",
            disabled=line["stopping"] or not people.may("owner"),
            help=people.help_why_not("owner"),
            width="content",
            on_click=_cancel,
            args=(line["job"],),
        )


def _cancel(job_id: int) -> None:
    try:
        cancel_job(data.store(), job_id)
    except AlvinError as error:  # it ended meanwhile
        state.notify(str(error))


def _line(run_id: str, words: str, share: float | None) -> str:
    bar = (
        '<div class="alvin-bar unknown"><i></i></div>'
        if share is None
        else f'<div class="alvin-bar"><i style="width:{100 * share:.0f}%"></i></div>'
    )
    said = html.escape(words)
    return (
        f'<div class="alvin-job" role="status" data-run="{html.escape(run_id)}"><span title="{said}">{said}</span>{bar}'
        "</div>"
    )


def describe(job: Job) -> str:
    """Say in words what a job does: ``Training · round 3 (2 of 5), epoch 7 of 10 · 6 s left``."""
    kind = KINDS.get(job.kind, job.kind)
    if job.state == "queued":
        return f"{kind}: waiting for the worker"
    if job.cancel:
        return f"{kind}: stopping"
    stage = STAGES.get(job.stage, job.stage)
    said = [kind, *([stage] if stage != kind.lower() else []), *([job.note] if job.note else [])]
    if not job.note and job.total:
        said.append(f"{job.done:,} of {job.total:,}")
    if job.seconds_left is not None:
        said.append(f"{_duration(job.seconds_left)} left")
    return " · ".join(said)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def tell_finished(run_id: str | None) -> None:
    """Turn what ended since a browser last looked into messages, once; call it before messages are drawn."""
    if not data.has_store():
        return
    jobs = list_jobs(data.store(), limit=50)
    told = _read_told()
    in_session: set[int] = st.session_state.setdefault(state.JOBS_TOLD, set())
    for job in reversed(jobs):
        if job.active or job.id in in_session or job.id <= told:
            continue
        in_session.add(job.id)
        if job.state == "failed":
            state.notify(_failure(job), kind="error", details=job.traceback, key=f"job-{job.id}", job_id=job.id)
        elif job.result.get("waits_for") and job.run_id == run_id:
            state.notify(str(job.result["waits_for"]), kind="info", key=f"job-{job.id}", job_id=job.id)
    oldest_active = min((job.id for job in jobs if job.active), default=None)
    newest = max((job.id for job in jobs), default=0) if oldest_active is None else oldest_active - 1
    if newest > told:
        remember(TOLD, str(newest))


def _failure(job: Job) -> str:
    return f"{KINDS.get(job.kind, job.kind)} failed: {job.error or 'the worker ended without a word'}"


def _read_told() -> int:
    told = recall(TOLD)
    return int(told) if told is not None and told.isdecimal() else 0  # never written, or by somebody else
