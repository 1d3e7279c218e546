"""Starting the worker as a process that outlives nobody by accident, and the file it writes its complaints to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from alvin_core.quiet import QUIET
from alvin_core.store.database import open_store

__all__ = ["bound_log", "python_command", "start_worker", "worker_environment"]

LOG = "worker.log"
LARGEST_LOG = 2**20  # bytes; twice as much is kept, in two files


def start_worker(store: Path | str, *, tied: bool = False) -> subprocess.Popen[bytes]:
    """Start the worker of a store in a process of its own, which goes on when this one ends.

    It writes what goes wrong to ``worker.log`` in the store. Where the store has a worker already, the new one ends
    by itself with the exit code 75.

    Parameters
    ----------
    store : Path or str
        Made when missing.
    tied : bool
        End it when this process ends, be it by a kill: it reads its standard input, a pipe held by this process alone.

    Raises
    ------
    StoreError
        When the store cannot be used.
    """
    path = open_store(store, create=True).path
    bound_log(path)
    with (path / LOG).open("ab") as log:
        return subprocess.Popen(
            [*python_command("alvin_core.worker"), "--store", str(path), *(["--tied"] if tied else [])],
            stdin=subprocess.PIPE if tied else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=worker_environment(),
            # Ctrl-C in the terminal of the one who starts it must not end it half-way.
            start_new_session=True,
        )


def python_command(module: str) -> list[str]:
    """Return how a module is run by this same interpreter, with no look into the folder it happens to be in."""
    return [sys.executable, "-P", "-m", module]


def worker_environment() -> dict[str, str]:
    """Return the environment of the worker: this process's own, and what makes libraries quiet."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSTARTUP"}
    # This very package, also where it lies in a folder that is no place for packages.
    root = str(Path(__file__).resolve().parents[2])
    if Path(root).name not in ("site-packages", "dist-packages"):
        known = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(part for part in (known, root) if part)
    return QUIET | {"PYTHONUNBUFFERED": "1"} | environment


def bound_log(store: Path) -> None:
    """Keep the log from growing without end: what is long is moved aside, over what was moved before."""
    log = store / LOG
    with suppress(OSError):  # a log is no reason to fail
        if log.stat().st_size > LARGEST_LOG:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)  # its writers append, so they go on at its new end
