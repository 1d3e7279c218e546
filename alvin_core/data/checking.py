"""Check a user's data at the door: every problem at once, with its place and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from alvin_core.data.columns import Columns, find_columns
from alvin_core.data.formats import UNREADABLE, RecordSource, log_unreadable, open_source
from alvin_core.data.gathering import Table, gather
from alvin_core.data.limits import TOO_LARGE, state_of
from alvin_core.data.problems import Problem, ProblemLog, Report
from alvin_core.data.rules import Options, Verdict, judge
from alvin_core.errors import SettingsError
from alvin_core.shown import shown
from alvin_core.types import IntArray

__all__ = ["Columns", "Examined", "Options", "Problem", "Report", "check_dataset", "examine"]


@dataclass(frozen=True)
class Examined:
    """A source that was read once: what is wrong with it, and what is in it, as far as it could be read."""

    log: ProblemLog
    table: Table | None = None
    verdict: Verdict | None = None


def check_dataset(
    source: str | Path,
    *,
    columns: Columns = Columns(),  # noqa: B008 - frozen
    strict: bool = False,
    seed: int = 0,
    test_share: float = 0.2,
    classes: Sequence[str] | None = None,
    max_problems: int = 100,
) -> Report:
    """Read a source as `load_dataset` does, and report every problem instead of raising the first.

    Parameters
    ----------
    source : str or Path
        As `load_dataset` takes it, and so are the keywords.
    max_problems : int
        How many problems of each kind are listed; a line "and N more" stands for the rest.

    Returns
    -------
    Report

    Raises
    ------
    SettingsError
        When a keyword is out of its range. Bad data never raises.
    """
    if max_problems < 1:
        raise SettingsError(f"max_problems = {max_problems} is out of range; at least 1 is needed")
    options = checked_options(columns, strict=strict, seed=seed, test_share=test_share, classes=classes)
    return _report(str(source), examine(source, options, max_problems))


def checked_options(
    columns: Columns, *, strict: bool, seed: int, test_share: float, classes: Sequence[str] | None
) -> Options:
    """Check the keywords that reading takes.

    Raises
    ------
    SettingsError
        When one is out of its range.
    """
    if not 0 < test_share < 1:
        raise SettingsError(f"test_share = {test_share} is out of range; it must be above 0 and below 1")
    if seed < 0:
        raise SettingsError(f"seed = {shown(seed)} is out of range; it must be 0 or more")
    if classes is None:
        return Options(columns, strict, seed, test_share, None)
    if isinstance(classes, str):
        raise SettingsError(f"classes = {shown(classes)} is one string; give a list of class names")
    if not all(isinstance(name, str) for name in classes):
        raise SettingsError(f"classes = {shown(list(classes))} must be strings; labels are read as strings")
    names = tuple(name.strip() for name in classes)
    if len(set(names)) != len(names) or len(names) < 2 or not all(names):
        raise SettingsError(f"classes = {shown(list(classes))} must be at least 2 different names, none of them empty")
    return Options(columns, strict, seed, test_share, names)


def examine(source: str | Path, options: Options, cap: int) -> Examined:
    """Read a source once and check everything; problems go to the log, nothing is raised for bad data."""
    log = ProblemLog(str(source), cap)
    opened = open_source(source, options.columns, log)
    if opened is None:
        return Examined(log)
    log.unit = opened.unit
    path = getattr(opened, "path", None)  # of a file
    before = state_of(path)
    layout = find_columns(opened.header, options.columns, log) if opened.header else None
    if layout is None:
        _read_through(opened, log)
        return Examined(log)
    try:
        table = gather(opened, layout, log)
        log.is_read = True
        if state_of(path) != before:
            log.cut("it changed while it was read", "read it again when nothing writes to it")
        if log.is_cut:
            return Examined(log)
        if len(table):
            return Examined(log, table, judge(table, options, log))
    except MemoryError:
        log.add("memory ran out", TOO_LARGE)
        return Examined(log)
    if not log.count("error"):
        log.add("no rows", "there is a header, but not one row under it")
    return Examined(log, table)


def _read_through(opened: RecordSource, log: ProblemLog) -> None:
    """Read without keeping anything, where the columns are not clear: rows may have problems of their own."""
    try:
        for _ in opened.records((), log):
            pass
    except UNREADABLE as error:
        log_unreadable(error, log)
    if not log.count("error"):
        log.add("no rows", "there is nothing to read in it")


def _report(source: str, examined: Examined) -> Report:
    log, table, verdict = examined.log, examined.table, examined.verdict
    n_errors, n_warnings = log.count("error"), log.count("warning")
    if table is None or verdict is None:
        return Report(source, log.problems(), n_errors, n_warnings)
    splits, labels = verdict.splits[verdict.keep], verdict.labels[verdict.keep]
    by_split = {name: labels[splits == at] for at, name in enumerate(verdict.split_names)}
    oracle: Literal["column", "person"] = "column" if (by_split["pool"] >= 0).all() else "person"
    return Report(
        source,
        log.problems(),
        n_errors,
        n_warnings,
        n_rows=int(verdict.keep.sum()),
        splits={name: len(part) for name, part in by_split.items() if len(part)},
        classes={name: _class_counts(part, verdict.classes) for name, part in by_split.items() if len(part)},
        is_pairs=len(table.layout.texts) == 2,
        oracle=oracle,
        dropped=verdict.dropped,
    )


def _class_counts(labels: IntArray, classes: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    return {name: int(n) for name, n in zip(classes, counts.tolist(), strict=True) if n}
