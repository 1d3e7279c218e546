"""Rounds as a table that grows by a line a round, and as lines of JSON."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alvin_core.cli.output import figure, percent, say, seconds, warn

if TYPE_CHECKING:
    from alvin_core.run import RoundRecord

__all__ = ["RoundTable", "Warnings", "round_json"]

GAP = "  "
LONGEST_SPLIT = 10


def round_json(record: RoundRecord, *, annotated: bool) -> dict[str, Any]:
    """Return a round as ``--json`` prints it.

    Parameters
    ----------
    record : RoundRecord
    annotated : bool
        Whether the round's proposal was taken; of one that was not, nothing is said of the selection.
    """
    selection = None
    if annotated:
        names = ("n", "n_candidates", "mean_confidence", "uncertainty_mean_confidence", "overlap_entropy")
        selection = {name: record.selection.get(name) for name in names}
    scores = ("accuracy", "macro_f1", "worst_group_accuracy")
    return {
        "run": record.run,
        "round": record.round,
        "strategy": record.strategy,
        "n_labeled": record.n_labeled,
        "metrics": {split: {name: found.get(name) for name in scores} for split, found in record.metrics.items()},
        "groups": {name: record.groups.get(name) for name in ("n_minority", "n_majority")},
        "anchors": {"n": record.anchors.get("n")},
        "selection": selection,
        "seconds": {name: record.seconds.get(name, 0.0) for name in ("train", "encode", "select", "evaluate")},
    }


@dataclass(frozen=True)
class _Column:
    """One column: its header in two lines, how wide its cells may get, and how soon a narrow screen does without."""

    top: str
    bottom: str
    cell: Callable[[RoundRecord], str]
    widest: int = 0
    dispensable: int = 0  # 0: never dropped; of the others the highest goes first

    @property
    def width(self) -> int:
        return max(len(self.top), len(self.bottom), self.widest)


class RoundTable:
    """Writes a header before the first round, then a line for each round.

    Parameters
    ----------
    records : sequence of RoundRecord
        The rounds that are known now. They decide, with the first one shown, which columns there are.
    """

    def __init__(self, records: Sequence[RoundRecord] = ()) -> None:
        self._known = list(records)
        self._columns: list[_Column] = []

    def show(self, record: RoundRecord) -> None:
        """Write one round."""
        if not self._columns:
            self._columns = _fit(_columns([*self._known, record]))
            say(_line(column.top for column in self._widths()), style="bold")
            say(_line(column.bottom for column in self._widths()), style="bold")
        cells = (column.cell(record).rjust(column.width) for column in self._columns)
        say(GAP.join(cells).rstrip())

    def _widths(self) -> list[_Column]:
        return [
            _Column(column.top.rjust(column.width), column.bottom.rjust(column.width), column.cell)
            for column in self._columns
        ]


class Warnings:
    """Writes each warning of the rounds to standard error once: figures and details change from round to round."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()

    def show(self, record: RoundRecord) -> None:
        """Write those of a round's warnings that no round before it had."""
        for text in record.warnings:
            kind = re.sub(r"\(.*\)|[\d.,]+", "#", text)
            if kind not in self._kinds:
                self._kinds.add(kind)
                warn(f"round {record.round}: {text}")


def _line(cells: Any) -> str:
    return GAP.join(cells).rstrip()


def _fit(columns: list[_Column]) -> list[_Column]:
    """Leave columns out until a line fits the terminal; a file or pipe gets them all."""
    if not sys.stdout.isatty():
        return columns
    room = shutil.get_terminal_size().columns
    kept = list(columns)
    while sum(column.width + len(GAP) for column in kept) - len(GAP) > room:
        droppable = [column for column in kept if column.dispensable]
        if not droppable:
            return kept
        kept.remove(max(droppable, key=lambda column: column.dispensable))
    return kept


def _columns(records: Sequence[RoundRecord]) -> list[_Column]:
    strategies = {record.strategy for record in records}
    columns = [
        _Column("", "round", lambda record: str(record.round)),
        _Column("", "labeled", lambda record: f"{record.n_labeled:,}"),
    ]
    if len(strategies) > 1:
        columns.append(_Column("", "strategy", lambda record: record.strategy, max(map(len, strategies))))
    columns += _score_columns(records[-1])
    columns += [
        _Column("minority/", "majority", lambda record: _pair(record.groups), 8, 5),
        _Column("filled", "up", lambda record: percent(record.groups.get("filled_share")), 4, 1),
    ]
    if any(record.anchors.get("n") for record in records):
        columns += [
            _Column("", "anchors", lambda record: f"{record.anchors.get('n') or 0:,}", 7, 6),
            _Column("candi-", "dates", lambda record: percent(record.selection.get("candidate_share")), 4, 4),
        ]
    columns += _confidence_columns(strategies)
    columns.append(_Column("", "time", lambda record: seconds(sum(record.seconds.values())), 6, 7))
    return columns


def _score_columns(record: RoundRecord) -> list[_Column]:
    """Accuracy on each split, and on the worst group of the first split that has groups."""
    columns = []
    for split in record.metrics:
        top, _, name = split.rpartition(":")
        bottom = name if len(name) <= LONGEST_SPLIT else name[: LONGEST_SPLIT - 1] + "…"
        columns.append(_Column(top or "accuracy", bottom, _score(split, "accuracy"), 5))
    grouped = [split for split, found in record.metrics.items() if found.get("worst_group_accuracy") is not None]
    if grouped:
        columns.append(_Column("worst group", f"of {grouped[0]}", _score(grouped[0], "worst_group_accuracy"), 5))
    return columns


def _confidence_columns(strategies: set[str]) -> list[_Column]:
    """How sure the model is of what was picked, beside what uncertainty sampling would have picked."""
    own = min(strategies) if len(strategies) == 1 else "selected"
    columns = [_Column("conf. of", own, lambda record: figure(record.selection.get("mean_confidence"), 2), 4, 2)]
    if own != "entropy":
        columns.append(_Column("conf. of", "entropy", _uncertain_confidence, 4, 3))
    return columns


def _uncertain_confidence(record: RoundRecord) -> str:
    return figure(record.selection.get("uncertainty_mean_confidence"), 2)


def _score(split: str, name: str) -> Callable[[RoundRecord], str]:
    return lambda record: figure(record.metrics.get(split, {}).get(name))


def _pair(groups: dict[str, Any]) -> str:
    return f"{groups.get('n_minority', 0)}/{groups.get('n_majority', 0)}"
