"""What a comparison measured, as arrays: every measure of every arm, seed and round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError
from alvin_core.experiments.against import groups_against, smaller_groups
from alvin_core.types import IntArray

if TYPE_CHECKING:
    from alvin_core.run.values import RoundRecord

__all__ = ["AGAINST", "CellResult", "ComparisonResults", "groups_against", "results_of"]

Array = NDArray[np.float64]

# Measure -> where `alvin_core.metrics.evaluate` puts it.
KINDS = {"accuracy": "accuracy", "macro_f1": "macro_f1", "worst_group": "worst_group_accuracy"}
FIGURES = (
    "mean_confidence",
    "uncertainty_mean_confidence",
    "mean_entropy",
    "diversity",
    "overlap_entropy",
    "candidate_share",
)
AGAINST = "against"  # the share of the selected whose attribute is not the usual one of its class
MOST_NAMED = 3
SHARES = {"group_share": "group_shares", "class_share": "class_shares"}


@dataclass(frozen=True)
class CellResult:
    """The rounds of one arm with one seed.

    Attributes
    ----------
    arm : str
    seed : int
    run : str
        Name or id of the run; empty where none was begun.
    records : tuple of RoundRecord
        From round 0 on; none where the cell is not begun.
    """

    arm: str
    seed: int
    run: str
    records: tuple[RoundRecord, ...]


@dataclass(frozen=True)
class ComparisonResults:
    """What a comparison measured. NaN is what is missing or not known.

    Attributes
    ----------
    name, source : str
        Of the comparison, and where its data came from.
    arms : tuple of str
    seeds : tuple of int
    n_labeled : int array of shape (n_rounds,)
        Labeled examples in each round, ascending; the same for all arms.
    measures : tuple of str
        ``accuracy:SPLIT``, ``macro_f1:SPLIT`` and, where groups are known, ``worst_group:SPLIT``.
    values : float64 array of shape (n_measures, n_arms, n_seeds, n_rounds)
        In [0, 1].
    figures : tuple of str
        Of the selections: ``mean_confidence``, ``mean_entropy`` (nats), ``diversity``, ``overlap_entropy`` (Jaccard),
        ``candidate_share``, ``uncertainty_mean_confidence`` (of what entropy would have taken), ``against``,
        ``group_share:GROUP`` and ``class_share:CLASS``, as far as they are known.
    selections : float64 array of shape (n_figures, n_arms, n_seeds, n_rounds)
        Of each round's proposal. That of the last round was not annotated.
    notes : tuple of str
        What a reader must know of these numbers: cells that are not finished, rounds that were left out.
    """

    name: str
    source: str
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    n_labeled: IntArray
    measures: tuple[str, ...]
    values: Array
    figures: tuple[str, ...]
    selections: Array
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        cells = (len(self.arms), len(self.seeds), len(self.n_labeled))
        for name, found, expected in (
            ("values", self.values.shape, (len(self.measures), *cells)),
            ("selections", self.selections.shape, (len(self.figures), *cells)),
        ):
            if found != expected:
                raise ValueError(f"ComparisonResults: {name} of shape {found} should be of shape {expected}")


def results_of(
    name: str,
    source: str,
    cells: Sequence[CellResult],
    *,
    n_rounds: int | None = None,
    against: Sequence[str] | None = None,
) -> ComparisonResults:
    """Gather the rounds of a comparison, or of any runs with equal budgets.

    Parameters
    ----------
    name, source : str
    cells : sequence of CellResult
        Arms come out in their order here, seeds ascending. A cell that is not begun may be given without records, so
        that it counts as missing.
    n_rounds : int, optional
        Rounds of a finished cell, round 0 included; by default those of the longest.
    against : sequence of str, optional
        Groups (``class × attribute``) whose attribute is not the usual one of their class, as `groups_against` finds
        them. By default those which are not the largest of their class in the split ``test``.

    Returns
    -------
    ComparisonResults

    Raises
    ------
    SettingsError
        When no round is finished, a cell is given twice, or not even round 0 has the same number of labels everywhere.
    """
    ordered = [_in_order(cell) for cell in cells]
    _check_cells(name, ordered)
    arms = tuple(dict.fromkeys(cell.arm for cell in ordered))
    seeds = tuple(sorted({cell.seed for cell in ordered}))
    n_labeled, notes = _common_rounds(name, ordered, n_rounds)
    records = [record for cell in ordered for record in cell.records]
    if against is None:
        against = smaller_groups(records)
    measures, figures = _measures_of(records), _figures_of(records, against)

    shape = (len(arms), len(seeds), len(n_labeled))
    values = np.full((len(measures), *shape), np.nan)
    selections = np.full((len(figures), *shape), np.nan)
    for cell in ordered:
        at = (slice(None), arms.index(cell.arm), seeds.index(cell.seed))
        for row, record in enumerate(cell.records[: len(n_labeled)]):
            values[(*at, row)] = [_measure(record, measure) for measure in measures]
            selections[(*at, row)] = [_figure(record, figure, against) for figure in figures]
    planned = n_rounds or max(len(cell.records) for cell in ordered)
    notes += _unfinished(arms, seeds, ordered, planned)
    return ComparisonResults(
        name, source, arms, seeds, np.array(n_labeled), measures, values, figures, selections, tuple(notes)
    )


def _in_order(cell: CellResult) -> CellResult:
    records = tuple(sorted(cell.records, key=lambda record: record.round))
    return CellResult(cell.arm, cell.seed, cell.run, records)


def _check_cells(name: str, cells: Sequence[CellResult]) -> None:
    if not any(cell.records for cell in cells):
        raise SettingsError(f"the comparison {name!r} has no finished round yet; run it with `alvin compare`, or wait")
    seen: set[tuple[str, int]] = set()
    for cell in cells:
        if (cell.arm, cell.seed) in seen:
            raise SettingsError(
                f"the arm {cell.arm!r} has two runs with seed {cell.seed}; give one run for each arm and seed"
            )
        seen.add((cell.arm, cell.seed))
        rounds = [record.round for record in cell.records]
        if rounds != list(range(len(rounds))):
            raise SettingsError(
                f"the run {cell.run!r} has the rounds {rounds}; a comparison needs every round from 0 on, once"
            )


def _common_rounds(name: str, cells: Sequence[CellResult], n_rounds: int | None) -> tuple[list[int], list[str]]:
    """Return the numbers of labels up to the first round where cells differ in them, and what to say about it."""
    longest = max(len(cell.records) for cell in cells)
    length = longest if n_rounds is None else min(longest, n_rounds)
    sizes: list[int] = []
    for row in range(length):
        runs_of = _runs_by_size(cells, row)
        if len(runs_of) > 1 and row == 0:
            raise SettingsError(f"{_differ(name, runs_of, row)}; compare runs with one size of the initial set")
        if len(runs_of) > 1:
            return sizes, [f"only rounds 0 to {row - 1} are compared: {_differ(name, runs_of, row)}"]
        (size,) = runs_of
        if sizes and size <= sizes[-1]:  # the pool is exhausted: nothing is learned any more
            return sizes, [f"only rounds 0 to {row - 1} are compared: from round {row} on nothing was annotated"]
        sizes.append(size)
    return sizes, []


def _runs_by_size(cells: Sequence[CellResult], row: int) -> dict[int, list[str]]:
    """Return the numbers of labels in a round, ascending, each with the cells that have so many."""
    found: dict[int, list[str]] = {}
    for cell in cells:
        if len(cell.records) > row:
            found.setdefault(cell.records[row].n_labeled, []).append(f"{cell.arm} seed {cell.seed}")
    return dict(sorted(found.items()))


def _differ(name: str, runs_of: Mapping[int, Sequence[str]], row: int) -> str:
    """Say which cells have another number of labels than most."""
    usual = max(runs_of, key=lambda size: len(runs_of[size]))
    odd = [f"{_some(runs)} with {size}" for size, runs in runs_of.items() if size != usual]
    sizes = " or ".join(map(str, runs_of))
    return f"the runs of {name!r} have {sizes} labels in round {row} ({', '.join(odd)})"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _unfinished(arms: Sequence[str], seeds: Sequence[int], cells: Sequence[CellResult], planned: int) -> list[str]:
    notes = []
    for arm in arms:
        n_done = sum(cell.arm == arm and len(cell.records) >= planned for cell in cells)
        if n_done < len(seeds):
            n_open = len(seeds) - n_done
            verb = "is" if n_open == 1 else "are"
            notes.append(f"{arm}: {n_open} of {len(seeds)} seeds {verb} not finished")
    return notes


def _measures_of(records: Sequence[RoundRecord]) -> tuple[str, ...]:
    splits = dict.fromkeys(split for record in records for split in record.metrics)
    ordered = sorted(splits, key=lambda split: split != "test")  # test first, the others as they come
    return tuple(
        f"{kind}:{split}"
        for split in ordered
        for kind in KINDS
        if any(math.isfinite(_measure(record, f"{kind}:{split}")) for record in records)
    )


def _figures_of(records: Sequence[RoundRecord], against: Sequence[str]) -> tuple[str, ...]:
    names = [*FIGURES, AGAINST]
    for prefix, key in SHARES.items():
        names += sorted({f"{prefix}:{one}" for record in records for one in record.selection.get(key, {})})
    return tuple(name for name in names if any(math.isfinite(_figure(record, name, against)) for record in records))


def _measure(record: RoundRecord, measure: str) -> float:
    kind, _, split = measure.partition(":")
    return _number(record.metrics.get(split, {}).get(KINDS[kind]))


def _figure(record: RoundRecord, figure: str, against: Sequence[str]) -> float:
    prefix, _, part = figure.partition(":")
    if prefix in SHARES:
        shares = record.selection.get(SHARES[prefix], {})
        return _number(shares.get(part, 0.0)) if shares else math.nan
    if figure == AGAINST:
        shares = record.selection.get("group_shares", {})
        return float(sum(shares.get(group, 0.0) for group in against)) if shares and against else math.nan
    return _number(record.selection.get(figure))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
