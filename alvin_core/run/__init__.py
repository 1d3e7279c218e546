"""A run: create it, step it, submit labels to it, fork it, replay it, look into it. Names come late."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alvin_core.run.creating import create_run
    from alvin_core.run.opening import delete_run, list_runs, open_run
    from alvin_core.run.run import Run
    from alvin_core.run.values import ReplayRound, RoundRecord, RunInfo, SubmitReport

__all__ = [
    "ReplayRound",
    "RoundRecord",
    "Run",
    "RunInfo",
    "SubmitReport",
    "create_run",
    "delete_run",
    "list_runs",
    "open_run",
]

_HOMES = {
    "ReplayRound": "values",
    "RoundRecord": "values",
    "Run": "run",
    "RunInfo": "values",
    "SubmitReport": "values",
    "create_run": "creating",
    "delete_run": "opening",
    "list_runs": "opening",
    "open_run": "opening",
}


def __getattr__(name: str) -> Any:
    # SQLAlchemy takes a fifth of a second to import; only who opens a store should wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
