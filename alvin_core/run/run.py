"""A run: rounds of active learning on one data set, kept in a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvin_core.data.dataset import Dataset
from alvin_core.errors import SettingsError
from alvin_core.progress import Progress, silent
from alvin_core.run import frames
from alvin_core.run.archive import VECTORS, dynamics_of
from alvin_core.run.engine import Engine
from alvin_core.run.exporting import export_labels
from alvin_core.run.forking import fork_run
from alvin_core.run.handle import RunHandle, missing_labels, state_of
from alvin_core.run.replaying import replay_run
from alvin_core.run.stepping import check_reach, record_of, step_run, why_waiting
from alvin_core.run.submitting import submit_labels, undo_label
from alvin_core.run.values import ReplayRound, RoundRecord, RunState, SubmitReport
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import load_array
from alvin_core.store.labels import current_labels
from alvin_core.store.rounds import count_rounds, list_rounds
from alvin_core.types import Float32Array, IdArray, TrainingDynamics

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run"]


class Run:
    """A run in a store, made by `create_run`, `open_run` or `fork`.

    Rounds and labels are read from the store when asked for: several processes may look at one run, and submit labels,
    while one of them steps it.
    """

    def __init__(self, handle: RunHandle) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        return f"<Run {self.name} ({self.id})>"

    @property
    def id(self) -> str:
        """Eight hexadecimal digits."""
        return self._handle.row.id

    @property
    def name(self) -> str:
        return self._handle.row.name

    @property
    def source(self) -> str:
        """Where the data came from."""
        return self._handle.row.source

    @property
    def settings(self) -> RunSettings:
        return self._handle.settings

    @property
    def dataset(self) -> Dataset:
        """The store's own copy of the data set."""
        return self._handle.dataset

    @property
    def annotator(self) -> str:
        """``oracle`` or ``person``: what ``settings.annotator`` came to on this data."""
        return self._handle.row.annotator

    @property
    def parent(self) -> tuple[str, int] | None:
        """The run that this one was forked from, and the round; the parent may have been deleted since."""
        return self._handle.parent

    @property
    def created_at(self) -> str:
        """ISO 8601, UTC."""
        return self._handle.row.created_at

    @property
    def environment(self) -> dict[str, Any]:
        """Versions and platform that the run was created with."""
        return self._handle.row.environment

    @property
    def state(self) -> RunState:
        """``waiting`` when a person must annotate before the run can go on, else ``ready``."""
        with self._handle.store.read() as session:
            self._handle.check_exists(session)
            return state_of(session, self._handle.row, current_labels(session, self.id))

    @property
    def waits_for(self) -> str:
        """What a person must do before the run can go on, in one line; empty when it can."""
        return why_waiting(self._handle)

    @property
    def n_rounds(self) -> int:
        """How many rounds are finished."""
        with self._handle.store.read() as session:
            self._handle.check_exists(session)
            return count_rounds(session, self.id)

    def step(self, progress: Progress = silent) -> RoundRecord:
        """Annotate the pending proposal, if there is one, and train the next round.

        Returns
        -------
        RoundRecord
            Of the round that was trained. It is on disk.

        Raises
        ------
        AnnotationNeeded
            When a person must annotate first.
        PoolError
            When every pool example is labeled already.
        RunBusyError
            When another process works on the run.
        """
        return step_run(self._handle, self._engine, progress)

    def run_rounds(self, n: int, progress: Progress = silent) -> Iterator[RoundRecord]:
        """Step until round ``n`` is trained: ``n`` annotations in all, counted from the run's beginning.

        Rounds that are there are not trained again: the same call takes up a run that was interrupted.

        Yields
        ------
        RoundRecord
            Of each newly trained round, once it is on disk.

        Raises
        ------
        PoolError
            At once, when the pool will not last so long.
        SettingsError
            When ``n`` is negative.
        AnnotationNeeded, RunBusyError
            As `step` does.
        """
        if n < 0:
            raise SettingsError(f"rounds = {n} is out of range: it must be at least 0")
        check_reach(self._handle, n)
        return self._steps(n, progress)

    def _steps(self, n: int, progress: Progress) -> Iterator[RoundRecord]:
        while self.n_rounds <= n:
            yield self.step(progress)

    def submit(self, labels: Mapping[str, str] | pd.DataFrame, *, annotator: str = "person") -> SubmitReport:
        """Store a person's labels: all of them or, when one cannot be stored, none. On disk when it returns.

        Parameters
        ----------
        labels : mapping of id to class name, or frame with the columns ``id`` and ``label``
            Of proposed examples, of some of them, or of any others in the pool. Blank labels are passed over.
        annotator : str
            Who gave them.

        Returns
        -------
        SubmitReport

        Raises
        ------
        LabelError
            When an id or a class is unknown, an example is not in the pool, or has another label already.
        """
        return submit_labels(self._handle, labels, annotator)

    def undo(self, example_id: str, annotator: str = "person") -> None:
        """Take back an example's label; it is in the pool again. Rounds that were trained with it stay as they are.

        Raises
        ------
        LabelError
            When the example has no label.
        """
        undo_label(self._handle, example_id, annotator)

    def pending(self) -> pd.DataFrame:
        """Return the proposed examples that have no label yet, best first: ``id``, the text, ``attribute``."""
        with self._handle.store.read() as session:
            self._handle.check_exists(session)
            ids, _ = missing_labels(session, self.id, current_labels(session, self.id))
        return frames.pending_frame(self._handle, ids)

    def fork(
        self,
        at: int,
        *,
        strategy: str | None = None,
        changes: Mapping[str, object] | None = None,
        name: str | None = None,
    ) -> Run:
        """Make a new run that shares this one's past and goes another way.

        Rounds before ``at`` and the labels that round ``at`` trained on are this run's; the next `step` trains round
        ``at`` anew, with the changed settings. Either run can be deleted without harm to the other.

        Parameters
        ----------
        at : int
            From 0 to the number of finished rounds.
        strategy : str, optional
        changes : mapping of dotted setting names to values, optional
            ``{"alvin.alpha": 0.5}``.
        name : str, optional

        Raises
        ------
        StoreError
            When there is no such round, or the name is bad or taken.
        SettingsError
            When a setting is unknown, out of range, or cannot change any more.
        """
        settings = dict(changes or {}) | ({} if strategy is None else {"strategy": strategy})
        return Run(fork_run(self._handle, at, settings, name))

    def replay(self, progress: Progress = silent) -> list[ReplayRound]:
        """Compute every round again from its record and compare the selections. Nothing is written."""
        return replay_run(self._handle, self._engine, progress)

    def record(self, round_no: int) -> RoundRecord:
        """Return one round's figures. Like all methods that take a round, raise `StoreError` when there is no such."""
        with self._handle.store.read() as session:
            return record_of(self._handle, self._handle.round_row(session, round_no))

    def records(self) -> list[RoundRecord]:
        """Return every round's figures, in order."""
        with self._handle.store.read() as session:
            self._handle.check_exists(session)
            return [record_of(self._handle, row) for row in list_rounds(session, self.id)]

    def examples(self, round_no: int, *, oracle: bool = False) -> pd.DataFrame:
        """Return every example as it was in a round; see `alvin_core.run.frames.examples_frame`."""
        return frames.examples_frame(self._handle, round_no, oracle=oracle)

    def selection(self, round_no: int) -> pd.DataFrame:
        """Return what a round selected, best first: a row for each example."""
        return frames.selection_frame(self._handle, round_no)

    def provenance(self, round_no: int) -> pd.DataFrame:
        """Return why it was selected: a row for each anchor that retrieved a selected example, with its parents."""
        return frames.provenance_frame(self._handle, round_no)

    def anchors(self, round_no: int) -> pd.DataFrame:
        """Return a round's anchors with their parents and weights."""
        return frames.anchors_frame(self._handle, round_no)

    def dynamics(self, round_no: int) -> TrainingDynamics:
        """Return what training did to each labeled example of a round."""
        _, arrays = self._handle.round(round_no)
        return dynamics_of(arrays, self.dataset)

    def vectors(self, round_no: int) -> tuple[IdArray, Float32Array]:
        """Return ids, and the memory-mapped representations of shape (n_ids, dim), of labeled and pool examples."""
        stored, arrays = self._handle.round(round_no)
        return self.dataset.ids[arrays["vector_rows"]], load_array(self._handle.folder / stored.folder, VECTORS)

    def labels(self) -> pd.DataFrame:
        """Return the labels that hold now, in the order of annotation; what was undone is not among them."""
        return frames.labels_frame(self._handle)

    def metrics(self) -> pd.DataFrame:
        """Return a row for each round and evaluation split, with the figures of the round's selection beside."""
        return frames.metrics_frame(self.records())

    def export(self, path: Path | str, format: str = "csv") -> int:  # noqa: A002  (the word users know)
        """Write the labels that hold now to a file, and return how many.

        Parameters
        ----------
        path : Path or str
            Replaced when it is there.
        format : {"csv", "jsonl", "parquet"}

        Raises
        ------
        StoreError
            When the file cannot be written.
        SettingsError
            When the format is unknown.
        """
        return export_labels(self.labels(), Path(path), format)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(self.dataset, self._handle.store.cache)
