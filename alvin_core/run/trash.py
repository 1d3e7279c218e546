"""The trash: runs that were deleted and can be brought back. They keep their name, their data and their labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from alvin_core.errors import RunBusyError, SettingsError
from alvin_core.run.handle import RunHandle
from alvin_core.run.opening import info_of
from alvin_core.run.run import Run
from alvin_core.run.values import RunInfo
from alvin_core.store.clock import time_in
from alvin_core.store.database import open_store
from alvin_core.store.jobs import ACTIVE
from alvin_core.store.runs import find_run, list_run_rows, remove_run
from alvin_core.store.tables import JobRow, RunRow, TrashRow

__all__ = ["TrashedRun", "list_trash", "purge_trash", "restore_run", "trash_run"]


@dataclass(frozen=True)
class TrashedRun(RunInfo):
    """A run in the trash, and since when.

    Attributes
    ----------
    deleted_at : str
        ISO 8601, UTC.
    """

    deleted_at: str


def trash_run(store: Path | str, run: str) -> None:
    """Take a run out of every list; `restore_run` brings it back as it was. Its forks live on.

    Raises
    ------
    RunNotFoundError
        When there is none.
    RunBusyError
        When another process works on it, or a job of it waits or runs.
    """
    opened = open_store(store)
    with opened.read() as session:
        row = find_run(session, run)
    with opened.lock(), RunHandle(opened, row).lock(), opened.write() as session:
        _refuse_active(session, row)
        session.add(TrashRow(run_id=row.id, deleted_at=time_in(session).isoformat(timespec="microseconds")))


def restore_run(store: Path | str, run: str) -> Run:
    """Bring a run back from the trash, by its name, its id, or the beginning of its id.

    Raises
    ------
    RunNotFoundError
        When the trash has no such run.
    """
    opened = open_store(store)
    with opened.lock(), opened.write() as session:
        row = find_run(session, run, trashed=True)
        session.delete(session.get_one(TrashRow, row.id))
    return Run(RunHandle(opened, row))


def list_trash(store: Path | str) -> list[TrashedRun]:
    """Return the runs in the trash, the last deleted first.

    Raises
    ------
    StoreError
        When the store is not there or cannot be used.
    """
    opened = open_store(store)
    with opened.read() as session:
        since = {one.run_id: one.deleted_at for one in session.scalars(select(TrashRow))}
        infos = [info_of(opened, session, row) for row in list_run_rows(session, trashed=True)]
    trashed = [TrashedRun(**asdict(info), deleted_at=since[info.id]) for info in infos]
    return sorted(trashed, key=lambda one: one.deleted_at, reverse=True)


def purge_trash(store: Path | str, older_than_days: float = 0, *, run: str | None = None) -> int:
    """Delete runs in the trash for good, and return how many.

    Parameters
    ----------
    store : Path or str
    older_than_days : float
        Only those that have been there for so long; 0 takes all.
    run : str, optional
        Only this one: its name, its id, or the beginning of its id.

    Raises
    ------
    SettingsError
        When the number of days is negative or no number.
    RunNotFoundError
        When the trash has no such run.
    RunBusyError
        When another process works on one; those before it are deleted.
    """
    if not 0 <= older_than_days < timedelta.max.days:
        raise SettingsError(
            f"older_than_days = {older_than_days!r} is out of range: it must be at least 0 and below "
            f"{timedelta.max.days}"
        )
    opened = open_store(store)
    with opened.lock():
        with opened.read() as session:
            since = {one.run_id: datetime.fromisoformat(one.deleted_at) for one in session.scalars(select(TrashRow))}
            rows = list_run_rows(session, trashed=True) if run is None else [find_run(session, run, trashed=True)]
            time = time_in(session)
        # Ages are compared, not dates: a time so many days ago may lie before the first year there is.
        gone = [row for row in rows if older_than_days == 0 or time - since[row.id] >= timedelta(days=older_than_days)]
        for row in gone:
            with opened.run_lock(row.id, row.name):
                remove_run(opened, row)
    return len(gone)


def _refuse_active(session: Session, row: RunRow) -> None:
    active = select(JobRow).where(JobRow.run_id == row.id, JobRow.state.in_(ACTIVE)).order_by(JobRow.id)
    job = session.scalars(active).first()
    if job is not None:
        raise RunBusyError(
            f"the run {row.name!r} has the {job.state} job {job.id} ({job.kind}); wait until it is done, or cancel it"
        )
