"""A process that does cells for the local backend: one job a line on standard input, its news on standard output.

Started by `alvin_core.experiments.crew`. It ends at once when its standard input does, so that it never outlives the
one who started it; what it had not finished is taken up from the last whole round.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alvin_core.errors import AlvinError, RunBusyError
from alvin_core.experiments.cells import CellTask, do_cell, encode_shared
from alvin_core.logs import set_up_logs
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.settings import RunSettings

__all__ = ["CELL", "ENCODE", "NO_MEMORY", "main"]

CELL, ENCODE = "cell", "encode"
NO_MEMORY = 71  # exit code: a process that ran out of memory is replaced by a fresh one
SEND_EVERY = 0.1  # seconds between two messages of one stage
SEARCHING = ("select", "retrieve")  # their notes only tell how it goes

Send = Callable[..., None]


def main(argv: Sequence[str] | None = None) -> None:
    """Do jobs until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--comparison", required=True, help="its id")
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started it
    send = _take_output()
    set_up_logs()
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    while True:
        job = jobs.get()
        send(**_do(arguments.store, arguments.comparison, job, _reporter(send)))


def _take_output() -> Send:
    """Keep standard output for messages; what libraries print goes to standard error."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def send(**message: Any) -> None:
        try:
            output.write(json.dumps(message).encode() + b"\n")
            output.flush()
        except OSError:  # nobody reads any more
            os._exit(0)

    return send


def _listen(jobs: queue.Queue[dict[str, Any]]) -> None:
    # Whatever happens here, a process that hears nothing more must not stay.
    try:
        with os.fdopen(os.dup(0), "rb") as lines:
            for line in lines:
                jobs.put(json.loads(line))
    finally:
        os._exit(0)


def _do(store: Path, comparison_id: str, job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Do one job and return what became of it."""
    settings = RunSettings.from_dict(job["settings"])
    try:
        if job["do"] == ENCODE:
            encode_shared(store, comparison_id, settings, progress)
        else:
            do_cell(store, comparison_id, CellTask(job["key"], settings, job["rounds"], job["run"]), progress)
    except MemoryError:
        traceback.print_exc()
        os._exit(NO_MEMORY)
    except AlvinError as error:
        again = isinstance(error, RunBusyError)  # perhaps by a process that is just ending
        return {"event": "failed", "kind": type(error).__name__, "text": str(error), "again": again}
    except Exception as error:
        traceback.print_exc()
        text = f"{type(error).__name__}: {error} (a fault in this program)"
        return {"event": "failed", "kind": "AlvinError", "text": text, "again": False}
    return {"event": "done"}


def _reporter(send: Send) -> Progress:
    """Return a progress that sends each new stage and note, and of one stage no more than a few messages a second."""
    last_sent, last_stage = 0.0, ""

    def progress(event: ProgressEvent) -> None:
        nonlocal last_sent, last_stage
        note = "" if event.stage in SEARCHING and event.total else event.note
        now = time.monotonic()
        if event.stage == last_stage and now - last_sent < SEND_EVERY and not note:
            return
        last_sent, last_stage = now, event.stage
        send(event="progress", stage=event.stage, done=event.done, total=event.total, note=note)

    return progress


if __name__ == "__main__":
    main()
