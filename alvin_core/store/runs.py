"""Runs in the store: naming, finding, adding, deleting."""

from __future__ import annotations

import difflib
import re
import secrets
import shutil
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from alvin_core.errors import RunNotFoundError, StoreError
from alvin_core.store.arrays import sweep
from alvin_core.store.database import Store
from alvin_core.store.datasets import dataset_path
from alvin_core.store.tables import LabelRow, MarkRow, ProposalRow, RoundRow, RunRow, TrashRow

__all__ = [
    "check_name",
    "default_name",
    "find_run",
    "free_name",
    "list_run_rows",
    "new_run_id",
    "refuse_taken",
    "remove_run",
    "sweep_store",
]

LONGEST_NAME = 64
SHORTEST_ID = 4  # characters of an id that stand for the whole: fewer, and a mistyped name would delete a run
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RUN_ID = re.compile(r"[0-9a-f]{8}")
RUN_LOCK = re.compile(r"[0-9a-f]{8}\.lock")
DATASET_FILE = re.compile(r"[0-9a-f]{64}\.npz")


def new_run_id() -> str:
    """Return a new run's id, random and short enough to type."""
    return secrets.token_hex(4)


def check_name(name: str) -> str:
    """Return a run's name when it is a good one.

    Raises
    ------
    StoreError
        When it is empty, too long, or holds anything but letters, digits, ``-``, ``_`` and ``.``.
    """
    if len(name) > LONGEST_NAME:
        raise StoreError(f"the run name {name[:20]!r}… has {len(name)} characters; at most {LONGEST_NAME} are allowed")
    if not NAME.fullmatch(name):
        raise StoreError(
            f"{name!r} cannot name a run; use letters, digits, '-', '_' and '.', and begin with a letter or digit"
        )
    return name


def default_name(source: str, strategy: str) -> str:
    """Make a name of where the data came from and what selects: ``reviews-alvin``."""
    # Both kinds of slash, because a store may be read on another system than the one that named the source.
    stem = re.split(r"[/\\]", source.rstrip("/\\"))[-1]
    stem = stem if stem.startswith(".") else stem.split(".")[0]
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")
    return f"{cleaned[:40].rstrip('-._') or 'run'}-{strategy}"


def free_name(session: Session, name: str) -> str:
    """Return the name, or the name with the first free number: ``reviews-alvin-2``."""
    taken = set(session.scalars(select(RunRow.name)))
    free, number = name[:LONGEST_NAME], 1
    while free in taken:
        number += 1
        suffix = f"-{number}"
        free = name[: LONGEST_NAME - len(suffix)] + suffix
    return free


def refuse_taken(session: Session, name: str) -> str:
    """Return the name when no run has it.

    Raises
    ------
    StoreError
        When one has.
    """
    if session.scalar(select(RunRow.id).where(RunRow.name == name)) is not None:
        raise StoreError(f"there is a run called {name!r} already; choose another name, or delete that run")
    return name


def list_run_rows(session: Session) -> list[RunRow]:
    """Return all runs, oldest first."""
    return list(session.scalars(select(RunRow).order_by(RunRow.created_at, RunRow.id)))


def find_run(session: Session, run: str) -> RunRow:
    """Find a run by its name, its id, or the beginning of its id, at least 4 characters of it.

    Raises
    ------
    RunNotFoundError
        When there is none, with close names; or when several ids begin so.
    """
    rows = list_run_rows(session)
    exact = [row for row in rows if row.name == run] or [row for row in rows if row.id == run]
    if exact:
        return exact[0]
    matches = [row for row in rows if len(run) >= SHORTEST_ID and row.id.startswith(run)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        found = ", ".join(f"{row.id} ({row.name})" for row in matches)
        raise RunNotFoundError(f"several runs begin with {run!r}: {found}; give more of the id, or the name")
    raise RunNotFoundError(_not_found(run, [row.name for row in rows]))


def _not_found(run: str, names: list[str]) -> str:
    if not names:
        return f"no run is called {run!r}: the store is empty; make one with `alvin run`"
    near = difflib.get_close_matches(run, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {_some(names)}"
    return f"no run is called {run!r}; {hint}"


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def remove_run(store: Store, run: RunRow) -> None:
    """Delete a run, its arrays, and its data set when no other run has it. The caller holds both locks."""
    with store.write() as session:
        for table in (LabelRow, MarkRow, ProposalRow, RoundRow, TrashRow):
            session.execute(delete(table).where(table.run_id == run.id))
        session.execute(delete(RunRow).where(RunRow.id == run.id))
    shutil.rmtree(store.run_folder(run.id), ignore_errors=True)
    sweep_store(store)


def sweep_store(store: Store) -> None:
    """Remove folders and data sets that belong to no run. The caller holds the store's lock."""
    with store.read() as session:
        rows = list_run_rows(session)
    sweep(store.path / "runs", {row.id for row in rows}, RUN_ID)
    sweep(store.path / "datasets", {dataset_path(Path(), row.dataset).name for row in rows}, DATASET_FILE)
    sweep(store.path / "locks", {f"{row.id}.lock" for row in rows}, RUN_LOCK)
