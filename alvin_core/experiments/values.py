"""What a comparison tells about itself, and how figures become plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from alvin_core.experiments.plan import Cell

__all__ = ["CELLS", "ROUND", "ROUNDS", "CellState", "ComparisonInfo", "plain_values"]

# Stages of progress: finished cells of a comparison, finished rounds of all its cells, finished rounds of one cell.
CELLS = "cells"
ROUNDS = "cell rounds"
ROUND = "round"

DIGITS = 6  # of floats in JSON: more differ between machines


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


def plain_values(value: Any) -> Any:
    """Return dictionaries, lists and rounded numbers, ready for JSON; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(one) for one in value]
    if isinstance(value, float):
        # Adding 0 makes a negative zero positive, so that the text is the same.
        return round(value, DIGITS) + 0.0 if math.isfinite(value) else None
    return value
