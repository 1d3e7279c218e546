"""A store that this user may read and not write to: another's folder, or a disk that is mounted read-only.

SQLite reads a database with a write-ahead log through a second file, ``-shm``, which it makes where there is none.
Where it may make none, a database that nobody has open is read as it lies there (``immutable``), and one that somebody
has open through that one's ``-shm``. A writer who comes while it is read as it lies there is noticed at the end of the
transaction, whose result is then thrown away: half of what was read may be older than the rest.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from alvin_core.errors import StoreError
from alvin_core.store.location import LOCAL, database_url, read_place, store_folder

__all__ = ["may_write", "read_only_engine", "refuse_to_write", "why_read_only"]


class _Connection(sqlite3.Connection):
    """A connection to a database that is read as it lies there, where it has a stamp of that."""

    stamp: tuple[int, ...] | None = None


def may_write(path: Path) -> bool:
    """Tell whether this user may write to a folder or a file; of one that is not there, that nothing forbids it."""
    return not path.exists() or os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def refuse_to_write(folder: Path, database: Path) -> None:
    """Raise unless this user may write to a store, or make it where there is none.

    Raises
    ------
    StoreError
        With the remedy.
    """
    if not folder.exists():
        _refuse_to_make(folder)
    for path in (folder, folder / "locks", database):
        if not may_write(path):
            raise StoreError(
                f"the store {folder} can be read only: this user may not write to {path}; ask for the permission, or "
                "copy the store to where you may write"
            )


def _refuse_to_make(folder: Path) -> None:
    place = folder.absolute()
    above = next((one for one in (place, *place.parents) if os.path.lexists(one)), None)
    if above is None:  # such as a drive's letter, or a computer's name, on Windows
        raise StoreError(
            f"the store {folder} cannot be made: {place.anchor} is not there; connect it, or name another folder with "
            "--store"
        )
    if above.is_symlink() and not above.exists():
        raise StoreError(
            f"the store {folder} cannot be made: {above} is a link to {above.readlink()}, which is not there; make "
            "or mount that folder, or name another with --store"
        )
    if not above.is_dir():
        raise StoreError(f"the store {folder} cannot be made: {above} is a file; name another folder with --store")
    if not may_write(above):
        raise StoreError(
            f"the store {folder} cannot be made: this user may not write to {above}; ask for the permission, or name "
            "another folder with --store"
        )


def why_read_only(store: Path | str) -> str:
    """Return why this user may read a store and not write to it, in one sentence; empty where nothing forbids writing.

    Of a team's store its database decides, which is asked.

    Raises
    ------
    StoreError
        When the address of a team's store leads nowhere.
    """
    folder = store_folder(store)
    place = read_place(folder)
    if place is not None and place.database is not None:
        from alvin_core.store.postgres_rights import why_no_writing

        return why_no_writing(database_url(folder, place), folder)
    try:
        refuse_to_write(folder, folder / LOCAL)
    except StoreError as error:
        return str(error)
    return ""


def read_only_engine(database: Path, **options: Any) -> Engine:
    """Make an engine for a database that may only be read, and whose folder takes no new file.

    Parameters
    ----------
    database : Path
    **options
        Of SQLAlchemy's `create_engine`.
    """

    def connect() -> sqlite3.Connection:
        stamp = None if _is_open(database) else _stamp(database)
        mode = "mode=ro" if stamp is None else "mode=ro&immutable=1"
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?{mode}", uri=True, factory=_Connection)
        connection.stamp = stamp
        return connection

    def check(connection: Connection) -> None:
        opened = connection.connection.driver_connection
        assert isinstance(opened, _Connection)
        if opened.stamp is not None and (_is_open(database) or opened.stamp != _stamp(database)):
            raise StoreError(f"the store {database.parent} was written to while it was read; try again")

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, **options)
    event.listen(engine, "commit", check)
    return engine


def _is_open(database: Path) -> bool:
    """Tell whether somebody has a database open, or was killed while he had."""
    for name in ("-wal", "-shm"):
        with suppress(OSError):
            if database.with_name(database.name + name).stat().st_size:
                return True
    return False


def _stamp(database: Path) -> tuple[int, ...]:
    found = database.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
