"""What carries a comparison out: a name -> a function, imported late."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast, get_args

from alvin_core.errors import SettingsError
from alvin_core.progress import Progress, silent

if TYPE_CHECKING:
    from alvin_core.experiments.cells import CellTask
    from alvin_core.experiments.comparison import Comparison

__all__ = ["BackendName", "RunCells", "load_backend"]

BackendName = Literal["local", "ray"]

_HOMES = {"local": "alvin_core.experiments.local", "ray": "alvin_core.experiments.on_ray"}


class RunCells(Protocol):
    """Brings cells to their end. A finished cell is registered in the store exactly once."""

    def __call__(
        self,
        comparison: Comparison,
        tasks: Sequence[CellTask],
        *,
        workers: int | None = None,
        progress: Progress = silent,
    ) -> None: ...


def load_backend(name: str) -> RunCells:
    """Return a backend.

    Raises
    ------
    SettingsError
        When there is none of this name, or it is not installed.
    """
    if name not in _HOMES:
        raise SettingsError(f"no backend is called {name!r}; choose one of: {', '.join(get_args(BackendName))}")
    if name == "ray" and importlib.util.find_spec("ray") is None:
        raise SettingsError(
            "backend = 'ray' needs Ray, which is not installed; `pip install 'alvin-studio[cluster]'`, or use 'local'"
        )
    return cast(RunCells, import_module(_HOMES[name]).run_cells)
