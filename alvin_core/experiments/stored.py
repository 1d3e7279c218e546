"""A comparison in a store: run until every cell is finished, grown, discarded, read at any time."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.data.dataset import Dataset
from alvin_core.experiments.backends import BackendName, load_backend
from alvin_core.experiments.cells import CellTask, with_threads
from alvin_core.experiments.checking import check_comparable, settings_of_arms
from alvin_core.experiments.extending import extend_plan
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.values import CellState, ComparisonInfo
from alvin_core.progress import Progress, silent
from alvin_core.run.opening import open_run
from alvin_core.run.slice_lookup import check_named_slice
from alvin_core.run.trash import trash_run
from alvin_core.store.comparisons import cell_runs, delete_comparison_rows, get_comparison
from alvin_core.store.database import Store
from alvin_core.store.datasets import load_stored_dataset
from alvin_core.store.runs import sweep_store
from alvin_core.store.tables import ComparisonRow

if TYPE_CHECKING:
    from alvin_core.experiments.results import ComparisonResults
    from alvin_core.run.values import RoundRecord

__all__ = ["Comparison"]


class Comparison:
    """A comparison in a store, made by `create_comparison` or `open_comparison`.

    Each cell is a run like any other. Where its run is deleted or put in the trash, the cell is not finished.
    """

    def __init__(self, store: Store, row: ComparisonRow) -> None:
        self._store = store
        self._row = row

    def __repr__(self) -> str:
        return f"<Comparison {self.name} ({self.id})>"

    @property
    def id(self) -> str:
        """Eight hexadecimal digits."""
        return self._row.id

    @property
    def name(self) -> str:
        return self._row.name

    @property
    def source(self) -> str:
        """Where the data came from."""
        return self._row.source

    @property
    def created_at(self) -> str:
        """ISO 8601, UTC."""
        return self._row.created_at

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self._store.path

    @property
    def digest(self) -> str:
        """The SHA-256 of the data set."""
        return self._row.dataset

    @cached_property
    def dataset(self) -> Dataset:
        """The store's own copy of the data set."""
        return load_stored_dataset(self._store.path, self._row.dataset)

    @property
    def plan(self) -> ComparisonPlan:
        return ComparisonPlan.from_dict(self._row.plan)

    def info(self) -> ComparisonInfo:
        """Return what a list shows."""
        states = self.states()
        n_finished = sum(state.finished for state in states)
        return ComparisonInfo(self.id, self.name, self.source, len(states), n_finished, self.created_at)

    def states(self) -> tuple[CellState, ...]:
        """Return how far each cell is now, in the order of the plan's cells."""
        plan = self.plan
        with self._store.read() as session:
            runs = cell_runs(session, self.id)
        states = []
        for cell in plan.cells:
            run = runs.get(cell.key)
            n_rounds = 0 if run is None else run.n_rounds
            states.append(CellState(cell, None if run is None else run.run_id, n_rounds, n_rounds > plan.rounds))
        return tuple(states)

    def extend(self, plan: ComparisonPlan) -> tuple[str, ...]:
        """Let the comparison have strategies, seeds, rounds or varied values beside its own; what it has is kept.

        Returns
        -------
        tuple of str
            What was added, in words; empty where nothing was.

        Raises
        ------
        SettingsError
            With everything that differs, when the plan lacks something or has other settings; when it names a slice
            that the store does not have of this data.
        PoolError
            When the pool is too small for the rounds.
        RunBusyError
            When the comparison is being run.
        """
        with self._lock():
            self._read_again()
            extended, added = extend_plan(self.name, self.plan, plan)
            if added:
                check_comparable(self.dataset, extended)
                with self._store.write() as session:
                    for settings in settings_of_arms(extended):
                        check_named_slice(session, self.digest, settings)
                    self._row = get_comparison(session, self.id)
                    self._row.plan = extended.to_dict()
        return added

    def run(self, *, backend: BackendName = "local", workers: int | None = None, progress: Progress = silent) -> None:
        """Do what is not finished. Stopped or killed and called again, it repeats no finished round.

        Parameters
        ----------
        backend : {"local", "ray"}
            Processes on this machine, or tasks on a Ray cluster. On a CPU both give the same results to the last bit.
        workers : int, optional
            Cells at a time; by default what the machine has room for.
        progress : Progress
            Hears with the stage ``cells`` how many cells are finished, and in the note what is at work; of some
            backends with the stage ``cell rounds`` how many rounds of all cells are.

        Raises
        ------
        SettingsError
            When the backend is unknown or not installed, or ``workers`` is below 1.
        RunBusyError
            When another process runs the comparison.
        AlvinError
            At the end, when cells have failed; their names are in it.
        Cancelled
            When ``progress`` raises it. Finished cells and whole rounds are kept.
        """
        run_cells = load_backend(backend)
        with self._lock():
            self._read_again()
            run_cells(self, self._tasks(), workers=workers, progress=progress)

    def discard(self, *, trash_runs: bool = False) -> int:
        """Take the comparison out of the store.

        Parameters
        ----------
        trash_runs : bool
            Put the runs of its cells in the trash. Otherwise they stay, as runs like any other.

        Returns
        -------
        int
            How many runs it put there.

        Raises
        ------
        RunBusyError
            When the comparison is being run, or one of the runs to be put in the trash. Those before it are there
            then, and the comparison stays.
        """
        with self._lock():
            self._read_again()
            runs = [state.run for state in self.states() if state.run is not None] if trash_runs else []
            for run in runs:
                trash_run(self._store.path, run)
            with self._store.lock():
                with self._store.write() as session:
                    delete_comparison_rows(session, self.id)
                sweep_store(self._store)
        return len(runs)

    def _read_again(self) -> None:
        """Read the plan as it is now: another process may have added to it since this one looked."""
        with self._store.read() as session:
            self._row = get_comparison(session, self.id)

    def _tasks(self) -> list[CellTask]:
        rounds = self.plan.rounds
        return [
            CellTask(state.cell.key, with_threads(state.cell.settings), rounds, state.run)
            for state in self.states()
            if not state.finished
        ]

    def _lock(self) -> AbstractContextManager[None]:
        return self._store.database.lock(f"comparison-{self.id}", subject=f"the comparison {self.name!r}")

    def records(self) -> tuple[tuple[CellState, tuple[RoundRecord, ...]], ...]:
        """Return each cell with its rounds so far, those of the plan at most."""
        n_rounds, found = self.plan.rounds + 1, []
        for state in self.states():
            records = [] if state.run is None else open_run(self._store.path, state.run).records()
            found.append((state, tuple(records[:n_rounds])))
        return tuple(found)

    def results(self) -> ComparisonResults:
        """Return what the comparison has measured so far, as arrays; NaN where a cell is not finished.

        Raises
        ------
        SettingsError
            When no round is finished.
        """
        from alvin_core.experiments.results import CellResult, groups_against, results_of

        found = [CellResult(one.cell.arm, one.cell.seed, one.run or "", records) for one, records in self.records()]
        against = groups_against(self.dataset)
        return results_of(self.name, self.source, found, n_rounds=self.plan.rounds + 1, against=against)
