"""Locks that a PostgreSQL server keeps: they hold for all machines, and die with the process that has them.

A thread holds all its locks of a store on one connection of its own, and writes on that same connection meanwhile: when
the connection breaks, the server gives the locks to others, and this thread can write no more of what they were for.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from alvin_core.errors import RunBusyError, StoreError
from alvin_core.store.postgres import PostgresDatabase, connection_name, lock_key
from alvin_core.store.sqlite import BUSY_SECONDS, WRITES

if TYPE_CHECKING:
    import psycopg

__all__ = ["confirm_locks", "connection_of_locks", "holder_of", "server_lock"]

# A server needs a moment to notice that a process was killed, whose lock the next one may want at once.
PATIENCE_SECONDS = 0.5
HOLDER = re.compile(r"alvin (\d+)@(.+)")
WHO_HOLDS = """
SELECT activity.application_name, locks.pid
FROM pg_locks AS locks LEFT JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
WHERE locks.locktype = 'advisory' AND locks.granted AND locks.objsubid = 1
  AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((locks.classid::bigint << 32) | locks.objid::bigint) = :key
"""


@dataclass
class _Held:
    """The connection of a thread's locks of one store, and their names."""

    connection: Connection
    raw: psycopg.Connection[Any]
    names: list[str] = field(default_factory=list)

    @property
    def is_lost(self) -> bool:
        return self.connection.invalidated or self.raw.closed or self.raw.broken


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.held: dict[tuple[int, str], _Held] = {}


_thread = _OfThread()


@contextmanager
def server_lock(database: PostgresDatabase, name: str, *, subject: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock of a store; two threads of one process exclude each other as two processes do.

    Parameters
    ----------
    database : PostgresDatabase
    name : str
    subject : str
        What is locked, for the message: ``"run reviews-alvin"``.
    wait_seconds : float
        How long to wait for another holder before giving up.

    Raises
    ------
    RunBusyError
        When another process (or thread) holds it; the message has its process number and machine.
    StoreError
        When the database cannot be used.
    """
    import psycopg

    key = _key(database)
    held = _thread.held.get(key)
    if held is not None and name in held.names:
        raise RunBusyError(f"{subject} is in use by another part of this process; wait until it is done, or end it")
    try:
        if held is None:
            held = _thread.held[key] = _connect(database)
        _take(database, held, name, subject, max(wait_seconds, PATIENCE_SECONDS))
        held.names.append(name)
    except RunBusyError:
        _let_go(key)
        raise
    except BaseException as error:
        _give_up(database, held, name)
        _let_go(key)
        if isinstance(error, SQLAlchemyError | psycopg.Error):
            raise StoreError(database.explain(error)) from error
        raise
    try:
        yield
    finally:
        held.names.remove(name)
        try:
            _release(database, held, name)
        finally:
            _let_go(key)


def connection_of_locks(database: PostgresDatabase) -> Connection | None:
    """Return the connection that this thread's locks of a store are on; None where it has none.

    Raises
    ------
    StoreError
        When it is lost, and the locks with it.
    """
    held = _thread.held.get(_key(database))
    if held is None:
        return None
    if held.is_lost:
        raise StoreError(
            f"{database.name} lost its server, or the way to it, while this process held a lock; nothing of this is "
            "stored, what was finished before is: start again"
        )
    return held.connection


def confirm_locks(database: PostgresDatabase) -> None:
    """Ask the server whether the connection of this thread's locks is still there; in mid-transaction as well.

    It cannot wait for another: what it asks needs no lock of the server.

    Raises
    ------
    StoreError
        When it is not.
    """
    import psycopg

    held = _thread.held.get(_key(database))
    if held is None:
        return
    # While this thread writes, it writes on that very connection, which cannot leave its transaction for that.
    writes = held.raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE
    with suppress(psycopg.Error), nullcontext() if writes else _without_transaction(held):
        held.raw.execute("SELECT 1")
    connection_of_locks(database)


def holder_of(database: PostgresDatabase, name: str) -> tuple[str, int, int] | None:
    """Return who holds a lock: machine, process, and number of its connection; None where nobody does.

    Raises
    ------
    StoreError
        When the database cannot be used.
    """
    try:
        with database.reading().connect() as connection:
            found = connection.execute(text(WHO_HOLDS), {"key": lock_key(database, name)}).first()
    except SQLAlchemyError as error:
        raise StoreError(database.explain(error)) from error
    if found is None:
        return None
    told = HOLDER.fullmatch(found[0] or "")
    return ("", 0, found[1]) if told is None else (told.group(2), int(told.group(1)), found[1])


def _key(database: PostgresDatabase) -> tuple[int, str]:
    # A fork has a copy of its parent's connections, which it must leave alone.
    return os.getpid(), database.url.render_as_string(hide_password=False)


def _connect(database: PostgresDatabase) -> _Held:
    import psycopg

    connection = database.reading().execution_options(**{WRITES: True}).connect()
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return _Held(connection, raw)


def _take(database: PostgresDatabase, held: _Held, name: str, subject: str, seconds: float) -> None:
    import psycopg

    if held.is_lost:
        connection_of_locks(database)  # says so
    with _without_transaction(held):  # the lock is the connection's
        try:
            held.raw.execute("SELECT set_config('lock_timeout', %s, false)", (f"{round(seconds * 1000)}ms",))
            held.raw.execute("SELECT pg_advisory_lock(%s)", (lock_key(database, name),))
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            raise RunBusyError(
                f"{subject} is in use by {_who(database, name)}; wait until it is done, or end it"
            ) from error
        finally:
            if not held.is_lost:
                held.raw.execute("SELECT set_config('lock_timeout', %s, false)", (f"{BUSY_SECONDS}s",))


@contextmanager
def _without_transaction(held: _Held) -> Iterator[None]:
    """Let each statement be for itself; whatever becomes of it, what is written later is in transactions again."""
    held.raw.autocommit = True
    try:
        yield
    finally:
        if not held.is_lost:
            held.raw.autocommit = False


def _give_up(database: PostgresDatabase, held: _Held | None, name: str) -> None:
    """Hold no lock that this process was interrupted in waiting for: it may have been given all the same."""
    if held is None or held.is_lost:
        return
    if held.names:  # others, which this thread holds
        _release(database, held, name)
    else:
        held.connection.invalidate()


def _who(database: PostgresDatabase, name: str) -> str:
    holder = holder_of(database, name)
    if holder is None or not holder[1]:
        return "another process"
    host, pid, _ = holder
    if f"alvin {pid}@{host}" == connection_name():
        return "another part of this process"
    return f"process {pid} on {host}"


def _release(database: PostgresDatabase, held: _Held, name: str) -> None:
    import psycopg

    if held.is_lost:
        return
    try:
        with _without_transaction(held):
            held.raw.execute("SELECT pg_advisory_unlock(%s)", (lock_key(database, name),))
    except BaseException as error:  # whatever it is, the lock goes with the connection
        held.connection.invalidate()
        if not isinstance(error, psycopg.Error):
            raise


def _let_go(key: tuple[int, str]) -> None:
    """Give a connection back that has no locks any more."""
    held = _thread.held.get(key)
    if held is not None and not held.names:
        del _thread.held[key]
        held.connection.close()
