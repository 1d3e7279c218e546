"""The Ray backend: cells as tasks of a cluster, at any scale, with the results of one machine.

A task is sent the data and the encodings through Ray's shared memory, computes its cell in a store of its own
(`alvin_core.experiments.ray_cell`) and sends the run home packed; here it is made the cell's run, exactly once.
"""

from __future__ import annotations

import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import AlvinError, RunBusyError, SettingsError
from alvin_core.experiments.cells import CellTask, receive_cell
from alvin_core.experiments.ray_cell import CellError, CellWork, compute_cell
from alvin_core.experiments.ray_cluster import join_cluster, look_at_cluster
from alvin_core.experiments.ray_nodes import fault_words
from alvin_core.experiments.values import CELLS, ROUNDS
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.run.bundle import pack_run
from alvin_core.run.opening import open_run
from alvin_core.run.slice_packing import named_slices
from alvin_core.settings import RuntimeSettings
from alvin_core.store.runs import LONGEST_NAME

if TYPE_CHECKING:
    from alvin_core.experiments.comparison import Comparison
    from alvin_core.experiments.ray_nodes import NodeView

__all__ = ["run_cells"]

MOST_TRIES = 4  # Ray's own number: three more where a worker or its node died
TICK_SECONDS = 0.2  # how long a wish to stop may have to wait
LAST_SECONDS = 3.0  # that tasks which are told to stop have to clear up
TOLD_FAILURES = 3


def run_cells(
    comparison: Comparison, tasks: Sequence[CellTask], *, workers: int | None = None, progress: Progress = silent
) -> None:
    """Bring cells to their end on a Ray cluster: the one that ``RAY_ADDRESS`` names, else one on this machine.

    The data is encoded once before, by the cluster. A cell whose worker or node dies is computed anew, from the last
    round that this store has; a cell that fails stops no other one.

    Parameters
    ----------
    comparison : Comparison
    tasks : sequence of CellTask
    workers : int, optional
        Cells at a time. By default as many as the cluster has room for; a cluster that is started here gets all cores.
    progress : Progress
        Hears with the stage ``cells`` how many cells of the comparison are finished, and in the note what is at work;
        with the stage ``cell rounds`` how many rounds of all its cells are. What it raises stops the work; finished
        cells are kept.

    Raises
    ------
    AlvinError
        At the end, when cells have failed; their names are in it. At once, of its own kind, when encoding fails.
    SettingsError
        When ``workers`` is below 1, Ray is not installed, or ``RAY_ADDRESS`` cannot be used.
    DeviceError
        When the cluster cannot be reached or started, or no node is large enough; when a node has other versions.
    StoreError
        When the disk refuses.
    """
    if workers is not None and workers < 1:
        raise SettingsError(f"workers = {workers} is out of range: it must be at least 1")
    if not tasks:
        return
    progress(ProgressEvent("load", 0, 0))
    with join_cluster(_n_cpus(tasks, workers)):
        work = _Work(comparison, tasks, progress)
        with work.sent():
            work.do(workers or len(tasks))
        work.raise_failures()


def _n_cpus(tasks: Sequence[CellTask], workers: int | None) -> int:
    """Return how many CPUs a cluster of this machine is to have: room for the workers, each with its threads."""
    from alvin_core.device import plan_device

    threads = max(task.settings.runtime.threads for task in tasks)
    n_cores = plan_device(RuntimeSettings(device="cpu")).threads
    if plan_device(RuntimeSettings()).kind != "cpu" and any(task.settings.runtime.device != "cpu" for task in tasks):
        return max(n_cores, threads)  # as many cells at a time as there are GPUs
    return threads * (workers or max(1, n_cores // threads))


@dataclass(frozen=True)
class _Group:
    """What the cells with the same encodings share: where they are computed, and the encodings in Ray's memory."""

    view: NodeView
    lent: Any
    fingerprint: str


class _Work:
    """A comparison's cells on the way through a cluster."""

    def __init__(self, comparison: Comparison, tasks: Sequence[CellTask], progress: Progress) -> None:
        self._comparison, self._tasks, self._progress = comparison, tasks, progress
        self._names = {cell.key: f"{cell.arm} seed {cell.seed}" for cell in comparison.plan.cells}
        self._groups: dict[object, _Group] = {}
        self._dataset: Any = None
        self._at_work: dict[Any, CellTask] = {}  # by the generator of what a task says
        self._kept = {state.cell.key: state.n_rounds for state in comparison.states()}
        self._rounds: dict[str, int] = {}  # of the cells at work
        self._failures: dict[str, str] = {}
        self._done = len(self._names) - len(tasks)

    @contextmanager
    def sent(self) -> Iterator[None]:
        """Have data and encodings in the cluster's memory; at the end, nothing of this is at work there any more."""
        import ray

        self._dataset = ray.put(self._comparison.dataset)
        for task in self._tasks:
            key = _sharing(task)
            if key not in self._groups:
                self._groups[key] = self._encode(task)
        try:
            yield
        finally:
            self._stop()
            self._groups, self._dataset = {}, None

    def _encode(self, task: CellTask) -> _Group:
        import ray

        from alvin_core.experiments.ray_encoding import encode_on_ray
        from alvin_core.experiments.ray_nodes import view_node

        view = view_node(task.settings, self._progress)
        cache = self._comparison.store / "cache"
        entries = encode_on_ray(self._comparison.dataset, task.settings, cache, self._progress, view)
        n_bytes, room = sum(entry.values.nbytes for entry in entries.values()), look_at_cluster().shared_bytes
        if n_bytes > room:
            note = f"the encodings take {n_bytes / 1e9:.1f} GB, a node shares {room / 1e9:.1f} GB in memory"
            self._progress(ProgressEvent("encode", 0, 0, f"{note}: Ray keeps them on disk, which is slower"))
        fingerprint = "" if entries or len(look_at_cluster().nodes) == 1 else _fingerprint(task)
        return _Group(view, ray.put(entries), fingerprint)

    def do(self, most: int) -> None:
        """Do all cells, at most so many at a time."""
        import ray

        waiting, tries = deque(self._tasks), Counter[str]()
        while waiting or self._at_work:
            while waiting and len(self._at_work) < most:
                task = waiting.popleft()
                tries[task.key] += 1
                self._at_work[self._send(task)] = task
            for speaker in ray.wait(list(self._at_work), timeout=TICK_SECONDS)[0]:
                task = self._at_work[speaker]
                reason = self._listen(speaker, task)
                if reason and tries[task.key] < MOST_TRIES:
                    waiting.append(task)
                    self._tell(f"{self._names[task.key]}: {reason}; it is computed again")
                elif reason:
                    self._failures[task.key] = f"{reason}, {MOST_TRIES} times; if memory is short, use fewer workers"
            self._tell()

    def _send(self, task: CellTask) -> Any:
        """Hand a cell to the cluster; return the generator of what its task says."""
        import ray

        group = self._groups[_sharing(task)]
        view = group.view
        work = CellWork(
            name=f"{self._comparison.name[: max(1, LONGEST_NAME - len(task.key) - 1)]}-{task.key}",
            source=self._comparison.source,
            settings=replace(task.settings, runtime=view.settings.runtime),
            rounds=task.rounds,
            digest=self._comparison.digest,
            home=view.home,
            fingerprint=group.fingerprint,
            slices=named_slices(self._comparison.store, self._comparison.digest, task.settings),
        )
        # Ray's own retries would repeat a task unseen, and without end where memory is short; here they are counted.
        options = {**view.place.options(), "num_returns": "streaming", "max_retries": 0}
        begun = self._begun(task, work)
        return ray.remote(compute_cell).options(**options).remote(work, self._dataset, begun, group.lent)

    def _begun(self, task: CellTask, work: CellWork) -> Any:
        """Return the packed run of a cell that was begun here; None where its task is to begin it.

        Rounds are computed alike wherever they are, so going on with them gives what beginning anew would, sooner. A
        run that was begun with another device or number of threads is left, since its settings would go on with it.
        """
        if task.run is None or open_run(self._comparison.store, task.run).settings.runtime != work.settings.runtime:
            return None
        with tempfile.TemporaryDirectory() as folder:
            return np.fromfile(pack_run(self._comparison.store, task.run, Path(folder) / "run.zip"), dtype=np.uint8)

    def _listen(self, speaker: Any, task: CellTask) -> str:
        """Take the next thing that a task says; return why it has to be sent again, most often nothing."""
        import ray

        try:
            said = ray.get(next(speaker))
        except ray.exceptions.RayTaskError as error:
            said = CellError(fault_words(error))
        except (ray.exceptions.RayError, StopIteration) as error:
            self._forget(speaker)
            return f"its worker or node died ({type(error).__name__})"
        if isinstance(said, int):
            self._rounds[task.key] = said
            return ""
        self._forget(speaker)
        if isinstance(said, CellError):
            self._failures[task.key] = said.text
        else:
            self._receive(task, said)
        return ""

    def _forget(self, speaker: Any) -> None:
        task = self._at_work.pop(speaker)
        self._rounds.pop(task.key, None)

    def _receive(self, task: CellTask, packed: NDArray[np.uint8]) -> None:
        """Make what a task sent home the cell's run."""
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "run.zip"
            packed.tofile(bundle)
            try:
                receive_cell(self._comparison.store, self._comparison.id, task.key, bundle)
            except RunBusyError as error:
                self._failures[task.key] = str(error)
                return
        self._done += 1
        self._kept[task.key] = task.rounds + 1

    def _tell(self, note: str = "") -> None:
        if note:
            self._progress(ProgressEvent(CELLS, 0, 0, note))
        each = self._tasks[0].rounds + 1
        n_rounds = sum(min(max(n, self._rounds.get(key, 0)), each) for key, n in self._kept.items())
        self._progress(ProgressEvent(ROUNDS, n_rounds, each * len(self._names)))
        words = [f"{self._names[key]}, round {min(n + 1, each)} of {each}" for key, n in self._rounds.items()]
        self._progress(ProgressEvent(CELLS, self._done, len(self._names), "; ".join(words)))

    def _stop(self) -> None:
        """Have the cluster drop what is at work, and give it a moment to clear up."""
        import ray

        speakers = list(self._at_work)
        self._at_work = {}
        with suppress(ray.exceptions.RayError):
            for speaker in speakers:
                ray.cancel(speaker)
            if speakers:
                ends = [speaker.completed() for speaker in speakers]
                ray.wait(ends, num_returns=len(ends), timeout=LAST_SECONDS)

    def raise_failures(self) -> None:
        """Raise when cells have failed, naming them; those with one reason together."""
        if not self._failures:
            return
        names_of: dict[str, list[str]] = {}
        for key, reason in self._failures.items():
            names_of.setdefault(reason, []).append(self._names[key])
        told = [f"{', '.join(names)}: {reason}" for reason, names in list(names_of.items())[:TOLD_FAILURES]]
        more = f"; and {len(names_of) - TOLD_FAILURES} other reasons" if len(names_of) > TOLD_FAILURES else ""
        raise AlvinError(
            f"{len(self._failures)} of {len(self._tasks)} cells failed, the others are finished and kept: "
            f"{'; '.join(told)}{more}; when that is mended, go on with --resume"
        )


def _fingerprint(task: CellTask) -> str:
    from alvin_core.encoding.models import load_pretrained

    return load_pretrained(task.settings.encoder).fingerprint


def _sharing(task: CellTask) -> object:
    """Return what the cells have in common that share encodings and a kind of place."""
    settings = task.settings
    return settings.encoder, settings.training.trainable_layers, settings.space, settings.runtime
