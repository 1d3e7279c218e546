"""Opening a store: its folder, its database, and what must hold before anything is written to it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from alvin_core.errors import StoreError, StoreVersionError
from alvin_core.store.arrays import MAKE_ROOM, disk_reason, make_folder
from alvin_core.store.locks import file_lock
from alvin_core.store.mounts import refuse_network_drive
from alvin_core.store.tables import SCHEMA_VERSION, MetaRow, Table

__all__ = ["Store", "open_store"]

DATABASE = "alvin.db"
FOLDERS = ("runs", "datasets", "cache", "locks")
OLDEST_VERSION = 1  # the oldest that is brought up to date
BUSY_SECONDS = 30  # how long a writer waits for another's transaction, all of which are short
ROOM_TO_WORK = 2**16  # bytes; with less on the disk, what fails fails for that
WRITES = "alvin_writes"


@dataclass(frozen=True)
class Store:
    """An opened store; made by `open_store`."""

    path: Path

    @property
    def cache(self) -> Path:
        """The folder of cached embeddings."""
        return self.path / "cache"

    def run_folder(self, run_id: str) -> Path:
        """The folder of one run's arrays."""
        return self.path / "runs" / run_id

    @cached_property
    def _engine(self) -> Engine:
        return _make_engine(self.path / DATABASE)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Read within one transaction: what is seen does not change half-way."""
        with self._errors(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Write within one transaction, begun as a writer; it is on disk when the block ends."""
        engine = self._engine.execution_options(**{WRITES: True})
        with self._errors(), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def run_lock(self, run_id: str, name: str) -> Iterator[None]:
        """Be the only process at work on a run.

        Raises
        ------
        RunBusyError
            When another is.
        """
        with file_lock(self.path / "locks" / f"{run_id}.lock", subject=f"run {name!r}"):
            yield

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only process that makes or removes runs; these are short, so others wait."""
        with store_lock(self.path):
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the database's and the disk's complaints into a `StoreError`."""
        try:
            yield
        except DBAPIError as error:
            raise StoreError(_explain(self.path / DATABASE, error)) from error
        except OSError as error:
            raise StoreError(f"the store {self.path} cannot be used: {disk_reason(error)}") from error


def open_store(path: Path | str, *, create: bool = False) -> Store:
    """Open the folder where runs live.

    Parameters
    ----------
    path : Path or str
        A folder.
    create : bool
        Make the store where there is none.

    Raises
    ------
    StoreError
        When the path is a file, lies on a network drive, may not be written, or holds something else than a store.
    StoreVersionError
        When a newer version wrote it.
    """
    path = Path(path).expanduser().absolute()
    store = Store(path)
    with store._errors():
        if path.exists() and not path.is_dir():
            raise StoreError(f"{path} is a file; a store is a folder: name another")
        refuse_network_drive(path)
        if not (path / DATABASE).exists() and not create:
            raise StoreError(f"there is no store at {path}; name another with --store, or make one with `alvin run`")
        for folder in FOLDERS:
            make_folder(path / folder)
    if not _is_current(store):
        with store.lock():
            _bring_up_to_date(store)
    return store


@contextmanager
def store_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a whole store."""
    with file_lock(path / "locks" / "store.lock", subject=f"the store {path}", wait_seconds=BUSY_SECONDS):
        yield


def _is_current(store: Store) -> bool:
    """Return whether the tables are there, ours, and of this version; False where there are none or older ones."""
    with store.read() as session:
        tables = inspect(session.connection()).get_table_names()
        if not tables:
            return False
        if MetaRow.__tablename__ not in tables:
            raise StoreError(f"{store.path / DATABASE} is another program's database; name another folder")
        value = session.scalar(select(MetaRow.value).where(MetaRow.key == "schema_version"))
    version = int(value) if value is not None and value.isdecimal() else 0
    if version > SCHEMA_VERSION:
        raise StoreVersionError(
            f"the store {store.path} has version {version}, this ALVIN Studio reads {SCHEMA_VERSION}; upgrade it"
        )
    if version < OLDEST_VERSION:
        raise StoreVersionError(f"the store {store.path} has version {value!r}, of which nothing is known")
    return version == SCHEMA_VERSION


def _bring_up_to_date(store: Store) -> None:
    if _is_current(store):  # another process was quicker
        return
    with store._errors(), store._engine.connect() as connection:
        # Kept in the file, so it is set once; within no transaction, which it cannot be.
        connection.connection.cursor().execute("PRAGMA journal_mode=WAL").close()
    with store.write() as session:
        # Every version so far only added tables, so what is missing is what an older store needs.
        Table.metadata.create_all(session.connection())
        session.merge(MetaRow(key="schema_version", value=str(SCHEMA_VERSION)))


def _make_engine(path: Path) -> Engine:
    # A connection for each transaction: nothing stays open, so that threads, forks and deletion are all safe.
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, poolclass=NullPool, json_serializer=_strict_json)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


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


def _strict_json(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _explain(path: Path, error: DBAPIError) -> str:
    reason = str(error.orig)
    if "not a database" in reason or "malformed" in reason:
        return f"{path} is damaged or is no database ({reason}); restore it from a copy, or name another store"
    if "unable to open" in reason or "readonly" in reason:
        may = "it may not be written to; copy it to where it may" if not os.access(path.parent, os.W_OK) else reason
        return f"the store {path.parent} cannot be opened: {may}"
    if shutil.disk_usage(path.parent).free < ROOM_TO_WORK:  # SQLite may call this "disk I/O error"
        return f"the store {path.parent} cannot be used: its disk is full; {MAKE_ROOM}"
    if "no such" in reason:
        return f"{path} is another program's database, or damaged ({reason}); name another folder"
    if "locked" in reason:
        return f"the store {path.parent} was in use by another process for {BUSY_SECONDS} s; try again"
    return f"the store {path.parent} cannot be used: {reason}"
