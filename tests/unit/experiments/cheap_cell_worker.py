"""A real cell worker whose rounds cost nothing; see ``tests/crash/fake_engine.py``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "crash"))

import fake_engine

from alvin_core.experiments import cell_worker
from alvin_core.run.engine import Engine


def encode_nothing(*_arguments: Any) -> None:
    """There is no model that would read it."""


if __name__ == "__main__":
    Engine.compute = fake_engine.compute  # type: ignore[method-assign]
    cell_worker.encode_shared = encode_nothing
    cell_worker.main()
