"""Processes that tests start: a free port for them, which ones belong to a store, and waiting for what they do."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

PATIENCE = 60.0  # seconds, for machines that have much else to do


def wait_for(happened: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + patience
    while not (found := happened()):
        assert time.monotonic() < deadline, f"it did not happen in {patience:g} s{what and f': {what}'}"
        time.sleep(0.01)
    return found


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def of_store(store: Path) -> list[psutil.Process]:
    """Return every process but this one, of whatever parent, whose command line names a store."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.pid != os.getpid() and str(store) in one.cmdline():
                found.append(one)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
