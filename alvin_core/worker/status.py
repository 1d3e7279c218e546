"""Whether a store has a worker: the worker's lock tells, and a small file beside it what else is to know."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from alvin_core.errors import RunBusyError
from alvin_core.store.locks import file_lock

__all__ = ["WorkerStatus", "be_the_worker", "worker_status", "write_status"]

LOCK = "worker.lock"
FILE = "worker.json"
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
    """

    alive: bool
    warm: bool = False
    pid: int | None = None
    since: str | None = None


def worker_status(store: Path | str) -> WorkerStatus:
    """Return whether a store has a worker. Says no where there is no store."""
    locks = Path(store).expanduser() / "locks"
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
    locks = store / "locks"
    with ExitStack() as held:
        try:
            held.enter_context(file_lock(locks / LOCK, subject="the worker", wait_seconds=PATIENCE_SECONDS))
        except RunBusyError as error:
            holder = _holder(locks / LOCK)
            raise RunBusyError(
                f"the store {store} has a worker already: process {holder}; one is enough, or end that one first"
            ) from error
        held.callback((locks / FILE).unlink, missing_ok=True)  # before the lock is given back
        yield


def write_status(store: Path, *, warm: bool, since: str) -> None:
    """Tell others of this process, which is the worker."""
    status = WorkerStatus(alive=True, warm=warm, pid=os.getpid(), since=since)
    path = store / "locks" / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(status)), encoding="utf-8")
    part.replace(path)


def _read(path: Path) -> WorkerStatus | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        status = WorkerStatus(**values)
    except (OSError, ValueError, TypeError):  # none, or none of ours
        return None
    return status if status.alive is True and isinstance(status.pid, int) else None


def _is_held(path: Path) -> bool:
    try:
        with file_lock(path, subject="the worker"):
            return False
    except RunBusyError:
        return True


def _holder(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii"))
    return None
