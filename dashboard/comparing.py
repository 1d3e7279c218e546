"""What the page Compare asks of the store, kept at hand: comparisons, runs on the same data, and runs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core import (
    AlvinError,
    CellResult,
    list_comparisons,
    list_jobs,
    open_comparison,
    results_of,
    runs_alike,
    side_by_side,
    summarize_comparison,
)
from dashboard import data
from dashboard.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alvin_core import CellState, Comparison, ComparisonInfo, ComparisonSummary, Job, RunInfo, SideBySide

__all__ = [
    "Side",
    "active_comparisons",
    "comparisons",
    "found_side_by_side",
    "like_runs",
    "newest_on",
    "stored_summary",
    "summary_of_runs",
]

LETTERS = "abcd"

_sides: Shelf[tuple[Path, tuple[str, ...], int], SideBySide] = Shelf(32)
_summaries: Shelf[tuple[Path, str, tuple[int, ...]], ComparisonSummary] = Shelf(8)


@dataclass(frozen=True)
class Side:
    """One of the two to four things that are compared.

    Attributes
    ----------
    letter : str
        ``a`` to ``d``.
    label : str
        The arm, or the run's name.
    run_id : str
        Empty where its run is not begun.
    n_rounds : int
        Finished rounds.
    """

    letter: str
    label: str
    run_id: str
    n_rounds: int


def comparisons() -> list[ComparisonInfo]:
    """Return the stored comparisons, newest first."""
    return list(reversed(list_comparisons(data.store()))) if data.has_store() else []


def active_comparisons() -> list[Job]:
    """Return the jobs that compare and wait or run; a comparison that one of them makes may not be there yet."""
    return [job for job in list_jobs(data.store(), active=True) if job.kind == "compare"] if data.has_store() else []


def like_runs(run_id: str) -> list[RunInfo]:
    """Return the runs on the same data as one, itself included, that have a finished round."""
    return [info for info in runs_alike(data.store(), run_id) if info.n_rounds]


def newest_on(run_ids: set[str]) -> Comparison | None:
    """Return the newest comparison that has a round of two of its cells, all on the data of these runs."""
    for info in comparisons():
        try:
            found = open_comparison(data.store(), info.id)
            begun = [state for state in found.states() if state.run is not None and state.n_rounds]
        except AlvinError:  # deleted meanwhile
            continue
        if len(begun) > 1 and all(state.run in run_ids for state in begun):
            return found
    return None


def found_side_by_side(run_ids: Sequence[str], round_no: int) -> SideBySide:
    """Return runs side by side in a round, which never changes.

    Raises
    ------
    AlvinError
        When they cannot be compared, or have no such round.
    """
    key = (data.store(), tuple(run_ids), round_no)
    return _sides.get(key, lambda: side_by_side([data.opened(run_id) for run_id in run_ids], round_no))


def stored_summary(comparison: Comparison, states: Sequence[CellState]) -> ComparisonSummary:
    """Return what a comparison says of the cells as they are.

    Raises
    ------
    SettingsError
        When no round is finished.
    """
    key = (data.store(), comparison.id, tuple(state.n_rounds for state in states))
    return _summaries.get(key, lambda: summarize_comparison(comparison.results()))


def summary_of_runs(sides: Sequence[Side]) -> ComparisonSummary:
    """Return the curves of single runs. With one seed each there are no intervals and no verdicts.

    Raises
    ------
    SettingsError
        When the runs did not begin with equal numbers of labels.
    """
    # One seed for all: these are curves to be drawn, whatever the seeds were.
    cells = [CellResult(side.label, 0, side.label, tuple(data.opened(side.run_id).records())) for side in sides]
    return summarize_comparison(results_of("the runs", "", cells), reference=sides[0].label)
