"""Jobs as those see them who ask for work: put one in the queue, see how far it is, stop it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.orm import Session

from alvin_core.errors import RunBusyError, SettingsError, StoreError
from alvin_core.store.database import open_store
from alvin_core.store.jobs import ACTIVE, active_jobs, add_job, ask_to_stop, find_job, list_job_rows
from alvin_core.store.rounds import count_rounds
from alvin_core.store.runs import find_run, refuse_taken
from alvin_core.store.tables import JobRow, RunRow
from alvin_core.worker.params import KINDS, NEEDS_RUN, checked_params

__all__ = ["Job", "JobState", "cancel_job", "enqueue_job", "get_job", "list_jobs"]

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Job:
    """One piece of long work, as it was when it was read.

    Attributes
    ----------
    id : int
    kind : {"rounds", "create", "project", "compare", "phase"}
    run_id : str or None
        Of ``create``, None until there is a run.
    params : dict
    state : {"queued", "running", "done", "failed", "cancelled"}
    cancel : bool
        Somebody asked it to stop.
    stage : str
        What it does now: the stages of `ProgressEvent`, and ``"map"``.
    done, total : int
        Of the stage; ``total`` is 0 where it is not known.
    note : str
        In words: ``"round 3 (2 of 5), epoch 4 of 10"``.
    seconds_left : float or None
        Of the whole job, as far as it can be told.
    result : dict
        What is finished, while it runs as well. ``rounds`` and ``create``: ``rounds`` (numbers), ``notes``,
        ``waits_for`` where a person must annotate first and ``ended`` where the pool is used up. ``create`` also
        ``run_id`` and ``run``; ``project``: ``round``, ``space`` and ``revision``; ``compare``: ``comparison`` (its
        name), ``comparison_id``, ``n_cells`` and ``n_finished``; ``phase``: ``points``.
    error : str
        One line for a person, of a job that failed.
    traceback : str
    created_at, started_at, heartbeat, finished_at : str or None
        ISO 8601, UTC. The worker writes the heartbeat every second.
    """

    id: int
    kind: str
    run_id: str | None
    params: dict[str, Any]
    state: JobState
    cancel: bool
    stage: str
    done: int
    total: int
    note: str
    seconds_left: float | None
    result: dict[str, Any]
    error: str
    traceback: str
    created_at: str
    started_at: str | None
    heartbeat: str | None
    finished_at: str | None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def enqueue_job(
    store: Path | str, kind: str, *, run: str | None = None, params: Mapping[str, Any] | None = None
) -> Job:
    """Ask the worker for a piece of work; it waits in the queue where there is no worker.

    Parameters
    ----------
    store : Path or str
    kind : {"rounds", "create", "project", "compare", "phase"}
        ``rounds`` trains ``params["n"]`` more rounds of a run, 1 by default. ``project`` makes the map of
        ``params["round"]`` in ``params["space"]`` (``model`` by default). ``create`` makes a run of the data at
        ``params["path"]`` (a file, a sample's name, or ``hf:…``), with ``columns``, ``settings`` (nested), ``name``,
        ``seed``, ``strict``, ``classes`` and ``source``; with ``rounds`` it trains round 0 and so many more;
        ``delete_after`` removes an upload once the job is done; one that failed can be asked for again. ``compare``
        compares ``strategies`` over ``seeds`` (a list, or how many) and ``rounds``, with ``settings`` (nested) and
        ``vary``, under ``name``, on the data of ``run``, or at ``path`` as ``create`` reads it; with ``comparison``, a
        name, it goes on with that one, grown by strategies, seeds and rounds. ``phase`` takes the values of a
        `WorldPhasePlan`.
    run : str, optional
        A name or id; of ``rounds`` and ``project``.
    params : mapping, optional

    Returns
    -------
    Job
        The new one, or the one that is in the queue or at work for the very same already.

    Raises
    ------
    SettingsError
        When the kind or a parameter is unknown or out of range.
    DataError
        When there is nothing at the path.
    RunNotFoundError
        When there is no such run.
    RunBusyError
        When rounds of the run are asked for already.
    StoreError
        When the store cannot be used, the name is bad or taken, or there is no such round.
    """
    if kind not in KINDS:
        raise SettingsError(f"job kind {kind!r} is unknown; choose one of: {', '.join(KINDS)}")
    if (run is not None) != (kind in NEEDS_RUN):
        given = "none" if run is None else repr(run)
        raise SettingsError(f"a job {kind!r} needs {'a run' if kind in NEEDS_RUN else 'no run'}, {given} was given")
    opened = open_store(store, create=kind not in NEEDS_RUN)
    checked = checked_params(kind, params or {}, opened.path)
    with opened.write() as session:
        run_row = None if run is None else find_run(session, run)
        run_id = None if run_row is None else run_row.id
        for other in active_jobs(session, kind, run_id):
            if run_row is not None and kind == "rounds":
                raise RunBusyError(f"rounds of {run_row.name!r} are under way: job {other.id}; wait, or cancel it")
            if other.params == checked and not other.cancel:
                return job_of(other)
        _check_possible(session, kind, run_row, checked)
        return job_of(add_job(session, kind, run_id, checked))


def list_jobs(store: Path | str, *, run: str | None = None, active: bool = False, limit: int = 50) -> list[Job]:
    """Return jobs, newest first.

    Parameters
    ----------
    store : Path or str
    run : str, optional
        Only those of this run: its name or id.
    active : bool
        Only those that wait or run.
    limit : int
        At most so many.

    Raises
    ------
    RunNotFoundError
        When there is no such run.
    SettingsError
        When the limit is less than 1.
    """
    if limit < 1:
        raise SettingsError(f"limit = {limit} is out of range: it must be at least 1")
    with open_store(store).read() as session:
        run_id = None if run is None else find_run(session, run).id
        return [job_of(row) for row in list_job_rows(session, run_id=run_id, active=active, limit=limit)]


def get_job(store: Path | str, job_id: int) -> Job:
    """Return one job.

    Raises
    ------
    StoreError
        When there is none with this number.
    """
    with open_store(store).read() as session:
        return job_of(_found(session, job_id))


def cancel_job(store: Path | str, job_id: int) -> Job:
    """Ask a job to stop. One that waits is cancelled at once, one at work within two seconds; what it finished stays.

    Raises
    ------
    StoreError
        When there is none with this number.
    """
    with open_store(store).write() as session:
        row = _found(session, job_id)
        ask_to_stop(session, row)
        return job_of(row)


def job_of(row: JobRow) -> Job:
    """Return a stored job's values."""
    return Job(**{item.name: getattr(row, item.name) for item in fields(Job)})


def _found(session: Session, job_id: int) -> JobRow:
    row = find_job(session, job_id)
    if row is None:
        raise StoreError(f"there is no job {job_id}; old ones are forgotten: `alvin jobs` lists those that are there")
    return row


def _check_possible(session: Session, kind: str, run: RunRow | None, params: Mapping[str, Any]) -> None:
    """Refuse at once what the worker would only find out when the job's turn comes."""
    name, round_no = params.get("name"), params.get("round")
    if name is not None and kind == "create":
        refuse_taken(session, name)
    if run is not None and round_no is not None:
        n_rounds = count_rounds(session, run.id)
        if round_no >= n_rounds:
            have = f"it has rounds 0 to {n_rounds - 1}" if n_rounds else "it has none yet"
            raise StoreError(f"the run {run.name!r} has no round {round_no}: {have}")
