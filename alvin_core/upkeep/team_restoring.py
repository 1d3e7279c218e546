"""A backup made the content of a team's store, which is in a database and has an empty place there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import func, select

from alvin_core.errors import StoreError
from alvin_core.store.arrays import make_folder, sync_folder
from alvin_core.store.database import Store, make_store
from alvin_core.store.jobs import cancel_all
from alvin_core.store.mirror import publish
from alvin_core.store.tables import ComparisonRow, RunRow
from alvin_core.upkeep.filling import fill_tables

__all__ = ["empty_team_store", "fill_team_store"]


@contextmanager
def empty_team_store(folder: Path) -> Iterator[Store]:
    """Lend a team's store that has nothing in it, made where there is none; nobody else makes or removes runs.

    Raises
    ------
    StoreError
        When there is something in it.
    """
    store = make_store(folder)
    with store.lock():
        with store.read() as session:
            n_there = sum(session.scalar(select(func.count()).select_from(one)) or 0 for one in (RunRow, ComparisonRow))
        if n_there:
            raise StoreError(
                f"{store.database.name} holds a store that is in use; name another database, or a new ?schema= of it"
            )
        yield store


def fill_team_store(store: Store, unpacked: Path) -> None:
    """Take over what was unpacked and found sound: first the files, then, in one transaction, the rows that name them.

    Parameters
    ----------
    store : Store
        From `empty_team_store`.
    unpacked : Path
        A folder with ``tables``, ``datasets``, ``runs`` and ``cache``.

    Raises
    ------
    StoreError
        When the disk, the place where the arrays are kept, or the database refuses: then the store stays empty.
    """
    for kind in ("datasets", "runs", "cache"):
        make_folder(store.path / kind)
        for path in sorted((unpacked / kind).iterdir()) if (unpacked / kind).is_dir() else ():
            _take_over(path, store.path / kind / path.name)
            if kind != "cache":
                publish(store.path / kind / path.name)
        sync_folder(store.path / kind)
    with store.write() as session:
        fill_tables(session, unpacked)
        cancel_all(session, "the store was restored from a backup")  # nobody waits for it here


def _take_over(source: Path, target: Path) -> None:
    """Move a file or a folder; what is there by its name was left by a restoration that did not come to its end."""
    if target.is_dir():
        shutil.rmtree(target)
    with suppress(OSError):
        source.rename(target)
        return
    if source.is_dir():  # the target is on another disk
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    for path in (target, *target.rglob("*")) if target.is_dir() else (target,):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
