"""Jobs in the store: long work that somebody asked for, and how far the worker is with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import case, delete, select, update
from sqlalchemy.orm import Session

from alvin_core.store.labels import now
from alvin_core.store.tables import JobRow

__all__ = [
    "ACTIVE",
    "KEPT_JOBS",
    "active_jobs",
    "add_job",
    "ask_to_stop",
    "cancel_all",
    "claim_job",
    "end_abandoned",
    "end_job",
    "find_job",
    "is_asked_to_stop",
    "list_job_rows",
    "next_job_id",
    "report_job",
]

ACTIVE = ("queued", "running")
KEPT_JOBS = 500  # finished ones; older are forgotten
DOING = {"rounds": "trained rounds", "create": "made a run", "project": "drew a map"}


def add_job(session: Session, kind: str, run_id: str | None, params: Mapping[str, Any]) -> JobRow:
    """Put a job in the queue. The caller has checked it."""
    row = JobRow(
        kind=kind,
        run_id=run_id,
        params=dict(params),
        state="queued",
        cancel=False,
        stage="",
        done=0,
        total=0,
        note="",
        result={},
        error="",
        traceback="",
        created_at=now(),
    )
    session.add(row)
    session.flush()  # numbers it
    return row


def find_job(session: Session, job_id: int) -> JobRow | None:
    """Return one job, or None when it is not there."""
    return session.get(JobRow, job_id)


def active_jobs(session: Session, kind: str, run_id: str | None) -> list[JobRow]:
    """Return the jobs of a kind and a run that wait or run, oldest first."""
    of_run = JobRow.run_id.is_(None) if run_id is None else JobRow.run_id == run_id
    query = select(JobRow).where(JobRow.state.in_(ACTIVE), JobRow.kind == kind, of_run)
    return list(session.scalars(query.order_by(JobRow.id)))


def list_job_rows(session: Session, *, run_id: str | None, active: bool, limit: int) -> list[JobRow]:
    """Return jobs, newest first; of one run or of all."""
    query = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
    if run_id is not None:
        query = query.where(JobRow.run_id == run_id)
    if active:
        query = query.where(JobRow.state.in_(ACTIVE))
    return list(session.scalars(query))


def next_job_id(session: Session) -> int | None:
    """Return the job that is to run next: the oldest, but maps after all else, because somebody waits for that."""
    later = case((JobRow.kind == "project", 1), else_=0)
    return session.scalar(select(JobRow.id).where(JobRow.state == "queued").order_by(later, JobRow.id).limit(1))


def claim_job(session: Session, job_id: int, worker_pid: int) -> JobRow | None:
    """Take a job from the queue; None when it was cancelled meanwhile."""
    row = session.get(JobRow, job_id)
    if row is None or row.state != "queued":
        return None
    row.state, row.worker_pid = "running", worker_pid
    row.started_at = row.heartbeat = now()
    return row


def is_asked_to_stop(session: Session, job_id: int) -> bool:
    """Return whether somebody asked the job to stop; a job that is gone has nobody who wants it."""
    wanted = session.scalar(select(JobRow.cancel).where(JobRow.id == job_id))
    return wanted is None or wanted


def ask_to_stop(session: Session, row: JobRow) -> None:
    """Cancel a job that waits, or ask the worker to stop one that runs. One that has ended stays as it is."""
    if row.state not in ACTIVE:
        return
    row.cancel = True
    if row.state == "queued":
        row.state, row.finished_at = "cancelled", now()


def report_job(session: Session, job_id: int, values: Mapping[str, Any]) -> None:
    """Write how far a running job is. Without values, only that it is alive."""
    running = update(JobRow).where(JobRow.id == job_id, JobRow.state == "running")
    session.execute(running.values({**values, "heartbeat": now()}))


def end_job(session: Session, job_id: int, state: str, values: Mapping[str, Any]) -> None:
    """Write how a job ended, and forget the oldest that have.

    A job that was done before it heard of the wish to stop is done, and nobody's wish is left on it.
    """
    running = update(JobRow).where(JobRow.id == job_id, JobRow.state == "running")
    ended = now()
    fixed = {"state": state, "cancel": state == "cancelled", "seconds_left": None}
    fixed |= {"heartbeat": ended, "finished_at": ended}
    session.execute(running.values({**values, **fixed}))
    _forget_old(session)


def cancel_all(session: Session, note: str) -> None:
    """Cancel every job that waits or runs, in a store that has no worker."""
    ended = now()
    active = update(JobRow).where(JobRow.state.in_(ACTIVE))
    session.execute(active.values(state="cancelled", note=note, finished_at=ended, seconds_left=None))


def end_abandoned(session: Session) -> int:
    """End the jobs that run in name only; return how many. The caller holds the worker's lock, so nobody is at them."""
    rows = list(session.scalars(select(JobRow).where(JobRow.state == "running")))
    for row in rows:
        row.state, row.finished_at, row.seconds_left = "failed", now(), None
        if row.cancel:
            row.state, row.note = "cancelled", "the worker ended"
            continue
        doing = DOING.get(row.kind, f"did the job {row.kind!r}")
        row.error = f"the worker ended while it {doing}; nothing that was finished is lost: start it again"
    return len(rows)


def _forget_old(session: Session) -> None:
    ended = select(JobRow.id).where(JobRow.state.not_in(ACTIVE)).order_by(JobRow.id.desc())
    oldest_kept = session.scalar(ended.offset(KEPT_JOBS - 1).limit(1))
    if oldest_kept is not None:
        session.execute(delete(JobRow).where(JobRow.id < oldest_kept, JobRow.state.not_in(ACTIVE)))
