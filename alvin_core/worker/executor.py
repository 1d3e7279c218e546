"""The process that does the work: one job after the other, warm between them, ended and replaced when it hangs.

It reads JSON lines from its standard input, ``{"do": "job", "id", "kind", "run_id", "params"}`` and
``{"do": "cancel", "id"}``, and writes JSON lines to what was its standard output. When the input ends, so does it.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alvin_core.errors import AlvinError, Cancelled
from alvin_core.logs import log_about, log_error, set_up_logs
from alvin_core.progress import ProgressEvent
from alvin_core.worker.lines import one_line
from alvin_core.worker.timing import TimeLeft
from alvin_core.worker.warming import WarmUp
from alvin_core.worker.work import Desk, Request, do_job

__all__ = ["main"]

NICENESS = 5  # the interface answers first
SEND_EVERY = 0.1  # seconds between two messages of one stage
NO_MEMORY = "memory ran out; end other programs, or take fewer examples or a smaller encoder"
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG

log = logging.getLogger("alvin_core.worker.executor")


class Line:
    """The connection to the supervisor. Libraries that print reach standard error, never this."""

    def __init__(self) -> None:
        self._input = os.fdopen(os.dup(0), "rb")
        self._output = os.fdopen(os.dup(1), "wb")
        self._turn = threading.Lock()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def send(self, event: str, **values: Any) -> None:
        """Write one message; end where nobody reads any more."""
        message = json.dumps({"event": event, **values}, ensure_ascii=False, allow_nan=False)
        try:
            with self._turn:
                self._output.write(message.encode("utf-8", "replace") + b"\n")  # a file's name may be no Unicode
                self._output.flush()
        except OSError:
            os._exit(0)

    def messages(self) -> Any:
        """Yield what the supervisor says, until it is gone."""
        for text in self._input:
            yield json.loads(text)


class Reporter:
    """The progress of one job, as the supervisor hears of it; raises when the job is to stop."""

    def __init__(self, line: Line, job_id: int, stop: threading.Event) -> None:
        self.time_left = TimeLeft()
        self.place = ""  # which round it is
        self._line, self._job_id, self._stop = line, job_id, stop
        self._last, self._stage = 0.0, ""

    def __call__(self, event: ProgressEvent) -> None:
        self.check()
        left = self.time_left(event)
        now = time.monotonic()
        if event.stage == self._stage and now - self._last < SEND_EVERY:
            return
        self._last, self._stage = now, event.stage
        epoch = f"epoch {min(event.done + 1, event.total)} of {event.total}" if event.stage == "train" else ""
        note = ", ".join(part for part in (self.place, epoch, event.note) if part)
        self._line.send(
            "progress",
            id=self._job_id,
            stage=event.stage,
            done=event.done,
            total=event.total,
            note=note,
            seconds_left=left,
        )

    def finished(self, result: dict[str, Any]) -> None:
        """Tell what is finished so far: it stays true whatever becomes of the rest."""
        self._line.send("result", id=self._job_id, result=result)
        self.check()

    def check(self) -> None:
        """Raise `Cancelled` when the job is to stop."""
        if self._stop.is_set():
            raise Cancelled("the job was cancelled; everything finished before is kept")


class Executor:
    """Does the jobs that come in, and warms up while there are none."""

    def __init__(self, store: Path, line: Line, warm_up: WarmUp | None) -> None:
        self._desk = Desk(store)
        self._line = line
        self._warm_up = warm_up
        self._jobs: queue.Queue[Request] = queue.Queue()
        self._stops: dict[int, threading.Event] = {}

    def run(self) -> None:
        """Work until the process is ended."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._line.send("ready")
        while True:
            request = self._next()
            if request is None:
                self._warm_a_bit()
            else:
                self._do(request)
                if self._warm_up is not None and request.kind != "project":
                    self._warm_up.leave_out_loaded()

    def _next(self) -> Request | None:
        try:
            return self._jobs.get(block=self._warm_up is None)
        except queue.Empty:
            return None

    def _warm_a_bit(self) -> None:
        assert self._warm_up is not None
        if not self._warm_up.step(lambda: not self._jobs.empty()):
            self._line.send("warm", notes=self._warm_up.notes)
            self._warm_up = None

    def _listen(self) -> None:
        # Whatever happens here, a process that hears nothing more must not stay.
        try:
            for message in self._line.messages():
                self._take(message)
        finally:
            os._exit(0)

    def _take(self, message: dict[str, Any]) -> None:
        job_id = message["id"]
        if message["do"] == "cancel":
            stop = self._stops.get(job_id)  # the other thread may be done with the job at any moment
            if stop is not None:
                stop.set()
            return
        self._stops[job_id] = threading.Event()
        self._jobs.put(Request(job_id, message["kind"], message["run_id"], message["params"]))
        warm_up = self._warm_up  # the other thread may be done with it at any moment
        if warm_up is not None:
            warm_up.interrupt()

    def _do(self, request: Request) -> None:
        with log_about(job=request.id, run_id=request.run_id):
            self._do_logged(request)

    def _do_logged(self, request: Request) -> None:
        reporter = Reporter(self._line, request.id, self._stops[request.id])
        try:
            reporter.check()
            result = do_job(self._desk, request, reporter)
        except Cancelled:
            self._line.send("cancelled", id=request.id)
        except AlvinError as error:
            log_error(log, "job fails", error)
            self._line.send("failed", id=request.id, error=one_line(error), traceback=traceback.format_exc())
        except MemoryError as error:
            log_error(log, "job fails", error)
            self._line.send("failed", id=request.id, error=NO_MEMORY, traceback=traceback.format_exc())
        except Exception as error:
            text = f"unexpected: {type(error).__name__}: {one_line(error)}"
            log_error(log, "job fails", error)
            self._line.send("failed", id=request.id, error=text, traceback=traceback.format_exc())
        else:
            self._line.send("done", id=request.id, result=result)
        finally:
            del self._stops[request.id]


def main(argv: Sequence[str] | None = None) -> None:
    """Work for the supervisor that started this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--supervisor", type=int, required=True, help="its process number")
    parser.add_argument("--cold", action="store_true", help="load nothing before the first job")
    arguments = parser.parse_args(argv)
    _end_with(arguments.supervisor)
    faulthandler.enable()
    line = Line()
    set_up_logs(screen=True)
    _give_way()
    warm_up = None if arguments.cold or os.environ.get("ALVIN_WARM_UP") == "0" else WarmUp()
    # Ctrl-C is for the supervisor; the number is used here to break off the warming up.
    signal.signal(signal.SIGINT, signal.SIG_IGN if warm_up is None else warm_up.on_signal)
    Executor(arguments.store, line, warm_up).run()


def _end_with(supervisor: int) -> None:
    """Have the system end this process with its parent, also while a library keeps Python from noticing anything."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != supervisor:  # it was gone before the system was asked
            os._exit(0)


def _give_way() -> None:
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(NICENESS)


if __name__ == "__main__":
    main()
