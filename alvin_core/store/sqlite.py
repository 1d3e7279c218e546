"""A store's tables in SQLite: a file of the store's folder, and what must hold whenever it is opened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from alvin_core.errors import StoreError
from alvin_core.store.arrays import MAKE_ROOM
from alvin_core.store.location import LOCAL as DATABASE
from alvin_core.store.locks import file_lock
from alvin_core.store.read_only import may_write, read_only_engine, refuse_to_write

__all__ = ["BUSY_SECONDS", "DATABASE", "WRITES", "SqliteDatabase", "strict_json"]

BUSY_SECONDS = 30  # how long a writer waits for another's transaction, all of which are short
ROOM_TO_WORK = 2**16  # bytes; with less on the disk, what fails fails for that
WRITES = "alvin_writes"


class SqliteDatabase:
    """The database of a store that is a folder alone.

    Parameters
    ----------
    folder : Path
        Of the store.
    """

    dialect: Literal["sqlite"] = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def path(self) -> Path:
        return self.folder / DATABASE

    @property
    def name(self) -> str:
        """How messages call it."""
        return str(self.path)

    def exists(self) -> bool:
        """Return whether there is a database at all."""
        return self.path.exists()

    def facts(self) -> dict[str, str] | None:
        """Return the table of facts; None where there are no tables yet.

        Raises
        ------
        StoreError
            When it is another program's.
        """
        with self._engine.connect() as connection:
            tables = inspect(connection).get_table_names()
            if not tables:
                return None
            if "meta" not in tables:
                raise StoreError(f"{self.path} is another program's database; name another folder")
            return {str(key): str(value) for key, value in connection.execute(text("SELECT key, value FROM meta"))}

    def begin_store(self) -> None:
        """Get ready for the tables."""
        with self._engine.connect() as connection:
            # Kept in the file, so it is set once; within no transaction, which it cannot be.
            connection.connection.cursor().execute("PRAGMA journal_mode=WAL").close()

    def reading(self) -> Engine:
        """Return what a reader's transaction runs on."""
        return self._engine

    @contextmanager
    def writing(self) -> Iterator[Engine]:
        """Lend what a writer's transaction runs on."""
        refuse_to_write(self.folder, self.path)
        yield self._engine.execution_options(**{WRITES: True})

    def lock(self, name: str, *, subject: str, wait_seconds: float = 0.0) -> AbstractContextManager[None]:
        """Hold one of the store's locks, a file's; see `alvin_core.store.locks`."""
        refuse_to_write(self.folder, self.path)
        return file_lock(self.folder / "locks" / f"{name}.lock", subject=subject, wait_seconds=wait_seconds)

    def is_free(self, name: str) -> bool:
        """Return whether no process holds a lock."""
        path = self.folder / "locks" / f"{name}.lock"
        if not path.exists():
            return True
        try:
            with file_lock(path, subject=path.name):
                return True
        except StoreError:  # somebody has it, or it cannot be asked for
            return False

    def confirm_locks(self) -> None:
        """Do nothing: the system keeps what this process holds as long as the process lives."""

    def keeps_locks(self) -> bool:
        """Return whether this thread has every lock that it took."""
        return True

    def glance(self) -> tuple[float, ...] | None:
        """Return what changes when anybody writes to the store; None when the store is gone."""
        try:
            found = [self.path.stat()]
        except FileNotFoundError:
            return None
        with suppress(FileNotFoundError):  # it is there while somebody has the database open
            found.append(self.path.with_name(f"{DATABASE}-wal").stat())
        return tuple(value for one in found for value in (one.st_mtime_ns, one.st_size))

    def explain(self, error: DBAPIError) -> str:
        """Say in one line what SQLite complains about, and what to do."""
        reason = str(error.orig)
        if "not a database" in reason or "malformed" in reason:
            return f"{self.path} is damaged or is no database ({reason}); restore it from a copy, or name another store"
        if "unable to open" in reason or "readonly" in reason:
            may = "it may not be written to; copy it to where it may" if not may_write(self.folder) else reason
            return f"the store {self.folder} cannot be opened: {may}"
        is_full = shutil.disk_usage(self.folder).free < ROOM_TO_WORK
        if is_full or "disk is full" in reason:  # SQLite may call this "disk I/O error"
            return f"the store {self.folder} cannot be used: its disk is full; {MAKE_ROOM}"
        if "no such" in reason:
            return f"{self.path} is another program's database, or damaged ({reason}); name another folder"
        if "locked" in reason:
            return f"the store {self.folder} was in use by another process for {BUSY_SECONDS} s; try again"
        return f"the store {self.folder} cannot be used: {reason}"

    @cached_property
    def _engine(self) -> Engine:
        # A connection for each transaction: nothing stays open, so that threads, forks and deletion are all safe.
        url = URL.create("sqlite", database=str(self.path))
        if may_write(self.folder):
            engine = create_engine(url, poolclass=NullPool, json_serializer=strict_json)
        else:
            engine = read_only_engine(self.path, json_serializer=strict_json)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine


def strict_json(value: object) -> str:
    """Return JSON, of numbers that JSON has."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 must begin nothing by itself: `_begin` does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA synchronous=FULL")  # a commit returns once it is on the disk
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer that begins as a reader can fail half-way when another has written since; IMMEDIATE waits first.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
