"""A run: rounds of active learning on one data set, kept in a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from alvin_core.errors import SettingsError
from alvin_core.progress import Progress, silent
from alvin_core.run.adding import RunAdding
from alvin_core.run.annotating import RunAnnotating
from alvin_core.run.cues import RunCues
from alvin_core.run.engine import Engine
from alvin_core.run.forking import fork_run
from alvin_core.run.handle import RunHandle, state_of
from alvin_core.run.reading import RunReading
from alvin_core.run.replaying import replay_run
from alvin_core.run.slice_lookup import StoredSlices
from alvin_core.run.slicing import RunSlices
from alvin_core.run.stepping import check_reach, step_run, why_waiting
from alvin_core.run.values import ReplayRound, RoundRecord, RunState
from alvin_core.settings import RunSettings
from alvin_core.store.labels import current_labels
from alvin_core.store.rounds import count_rounds

if TYPE_CHECKING:
    from alvin_core.projection import Method, Projection, Space
    from alvin_core.run.environment import ChangedFact

__all__ = ["Run"]


class Run(RunReading, RunAnnotating, RunAdding, RunCues, RunSlices):
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

    def recorded_environment(self, round_no: int | None = None) -> dict[str, Any]:
        """Return all that is recorded of how a round was computed; see `alvin_core.run.rebuilding.run_environment`."""
        from alvin_core.run.rebuilding import run_environment

        return run_environment(self._handle, round_no)

    def changed_here(self, round_no: int | None = None) -> list[ChangedFact]:
        """Return what of that record is otherwise on this machine, now; the encoder is loaded for it."""
        from alvin_core.run.rebuilding import changed_here

        return changed_here(self._handle, round_no)

    def project(
        self, round_no: int, space: Space = "model", method: Method = "umap", progress: Progress = silent
    ) -> Projection:
        """Make a map of a round's representation space; see `alvin_core.run.projecting.project_round`."""
        from alvin_core.run import projecting

        return projecting.project_round(self._handle, self._engine, round_no, space, method, progress)

    @cached_property
    def _engine(self) -> Engine:
        slices = StoredSlices(self._handle.store, self._handle.row.dataset)
        return Engine(self._handle.stored_dataset, self._handle.store.cache, slices)
