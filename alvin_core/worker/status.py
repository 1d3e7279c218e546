"""Whether a store has a worker: the worker's lock tells, and what the worker wrote of itself what else is to know.

In a store on this machine that is a small file beside the lock. In a team's store both are in the database, so that all
machines see the worker, wherever it is.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvin_core.errors import RunBusyError, StoreError
from alvin_core.store.database import Store
from alvin_core.store.location import store_folder
from alvin_core.store.locks import file_lock
from alvin_core.store.tables import MetaRow

if TYPE_CHECKING:
    from alvin_core.store.postgres import PostgresDatabase

__all__ = ["WorkerStatus", "be_the_worker", "worker_status", "write_status"]

LOCK = "worker.lock"
FILE = "worker.json"
WORKER = "worker"  # what the lock, and what the worker says, are called in a database
# Whoever asks for the status takes the lock for a moment; a worker that starts then must not think it is too late.
PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class WorkerStatus:
    """A store's worker.

    Attributes
    ----------
    alive : bool
        Whether there is one.
    warm : bool
        Whether its libraries are loaded and compiled, so that work starts at once.
    pid : int or None
    since : str or None
        When it started: ISO 8601, UTC.
    host : str
        The machine that it is on; empty where it is this one in any case.
    """

    alive: bool
    warm: bool = False
    pid: int | None = None
    since: str | None = None
    host: str = ""


def worker_status(store: Path | str) -> WorkerStatus:
    """Return whether a store has a worker. Says no where there is no store, or where this user may only read it.

    Raises
    ------
    StoreError
        When the database of a team's store cannot be reached.
    """
    opened = Store(store_folder(store))
    if opened.database.dialect == "postgresql":
        return _told_by_database(opened.database)
    locks = opened.path / "locks"
    told = _read(locks / FILE)
    if told is None or not _is_held(locks / LOCK):
        return WorkerStatus(alive=False)
    # The lock may be held by one who only asks, as here: the worker is who wrote the file.
    return told if _holder(locks / LOCK) == told.pid else WorkerStatus(alive=False)


@contextmanager
def be_the_worker(store: Path) -> Iterator[None]:
    """Be the store's only worker.

    Raises
    ------
    RunBusyError
        When there is one.
    """
    opened = Store(store)
    is_file = opened.database.dialect == "sqlite"
    with ExitStack() as held:
        try:
            held.enter_context(opened.database.lock(WORKER, subject="the worker", wait_seconds=PATIENCE_SECONDS))
        except RunBusyError as error:
            holder = f"process {_holder(store / 'locks' / LOCK)}" if is_file else str(error).partition(" by ")[2]
            raise RunBusyError(
                f"the store {store} has a worker already: {holder.partition(';')[0]}; one is enough, or end that one "
                "first"
            ) from error
        if is_file:  # before the lock is given back
            held.callback((store / "locks" / FILE).unlink, missing_ok=True)
        yield


def write_status(store: Path, *, warm: bool, since: str) -> None:
    """Tell others of this process, which is the worker.

    Raises
    ------
    StoreError
        When the database of a team's store cannot be reached, or this is the worker no more.
    """
    status = WorkerStatus(alive=True, warm=warm, pid=os.getpid(), since=since)
    opened = Store(store)
    if opened.database.dialect == "postgresql":
        told = asdict(status) | {"host": socket.gethostname()}
        with opened.write() as session:
            session.merge(MetaRow(key=WORKER, value=json.dumps(told)))
        return
    path = store / "locks" / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(status)), encoding="utf-8")
    part.replace(path)


def _told_by_database(database: PostgresDatabase) -> WorkerStatus:
    from alvin_core.store.postgres_locks import holder_of

    holder = holder_of(database, WORKER)
    told = _read_text((database.facts() or {}).get(WORKER, "")) if holder is not None else None
    # What another worker said before it ended may still stand there.
    return told if told is not None and holder is not None and told.pid == holder[1] else WorkerStatus(alive=False)


def _read(path: Path) -> WorkerStatus | None:
    try:
        return _read_text(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or none of ours
        return None


def _read_text(text: str) -> WorkerStatus | None:
    try:
        values: Any = json.loads(text)
        status = WorkerStatus(**values)
    except (ValueError, TypeError):
        return None
    return status if status.alive is True and isinstance(status.pid, int) else None


def _is_held(path: Path) -> bool:
    try:
        with file_lock(path, subject="the worker"):
            return False
    except RunBusyError:
        return True
    except StoreError:  # where this user may not write nobody can be asked
        return False


def _holder(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii"))
    return None
