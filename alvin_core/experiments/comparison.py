"""A comparison in a store: made of a plan and a data set, run until every cell is finished, read at any time."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.data.dataset import Dataset
from alvin_core.experiments.backends import BackendName, load_backend
from alvin_core.experiments.cells import CellTask, with_threads
from alvin_core.experiments.checking import check_comparable
from alvin_core.experiments.extending import extend_plan
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.values import CellState, ComparisonInfo
from alvin_core.progress import Progress, silent
from alvin_core.run.opening import open_run
from alvin_core.store.comparisons import (
    cell_runs,
    delete_comparison_rows,
    find_comparison,
    list_comparison_rows,
    refuse_name,
)
from alvin_core.store.database import Store, open_store
from alvin_core.store.datasets import load_stored_dataset, save_dataset
from alvin_core.store.labels import now
from alvin_core.store.locks import file_lock
from alvin_core.store.runs import check_name, default_name, new_run_id, sweep_store
from alvin_core.store.tables import ComparisonRow

if TYPE_CHECKING:
    from alvin_core.experiments.results import ComparisonResults
    from alvin_core.run.values import RoundRecord

__all__ = [
    "CellState",
    "Comparison",
    "ComparisonInfo",
    "create_comparison",
    "default_comparison_name",
    "list_comparisons",
    "open_comparison",
]


def create_comparison(
    store: Path | str, dataset: Dataset, plan: ComparisonPlan, *, name: str | None = None, source: str = ""
) -> Comparison:
    """Put a comparison into a store; nothing is computed yet.

    Parameters
    ----------
    store : Path or str
        Made when missing.
    dataset : Dataset
        Copied into the store. Every pool example must have a label.
    plan : ComparisonPlan
    name : str, optional
        Letters, digits, ``-``, ``_`` and ``.``, at most 64; made of the source by default.
    source : str
        Where the data came from, for people.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingsError
        When a strategy is unknown, or settings contradict each other or the data.
    DataError
        When pool examples, or examples to evaluate on, have no label; when there are fewer than two classes.
    PoolError
        When the pool is too small for the rounds.
    StoreError
        When the store cannot be used, or the name is bad or taken.
    """
    name = check_name(default_comparison_name(source) if name is None else name, "comparison")
    check_comparable(dataset, plan)
    opened = open_store(store, create=True)
    with opened.lock():
        sweep_store(opened)
        digest = save_dataset(opened.path, dataset)
        with opened.write() as session:
            refuse_name(session, name)
            row = ComparisonRow(
                id=new_run_id(),
                name=name,
                plan=plan.to_dict(),
                dataset=digest,
                source=source.encode("utf-8", "replace").decode(),
                created_at=now(),
            )
            session.add(row)
    return Comparison(opened, row)


def open_comparison(store: Path | str, name: str) -> Comparison:
    """Open a comparison by its name, its id, or the beginning of its id.

    Raises
    ------
    StoreError
        When there is none; the message has close names.
    """
    opened = open_store(store)
    with opened.read() as session:
        return Comparison(opened, find_comparison(session, name))


def list_comparisons(store: Path | str) -> tuple[ComparisonInfo, ...]:
    """Return every comparison in a store, oldest first.

    Raises
    ------
    StoreError
        When the store is not there or cannot be used.
    """
    opened = open_store(store)
    with opened.read() as session:
        rows = list_comparison_rows(session)
    return tuple(Comparison(opened, row).info() for row in rows)


def default_comparison_name(source: str) -> str:
    """Return what a comparison is called unless somebody says: ``reviews-compare``."""
    return default_name(source, "compare")


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
            With everything that differs, when the plan lacks something or has other settings.
        PoolError
            When the pool is too small for the rounds.
        RunBusyError
            When the comparison is being run.
        """
        with self._lock():
            extended, added = extend_plan(self.name, self.plan, plan)
            if added:
                check_comparable(self.dataset, extended)
                with self._store.write() as session:
                    self._row = session.get_one(ComparisonRow, self.id)
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
            Hears with the stage ``cells`` how many cells are finished, and in the note what is at work.

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
            run_cells(self, self._tasks(), workers=workers, progress=progress)

    def discard(self) -> None:
        """Take the comparison out of the store. The runs of its cells stay, as runs like any other.

        Raises
        ------
        RunBusyError
            When the comparison is being run.
        """
        with self._lock(), self._store.lock():
            with self._store.write() as session:
                delete_comparison_rows(session, self.id)
            sweep_store(self._store)

    def _tasks(self) -> list[CellTask]:
        rounds = self.plan.rounds
        return [
            CellTask(state.cell.key, with_threads(state.cell.settings), rounds, state.run)
            for state in self.states()
            if not state.finished
        ]

    def _lock(self) -> AbstractContextManager[None]:
        path = self._store.path / "locks" / f"comparison-{self.id}.lock"
        return file_lock(path, subject=f"the comparison {self.name!r}")

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
