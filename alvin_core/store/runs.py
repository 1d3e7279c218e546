"""Runs in the store: naming, finding, adding, deleting."""

from __future__ import annotations

import difflib
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from alvin_core.errors import RunNotFoundError, StoreError
from alvin_core.shown import shown
from alvin_core.store.arrays import NEW, leftovers, remove
from alvin_core.store.database import Store
from alvin_core.store.mirror_same import SAME
from alvin_core.store.snapshots import snapshot_leftovers
from alvin_core.store.sweeping_elsewhere import (
    RUN_ID,
    abandoned,
    keeps_locks,
    named_files,
    sweep_data_locks,
    sweep_elsewhere,
)
from alvin_core.store.tables import (
    AddedExampleRow,
    ComparisonCellRow,
    ComparisonRow,
    LabelRow,
    LeaseRow,
    MarkRow,
    OpinionRow,
    ProposalRow,
    RoundRow,
    RunRow,
    TrashRow,
)

__all__ = [
    "check_name",
    "count_cell_runs",
    "default_name",
    "delete_run_rows",
    "find_run",
    "free_name",
    "in_trash_message",
    "is_trashed",
    "list_run_rows",
    "match_row",
    "new_run_id",
    "refuse_taken",
    "remove_run",
    "store_leftovers",
    "sweep_here",
    "sweep_store",
]

LONGEST_NAME = 64
Named = TypeVar("Named", RunRow, ComparisonRow)

# Every table whose rows belong to one run; a test holds that none is forgotten.
OF_A_RUN = (
    AddedExampleRow,
    LabelRow,
    LeaseRow,
    MarkRow,
    OpinionRow,
    ProposalRow,
    RoundRow,
    TrashRow,
    ComparisonCellRow,
)
SHORTEST_ID = 4  # characters of an id that stand for the whole: fewer, and a mistyped name would delete a run
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RUN_LOCK = re.compile(r"[0-9a-f]{8}\.lock")
STAGE = re.compile(r"unpack-[0-9a-f]{8}")  # of a run that is being unpacked
UNPACK_LOCK = "unpack.lock"
# A data set here; what is noted of it; and a copy that older versions set aside while they fetched another.
DATASET_FILE = re.compile(rf"[0-9a-f]{{64}}\.npz({re.escape(SAME)}|{re.escape(NEW)})?")


def new_run_id() -> str:
    """Return a new run's id, random and short enough to type."""
    return secrets.token_hex(4)


def check_name(name: str, kind: str = "run") -> str:
    """Return a name when it is a good one.

    Parameters
    ----------
    name : str
    kind : str
        What is to be called so, for the message.

    Raises
    ------
    StoreError
        When it is empty, too long, or holds anything but letters, digits, ``-``, ``_`` and ``.``.
    """
    if len(name) > LONGEST_NAME:
        raise StoreError(
            f"the {kind} name {name[:20]!r}… has {len(name)} characters; at most {LONGEST_NAME} are allowed"
        )
    if not NAME.fullmatch(name):
        raise StoreError(
            f"{shown(name)} cannot name a {kind}; "
            "use letters, digits, '-', '_' and '.', and begin with a letter or digit"
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
    taken = set(session.scalars(select(RunRow.name)))  # those in the trash keep theirs
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
        When one has, be it in the trash.
    """
    taken = session.scalar(select(RunRow.id).where(RunRow.name == name))
    if taken is None:
        return name
    if is_trashed(session, taken):
        raise StoreError(
            f"a run called {name!r} is in the trash; choose another name, bring it back with `alvin restore {name}`, "
            "or delete what is there with `alvin trash --empty`"
        )
    raise StoreError(f"there is a run called {name!r} already; choose another name, or delete that run")


def is_trashed(session: Session, run_id: str) -> bool | None:
    """Return whether a run is in the trash; None where there is no such run."""
    both = select(RunRow.id, TrashRow.run_id).outerjoin(TrashRow, TrashRow.run_id == RunRow.id)
    found = session.execute(both.where(RunRow.id == run_id)).one_or_none()
    return None if found is None else found[1] is not None


def list_run_rows(session: Session, *, trashed: bool = False, cells: bool = True) -> list[RunRow]:
    """Return all runs, oldest first: those in use, or those in the trash; with the cells of comparisons or without."""
    in_trash = RunRow.id.in_(select(TrashRow.run_id))
    query = select(RunRow).where(in_trash if trashed else ~in_trash)
    if not cells:
        query = query.where(RunRow.id.not_in(select(ComparisonCellRow.run_id)))
    return list(session.scalars(query.order_by(RunRow.created_at, RunRow.id)))


def count_cell_runs(session: Session) -> int:
    """Return how many runs are cells of comparisons, those in the trash left out."""
    in_use = ComparisonCellRow.run_id.not_in(select(TrashRow.run_id))
    return session.scalar(select(func.count()).select_from(ComparisonCellRow).where(in_use)) or 0


def find_run(session: Session, run: str, *, trashed: bool = False) -> RunRow:
    """Find a run by its name, its id, or the beginning of its id, at least 4 characters of it.

    Parameters
    ----------
    session : Session
    run : str
    trashed : bool
        Look among the runs in the trash, and there alone.

    Raises
    ------
    RunNotFoundError
        When there is none, with close names; when it is in the trash; or when several ids begin so.
    """
    rows = list_run_rows(session, trashed=trashed)
    found = match_row(run, rows)
    if found is not None:
        return found
    if trashed:
        names = [row.name for row in rows]
        there = _some(names) if names else "none"
        raise RunNotFoundError(f"no run called {shown(run)} is in the trash; there are: {there}")
    thrown_away = match_row(run, list_run_rows(session, trashed=True))
    if thrown_away is not None:
        raise RunNotFoundError(in_trash_message(thrown_away))
    raise RunNotFoundError(_not_found(run, [row.name for row in rows]))


def in_trash_message(row: RunRow) -> str:
    """Say that a run is in the trash, and how to have it back."""
    return f"the run {row.name!r} is in the trash; bring it back with `alvin restore {row.name}`"


def match_row(
    name: str, rows: Sequence[Named], *, what: str = "runs", error: type[StoreError] = RunNotFoundError
) -> Named | None:
    """Return the one row that a name, an id or its beginning means; None where there is none.

    Raises
    ------
    StoreError
        As ``error``, when several ids begin so.
    """
    exact = [row for row in rows if row.name == name] or [row for row in rows if row.id == name]
    if exact:
        return exact[0]
    matches = [row for row in rows if len(name) >= SHORTEST_ID and row.id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        found = ", ".join(f"{row.id} ({row.name})" for row in matches)
        raise error(f"several {what} begin with {name!r}: {found}; give more of the id, or the name")
    return None


def _not_found(run: str, names: list[str]) -> str:
    if not names:
        return f"no run is called {shown(run)}: the store is empty; make one with `alvin run`"
    near = difflib.get_close_matches(run, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {_some(names)}"
    return f"no run is called {shown(run)}; {hint}"


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def remove_run(store: Store, run: RunRow) -> None:
    """Delete a run, its arrays, and its data set when no other run has it. The caller holds both locks."""
    with store.write() as session:
        delete_run_rows(session, run.id)
    shutil.rmtree(store.run_folder(run.id), ignore_errors=True)
    sweep_store(store, removed=run.id)


def delete_run_rows(session: Session, run_id: str) -> None:
    """Delete all that the database holds of a run. What is left of it on the disk goes with `sweep_store`."""
    for table in OF_A_RUN:
        session.execute(delete(table).where(table.run_id == run_id))
    session.execute(delete(RunRow).where(RunRow.id == run_id))


def sweep_store(store: Store, *, keep: str = "", removed: str = "") -> list[Path]:
    """Remove folders of no run, be it in the trash, and data sets of no run and no comparison; return what went.

    The caller holds the store's lock, and may be about to name a data set, whose digest is ``keep``; or has just
    removed a run of the id ``removed``, whose lock it holds.
    """
    gone = sweep_here(store, keep=keep, removed=removed)
    sweep_elsewhere(store, keep=keep, removed=removed)
    return gone


def sweep_here(store: Store, *, keep: str = "", removed: str = "") -> list[Path]:
    """Do what `sweep_store` does, in the store's folder alone."""
    found = store_leftovers(store, keep=keep, removed=removed)
    if not keeps_locks(store):
        return []
    gone = remove(found)
    sweep_data_locks(store, keep=keep)
    return gone


def store_leftovers(store: Store, *, keep: str = "", removed: str = "") -> list[Path]:
    """Return what `sweep_store` would remove. The caller holds the store's lock."""
    run_ids, datasets = named_files(store, keep=keep)
    staged = leftovers(store.path / "runs", (), STAGE)
    unnamed = [
        *leftovers(store.path / "runs", run_ids, RUN_ID),
        *leftovers(store.path / "datasets", {*datasets, *(f"{name}{SAME}" for name in datasets)}, DATASET_FILE),
        *leftovers(store.path / "locks", {f"{run_id}.lock" for run_id in run_ids}, RUN_LOCK),
    ]
    return [
        *abandoned(store, unnamed, removed),
        *(staged if staged and store.database.is_free(Path(UNPACK_LOCK).stem) else ()),
        *snapshot_leftovers(store),
    ]
