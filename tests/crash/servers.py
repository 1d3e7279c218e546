"""The real worker and the real dashboard in processes of their own, and what becomes of their families."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from processes import free_port

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
PATIENCE = 120.0  # for machines that have much else to do


def environment(clock: Path | None = None) -> dict[str, str]:
    """Return the environment of processes whose jobs cost nothing, perhaps with a clock that is wrong."""
    known = os.environ.get("PYTHONPATH", "")
    paths = os.pathsep.join(part for part in (str(HERE / "stand_in"), known) if part)
    quick = {"ALVIN_WARM_UP": "0", "ALVIN_AUTOMATIC_MAP": "0", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    wrong = {} if clock is None else {"ALVIN_CLOCK": str(clock)}
    return os.environ | quick | wrong | {"PYTHONPATH": paths, "ALVIN_CHECKOUT": str(CHECKOUT)}


def start(module: str, store: Path, log: Path, *more: str, clock: Path | None = None) -> subprocess.Popen[bytes]:
    """Start ``python -m module --store STORE``."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", module, "--store", str(store), *more],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(clock),
            cwd=CHECKOUT,
        )


def start_dashboard(store: Path, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the dashboard on a port that is free; return its process and its address."""
    port = free_port()
    process = start("dashboard", store, log, "--port", str(port), "--no-browser")
    return process, f"http://127.0.0.1:{port}"


def answers(url: str) -> bool:
    """Tell whether a server answers an address with success; it may be killed in the middle of its answer."""
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.read() is not None)
    except (URLError, HTTPException, OSError):
        return False


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return a process and everything below it."""
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those that run; one that nobody has buried yet is dead."""
    found = []
    for one in processes:
        try:
            if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.NoSuchProcess:
            continue
    return found
