"""A real cell worker whose rounds cost nothing; see ``tests/crash/fake_engine.py``.

With ``--hang`` it does round 0 of each cell, and hangs in the next.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "crash"))

import fake_engine

from alvin_core.experiments import cell_worker
from alvin_core.run.engine import Engine


def compute(engine: Engine, labeled_rows: Any, classes: Any, round_no: int, settings: Any, progress: Any) -> Any:
    if round_no and "--hang" in sys.argv:
        threading.Event().wait()
    return fake_engine.compute(engine, labeled_rows, classes, round_no, settings, progress)


def encode_nothing(*_arguments: Any) -> None:
    """There is no model that would read it."""


if __name__ == "__main__":
    Engine.compute = compute  # type: ignore[method-assign]
    cell_worker.encode_shared = encode_nothing
    cell_worker.main([argument for argument in sys.argv[1:] if argument != "--hang"])
