"""A store's tables in PostgreSQL.

One process writes at a time, as in SQLite: a writer's transaction begins by taking a lock of the store, so that it sees
all that was written before, and events are numbered without gaps.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from alvin_core.errors import StoreError
from alvin_core.store.address import plain_address, schema_of
from alvin_core.store.postgres_copies import refuse_copy, server_of
from alvin_core.store.postgres_errors import explain_postgres, refuse_server
from alvin_core.store.sqlite import BUSY_SECONDS, WRITES, strict_json

__all__ = ["MADE", "PostgresDatabase", "lock_key", "stored_facts"]

KEPT_CONNECTIONS = 5  # of each process and database; more are made while more threads ask at once
IDLE_SECONDS = 60  # a process that stops in mid-write, such as on a laptop that sleeps, keeps others out no longer
# Both ends notice within a minute that the other is gone: a lock must not outlive its machine, nor a round its lock.
CLIENT = {"connect_timeout": "10", "keepalives_idle": "20", "keepalives_interval": "10", "keepalives_count": "3"}
SERVER = {"tcp_keepalives_idle": "20", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
WRITER = "writer"
MADE = "alvin_made"  # of a connection: when, by the clock of this process
LONGEST_NAME = 63  # characters that the server keeps of a connection's name


class PostgresDatabase:
    """The database of a team's store, as one folder reaches it.

    Parameters
    ----------
    url : URL
        With the password where the address had one, and ``schema`` where the store is in one of its own.
    folder : Path
        Of the store.
    """

    dialect: Literal["postgresql"] = "postgresql"

    def __init__(self, url: URL, folder: Path) -> None:
        self.url, self.folder = url, folder

    @property
    def name(self) -> str:
        """How messages call it; no secret is in it."""
        return f"the database {plain_address(self.url)}"

    @property
    def schema(self) -> str:
        return schema_of(self.url)

    def exists(self) -> bool:
        """Return whether there is a store."""
        return self.facts() is not None

    def facts(self) -> dict[str, str] | None:
        """Return the table of facts; None where there is none yet."""
        return stored_facts(self.url)

    def server(self) -> str:
        """Return which server, database and schema this is; empty where the server does not tell."""
        try:
            return server_of(self._engine, self.schema)
        except SQLAlchemyError as error:
            raise StoreError(self.explain(error)) from error

    def version(self) -> str:
        """Return the server's version.

        Raises
        ------
        StoreError
            When it cannot be reached.
        """
        try:
            with self.reading().connect() as connection:
                return str(connection.scalar(text("SHOW server_version"))).split(" ")[0]
        except SQLAlchemyError as error:
            raise StoreError(self.explain(error)) from error

    def begin_store(self) -> None:
        """Get ready for the tables: make the schema that the address names."""
        with self.reading().connect() as connection:
            there = connection.scalar(text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": self.schema})
        if there:
            return
        with self._engine.execution_options(**{WRITES: True}).begin() as connection:
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'))  # checked: letters, digits, _
        self._engine.dialect.default_schema_name = self.schema  # looked up once, before there was one

    def reading(self) -> Engine:
        """Return what a reader's transaction runs on."""
        return self._engine

    @contextmanager
    def writing(self) -> Iterator[Engine | Connection]:
        """Lend what a writer's transaction runs on: the connection of this thread's locks, where it holds any.

        So what a lock is for cannot be written once the lock is lost.
        """
        from alvin_core.store.postgres_locks import connection_of_locks

        held = connection_of_locks(self)
        yield self._engine.execution_options(**{WRITES: True}) if held is None else held

    def lock(self, name: str, *, subject: str, wait_seconds: float = 0.0) -> AbstractContextManager[None]:
        """Hold one of the store's locks, the server's; see `alvin_core.store.postgres_locks`."""
        from alvin_core.store.postgres_locks import server_lock

        return server_lock(self, name, subject=subject, wait_seconds=wait_seconds)

    def is_free(self, name: str) -> bool:
        """Return whether no process holds a lock."""
        from alvin_core.store.postgres_locks import holder_of

        return holder_of(self, name) is None

    def confirm_locks(self) -> None:
        """Ask the server whether this thread has every lock that it took.

        Raises
        ------
        StoreError
            When it has not: the connection was lost.
        """
        from alvin_core.store.postgres_locks import confirm_locks

        confirm_locks(self)

    def keeps_locks(self) -> bool:
        """Return whether this thread has every lock that it took, as far as it has heard."""
        with suppress(StoreError), self.writing():
            return True
        return False

    def glance(self) -> tuple[float, ...] | None:
        """Return what is never the same: whether anybody wrote is known by asking alone. None: the folder is gone."""
        return (time.monotonic(),) if self.folder.is_dir() else None

    def explain(self, error: Exception) -> str:
        """Say in one line what the server complains about, and what to do."""
        return explain_postgres(self.name, error)

    @property
    def _engine(self) -> Engine:
        return _engine_of(self.url)


def stored_facts(url: URL) -> dict[str, str] | None:
    """Return the table of facts of the store in a database; None where there is none.

    Raises
    ------
    StoreError
        When the database cannot be reached, is of no use, has such a table of another program, or is a copy of the
        store's database.
    """
    try:
        with _engine_of(url).connect() as connection:
            table = f'"{schema_of(url)}".meta'
            if connection.scalar(text("SELECT to_regclass(:table)"), {"table": table}) is None:
                return None
            facts = {str(key): str(value) for key, value in connection.execute(text("SELECT key, value FROM meta"))}
        refuse_copy(_engine_of(url), url, facts)
    except SQLAlchemyError as error:
        raise StoreError(explain_postgres(f"the database {plain_address(url)}", error)) from error
    else:
        return facts


def lock_key(database: PostgresDatabase, name: str) -> int:
    """Return the number of a lock. The server knows locks of a whole database, by numbers; a store is in a schema."""
    digest = hashlib.sha256(f"alvin\0{database.schema}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def connection_name() -> str:
    """Return how others see this process's connections: it tells them who holds a lock."""
    host = "".join(one if one.isalnum() or one in "-._" else "?" for one in socket.gethostname())
    return f"alvin {os.getpid()}@{host}"[:LONGEST_NAME]


_engines: dict[tuple[int, str], Engine] = {}  # by process: a fork must not use its parent's connections
_parents: list[Engine] = []  # kept, because to let go of a connection would end it for the parent
_guard = Lock()


@atexit.register
def _close_engines() -> None:
    for (pid, _), engine in list(_engines.items()):
        if pid == os.getpid():
            engine.dispose()


def _engine_of(url: URL) -> Engine:
    key = (os.getpid(), url.render_as_string(hide_password=False))
    with _guard:
        _parents.extend(_engines.pop(other) for other in list(_engines) if other[0] != key[0])
        if key not in _engines:
            _engines[key] = _make_engine(url)
        return _engines[key]


def _make_engine(url: URL) -> Engine:
    query = {name: value for name, value in url.query.items() if name not in ("schema", "application_name")}
    try:
        engine = create_engine(
            url.set(query=query),
            # Kept open, because to connect takes five times as long as to write a label; looked at before each use.
            pool_size=KEPT_CONNECTIONS,
            max_overflow=-1,
            pool_pre_ping=True,
            connect_args={name: value for name, value in CLIENT.items() if name not in query}
            | {"application_name": connection_name()},
            json_serializer=strict_json,
            use_native_hstore=False,
        )
    except ImportError as error:
        raise StoreError("a store in PostgreSQL needs psycopg: pip install 'alvin-studio[team]'") from error
    event.listen(engine, "connect", lambda raw, _record: _prepare(raw, url), insert=True)  # before any look at tables
    event.listen(engine, "connect", lambda _raw, record: record.info.update({MADE: time.monotonic()}))
    event.listen(engine, "begin", lambda connection: _begin(connection, url))
    return engine


def _prepare(raw: Any, url: URL) -> None:
    """Make a new connection what every transaction of this program expects."""
    settings = {"search_path": f'"{schema_of(url)}"', "lock_timeout": f"{BUSY_SECONDS}s", **SERVER}
    wanted = ", ".join(f"set_config('{name}', %s, false)" for name in settings)
    try:
        raw.autocommit = True
        version, encoding, safe = raw.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),"
            # A commit returns once it is on the disk; a server may be set to wait for even more.
            " set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
            " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)"
        ).fetchone()
        # Of a database without an encoding, the driver gives texts as bytes.
        refuse_server(plain_address(url), version, encoding if isinstance(encoding, str) else encoding.decode())
        raw.execute(f"SELECT {wanted}", list(settings.values()))
        if version >= 140000:
            raw.execute("SET idle_session_timeout = 0")  # a round may take hours, and its lock must hold
        raw.autocommit = False
    except BaseException:
        with suppress(Exception):
            raw.close()
        raise
    assert safe


def _begin(connection: Connection, url: URL) -> None:
    import psycopg

    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    levels = psycopg.IsolationLevel
    if not connection.get_execution_options().get(WRITES, False):
        raw.read_only, raw.isolation_level = True, levels.REPEATABLE_READ  # what is seen does not change half-way
        return
    # What is seen is looked up anew by each statement, thus after the wait for the lock; nobody else writes meanwhile.
    # Whether it may write, the server decides: a role, or a full disk's database, may be set to read alone.
    raw.read_only, raw.isolation_level = None, levels.READ_COMMITTED
    key = lock_key(PostgresDatabase(url, Path()), WRITER)
    connection.exec_driver_sql(
        "SELECT set_config('idle_in_transaction_session_timeout', %s, true), pg_advisory_xact_lock(%s)",
        (f"{IDLE_SECONDS}s", key),
    )
