"""Which files of a store anything names, and removing the others where the arrays are kept, if that is elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import select

from alvin_core.store.database import Store
from alvin_core.store.datasets import dataset_path
from alvin_core.store.mirror import mirror_at
from alvin_core.store.tables import ComparisonRow, RunRow

__all__ = ["DATASET_FILE", "RUN_ID", "leftovers_elsewhere", "named_files", "sweep_elsewhere"]

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


def sweep_elsewhere(store: Store, *, keep: str = "") -> None:
    """Remove what `leftovers_elsewhere` returns, but no data set of the digest ``keep``.

    What cannot be looked for or removed is left, with a line in the log. The caller holds the store's lock.
    """
    mirror = mirror_at(store.path)
    if mirror is not None:
        run_ids, datasets = named_files(store, keep=keep)
        mirror.sweep(store.path / "runs", run_ids, RUN_ID)
        mirror.sweep(store.path / "datasets", datasets, DATASET_FILE)


def leftovers_elsewhere(store: Store) -> list[Path]:
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
    run_ids, datasets = named_files(store)
    return [
        *(store.path / "runs" / name for name in mirror.leftovers(store.path / "runs", run_ids, RUN_ID)),
        *(store.path / "datasets" / name for name in mirror.leftovers(store.path / "datasets", datasets, DATASET_FILE)),
    ]
