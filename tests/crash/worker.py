"""Runs actions on a store in processes of their own, and kills them.

Reads a JSON list of commands a line: ``{"store", "log", "action", "arguments", "kill_at", "kill_after", "count"}``.
Each is carried out by a fork of this process, which has imported everything already, so that a hundred processes
take seconds; those of one list run at the same time. ``kill_at`` kills it with SIGKILL at its n-th point: just before
or after a call that touches the disk. ``kill_after`` kills it after some seconds, wherever it is. ``count`` has the
points counted and logged. Answers one JSON line: how each ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import fake_engine
from fake_engine import label_of

from alvin_core.run import create_run, delete_run, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings

DISK_CALLS = frozenset(
    (
        "fsync",
        "rename",
        "replace",
        "link",
        "mkdir",
        "unlink",
        "rmdir",
        "connect",
        "execute",
        "executemany",
        "commit",
        "close",
    )
)


class Log:
    """What an action says has happened. A line is written only after the call it tells of has returned."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, **fact: Any) -> None:
        os.write(self.descriptor, (json.dumps(fact) + "\n").encode())


def create(store: str, log: Log, *, settings: dict[str, Any], labeled: float = 1.0, name: str = "r") -> None:
    create_run(store, fake_engine.make_dataset(labeled=labeled), RunSettings.from_dict(settings), name=name)
    log.write(created=name)


def rounds(store: str, log: Log, *, n: int) -> None:
    for record in open_run(store, "r").run_rounds(n):
        log.write(round=record.round, n_labeled=record.n_labeled)


def submit(store: str, log: Log, *, n: int) -> None:
    run = open_run(store, "r")
    labels = {one: label_of(one) for one in run.pending()["id"].tolist()[:n]}
    if labels:
        run.submit(labels)
        log.write(labels=labels)


def undo(store: str, log: Log, *, example_id: str) -> None:
    open_run(store, "r").undo(example_id)
    log.write(undone=example_id)


def annotate(store: str, log: Log, *, n: int, n_rounds: int) -> None:
    """Be the person: answer a few proposed examples at a time, until the run has its rounds."""
    run = open_run(store, "r")
    while run.n_rounds < n_rounds:
        submit(store, log, n=n)


def step_when_ready(store: str, log: Log, *, n_rounds: int) -> None:
    """Be the machine: step whenever everything is answered, until the run has its rounds."""
    run = open_run(store, "r")
    while run.n_rounds < n_rounds:
        if run.state == "ready":
            record = run.step()
            log.write(round=record.round, n_labeled=record.n_labeled)


def fork(store: str, log: Log, *, at: int) -> None:
    open_run(store, "r").fork(at, strategy="entropy", name="child")
    log.write(forked=at)


def delete(store: str, log: Log) -> None:
    delete_run(store, "r")
    log.write(deleted=True)


def label(store: str, log: Log, *, run: str, seed: int) -> None:
    """Be a person who labels whatever comes, takes some of it back, and flags the rest."""
    rng, opened = random.Random(seed), open_run(store, run)
    dataset = opened._handle.stored_dataset
    pool = dataset.ids[dataset.rows_of("pool")].tolist()
    for _ in range(40):
        held = opened.labels()
        mine = held.loc[held["source"] == "person", "id"].tolist()
        free = [one for one in pool if one not in set(held["id"])]
        if mine and rng.random() < 0.3:
            one = rng.choice(mine)
            log.write(asked=[run, one])  # what was asked for and not answered may have happened or not
            opened.undo(one, annotator="Ada")
            log.write(run=run, example=one, label=None)
        elif free:
            one = rng.choice(free)
            log.write(asked=[run, one])
            opened.submit({one: label_of(one)}, annotator="Ada")
            log.write(run=run, example=one, label=label_of(one))
        if free and rng.random() < 0.2:
            opened.flag(rng.choice(free), annotator="Ada")


def command(store: str, log: Log, *, argv: list[str], quiet: bool = True) -> None:
    """Give a command as at a prompt."""
    from alvin_core.cli.app import run_app

    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    code = run_app([*argv, "--store", store])
    log.write(command=argv, code=code)


ACTIONS = {
    action.__name__: action
    for action in (create, rounds, submit, undo, annotate, step_when_ready, fork, delete, label, command)
}


class Points:
    """Counts the process's points, and has it kill itself at the n-th."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at = kill_at
        self.n = 0

    def __call__(self, _frame: Any, event: str, called: Any) -> None:
        if event in ("c_call", "c_return") and getattr(called, "__name__", "") in DISK_CALLS:
            self.n += 1
            if self.n == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def carry_out(command: dict[str, Any]) -> int:
    process = os.fork()
    if process:
        return process
    try:
        log = Log(command["log"])
        points = Points(command.get("kill_at"))
        if points.kill_at or command.get("count"):
            sys.setprofile(points)
        ACTIONS[command["action"]](command["store"], log, **command["arguments"])
        sys.setprofile(None)
        log.write(points=points.n)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)


def wait(process: int, kill_after: float | None) -> int:
    """Wait for a process, or kill it when its time is up; return how it ended."""
    deadline = None if kill_after is None else time.monotonic() + kill_after
    while True:
        done, status = os.waitpid(process, 0 if deadline is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(process, signal.SIGKILL)
            deadline = None
        time.sleep(0.001)


def main() -> None:
    if sys.argv[1] == "real":
        import torch  # noqa: F401
        import transformers  # noqa: F401

        import alvin_core.encoding.features
        import alvin_core.round
        import alvin_core.training.trainer
    else:
        import pandas  # noqa: F401

        import alvin_core.cli.app

        alvin_core.cli.app.build_command()
        Engine.compute = fake_engine.compute  # type: ignore[method-assign,assignment]
    for line in sys.stdin:
        commands = json.loads(line)
        processes = [carry_out(command) for command in commands]
        ends = [wait(process, command.get("kill_after")) for process, command in zip(processes, commands, strict=True)]
        print(json.dumps(ends), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
