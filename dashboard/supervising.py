"""One worker process kept alive for as long as the dashboard runs."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from alvin_core import AlvinError, WorkerStatus, start_worker, why_read_only, worker_status

__all__ = ["WorkerKeeper"]

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a worker that ended is started again, doubled each time
STEADY = 30.0  # seconds of life after which the next pause is the first again
LOOK_AGAIN = 2.0  # seconds between looks at a worker that belongs to another dashboard
GRACE = 5.0  # seconds a worker has to end by itself

TIED = partial(start_worker, tied=True)  # also a server that is killed leaves no worker behind

log = logging.getLogger("dashboard.worker")


class WorkerKeeper:
    """Starts the store's worker, starts it again when it ends, and ends it with the dashboard.

    Where another process's worker serves the store, it waits and takes over when that one is gone.

    Parameters
    ----------
    store : Path
    start : callable
        Store -> the process started; another one in tests.
    status : callable
        Store -> whether any worker is alive.
    closed : callable
        Store -> why nothing can be written to it, so that a worker has nothing to do there; empty where it can.
    """

    def __init__(
        self,
        store: Path,
        start: Callable[[Path], subprocess.Popen[bytes]] = TIED,
        status: Callable[[Path], WorkerStatus] = worker_status,
        closed: Callable[[Path], str] = why_read_only,
    ) -> None:
        self._store, self._start, self._status, self._closed = store, start, status, closed
        self._told = ""
        self._ending = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._keep, name="worker-keeper", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker, gently first, and wait until it is gone."""
        self._ending.set()
        self._thread.join(2 * GRACE + LOOK_AGAIN)

    def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._ending.is_set():
            if self._is_closed() or self._is_served():
                self._ending.wait(LOOK_AGAIN)
                continue
            began = monotonic()
            self._run_once()
            pause = FIRST_PAUSE if monotonic() - began > STEADY else min(2 * pause, LONGEST_PAUSE)
            self._ending.wait(pause)

    def _is_closed(self) -> bool:
        """Whether the store may only be read; the log says so once, and the worker starts when that is over."""
        try:
            why = self._closed(self._store)
        except (AlvinError, OSError) as error:
            why = str(error)
        if why and why != self._told:
            log.warning("no worker is started: %s", why)
        self._told = why
        return bool(why)

    def _is_served(self) -> bool:
        """Whether a worker that is not ours serves the store."""
        try:
            return self._status(self._store).alive
        except (AlvinError, OSError) as error:
            log.warning("cannot ask for the worker of %s: %s", self._store, error)
            return False

    def _run_once(self) -> None:
        try:
            self._process = self._start(self._store)
        except (AlvinError, OSError) as error:
            log.warning("the worker of %s could not be started: %s", self._store, error)
            return
        while self._process.poll() is None:
            if self._ending.wait(0.2):
                _end(self._process)
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self._ending.is_set() and self._process.returncode != 0:
            log.warning("the worker ended with code %s; it is started again", self._process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(GRACE)
