"""Labels in a file, as people give them back: an ``id`` and a ``label`` column."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.data.problems import ProblemLog
    from alvin_core.data.textfiles import Record

__all__ = ["read_labels"]

TABLES = (".csv", ".tsv")  # in which `alvin export` puts an apostrophe before what looks like a formula


def read_labels(path: Path) -> pd.DataFrame:
    """Read a file of labels: CSV, TSV, JSON Lines or Parquet, with the columns ``id`` and ``label``.

    Returns
    -------
    frame
        ``id`` and ``label``, both text; a missing label is blank.

    Raises
    ------
    DataError
        With the first problem and how many there are: labels of a file that is half readable are not taken.
    """
    import pandas as pd

    from alvin_core.data.columns import Columns
    from alvin_core.data.formats import UNREADABLE, extension_of, log_unreadable, open_source
    from alvin_core.data.problems import ProblemLog

    log = ProblemLog(str(path), 1)
    opened = open_source(path, Columns(), log)
    pairs: list[tuple[str, str]] = []
    if opened is not None and _has_columns(opened.header, log):
        try:
            pairs = list(_pairs(opened.records(("id", "label"), log), log, is_csv=extension_of(path) in TABLES))
        except UNREADABLE as error:
            log_unreadable(error, log)
    if not log.count("error") and not pairs:
        log.add("no rows", "there is a header, but not one label under it")
    _refuse(log)
    return pd.DataFrame(pairs, columns=["id", "label"])


def _has_columns(header: tuple[str, ...], log: ProblemLog) -> bool:
    from alvin_core.data.columns import listed

    for name in ("id", "label"):
        if name not in header:
            have = listed(header) or "none"
            log.add("missing column", f"a file of labels has the columns id and label; found: {have}", column=name)
        elif header.count(name) > 1:
            log.add("duplicate column name", "leave one of them out", column=name, value=f"{header.count(name)} times")
    return not log.count("error")


def _pairs(records: Iterable[Record], log: ProblemLog, *, is_csv: bool) -> Iterable[tuple[str, str]]:
    """Yield ids and labels as a data set reads them: 1 and 1.0 are both "1", what is absent is blank."""
    from alvin_core.data.packing import NestedValueError, as_text
    from alvin_core.data.spreadsheets import as_written

    for line, values in records:
        try:
            # NaN, which is not itself, is how some programs write a missing value.
            id_, label = ("" if value != value else as_text(value).strip() for value in values)
        except NestedValueError:
            log.add("a list or an object where one value is expected", "give one id and one label", row=line)
        else:
            yield (as_written(id_), as_written(label)) if is_csv else (id_, label)


def _refuse(log: ProblemLog) -> None:
    if n_errors := log.count("error"):
        more = "" if n_errors == 1 else f" (the first of {n_errors:,} problems)"
        raise DataError(f"{log.problems()[0]}{more}; nothing was stored")
