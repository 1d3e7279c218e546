"""Worker processes on this machine: jobs are handed out, a process that dies is replaced, all end with the work."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from alvin_core.experiments.cell_worker import NO_MEMORY
from alvin_core.quiet import QUIET

__all__ = ["Crew", "Failure", "Job", "Message"]

Message = dict[str, Any]

COMMAND = (sys.executable, "-P", "-m", "alvin_core.experiments.cell_worker")
KILLED = 9  # SIGKILL, which not every system has by name
MOST_TRIES = 2  # a process that was killed once may have met a machine that was short of memory for a moment
TICK_SECONDS = 0.1  # how long a wish to stop may have to wait
ENDED: Message = {"event": "ended"}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One thing to do.

    Attributes
    ----------
    name : str
        For people.
    message : str
        As the process reads it: one line of JSON.
    """

    name: str
    message: str


@dataclass(frozen=True)
class Failure:
    """A job that could not be done.

    Attributes
    ----------
    job : Job
    kind : str
        Name of the error's class.
    text : str
    """

    job: Job
    kind: str
    text: str


class _Worker:
    """One process, started, spoken to, listened to, ended."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], heard: queue.Queue[Any]) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment,
        )
        self._listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        self._listener.start()

    def send(self, line: str) -> None:
        """Hand out a job. That the process is gone is heard from it."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def end(self) -> str:
        """End the process, if it has not ended, and say how it did; when this returns its locks are free."""
        with suppress(OSError):
            self._process.kill()
        code = self._process.wait()
        self._listener.join()
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._complaints.seek(0)
        last_lines = self._complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        self._complaints.close()
        return _how_it_ended(code, last_lines[0] if last_lines else "")

    def _listen(self, heard: queue.Queue[Any]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with suppress(ValueError):  # half a line, of a process that was killed while it wrote
                    heard.put((self, json.loads(line)))
        heard.put((self, ENDED))


class Crew:
    """Processes that do a comparison's jobs. Leaving the context ends them at once: the store survives it by design.

    Parameters
    ----------
    store : Path
    comparison_id : str
    threads : int
        The most that a job may compute with.
    command : sequence of str
        How a process is started, apart from its arguments.
    """

    def __init__(self, store: Path, comparison_id: str, threads: int, command: Sequence[str] = COMMAND) -> None:
        self._command = [*command, "--store", str(store), "--comparison", comparison_id]
        self._environment = _environment(threads)
        self._heard: queue.Queue[tuple[_Worker, Message]] = queue.Queue()
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, Job] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for worker in (*self._busy, *self._idle):
            worker.end()
        self._busy, self._idle = {}, []

    def do(self, jobs: Sequence[Job], n_workers: int, tell: Callable[[Job | None, Message], None]) -> list[Failure]:
        """Do jobs in their order, several at a time, and return those that failed; one failure stops no other job.

        Parameters
        ----------
        jobs : sequence of Job
        n_workers : int
            How many processes at most.
        tell : callable
            Called with each message and its job, and with None and an empty message several times a second at least.
            What it raises stops the work.
        """
        waiting, tries, failures = deque(jobs), Counter[Job](), list[Failure]()
        while waiting or self._busy:
            while waiting and len(self._busy) < n_workers:
                self._hand_out(waiting.popleft(), tries)
            for job, message in self._hear():
                tell(job, message)
                failure = _failure(job, message)
                if failure is not None:
                    again = message["again"] and tries[job] < MOST_TRIES
                    waiting.append(job) if again else failures.append(failure)
            tell(None, {})
        return failures

    def _hand_out(self, job: Job, tries: Counter[Job]) -> None:
        worker = self._idle.pop() if self._idle else _Worker(self._command, self._environment, self._heard)
        tries[job] += 1
        self._busy[worker] = job
        worker.send(job.message)

    def _hear(self) -> list[tuple[Job, Message]]:
        """Return the next message with its job; nothing where none comes in a moment, or none is at work there."""
        try:
            worker, message = self._heard.get(timeout=TICK_SECONDS)
        except queue.Empty:
            return []
        if message["event"] == "progress":
            job = self._busy.get(worker)
            return [] if job is None else [(job, message)]
        job = self._busy.pop(worker, None)
        if message["event"] == "ended":
            if worker in self._idle:
                self._idle.remove(worker)
            message = {"event": "died", "text": worker.end(), "again": True}
        else:
            self._idle.append(worker)
        return [] if job is None else [(job, message)]


def _failure(job: Job, message: Message) -> Failure | None:
    if message["event"] == "failed":
        return Failure(job, message["kind"], message["text"])
    return Failure(job, "AlvinError", message["text"]) if message["event"] == "died" else None


def _how_it_ended(code: int, last_words: str) -> str:
    """Say in words how a process ended that nobody ended on purpose."""
    if code == NO_MEMORY:
        return "memory ran out; take fewer --workers, fewer examples or a smaller encoder"
    if code == -KILLED:
        return "its process was killed, most often because memory ran out; take fewer --workers, or end other programs"
    name = f"exit code {code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
    return f"its process ended with {name}" + (f": {last_words}" if last_words else "")


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of the processes: this one's, with this very package and quiet libraries."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSTARTUP"}
    root = str(Path(__file__).resolve().parents[2])
    if Path(root).name not in ("site-packages", "dist-packages"):
        known = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(part for part in (known, root) if part)
    # Numba takes no more threads later than it reads here, and this process may have lowered its own for other work.
    return QUIET | environment | dict.fromkeys(THREAD_VARIABLES, str(threads))
