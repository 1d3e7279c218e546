"""Opening a store: its folder, its database, and what must hold before anything is written to it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alvin_core.errors import StoreError, StoreVersionError
from alvin_core.store.arrays import disk_reason, make_folder
from alvin_core.store.location import ARRAYS, LOCAL, SERVER, STORE_ID, Place, database_url, read_place, store_folder
from alvin_core.store.mounts import refuse_network_drive
from alvin_core.store.read_only import may_write, refuse_to_write
from alvin_core.store.sqlite import BUSY_SECONDS, SqliteDatabase
from alvin_core.store.tables import SCHEMA_VERSION, MetaRow, Table

if TYPE_CHECKING:
    from alvin_core.store.postgres import PostgresDatabase

__all__ = ["Store", "make_store", "open_store"]

FOLDERS = ("runs", "datasets", "cache", "locks")
OLDEST_VERSION = 1  # the oldest that is brought up to date
VERSION = "schema_version"
PATIENT_SECONDS = 600  # how long to wait for who makes or removes runs where their arrays, or ours, took long


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
    def place(self) -> Place | None:
        """What the folder says of its database and arrays; None where both are in it."""
        return read_place(self.path)

    @cached_property
    def database(self) -> SqliteDatabase | PostgresDatabase:
        """Where the tables are."""
        if self.place is None or self.place.database is None:
            return SqliteDatabase(self.path)
        from alvin_core.store.postgres import PostgresDatabase

        return PostgresDatabase(database_url(self.path, self.place), self.path)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Read within one transaction: what is seen does not change half-way."""
        with self._errors(), Session(self.database.reading(), expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Write within one transaction, begun as a writer; it is on disk when the block ends."""
        with (
            self._errors(),
            self.database.writing() as bind,
            Session(bind, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def run_lock(self, run_id: str, name: str) -> Iterator[None]:
        """Be the only process at work on a run.

        Raises
        ------
        RunBusyError
            When another is.
        """
        with self.database.lock(run_id, subject=f"run {name!r}"):
            yield

    @contextmanager
    def lock(self, *, patient: bool = False) -> Iterator[None]:
        """Be the only process that makes or removes runs; these are short, so others wait.

        Parameters
        ----------
        patient : bool
            Wait long: to give up would throw away what took long to make.

        Raises
        ------
        RunBusyError
            When another is, for longer than that.
        """
        is_far = self.place is not None and self.place.arrays is not None
        wait_seconds = PATIENT_SECONDS if patient or is_far else BUSY_SECONDS
        with self.database.lock("store", subject=f"the store {self.path}", wait_seconds=wait_seconds):
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the database's and the disk's complaints into a `StoreError`."""
        try:
            yield
        except DBAPIError as error:
            raise StoreError(self.database.explain(error)) from error
        except UnicodeEncodeError as error:
            raise StoreError(
                f"the text {error.object[:60]!r} cannot be stored: its character {error.start} is half of one; mend it"
            ) from error
        except OSError as error:
            raise StoreError(f"the store {self.path} cannot be used: {disk_reason(error)}") from error


def open_store(path: Path | str, *, create: bool = False) -> Store:
    """Open the place where runs live.

    Parameters
    ----------
    path : Path or str
        A folder; or the address of a team's database, see `alvin_core.store.location.store_folder`.
    create : bool
        Make the store where there is none.

    Raises
    ------
    StoreError
        When the path is a file, lies on a network drive, may not be written, or holds something else than a store; when
        the database cannot be reached or used, or the folder is another store's.
    StoreVersionError
        When a newer version wrote it.
    """
    path = store_folder(path)
    store = Store(path)
    with store._errors():
        if create and not path.exists():
            refuse_to_write(path, path / LOCAL)
        if path.exists() and not path.is_dir():
            raise StoreError(f"{path} is a file; a store is a folder: name another")
        if store.database.dialect == "sqlite":
            refuse_network_drive(path)
            if not store.database.exists() and not create:
                raise StoreError(
                    f"there is no store at {path}; name another with --store, or make one with `alvin run`"
                )
        if may_write(path):
            for folder in FOLDERS:
                make_folder(path / folder)
    if not _is_current(store, create=create):
        _refuse_others_runs(store)
        with store.lock():
            _bring_up_to_date(store)
    return store


def make_store(path: Path) -> Store:
    """Open a team's store, made where there is none, whatever is in its folder: what a backup has is to come there."""
    store = Store(path)
    with store._errors():
        if not path.exists():
            refuse_to_write(path, path / LOCAL)
        for folder in FOLDERS:
            make_folder(path / folder)
    if not _is_current(store):
        with store.lock():
            _bring_up_to_date(store)
    return store


def _is_current(store: Store, *, create: bool = True) -> bool:
    """Return whether the tables are there, ours, and of this version; False where there are none or older ones."""
    with store._errors():
        facts = store.database.facts()
    if facts is None and not create and not store.database.exists():
        raise StoreError(
            f"there is no store in {store.database.name}; name another with --store, or make one with `alvin run`"
        )
    if facts is None:
        return False
    value = facts.get(VERSION)
    version = int(value) if value is not None and value.isdecimal() else 0
    if version > SCHEMA_VERSION:
        raise StoreVersionError(
            f"the store {store.path} has version {version}, this ALVIN Studio reads {SCHEMA_VERSION}; upgrade it"
        )
    if version < OLDEST_VERSION:
        raise StoreVersionError(f"the store {store.path} has version {value!r}, of which nothing is known")
    if store.place is not None and store.place.id and facts.get(STORE_ID, store.place.id) != store.place.id:
        raise StoreError(
            f"{store.path} is the folder of another store than the one in {store.database.name}; name the store by its "
            "database: --store URL"
        )
    told = set[str]() if store.place is None else {STORE_ID} if store.place.database is None else {STORE_ID, SERVER}
    return version == SCHEMA_VERSION and told <= facts.keys()


def _bring_up_to_date(store: Store) -> None:
    if _is_current(store):  # another process was quicker
        return
    with store._errors():
        store.database.begin_store()
    with store.write() as session:
        if session.get_bind().dialect.name != "sqlite":
            _refuse_others_tables(store, session)
        # Every version so far only added tables, so what is missing is what an older store needs.
        Table.metadata.create_all(session.connection())
        session.merge(MetaRow(key=VERSION, value=str(SCHEMA_VERSION)))
        if store.place is not None and session.get(MetaRow, STORE_ID) is None:
            session.merge(MetaRow(key=STORE_ID, value=store.place.id or secrets.token_hex(8)))
            session.merge(MetaRow(key=ARRAYS, value=store.place.arrays or str(store.path)))
        database = store.database
        if database.dialect == "postgresql" and session.get(MetaRow, SERVER) is None:
            session.merge(MetaRow(key=SERVER, value=database.server()))


def _refuse_others_runs(store: Store) -> None:
    """Raise where a folder has runs that its database knows nothing of: a sweep would remove them."""
    if store.place is None or store.place.database is None or store.database.exists():
        return
    if any((store.path / "runs").iterdir()):
        raise StoreError(
            f"{store.path} has runs, and {store.database.name} holds no store: was it dropped? Restore it from a "
            "backup with `alvin restore FILE.tar`, or empty the folder's runs and datasets"
        )


def _refuse_others_tables(store: Store, session: Session) -> None:
    """Raise where a database without a store has tables that a store would take for its own."""
    there = set(inspect(session.connection()).get_table_names())
    taken = sorted(there & set(Table.metadata.tables))
    if taken and MetaRow.__tablename__ not in there:
        raise StoreError(
            f"{store.database.name} has a table {taken[0]!r} of another program; name another database, or a schema "
            "of its own with ?schema="
        )
