"""Annotators, each a process of its own, who take examples of a run and label them until nothing is left.

    python annotators.py STORE RUN LOGS PLAN

``PLAN`` is JSON, a list with the annotators: ``name``, ``n`` (examples at a time), ``seconds`` (of a lease) and
``kill_after`` (labels, then it waits, with what it holds, to be killed; None goes on to the end). Each writes what it
was told, when it is told, to ``LOGS/NAME``: lines of JSON. What is in there was acknowledged.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from zlib import crc32

import pandas  # noqa: F401  (before the forks, which share it then)

from alvin_core.errors import LabelError
from alvin_core.run import Run, open_run

DEADLINE = 120.0  # seconds; a test would rather hear that somebody waits for nothing
PAUSE = 0.2
WAITED = ("",)


def label_of(example_id: str) -> str:
    """What everybody calls an example."""
    return ("neg", "pos")[crc32(example_id.encode()) % 2]


def annotate(run: Run, me: dict[str, Any], log: int) -> None:
    """Take and label until the proposal is done."""
    n_stored, began = 0, time.monotonic()
    while ids := run.take(me["name"], me["n"], seconds=me["seconds"]) or wait(run):
        if time.monotonic() - began > DEADLINE:
            raise TimeoutError("the queue is not empty, and nothing comes")
        if ids is WAITED:
            continue
        tell(log, taken=ids)
        for one in ids:
            if n_stored == me["kill_after"]:
                tell(log, holds=ids)
                signal.pause()
            try:
                report = run.submit({one: label_of(one)}, annotator=me["name"])
            except LabelError as error:  # the lease ended, and others were quicker
                tell(log, refused=one, why=str(error))
                continue
            # The same label of somebody who was quicker is no error, and nothing new.
            tell(log, **{"stored" if report.n_new or report.n_opinions else "same": one})
            n_stored += 1


def wait(run: Run) -> tuple[str, ...]:
    """Wait a moment where others hold the rest: what they do not submit comes back. Nothing once all is done."""
    if not run.queue_state().n_open:
        return ()
    time.sleep(PAUSE)
    return WAITED


def tell(log: int, **fact: Any) -> None:
    os.write(log, json.dumps(fact).encode() + b"\n")


def start(run: Run, logs: Path, me: dict[str, Any]) -> int:
    """Start one annotator in a fork of this process; return its process id."""
    (logs / me["name"]).touch()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = os.open(logs / me["name"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        tell(log, pid=os.getpid())
        annotate(run, me, log)
        code = 0
    except BaseException as error:  # a fork must not go on as its parent
        sys.stderr.write(f"{me['name']}: {error!r}\n")
        sys.stderr.flush()
    os._exit(code)


def main() -> None:
    store, run, logs, plan = sys.argv[1:]
    opened = open_run(store, run)
    opened.queue_state()  # what is the same for all is read and compiled once, before the forks
    opened.give_back("nobody")
    people, folder, started = json.loads(plan), Path(logs), {}
    # Who is to be killed before their first label has something in hand before the others can take it all.
    for me in sorted(people, key=lambda one: one["kill_after"] != 0):
        started[me["name"]] = start(opened, folder, me)
        while me["kill_after"] == 0 and b'"holds"' not in (folder / me["name"]).read_bytes():
            time.sleep(0.01)
    codes = [os.waitstatus_to_exitcode(os.waitpid(started[one["name"]], 0)[1]) for one in people]
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main()
