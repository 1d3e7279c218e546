"""Read a user's data: CSV, TSV, JSON Lines, Parquet, or a data set of the hub."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.checking import checked_options, examine
from alvin_core.data.columns import Columns
from alvin_core.data.dataset import Dataset
from alvin_core.data.gathering import Categories, Ids, Table
from alvin_core.data.limits import TOO_LARGE
from alvin_core.data.problems import ProblemLog, counted
from alvin_core.data.rules import Options, Verdict
from alvin_core.errors import DataError
from alvin_core.shown import shown
from alvin_core.types import IdArray

__all__ = ["Columns", "load_dataset"]

MIN_ID_DIGITS = 6
LONGEST_COMMAND = 1000


def load_dataset(
    source: str | Path,
    *,
    columns: Columns = Columns(),  # noqa: B008 - frozen
    strict: bool = False,
    seed: int = 0,
    test_share: float = 0.2,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Read and check a data set.

    Parameters
    ----------
    source : str or Path
        A file (.csv, .tsv, .jsonl, these also with .gz, or .parquet), or a data set of the hub: ``hf:owner/name``,
        ``hf:owner/name/config``, or a bare name that is no file; or several of them put together, ``recipe:nli``
        (see `alvin_core.data.recipes`). Text files are UTF-8.
    columns : Columns
        The user's names of columns; by default the standard names are looked for: ``text``, or ``text_a`` and
        ``text_b``; ``label``, ``id``, ``split`` (``pool``, ``test`` or ``ood:<name>``), ``attribute``.
    strict : bool
        Refuse empty and repeated texts instead of dropping them with a warning.
    seed : int
        Of the test split that is drawn where no column tells the split.
    test_share : float
        Share of the labeled rows that is drawn, in (0, 1).
    classes : sequence of str, optional
        All class names; needed where no row has a label.

    Returns
    -------
    Dataset
        Rows in the source's order. Rows without an id column are called ``row-000001`` and so on by their place
        in the source. A pool row without a label has label -1. ``warnings`` says what was dropped.

    Raises
    ------
    DataError
        With the first problem, the count of all, and the command that lists them.
    SettingsError
        When a keyword is out of its range.

    Notes
    -----
    Ids, labels, splits and attributes are read as strings without outer blanks ("NA" stays "NA"; 1 and 1.0 are
    both "1"), texts as they are. Two texts are the same when they differ in outer blanks only; of those in the
    pool the first that has a label is kept (else the first), and one that is also in an evaluation split is
    dropped from the pool. Texts repeated within an evaluation split stay, with a warning.
    A file is read as a stream: memory holds the packed texts and about 100 bytes a row beside them. Together they may
    take 8 GiB, half of the machine's memory where that is less, or as many GiB as the environment names in
    ``ALVIN_LARGEST_DATA``; more is refused. A value has at most 16 Mi characters, a line of text 16 MiB, a file
    10,000 columns; what is compressed may unpack to 200 times the file's size.
    """
    options = checked_options(columns, strict=strict, seed=seed, test_share=test_share, classes=classes)
    examined = examine(source, options, cap=1)
    if examined.table is None or examined.verdict is None or examined.log.count("error"):
        raise DataError(_first_problem(str(source), options, examined.log))
    try:
        return _build(examined.table, examined.verdict, examined.log)
    except MemoryError as error:
        raise DataError(
            f"{shown(str(source))}: memory ran out while its rows were put together; {TOO_LARGE}"
        ) from error


def _first_problem(source: str, options: Options, log: ProblemLog) -> str:
    first = next(problem for problem in log.problems() if problem.severity == "error")
    words = ["alvin", "check", source, *_arguments(options)]
    # What a terminal could not show is better not shown at all.
    command = shlex.join(words if all(map(str.isprintable, words)) else words[:2])[:LONGEST_COMMAND]
    return f"{first} ({counted(log.count('error'), 'problem')} in all; run `{command}` to see them all)"


def _arguments(options: Options) -> list[str]:
    """Return the command line's words for the options that decide what is a problem."""
    words = [word for role, name in options.columns.given().items() for word in (f"--{role.replace('_', '-')}", name)]
    if options.strict:
        words.append("--strict")
    if options.classes is not None:
        words += ["--classes", ",".join(options.classes)]
    return words


def _build(table: Table, verdict: Verdict, log: ProblemLog) -> Dataset:
    """Make the data set of the rows that are kept; the table's packed strings are used up."""
    keep = verdict.keep
    texts = [packed.keep(keep) for packed in table.texts.packed]
    return Dataset(
        ids=_row_names(keep) if table.ids is None else _id_array(table.ids, keep),
        texts=texts[0],
        labels=verdict.labels[keep].astype(np.int64),
        classes=verdict.classes,
        splits=np.array(verdict.split_names, dtype=np.str_)[verdict.splits[keep]],
        second_texts=texts[1] if len(texts) > 1 else None,
        attributes=None if table.attributes is None else _values(table.attributes, keep),
        warnings=log.summary(),
    )


def _row_names(keep: NDArray[np.bool_]) -> IdArray:
    """Name rows by their place in the source, so that dropping one does not rename the others; shape (n_kept,)."""
    digits = max(MIN_ID_DIGITS, len(str(len(keep))))
    return _filled(
        (f"row-{row:0{digits}d}" for row in (np.flatnonzero(keep) + 1).tolist()), int(keep.sum()), 4 + digits
    )


def _id_array(ids: Ids, keep: NDArray[np.bool_]) -> IdArray:
    return _filled(iter(ids.packed.keep(keep)), int(keep.sum()), ids.longest)


def _filled(names: Iterable[str], n: int, longest: int) -> IdArray:
    """Make a string array of shape (n,) without a list of all strings."""
    return np.fromiter(names, dtype=np.dtype((np.str_, longest)), count=n)


def _values(column: Categories, keep: NDArray[np.bool_]) -> NDArray[np.str_]:
    """The values of the kept rows, of shape (n_kept,); empty where there is none."""
    return np.array([*column.names, ""], dtype=np.str_)[column.array()[keep]]  # the code -1 is the last: ""
