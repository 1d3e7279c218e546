"""What a comparison tells about itself: plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from alvin_core.experiments.plan import Cell

__all__ = ["CELLS", "ROUND", "CellState", "ComparisonInfo"]

# Stages of progress: finished cells of a comparison, and finished rounds of a cell.
CELLS = "cells"
ROUND = "round"


@dataclass(frozen=True)
class ComparisonInfo:
    """One comparison in a list.

    Attributes
    ----------
    id, name, source : str
    n_cells, n_finished : int
    created_at : str
        ISO 8601, UTC.
    """

    id: str
    name: str
    source: str
    n_cells: int
    n_finished: int
    created_at: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class CellState:
    """How far a cell is.

    Attributes
    ----------
    cell : Cell
    run : str or None
        The id of its run; None where it is not begun, or its run was deleted or put in the trash.
    n_rounds : int
        Finished rounds.
    finished : bool
    """

    cell: Cell
    run: str | None
    n_rounds: int
    finished: bool
