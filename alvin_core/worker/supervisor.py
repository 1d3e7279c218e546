"""The worker: takes jobs from the store, has its executor do them, and writes down how they go.

It loads none of the libraries that do the work, so that it answers while they are busy: a job that was cancelled ends
in time, by a kill where it hears nothing, and a crash takes the executor alone.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from alvin_core.errors import StoreError
from alvin_core.logs import facts, log_about
from alvin_core.store.database import Store, open_store
from alvin_core.store.jobs import (
    claim_job,
    end_abandoned,
    end_job,
    is_asked_to_stop,
    next_job_id,
    report_job,
)
from alvin_core.store.labels import now
from alvin_core.worker.child import Child, Message, how_it_ended
from alvin_core.worker.starting import bound_log, python_command
from alvin_core.worker.status import be_the_worker, write_status

__all__ = ["supervise"]

POLL_SECONDS = 0.15  # between two looks into the store
LOOK_SECONDS = 1.0  # between two looks into the queue where nothing seems to have changed
REPORT_SECONDS = 0.35  # between two writes of progress: each waits for the disk, and a label must not wait for it
HEARTBEAT_SECONDS = 1.0
GRACE_SECONDS = 1.25  # from the wish to cancel to the kill; with a look into the store and the kill, under 2
LONGEST_PAUSE = 30.0  # between two starts of an executor that does not live
AGAIN_SECONDS = 1.0  # between two tries, where the store refuses
KEPT = "nothing that was finished is lost: start it again"
STOPPED = "the worker was stopped"

log = logging.getLogger("alvin_core.worker")


@dataclass
class Task:
    """The job at work, and what is not written of it yet."""

    id: int
    began: float = field(default_factory=time.monotonic)
    values: dict[str, Any] = field(default_factory=dict)
    written: float = 0.0  # when, last
    asked: float = 0.0  # when the store was asked whether it is to stop
    deadline: float | None = None  # for it to have stopped
    end: tuple[str, dict[str, Any]] | None = None  # how it ended, until that is written


def supervise(store: Path | str, command: Sequence[str] | None = None) -> int:
    """Be the worker of a store until a signal ends this process; return the exit code.

    Parameters
    ----------
    store : Path or str
        Made when missing.
    command : sequence of str, optional
        What starts the executor.

    Raises
    ------
    RunBusyError
        When the store has a worker.
    StoreError
        When the store cannot be used.
    """
    opened = open_store(store, create=True)
    with be_the_worker(opened.path), _signals() as wanted:
        return Supervisor(opened, command or python_command("alvin_core.worker.executor"), wanted).run()


class Supervisor:
    """The loop of the worker.

    Parameters
    ----------
    store : Store
    command : sequence of str
    stop : list of int
        Holds a signal's number once this process is to end.
    """

    def __init__(self, store: Store, command: Sequence[str], stop: list[int]) -> None:
        self._store, self._command, self._stop = store, command, stop
        self._since = now()
        self._task: Task | None = None
        self._child: Child | None = None
        self._n_deaths = 0  # in a row, without a job done between
        self._start_again = 0.0
        self._cold = False
        self._glanced: tuple[float, ...] | None = None
        self._looked = 0.0

    def run(self) -> int:
        """Work until told to stop; return the exit code."""
        with self._store.write() as session:
            end_abandoned(session)
        log.info("the worker of %s is ready: process %d", self._store.path, os.getpid())
        try:
            while not self._stop:
                if self._store.database.glance() is None:
                    log.error("the store %s is gone; so is its worker", self._store.path)
                    return 1
                try:
                    self._turn()
                except (StoreError, OSError) as error:  # a full disk, most likely, or no room for a process: for now
                    log.error("%s", error)  # noqa: TRY400 - the line says it
                    if not self._store.database.keeps_locks():
                        log.error("it is the worker of %s no more; start another", self._store.path)  # noqa: TRY400
                        return 1
                    time.sleep(AGAIN_SECONDS)
        finally:
            self._close()
        return 0

    def _turn(self) -> None:
        if self._child is None:
            wait = self._start_again - time.monotonic()
            if wait > 0:
                time.sleep(min(wait, POLL_SECONDS))
                return
            self._start()
        assert self._child is not None
        message = self._child.receive(POLL_SECONDS)
        if message is not None:
            self._take(message)
        if self._task is None:
            self._begin_next()
        elif self._task.end is not None:
            self._write_end(self._task, *self._task.end)
        else:
            self._watch(self._task)

    def _start(self) -> None:
        write_status(self._store.path, warm=False, since=self._since)
        self._child = Child(self._command, self._store.path, cold=self._cold)

    def _begin_next(self) -> None:
        if self._child is None or not self._may_have_job():
            return
        with self._store.read() as session:
            job_id = next_job_id(session)
        if job_id is None:
            return
        with self._store.write() as session:
            row = claim_job(session, job_id, os.getpid())
        if row is None:
            return
        bound_log(self._store.path)
        with log_about(job=row.id, run_id=row.run_id):
            log.info("job begins", extra=facts(kind=row.kind))
        self._task = Task(row.id, written=time.monotonic(), asked=time.monotonic())
        self._child.send(do="job", id=row.id, kind=row.kind, run_id=row.run_id, params=row.params)

    def _may_have_job(self) -> bool:
        """Return whether the queue is worth a look, which costs a hundred times more than a glance at the files."""
        self._store.database.confirm_locks()
        glance, clock = self._store.database.glance(), time.monotonic()
        # Two writes may be too near each other for the files' times, so now and then it looks anyway.
        if glance == self._glanced and clock - self._looked < LOOK_SECONDS:
            return False
        self._glanced, self._looked = glance, clock
        return True

    def _watch(self, task: Task) -> None:
        """See whether the job is to stop, and write how far it is, neither too often."""
        clock = time.monotonic()
        if task.deadline is None and clock - task.asked >= POLL_SECONDS:
            task.asked = clock
            with self._store.read() as session:
                stop = is_asked_to_stop(session, task.id)
            if stop and self._child is not None:
                task.deadline = clock + GRACE_SECONDS
                self._child.send(do="cancel", id=task.id)
        if task.deadline is not None and clock >= task.deadline:
            # It may have ended as its time did: what it said last counts, and a job ends in one way.
            while self._task is not None and self._child is not None and (last := self._child.receive(0.0)) is not None:
                self._take(last)
            if self._task is None or task.end is not None:
                return
            self._replace()
            self._end("cancelled", {})
        elif clock - task.written >= (REPORT_SECONDS if task.values else HEARTBEAT_SECONDS):
            self._report(task)

    def _take(self, message: Message) -> None:
        event = message["event"]
        if event == "ended":
            self._bury()
        elif event == "warm":
            for note in message["notes"]:
                log.warning("not made warm: %s", note)
            write_status(self._store.path, warm=True, since=self._since)
        elif self._task is not None and self._task.end is None and message.get("id") == self._task.id:
            self._take_of_job(self._task, event, message)

    def _take_of_job(self, task: Task, event: str, message: Message) -> None:
        if event == "progress":
            task.values |= {name: message[name] for name in ("stage", "done", "total", "note", "seconds_left")}
        elif event == "result":
            task.values["result"] = message["result"]
            if "run_id" in message["result"]:
                task.values["run_id"] = message["result"]["run_id"]
            self._report(task)
        else:
            self._n_deaths = 0
            self._end(event, {name: message[name] for name in ("result", "error", "traceback") if name in message})

    def _report(self, task: Task) -> None:
        with self._store.write() as session:
            report_job(session, task.id, task.values)
        task.values, task.written = {}, time.monotonic()

    def _end(self, state: str, values: Mapping[str, Any]) -> None:
        """End the job at work. Until the store takes it, it is tried again, and nothing else is begun."""
        if self._task is not None:
            task = self._task
            task.end = (state, {**task.values, **values})
            self._write_end(task, *task.end)

    def _write_end(self, task: Task, state: str, values: Mapping[str, Any]) -> None:
        with self._store.write() as session:
            end_job(session, task.id, state, values)
        with log_about(job=task.id):
            log.info("job ends", extra=facts(state=state, seconds=time.monotonic() - task.began))
        self._glanced = None  # what waited for this job is to begin now
        self._task = None

    def _replace(self) -> None:
        """Kill the executor and start another."""
        if self._child is not None:
            self._child.kill()
        self._start()

    def _bury(self) -> None:
        """Take the executor's death: the job at work has failed, and another executor starts, later each time."""
        assert self._child is not None
        how = how_it_ended(self._child.wait())
        log.error("the executor, process %d, %s", self._child.pid, how)
        self._child = None
        # What dies while it warms up would die of it again.
        self._cold = self._cold or self._task is None
        self._start_again = time.monotonic() + min(LONGEST_PAUSE, 2.0**self._n_deaths - 1)
        self._n_deaths += 1
        if self._task is None or self._task.end is not None:  # how the job ended is known, and still to be written
            return
        if self._task.deadline is not None:
            self._end("cancelled", {})
        else:
            self._end("failed", {"error": f"the process that did the work {how}; {KEPT}"})

    def _close(self) -> None:
        if self._child is not None:
            self._child.kill()
        if self._task is not None and self._task.end is None:
            self._end("cancelled", {"note": STOPPED})
        elif self._task is not None and self._task.end is not None:
            self._write_end(self._task, *self._task.end)
        log.info("the worker of %s has ended", self._store.path)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Gather the signals that ask this process to end."""
    wanted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        wanted.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield wanted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
