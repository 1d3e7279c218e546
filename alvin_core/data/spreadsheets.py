"""CSV that spreadsheets open without running any of it."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_written", "csv_of", "is_exported"]

# How the header of `alvin export` begins and ends: nobody else's table has all of these in these places.
FIRST, LAST = ("id", "round", "label", "source"), ("annotator", "time", "parent_id")

# What spreadsheets take for a formula by its first character (OWASP, "CSV Injection"), also in full width.
BEGINNINGS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
FORMULA = re.compile(f"'*[{BEGINNINGS}]")
QUOTED = re.compile(f"'+[{BEGINNINGS}]")


def csv_of(frame: pd.DataFrame) -> str:
    """Return a frame as CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe instead.

    `as_written` gives such a cell back. Files for programs (JSON Lines, Parquet) hold every text as it is.

    Parameters
    ----------
    frame : DataFrame

    Returns
    -------
    str
        With a header and without the index; lines end with a line feed.
    """
    safe = frame.copy(deep=False)
    bare_return = False
    for name in safe.columns:
        if not _is_text(safe[name]):
            continue
        safe[name] = safe[name].map(_neutral, na_action="ignore")
        # A bare carriage return inside a cell would be read as the end of a line.
        bare_return |= bool(safe[name].astype("str").str.contains("\r", regex=False).any())
    safe.columns = [_neutral(name) for name in safe.columns]
    quoting: Literal[0, 1] = csv.QUOTE_ALL if bare_return else csv.QUOTE_MINIMAL
    written: str = safe.to_csv(index=False, lineterminator="\n", quoting=quoting)
    return written


def as_written(cell: str) -> str:
    """Return a cell of `csv_of` as it was in the frame."""
    return cell[1:] if QUOTED.match(cell) else cell


def is_exported(header: Sequence[str]) -> bool:
    """Tell by its header whether a CSV is one that `alvin export` wrote, in which cells may begin with an apostrophe.

    Elsewhere an apostrophe before a sign is a text's own, and stays.
    """
    return tuple(header[:4]) == FIRST and tuple(header[-3:]) == LAST


def _is_text(column: pd.Series) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return not (is_numeric_dtype(column) or is_bool_dtype(column))


def _neutral(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell
