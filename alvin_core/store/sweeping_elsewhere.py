"""Which files of a store anything names, and removing the others where the arrays are kept, if that is elsewhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select

from alvin_core.errors import StoreError
from alvin_core.store.arrays import leftovers
from alvin_core.store.database import Store
from alvin_core.store.datasets import dataset_lock, dataset_path
from alvin_core.store.locks import remove_free_lock
from alvin_core.store.mirror import mirror_at
from alvin_core.store.mirror_files import DATASET_FILE, without_part
from alvin_core.store.tables import ComparisonRow, RunRow

__all__ = [
    "RUN_ID",
    "abandoned",
    "keeps_locks",
    "leftovers_elsewhere",
    "named_files",
    "sweep_data_locks",
    "sweep_elsewhere",
]

log = logging.getLogger(__name__)

RUN_ID = re.compile(r"[0-9a-f]{8}")
DATA_LOCK = re.compile(r"data-[0-9a-f]{16}\.lock")


def named_files(store: Store, *, keep: str = "") -> tuple[set[str], set[str]]:
    """Return the ids of all runs, and the names of the files of all data sets that runs and comparisons have.

    The data set of the digest ``keep`` is among them.
    """
    with store.read() as session:
        rows = session.execute(select(RunRow.id, RunRow.dataset)).all()
        digests = {row.dataset for row in rows}.union(session.scalars(select(ComparisonRow.dataset)))
    digests |= {keep} - {""}
    return {row.id for row in rows}, {dataset_path(Path(), digest).name for digest in digests}


def abandoned(store: Store, paths: Iterable[Path], removed: str = "") -> list[Path]:
    """Leave out what a process is at work on: the folder of a run that is to be, or a data set on its way.

    Its lock tells, which ends with the process; that of the run ``removed`` is the caller's own. Ask for what nothing
    names, while the store's lock is held: whoever writes the row that names it holds both.
    """
    locks = [(path, _lock_of(path)) for path in paths]
    return [path for path, lock in locks if lock == removed or store.database.is_free(lock)]


def keeps_locks(store: Store) -> bool:
    """Ask whether this thread still has its locks: without them others may name by now what nothing named before."""
    try:
        store.database.confirm_locks()
    except StoreError as error:
        log.warning("what is left over in %s stays there: %s", store.path, error)
        return False
    return True


def _lock_of(path: Path) -> str:
    name = without_part(path.name).removesuffix(".lock")
    return name if RUN_ID.fullmatch(name) else dataset_lock(name)


def sweep_elsewhere(store: Store, *, keep: str = "", removed: str = "") -> list[Path]:
    """Remove what `leftovers_elsewhere` returns, but no data set of the digest ``keep``; return what went.

    What cannot be looked for or removed is left, with a line in the log. The caller holds the store's lock, and that
    of the run ``removed``.
    """
    mirror, gone = mirror_at(store.path), list[Path]()
    if mirror is None:
        return gone
    try:
        mirror.check()
        for path in leftovers_elsewhere(store, keep=keep, removed=removed):
            if not keeps_locks(store):  # to remove one may take long
                break
            gone += mirror.discard([path])
    except StoreError as error:
        log.warning("what is left over was not looked for: %s", error)
    return gone


def sweep_data_locks(store: Store, *, keep: str) -> None:
    """Remove the files of locks of data sets that are gone, but none that somebody holds."""
    found = leftovers(store.path / "locks", (), DATA_LOCK)
    if not found:  # as in a store that keeps its arrays itself, or has its locks in a server
        return
    kept = {f"{dataset_lock(name)}.lock" for name in named_files(store, keep=keep)[1]}
    for path in found:
        if path.name not in kept:
            remove_free_lock(path)


def leftovers_elsewhere(store: Store, *, keep: str = "", removed: str = "") -> list[Path]:
    """Return what nothing names where the arrays are kept, as it would be called here; none where that is here.

    The caller holds the store's lock.

    Raises
    ------
    StoreError
        When that place cannot be reached.
    """
    mirror = mirror_at(store.path)
    if mirror is None:
        return []
    run_ids, datasets = named_files(store, keep=keep)
    runs, data = store.path / "runs", store.path / "datasets"
    found = [
        *(runs / name for name in mirror.leftovers(runs, run_ids, RUN_ID)),
        *(data / name for name in mirror.leftovers(data, datasets, DATASET_FILE)),
    ]
    return abandoned(store, found, removed)
