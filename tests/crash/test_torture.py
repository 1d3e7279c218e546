"""Commands and people killed with SIGKILL at random moments, several at once; then everything that must hold.

30 kills with all other tests. ``make torture`` has 300; ``ALVIN_KILLS=3000 pytest tests/crash/test_torture.py`` more.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.errors import RunNotFoundError
from alvin_core.run import create_run, list_runs, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.restoring import restore_store
from alvin_core.upkeep.verifying import verify_store

from .conftest import KILLED, Workers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")

N_KILLS = int(os.environ.get("ALVIN_KILLS", "30"))
SEED = int(os.environ.get("ALVIN_SEED", "0"))
MOST_RUNS = 5
KEPT = ("oracle", "person", "trained")  # never deleted
ANSWERED = (0, 1, 2)  # how a command ends that was not killed: done, or refused in one line


class Torture:
    """A store that many work at and that loses them again and again."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.store, self.rng = folder, folder / "store", rng
        self.number = 0

    def actions(self) -> list[dict[str, Any]]:
        """Draw what happens at once: a command or two, and a person who labels."""
        runs = [info.name for info in list_runs(self.store)]
        drawn = [self._draw(runs) for _ in range(self.rng.choice((1, 1, 2)))]
        if self.rng.random() < 0.6:
            self.number += 1
            who = {"run": self.rng.choice(runs), "seed": self.number}
            drawn.append({"action": "label", "arguments": who})
        return [{**one, "kill_after": self.rng.expovariate(1 / 0.12)} for one in drawn]

    def _draw(self, runs: list[str]) -> dict[str, Any]:
        self.number += 1
        run, file = self.rng.choice(runs), str(self.folder / f"out-{self.number}")
        forks = [one for one in runs if one not in KEPT]
        crowded = len(runs) >= MOST_RUNS
        choices = {
            "step": ["step", run, "--rounds", "2", "--quiet"],
            "submit": ["submit", "person", str(self._labels()), "--annotator", "Ben"],
            "fork": ["fork", run, "--at", "1", "--name", f"fork-{self.number}", "--rounds", "1"],
            "export": ["export", run, "--out", f"{file}.csv"],
            "pack": ["pack", run, f"{file}.zip"],
            "backup": ["backup", f"{file}.tar", "--quiet"],
            "repair": ["verify", "--repair", "--quiet"],
        }
        if crowded:
            choices["fork"] = ["delete", self.rng.choice(forks), "--yes"]
        return {"action": "command", "arguments": {"argv": choices[self.rng.choice(list(choices))]}}

    def _labels(self) -> Path:
        path = self.folder / f"labels-{self.number}.csv"
        waiting = open_run(self.store, "person").pending()["id"].tolist()
        rows = [(one, "pos" if int(one[1:]) % 2 else "neg") for one in waiting]
        path.write_text("id,label\n" + "".join(f"{one},{label}\n" for one, label in rows))
        return path


def check_answers(store: Path, workers: Workers) -> None:
    """Every label that was acknowledged is there once; every one taken back is not Ada's; nothing else is sure."""
    last: dict[tuple[str, str], Any] = {}
    for line in workers.log.read_text().splitlines():
        fact = json.loads(line)
        if "asked" in fact:
            last[tuple(fact["asked"])] = Ellipsis
        elif "example" in fact:
            last[fact["run"], fact["example"]] = fact["label"]
    held: dict[str, dict[str, tuple[str, str]] | None] = {}
    for (name, example), label in last.items():
        if name not in held:
            try:
                labels = open_run(store, name).labels()
            except RunNotFoundError:  # deleted since
                held[name] = None
                continue
            assert labels["id"].is_unique
            held[name] = dict(zip(labels["id"], zip(labels["label"], labels["annotator"], strict=True), strict=True))
        of_run = held[name]
        if label is Ellipsis or of_run is None:
            continue
        found, annotator = of_run.get(example, (None, None))
        # An oracle, or Ben's file, may have answered since what Ada took back.
        assert annotator != "Ada" if label is None else found == label, (name, example, label, found)


def check_files(folder: Path) -> None:
    """What was written outside the store is whole, or is not there."""
    for path in folder.glob("out-*"):
        if path.suffix == ".csv":
            with path.open(newline="") as file:
                reader = csv.DictReader(file)
                rows = list(reader)
            assert {"id", "label"} <= set(reader.fieldnames or ())
            assert all(row["id"] and row["label"] for row in rows)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                assert "manifest.json" in archive.namelist()
        elif path.suffix == ".tar":
            again = folder / "again"
            assert restore_store(path, again).sound
            shutil.rmtree(again)
        else:
            raise AssertionError(path)
        path.unlink()


@pytest.mark.timeout(300 + 20 * N_KILLS)
def test_killed_at_any_moment_nothing_that_was_acknowledged_is_lost(
    tmp_path: Path, fake: ModuleType, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "compute", fake.compute)
    torture = Torture(tmp_path, random.Random(SEED))
    settings = RunSettings(budget=4, initial=8)
    for name, labeled in (("oracle", 1.0), ("person", 0.0)):
        create_run(torture.store, fake.make_dataset(600, labeled=labeled), settings, name=name)
    workers.forget()
    n_killed, kinds = 0, set[str]()
    while n_killed < N_KILLS:
        actions = torture.actions()
        codes = workers.carry_out(torture.store, *actions)
        for action, code in zip(actions, codes, strict=True):
            assert code == KILLED or code in ANSWERED, action
            n_killed += code == KILLED
            kinds.add(action["arguments"].get("argv", [action["action"]])[0])
        report = verify_store(torture.store)
        assert report.sound, (actions, report.findings)
        check_answers(torture.store, workers)
        check_files(tmp_path)
    assert {"label", "step", "fork", "export"} <= kinds
    _, report = repair_store(torture.store)
    assert [str(one) for one in report.findings] == []
    for info in list_runs(torture.store):
        run = open_run(torture.store, info.id)
        assert all(one.same for one in run.replay())
    run = open_run(torture.store, "oracle")
    n_rounds = run.n_rounds
    run.step()
    assert open_run(torture.store, "oracle").n_rounds == n_rounds + 1
