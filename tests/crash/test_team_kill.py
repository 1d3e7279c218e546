"""Processes that work on a team's store killed in mid-write: what the server acknowledged is there, once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from types import ModuleType

import pytest

from alvin_core.run import create_run, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store.database import open_store
from alvin_core.upkeep.verifying import verify_store

KILLS = int(os.environ.get("ALVIN_KILLS", "30")) // 2
BEGUN, ENDED = "begun", "ended"
LONGEST_PAUSE = 0.02  # seconds: a label takes some milliseconds


@pytest.fixture
def team(postgres_address: str, tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a run whose proposals a person answers."""
    monkeypatch.setattr(Engine, "compute", fake.compute)
    (tmp_path / "shared").mkdir()
    path = open_store(f"{postgres_address}&arrays={tmp_path / 'shared'}", create=True).path
    create_run(path, fake.make_dataset(labeled=False), RunSettings(budget=4, initial=8), name="r")
    return path


def work_until_killed(action: Callable[[Callable[[str], None]], None]) -> tuple[int, int]:
    """Fork a process that works and tells; return its number and what it tells through."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        tell(writing, BEGUN)
        action(lambda word: tell(writing, word))
        tell(writing, ENDED)
        signal.pause()
    finally:
        os._exit(1)


def tell(writing: int, word: str) -> None:
    os.write(writing, f"{word}\n".encode())


def kill(child: int, reading: int, n_words: int, pause: float) -> list[str]:
    """Kill a process a moment after it has told so many words, or its last one; return them."""
    told = list[str]()
    with os.fdopen(reading, encoding="utf-8") as lines:
        for line in lines:
            told.append(line.strip())
            if len(told) > n_words or told[-1] == ENDED:
                break
        time.sleep(pause)  # chance's on purpose: whenever it is, what was told must hold
        os.kill(child, signal.SIGKILL)
        told += lines.read().splitlines()
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    return [word for word in told if word not in (BEGUN, ENDED)]


def test_whatever_was_acknowledged_before_a_kill_is_there_once(team: Path, fake: ModuleType) -> None:
    draw, acknowledged, rounds = random.Random(0), list[str](), list[str]()

    def submit(say: Callable[[str], None]) -> None:
        run = open_run(team, "r")
        for example_id in run.pending()["id"]:
            run.submit({example_id: fake.label_of(example_id)}, annotator="ada")
            say(example_id)

    def step(say: Callable[[str], None]) -> None:
        say(str(open_run(team, "r").step().round))

    for _, action in zip(range(KILLS), cycle((submit, submit, step)), strict=False):
        if action is step and open_run(team, "r").state == "waiting":
            action = submit
        words = kill(*work_until_killed(action), draw.randrange(4), draw.uniform(0, LONGEST_PAUSE))
        (rounds if action is step else acknowledged).extend(words)
    run = open_run(team, "r")
    assert acknowledged
    assert set(acknowledged) <= set(run.labels()["id"])
    assert run.labels()["id"].is_unique
    assert len(rounds) == len(set(rounds))
    assert run.n_rounds >= len(rounds)
    report = verify_store(team)
    assert report.sound, [str(one) for one in report.findings]
    for _ in range(2):
        submit(list[str]().append)
        run.step()
    assert verify_store(team).sound
