"""The local backend: cells in processes of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import alvin_core.errors
from alvin_core.errors import AlvinError, SettingsError
from alvin_core.experiments.cell_worker import CELL, ENCODE
from alvin_core.experiments.cells import CellTask, is_encoded_once
from alvin_core.experiments.crew import Crew, Failure, Job, Message
from alvin_core.experiments.values import CELLS, ROUND, ROUNDS
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.settings import RunSettings, RuntimeSettings

if TYPE_CHECKING:
    from alvin_core.experiments.comparison import Comparison

__all__ = ["run_cells"]

TOLD_FAILURES = 3
TELL_EVERY = 0.2  # seconds


def run_cells(
    comparison: Comparison, tasks: Sequence[CellTask], *, workers: int | None = None, progress: Progress = silent
) -> None:
    """Bring cells to their end, several at a time, each in a process of its own.

    The data is encoded once before. A process that is killed or crashes is replaced and its cell tried once more;
    a cell that fails stops no other one.

    Parameters
    ----------
    comparison : Comparison
    tasks : sequence of CellTask
    workers : int, optional
        Processes. By default as many as there are cores for, with the threads that each cell takes; one on a GPU.
    progress : Progress
        Hears with the stage ``cells`` how many cells of the comparison are finished, and in the note what is at work;
        with the stage ``cell rounds`` how many rounds of all its cells are. What it raises stops the work; finished
        cells and whole rounds are kept.

    Raises
    ------
    AlvinError
        At the end, when cells have failed; their names are in it. At once, of its own kind, when encoding fails.
    SettingsError
        When ``workers`` is below 1.
    DeviceError
        When a device is not there.
    """
    if workers is not None and workers < 1:
        raise SettingsError(f"workers = {workers} is out of range: it must be at least 1")
    if not tasks:
        return
    n_cores = _n_cores()
    n_workers = workers or _n_workers(tasks, n_cores)
    names = {cell.key: f"{cell.arm} seed {cell.seed}" for cell in comparison.plan.cells}
    n_rounds = {names[state.cell.key]: state.n_rounds for state in comparison.states()}
    board = _Board(n_rounds, len(tasks), comparison.plan.rounds + 1, progress)
    with Crew(comparison.store, comparison.id, n_cores) as crew:
        for failure in crew.do(_encodings(tasks, n_cores), 1, board.tell_encoding):
            raise _as_error(failure)
        failures = crew.do([_job(task, names[task.key]) for task in tasks], n_workers, board.tell_cell)
    if failures:
        raise AlvinError(_failed_words(failures, len(tasks)))


class _Board:
    """What is done and what is at work, as progress hears of it."""

    def __init__(self, n_rounds: Mapping[str, int], n_open: int, rounds_of_each: int, progress: Progress) -> None:
        self._total, self._done, self._progress = len(n_rounds), len(n_rounds) - n_open, progress
        self._n_rounds, self._rounds_of_each = dict(n_rounds), rounds_of_each  # those of a cell may be more
        self._at_work: dict[str, str] = {}
        self._last_told = 0.0

    def tell_encoding(self, job: Job | None, message: Message) -> None:
        """Pass on how far the encoding is."""
        event = ProgressEvent("load", 0, 0)
        if message.get("event") == "progress":
            event = ProgressEvent(message["stage"], message["done"], message["total"], message["note"])
        elif time.monotonic() - self._last_told < TELL_EVERY:
            return
        self._last_told = time.monotonic()
        self._progress(event)

    def tell_cell(self, job: Job | None, message: Message) -> None:
        """Note what has become of a cell, and tell how all of them stand."""
        kind = message.get("event", "")
        if job is not None and kind == "progress":
            self._note_stage(job.name, message)
        elif job is not None:
            self._at_work.pop(job.name, None)
            self._done += kind == "done"
            if kind == "done":  # its last round may have ended too soon after another message to be told
                self._n_rounds[job.name] = self._rounds_of_each
            if kind == "died":
                self._progress(ProgressEvent(CELLS, 0, 0, f"{job.name}: {message['text']}"))
        now = time.monotonic()
        if kind == "done" or now - self._last_told >= TELL_EVERY:
            self._last_told = now
            n_rounds = sum(min(n, self._rounds_of_each) for n in self._n_rounds.values())
            self._progress(ProgressEvent(ROUNDS, n_rounds, self._total * self._rounds_of_each))
            self._progress(ProgressEvent(CELLS, self._done, self._total, "; ".join(self._at_work.values())))

    def _note_stage(self, name: str, message: Message) -> None:
        stage, total = message["stage"], self._rounds_of_each
        if stage == ROUND:
            self._n_rounds[name] = message["done"]
        where = f"{name}, round {min(self._n_rounds[name] + 1, total)} of {total}"
        self._at_work[name] = where if stage == ROUND else f"{where}: {stage}"
        if message["note"]:
            self._progress(ProgressEvent(CELLS, 0, 0, message["note"]))


def _n_cores() -> int:
    from alvin_core.device import plan_device

    return plan_device(RuntimeSettings(device="cpu")).threads


def _n_workers(tasks: Sequence[CellTask], n_cores: int) -> int:
    from alvin_core.device import plan_device

    runtimes = {task.settings.runtime for task in tasks}
    if any(plan_device(runtime).kind != "cpu" for runtime in runtimes):
        return 1  # two models at once may not fit a GPU, and share its time
    return max(1, n_cores // max(runtime.threads for runtime in runtimes))


def _encodings(tasks: Sequence[CellTask], n_cores: int) -> list[Job]:
    """Return a job for everything that cells read from the cache, each once, with all cores."""
    jobs: dict[object, Job] = {}
    for task in tasks:
        if is_encoded_once(task.settings):
            settings = replace(task.settings, runtime=replace(task.settings.runtime, threads=n_cores))
            key = (settings.encoder, settings.training.trainable_layers, settings.space, settings.runtime)
            jobs.setdefault(key, _encoding(settings))
    return list(jobs.values())


def _encoding(settings: RunSettings) -> Job:
    return Job("encoding", json.dumps({"do": ENCODE, "settings": settings.to_dict()}))


def _job(task: CellTask, name: str) -> Job:
    message = {
        "do": CELL,
        "key": task.key,
        "settings": task.settings.to_dict(),
        "rounds": task.rounds,
        "run": task.run,
    }
    return Job(name, json.dumps(message))


def _as_error(failure: Failure) -> AlvinError:
    kind = getattr(alvin_core.errors, failure.kind, AlvinError)
    error: AlvinError = kind(failure.text)
    return error


def _failed_words(failures: Sequence[Failure], n_tasks: int) -> str:
    """Name the cells that failed, those with one reason together."""
    names_of: dict[str, list[str]] = {}
    for failure in failures:
        names_of.setdefault(failure.text, []).append(failure.job.name)
    told = [f"{', '.join(names)}: {text}" for text, names in list(names_of.items())[:TOLD_FAILURES]]
    more = f"; and {len(names_of) - TOLD_FAILURES} other reasons" if len(names_of) > TOLD_FAILURES else ""
    return f"{len(failures)} of {n_tasks} cells failed, the others are finished and kept: {'; '.join(told)}{more}"
