"""How many examples of a set hold each cue, and how many of those are of each class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alvin_core.shortcuts.holding import Holding, rows_and_codes
from alvin_core.types import IntArray

__all__ = ["CueCounts", "count_cues"]

ROWS_AT_ONCE = 131_072


@dataclass(frozen=True)
class CueCounts:
    """Counts of examples, not of occurrences.

    Attributes
    ----------
    codes : int array of shape (n_cues,)
        The counted cues of a `Holding`, ascending.
    n : int64 array of shape (n_cues,)
        Examples that hold the cue.
    n_label : int64 array of shape (n_cues, n_classes)
        Those of each class.
    """

    codes: IntArray
    n: NDArray[np.int64]
    n_label: NDArray[np.int64]


def count_cues(holding: Holding, rows: IntArray, classes: IntArray, n_classes: int, min_count: int = 1) -> CueCounts:
    """Count the cues of a set of examples.

    Parameters
    ----------
    holding : Holding
    rows : int array of shape (n_set,)
        The examples of the set.
    classes : int array of shape (n_set,)
        Their classes, from 0.
    n_classes : int
    min_count : int
        Cues that fewer of them hold are left out.

    Returns
    -------
    CueCounts
    """
    n = np.zeros(holding.n_cues, dtype=np.int64)
    for _, codes in _parts(holding, rows):
        n += np.bincount(codes, minlength=holding.n_cues)
    counted = np.flatnonzero(n >= max(min_count, 1))
    place_of = np.full(holding.n_cues, -1, dtype=np.int64)
    place_of[counted] = np.arange(len(counted))
    cells = np.zeros(len(counted) * n_classes, dtype=np.int64)
    for set_rows, codes in _parts(holding, rows):
        places = place_of[codes]
        is_counted = places >= 0
        cell_of = places[is_counted] * n_classes + classes[set_rows[is_counted]]
        cells += np.bincount(cell_of, minlength=len(cells))
    return CueCounts(counted, n[counted], cells.reshape(len(counted), n_classes))


def _parts(holding: Holding, rows: IntArray) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        places, codes = rows_and_codes(holding, rows[start : start + ROWS_AT_ONCE])
        yield places + start, codes
