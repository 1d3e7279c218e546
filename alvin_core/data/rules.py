"""What must hold of a whole table: splits, ids, empty and repeated texts, labels; and what is kept of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.columns import Columns, listed
from alvin_core.data.dataset import UNLABELED
from alvin_core.data.duplicates import find_duplicates, repeated_rows
from alvin_core.data.gathering import EMPTY, GOOD, Table
from alvin_core.data.problems import ProblemLog, Severity, counted
from alvin_core.data.splitting import stratified_split
from alvin_core.types import IntArray

__all__ = ["MIN_POOL", "Options", "Verdict", "judge"]

MIN_POOL = 10  # rows; below it there is nothing to choose from
FEW_CLASSES = 20  # up to here no share of distinct labels is suspicious
SPLIT_NAME = re.compile(r"pool|test|ood:[\w.-]+")
ALLOWED_SPLITS = "allowed are pool, test and ood:<name>"
RENAMED = {"train": "pool", "training": "pool", "validation": "test", "valid": "test", "dev": "test", "val": "test"}


@dataclass(frozen=True)
class Options:
    """How to read a source: the keywords of `load_dataset`."""

    columns: Columns
    strict: bool
    seed: int
    test_share: float
    classes: tuple[str, ...] | None


@dataclass(frozen=True)
class Verdict:
    """What is kept of a table, and what it means.

    Attributes
    ----------
    keep : bool array of shape (n,)
    splits : int array of shape (n,)
        Rows of ``split_names``; -1 where the name was refused.
    split_names : tuple of str
        ``pool`` is always the first.
    labels : int array of shape (n,)
        Rows of ``classes``, -1 where unknown.
    classes : tuple of str
    dropped : mapping of str to int
    """

    keep: NDArray[np.bool_]
    splits: IntArray
    split_names: tuple[str, ...]
    labels: IntArray
    classes: tuple[str, ...]
    dropped: Mapping[str, int]


def judge(table: Table, options: Options, log: ProblemLog) -> Verdict:
    """Check a table, log every problem, and decide what is kept."""
    splits, split_names = _named_splits(table, log)
    _check_ids(table, log)
    labels, classes = _classes(table, options, log)
    keep, dropped = _drop(table, splits, labels, classes, options, log)
    if table.layout.split is None:
        splits, split_names = _drawn_splits(keep, labels, options, log)
    verdict = Verdict(keep, splits, split_names, labels, classes, dropped)
    _check_labels(table, verdict, options, log)
    _check_sizes(table, verdict, log)
    return verdict


def _named_splits(table: Table, log: ProblemLog) -> tuple[IntArray, tuple[str, ...]]:
    """Read the split column: codes of shape (n,), and the names with the pool first."""
    if table.splits is None:
        return np.zeros(len(table), dtype=np.int64), ("pool",)
    found, codes = table.splits.names, table.splits.array()
    names = ("pool", *(name for name in found if SPLIT_NAME.fullmatch(name) and name != "pool"))
    place = {name: at for at, name in enumerate(names)}
    # Two more places, for the codes -1 (no value) and -2 (refused before), which count from the end.
    lookup = np.array([place.get(name, -1) for name in found] + [-2, -1])
    splits: IntArray = lookup[codes]
    for at, name in enumerate(found):
        if name not in place:
            hint = f"what is {name!r} elsewhere is {RENAMED[name.lower()]!r} here" if name.lower() in RENAMED else ""
            log.add_rows(
                "unknown split name",
                "; ".join(filter(None, (ALLOWED_SPLITS, hint))),
                rows=np.flatnonzero(codes == at),
                lines=table.lines,
                column=table.splits.column,
                value=lambda row, name=name: name,  # type: ignore[misc]
            )
    log.add_rows(
        "no split name",
        f"{ALLOWED_SPLITS}; or leave the column out",
        rows=np.flatnonzero(codes == -1),
        lines=table.lines,
        column=table.splits.column,
    )
    return np.maximum(splits, -1), names


def _check_ids(table: Table, log: ProblemLog) -> None:
    if table.ids is None:
        return
    ids = table.ids
    rows, starts = repeated_rows(ids.hashes)
    first = np.repeat(rows[starts], np.diff(starts, append=len(rows)))
    first_of = dict(zip(rows.tolist(), first.tolist(), strict=True))
    again = np.sort(rows[rows != first])
    log.add_rows(
        "duplicate id",
        "give every row its own id, or leave the column out",
        rows=[row for row in again.tolist() if ids.packed[row]],
        lines=table.lines,
        column=ids.column,
        value=lambda row: ids.packed[row],
        what=lambda row: f"the id of {log.unit} {table.lines[first_of[row]]} again",
    )


def _classes(table: Table, options: Options, log: ProblemLog) -> tuple[IntArray, tuple[str, ...]]:
    """Return each row's class, of shape (n,), and the classes' names, sorted."""
    found = table.labels.names if table.labels is not None else []
    classes = tuple(sorted({*found, *(options.classes or ())}))
    if table.labels is None:
        return np.full(len(table), UNLABELED), classes
    place = {name: at for at, name in enumerate(classes)}
    codes = table.labels.array()
    labels: IntArray = np.array([place[name] for name in found] + [UNLABELED, UNLABELED])[codes]
    unknown = [at for at, name in enumerate(found) if options.classes is not None and name not in options.classes]
    log.add_rows(
        "unknown label",
        f"the given classes are: {', '.join(options.classes or ())}",
        rows=np.flatnonzero(np.isin(codes, unknown)),
        lines=table.lines,
        column=table.labels.column,
        value=lambda row: found[codes[row]],
    )
    return labels, classes


def _drop(
    table: Table, splits: IntArray, labels: IntArray, classes: tuple[str, ...], options: Options, log: ProblemLog
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Decide which rows are kept: no empty texts, no text twice in the pool, none of the evaluation in the pool."""
    severity: Severity = "error" if options.strict else "warning"
    dropping = "" if options.strict else ", row dropped"
    column, lines = ", ".join(table.layout.texts), table.lines
    states = np.frombuffer(table.texts.states, dtype=np.uint8)
    same = find_duplicates(table.texts.hashes, (states == GOOD) & (splits >= 0), splits, labels)

    def tell(
        kind: str, rows: IntArray, remedy: str, other: IntArray | None = None, *, with_labels: bool = False
    ) -> None:
        def what(row: int) -> str:
            if other is None:
                return kind
            said = f"; {classes[labels[row]]!r}, there {classes[labels[other[row]]]!r}" if with_labels else ""
            return f"{kind} (see {log.unit} {lines[other[row]]}{said})"

        def value(row: int) -> str:
            return table.texts.packed[0][row]

        log.add_rows(kind, remedy, rows=rows, lines=lines, column=column, severity=severity, value=value, what=what)

    empty = np.flatnonzero(states == EMPTY)
    tell("empty text" + dropping, empty, "write a text, or remove the row")
    tell("repeated text in the pool" + dropping, same.repeated, "remove one of them", same.first_of)
    leak = "pool text that is in an evaluation split too" + dropping
    tell(leak, same.leaked, "remove it from the pool, or the evaluation is no test", same.first_of)
    again = "repeated text in an evaluation split" + ("" if options.strict else ", kept")
    tell(again, same.within_evaluation, "remove one of them", same.first_of)
    tell(
        "same text, another label",
        same.contradicting,
        "decide which label is right",
        same.labeled_first_of,
        with_labels=True,
    )
    keep = np.ones(len(table), dtype=np.bool_)
    for rows in (empty, same.repeated, same.leaked):
        keep[rows] = False
    return keep, {"empty": len(empty), "duplicate": len(same.repeated), "leaked": len(same.leaked)}


def _drawn_splits(
    keep: NDArray[np.bool_], labels: IntArray, options: Options, log: ProblemLog
) -> tuple[IntArray, tuple[str, ...]]:
    """Draw a test split from the labeled rows, where the data names no splits."""
    splits: IntArray = np.zeros(len(keep), dtype=np.int64)
    drawable = np.where(keep, labels, UNLABELED)
    if not (drawable >= 0).any():
        if options.classes:
            what = "no row has a label, so no test split is drawn and no accuracy can be measured"
            log.add("no test split", "add labeled rows with the split 'test'", what=what, severity="warning")
        return splits, ("pool",)
    rng = np.random.default_rng([options.seed, crc32(b"split")])
    rows = stratified_split(drawable, options.test_share, rng)
    splits[rows] = 1
    if len(rows):
        what = (
            f"no column tells the split: {len(rows):,} of {int((drawable >= 0).sum()):,} labeled rows are drawn as test"
        )
        log.add("test split drawn", f"seed {options.seed}", what=what, severity="warning")
    return splits, ("pool", "test")


def _check_sizes(table: Table, verdict: Verdict, log: ProblemLog) -> None:
    """Every split has rows, and the pool enough to choose from."""
    column = table.layout.split
    present = dict.fromkeys(("pool", "test"), column is not None) | dict.fromkeys(verdict.split_names, True)
    for name in (name for name, is_expected in present.items() if is_expected):
        at = verdict.split_names.index(name) if name in verdict.split_names else None
        n = 0 if at is None else int((verdict.keep & (verdict.splits == at)).sum())
        if name == "pool" and 0 < n < MIN_POOL:
            what = f"only {counted(n, 'row')} in the pool"
            log.add("too few pool rows", f"at least {MIN_POOL} are needed; add rows", what=what, column=column)
        elif n == 0:
            if column is None:
                remedy = "add rows; a test split needs two labeled rows of one class"
            elif name == "test":
                remedy = "mark labeled rows 'test', or leave the column out to have a test split drawn"
            else:
                remedy = f"mark rows {name!r}, or fix those that were refused or dropped"
            log.add("a split with no rows", remedy, what=f"no row left in the split {name!r}", column=column)


def _check_labels(table: Table, verdict: Verdict, options: Options, log: ProblemLog) -> None:
    """The labels make a task that can be learned from the pool and measured on the rest."""
    column, labels = table.layout.label, np.where(verdict.keep, verdict.labels, UNLABELED)
    n_labeled, classes = int((labels >= 0).sum()), verdict.classes
    if not classes:
        remedy = f"name the label column, one of: {listed(table.layout.header)}; or give all class names (--classes)"
        log.add("no labels are known", remedy, column=column)
        return
    if len(classes) == 1:
        log.add("only one class", "at least 2 are needed; is it the right column?", column=column, value=classes[0])
    if len(classes) > max(FEW_CLASSES, n_labeled / 2) and options.classes is None:
        what = f"{len(classes):,} different labels in {counted(n_labeled, 'labeled row')}"
        log.add("too many classes", "classes must repeat; is it the right column?", what=what, column=column)
    in_pool, in_evaluation = verdict.keep & (verdict.splits == 0), verdict.keep & (verdict.splits > 0)
    codes = table.labels.array() if table.labels is not None else labels
    log.add_rows(
        "no label in an evaluation split",
        "label it, or remove the row",
        rows=np.flatnonzero(in_evaluation & (codes == UNLABELED)),
        lines=table.lines,
        column=column or "label",
    )
    _check_pool_labels(table, verdict, np.unique(labels[in_pool]), in_evaluation, log)


def _check_pool_labels(
    table: Table, verdict: Verdict, pool_classes: IntArray, in_evaluation: NDArray[np.bool_], log: ProblemLog
) -> None:
    """Where every pool row has a label, it must have every class that the evaluation has, and more than one."""
    column, classes = table.layout.label, verdict.classes
    known = pool_classes[pool_classes >= 0]
    if not len(known):
        return
    if len(known) < len(pool_classes):  # some pool rows have no label
        in_pool = verdict.keep & (verdict.splits == 0)
        n = int((in_pool & (verdict.labels < 0)).sum())
        what = f"no label in {n:,} of {int(in_pool.sum()):,} pool rows, so a person must annotate"
        log.add("pool partly labeled", "label them all to let the column answer", what=what, severity="warning")
        return
    if len(known) == 1 and len(classes) > 1:
        remedy = "add pool rows of the other classes"
        log.add("only one class in the pool", remedy, column=column, value=classes[int(known[0])])
    unseen = in_evaluation & (verdict.labels >= 0) & ~np.isin(verdict.labels, known)
    there = listed([classes[at] for at in known.tolist()])
    log.add_rows(
        "a label that the pool never has",
        f"add pool rows of this class, or remove the row; the pool has: {there}",
        rows=np.flatnonzero(unseen),
        lines=table.lines,
        column=column,
        value=lambda row: classes[int(verdict.labels[row])],
    )
