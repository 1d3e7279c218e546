"""Finding, listing and deleting runs. Those in the trash are not among them: see `alvin_core.run.trash`."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from alvin_core.run.handle import RunHandle, state_of
from alvin_core.run.run import Run
from alvin_core.run.values import RunInfo
from alvin_core.store.database import Store, open_store
from alvin_core.store.labels import current_labels
from alvin_core.store.rounds import count_rounds
from alvin_core.store.runs import count_cell_runs, find_run, list_run_rows, remove_run
from alvin_core.store.tables import RunRow

__all__ = ["count_comparison_runs", "delete_run", "info_of", "list_runs", "open_run"]


def open_run(store: Path | str, run: str) -> Run:
    """Open a run by its name, its id, or the beginning of its id.

    Raises
    ------
    RunNotFoundError
        When there is none; the message has close names, or says that the run is in the trash.
    StoreError
        When the store cannot be used.
    """
    opened = open_store(store)
    with opened.read() as session:
        row = find_run(session, run)
    return Run(RunHandle(opened, row))


def list_runs(store: Path | str, *, of_comparisons: bool = True) -> list[RunInfo]:
    """Return the runs in a store, oldest first; those in the trash are left out.

    Parameters
    ----------
    store : Path or str
    of_comparisons : bool
        Whether the runs that are cells of comparisons are among them.

    Raises
    ------
    StoreError
        When the store is not there or cannot be used.
    """
    opened = open_store(store)
    with opened.read() as session:
        return [info_of(opened, session, row) for row in list_run_rows(session, cells=of_comparisons)]


def count_comparison_runs(store: Path | str) -> int:
    """Return how many runs are cells of comparisons; those in the trash are left out.

    Raises
    ------
    StoreError
        When the store is not there or cannot be used.
    """
    with open_store(store).read() as session:
        return count_cell_runs(session)


def info_of(store: Store, session: Session, row: RunRow) -> RunInfo:
    """Return a run as lists show it."""
    labels = current_labels(session, row.id)
    return RunInfo(
        id=row.id,
        name=row.name,
        strategy=str(row.settings["strategy"]),
        state=state_of(session, row, labels),
        annotator=row.annotator,
        n_rounds=count_rounds(session, row.id),
        n_labeled=len(labels),
        source=row.source,
        parent=RunHandle(store, row).parent,
        created_at=row.created_at,
    )


def delete_run(store: Path | str, run: str) -> None:
    """Delete a run with its labels, rounds and arrays, for good. Its forks live on.

    Raises
    ------
    RunNotFoundError
        When there is none.
    RunBusyError
        When another process works on it.
    """
    opened = open_store(store)
    with opened.read() as session:
        handle = RunHandle(opened, find_run(session, run))
    with opened.lock(), handle.lock():
        remove_run(opened, handle.row)
