"""What is wrong with a user's data: one problem, the list of them all, and the log that collects it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from alvin_core.shown import shown
from alvin_core.types import IntArray

__all__ = ["Problem", "ProblemLog", "Report", "Severity", "Unit", "counted", "shorten"]

Severity = Literal["error", "warning"]
Unit = Literal["line", "row"]

SHOWN_CHARACTERS = 40
LONGEST_FILE = 500  # characters of its name in a message


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``3,000 rows``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def shorten(value: object) -> str:
    """Return a value as one short printable line, quoted where it is text."""
    if isinstance(value, str):
        text = repr(value[:SHOWN_CHARACTERS])
        return text if len(value) <= SHOWN_CHARACTERS else f"{text[:-1]}…{text[-1]}"
    text = shown(value)  # of lists within lists it shows the outer ones
    return text if len(text) <= 2 * SHOWN_CHARACTERS else text[: 2 * SHOWN_CHARACTERS] + "…"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it.

    Attributes
    ----------
    file : str
        The file or data set name as the user gave it.
    row : int or None
        1-based: the line in a text file (where the record begins), the data row elsewhere. None: the whole file.
    column : str or None
        The user's own name of the column.
    value : str or None
        The offending value, shortened to be shown.
    what, remedy : str
    severity : {"error", "warning"}
        An error keeps the data from being used.
    unit : {"line", "row"}
        What ``row`` counts.
    """

    file: str
    row: int | None
    column: str | None
    value: str | None
    what: str
    remedy: str
    severity: Severity = "error"
    unit: Unit = "line"

    def __str__(self) -> str:
        place = self.file if self.file.isprintable() and len(self.file) <= LONGEST_FILE else shorten(self.file)
        if self.row is not None:
            place += f", {self.unit} {self.row}"
        if self.column is not None:
            place += f", column {shorten(self.column)}"
        if self.value is not None:
            place += f", value {self.value}"
        return f"{place}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Report:
    """Everything that reading and checking found.

    Attributes
    ----------
    source : str
    problems : tuple of Problem
        What concerns the whole file first, then by row; kinds with very many are cut short, saying so.
    n_errors, n_warnings : int
        How many there are, those that were cut short included.
    n_rows : int
        Rows that are left to be used, after dropping.
    splits : mapping of str to int
        Rows of each split; drawn by the seed where the data names none.
    classes : mapping of str to mapping of str to int
        For each split, rows of each class; unlabeled rows are not counted.
    is_pairs : bool
    oracle : {"column", "person"}
        Who annotates: a column, where every pool row has a label, else a person.
    dropped : mapping of str to int
        Rows dropped: ``empty``, ``duplicate`` (repeated in the pool) and ``leaked`` (also in an evaluation split).
    """

    source: str
    problems: tuple[Problem, ...]
    n_errors: int
    n_warnings: int
    n_rows: int = 0
    splits: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    is_pairs: bool = False
    oracle: Literal["column", "person"] = "column"
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The listed problems that keep the data from being used."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The listed problems that the data can be used in spite of."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    @property
    def ok(self) -> bool:
        """Whether the data can be used."""
        return self.n_errors == 0


@dataclass
class _Kind:
    """Problems of one kind: the first few are kept, all are counted."""

    n: int = 0
    kept: list[tuple[tuple[int, int], Problem]] = field(default_factory=list)


class ProblemLog:
    """Collects problems by kind; keeps at most ``cap`` of each, so that a wholly broken file costs no memory.

    Parameters
    ----------
    file : str
        What the user calls the data.
    cap : int
        How many problems of each kind are kept.
    """

    def __init__(self, file: str, cap: int) -> None:
        self.file = file
        self.cap = cap
        self.unit: Unit = "line"
        self.is_read = False  # problems of the whole file found after reading are listed last: rows often cause them
        self.is_cut = False
        self._kinds: dict[str, _Kind] = {}

    def add(
        self,
        kind: str,
        remedy: str,
        *,
        what: str | None = None,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
        severity: Severity = "error",
    ) -> None:
        """Note one problem; ``what`` is the kind's own words unless given."""
        entry = self._kinds.setdefault(kind, _Kind())
        entry.n += 1
        if len(entry.kept) < self.cap:
            shown = None if value is None else shorten(value)
            problem = Problem(self.file, row, column, shown, what or kind, remedy, severity, self.unit)
            stage = 1 if row is not None else 2 * self.is_read
            entry.kept.append(((stage, row or 0), problem))

    def cut(self, kind: str, remedy: str, *, what: str | None = None, row: int | None = None) -> None:
        """Note why reading ended early: what holds of the whole data is not judged by the part that was read."""
        self.is_cut = True
        self.add(kind, remedy, what=what, row=row)

    def add_rows(
        self,
        kind: str,
        remedy: str,
        *,
        rows: Iterable[int] | IntArray,
        lines: IntArray,
        column: str | None = None,
        severity: Severity = "error",
        value: Callable[[int], object] | None = None,
        what: Callable[[int], str] | None = None,
    ) -> None:
        """Note the same problem for many rows of a table; value and words are made for the kept ones alone."""
        entry = self._kinds.setdefault(kind, _Kind())
        rows = np.asarray(rows)
        room = max(0, self.cap - len(entry.kept))
        for row in rows[:room].tolist():
            self.add(
                kind,
                remedy,
                what=what(row) if what else None,
                row=int(lines[row]),
                column=column,
                value=value(row) if value else None,
                severity=severity,
            )
        entry.n += max(0, len(rows) - room)

    def count(self, severity: Severity) -> int:
        """How many problems there are of a severity, kept or not."""
        return sum(kind.n for kind in self._kinds.values() if kind.kept and kind.kept[0][1].severity == severity)

    def problems(self) -> tuple[Problem, ...]:
        """Return the kept problems in order of reading, with one "and N more" for each kind that was cut short."""
        kept = sorted((item for kind in self._kinds.values() for item in kind.kept), key=lambda item: item[0])
        more = [
            replace(
                kind.kept[-1][1], row=None, value=None, remedy="", what=f"and {kind.n - len(kind.kept):,} more: {name}"
            )
            for name, kind in self._kinds.items()
            if kind.n > len(kind.kept) > 0
        ]
        return tuple(problem for _, problem in kept) + tuple(more)

    def summary(self) -> tuple[str, ...]:
        """Return one line for each kind of warning, with its count and the first place."""
        lines = []
        for name, kind in self._kinds.items():
            if not kind.kept or kind.kept[0][1].severity != "warning":
                continue
            first = kind.kept[0][1]
            if first.row is None:
                lines.append(f"{first.what}" + (f"; {first.remedy}" if first.remedy else ""))
            else:
                lines.append(f"{counted(kind.n, 'row')}: {name} (first: {first.unit} {first.row})")
        return tuple(lines)
