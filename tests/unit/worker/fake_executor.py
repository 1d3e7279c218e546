"""An executor whose rounds need no model, and do what a file in the store says: hang, crash, hold the interpreter."""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "crash"))

import fake_engine

from alvin_core.errors import DeviceError
from alvin_core.progress import ProgressEvent
from alvin_core.run import Run
from alvin_core.run.engine import Engine
from alvin_core.worker import executor


def hold_the_interpreter() -> None:
    """Be busy in one call of C code, so that no other thread of this process moves."""
    re.match("(a+)+$", "a" * 60 + "b")


def misbehave(what: dict[str, Any], gate: Path, progress: Any) -> None:
    for step in range(what.get("steps", 0)):
        progress(ProgressEvent("train", step, what["steps"]))
    while what.get("waits") and not gate.exists():
        progress(ProgressEvent("train", 3, 60))
        time.sleep(0.02)
    how = what.get("how")
    if how == "hold":
        hold_the_interpreter()
    elif how == "segfault":
        ctypes.string_at(0)
    elif how == "memory":
        raise MemoryError
    elif how == "fault":
        raise ValueError("three\nlines\nlong")
    elif how == "no device":
        raise DeviceError("device 'cuda' is not there; use 'cpu'")
    elif how == "print":
        os.write(1, b'{"event": "done", "id": 1}\nrubbish\n')


def compute(engine: Engine, rows: Any, classes: Any, round_no: int, settings: Any, progress: Any) -> Any:
    place = engine.cache.parent / f"seed-{settings.seed}.json"
    what = json.loads(place.read_text()) if place.exists() else {}
    if round_no >= what.get("from_round", 0):
        misbehave(what, place.with_suffix(".open"), progress)
    return fake_engine.compute(engine, rows, classes, round_no, settings, progress)


def project(run: Run, round_no: int, space: str, method: str, progress: Any) -> Any:
    progress(ProgressEvent("fit", 1, 2))
    place = run._handle.store.path / f"map-{run.id}-{round_no}-{space}"
    if (run._handle.store.path / "no-maps").exists():
        raise RuntimeError("umap is not installed")
    place.write_text(method)
    return SimpleNamespace(revision=f"revision of {round_no}")


def projection(run: Run, round_no: int, space: str = "model") -> Any:
    return (run._handle.store.path / f"map-{run.id}-{round_no}-{space}").exists() or None


if __name__ == "__main__":
    Engine.compute = compute  # type: ignore[method-assign,assignment]
    Run.project = project  # type: ignore[method-assign,assignment]
    Run.projection = projection  # type: ignore[attr-defined,method-assign,assignment]
    executor.main([*sys.argv[1:], "--cold"])
