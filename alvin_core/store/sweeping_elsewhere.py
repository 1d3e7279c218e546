"""Which files of a store anything names, and removing the others where the arrays are kept, if that is elsewhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select

from alvin_core.errors import StoreError
from alvin_core.store.database import Store
from alvin_core.store.datasets import dataset_lock, dataset_path
from alvin_core.store.mirror import mirror_at
from alvin_core.store.mirror_files import without_part
from alvin_core.store.tables import ComparisonRow, RunRow

__all__ = [
    "DATASET_FILE",
    "RUN_ID",
    "abandoned",
    "keeps_locks",
    "leftovers_elsewhere",
    "named_files",
    "sweep_elsewhere",
]

log = logging.getLogger(__name__)

RUN_ID = re.compile(r"[0-9a-f]{8}")
DATASET_FILE = re.compile(r"[0-9a-f]{64}\.npz")


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


def sweep_elsewhere(store: Store, *, keep: str = "", removed: str = "") -> None:
    """Remove what `leftovers_elsewhere` returns, but no data set of the digest ``keep``.

    What cannot be looked for or removed is left, with a line in the log. The caller holds the store's lock, and that
    of the run ``removed``.
    """
    mirror = mirror_at(store.path)
    if mirror is None:
        return
    try:
        mirror.check()
        for path in leftovers_elsewhere(store, keep=keep, removed=removed):
            if not keeps_locks(store):  # to remove one may take long
                return
            mirror.discard([path])
    except StoreError as error:
        log.warning("what is left over was not looked for: %s", error)


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
