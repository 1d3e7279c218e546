"""Twenty annotators at once on one queue, each a process; some are killed with SIGKILL while they hold examples."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.annotation_settings import AnnotationSettings
from alvin_core.run import Run, create_run, open_run
from alvin_core.settings import RunSettings
from alvin_core.upkeep.verifying import verify_store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")

N_PEOPLE, N_EXAMPLES = 20, 30
LONG, SHORT = 600.0, 0.5  # seconds of leases: of who lives, and of who is killed
PATIENCE = 100.0


@pytest.fixture
def store_place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store is, as `--store` takes it: a folder, or where a test asks for it a server's database."""
    if getattr(request, "param", "folder") == "folder":
        return str(tmp_path / "store")
    (tmp_path / "shared").mkdir()
    address: str = request.getfixturevalue("postgres_address")
    return f"{address}&arrays={tmp_path / 'shared'}"


def people(n_at_once: int, killed: dict[int, int]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"p{number:02d}",
            "n": n_at_once,
            "seconds": SHORT if number in killed else LONG,
            "kill_after": killed.get(number),
        }
        for number in range(N_PEOPLE)
    ]


def new_run(place: str, fake: ModuleType, overlap: int, share: float = 1.0) -> Run:
    settings = RunSettings(budget=5, initial=N_EXAMPLES)
    settings = replace(settings, annotation=AnnotationSettings(overlap=overlap, overlap_share=share))
    return create_run(place, fake.make_dataset(n_pool=100, labeled=0.0), settings, name="r")


def facts(logs: Path, name: str) -> list[dict[str, Any]]:
    """What one annotator was told; a line that was being written when it was killed was not told."""
    path = logs / name
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def annotate(place: str, logs: Path, plan: list[dict[str, Any]]) -> list[int]:
    """Let everybody annotate until nothing is left, and kill who is to be killed; return the exit codes."""
    logs.mkdir()
    command = [sys.executable, str(Path(__file__).parent / "annotators.py"), place, "r", str(logs), json.dumps(plan)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        to_kill = {one["name"] for one in plan if one["kill_after"] is not None}
        deadline = time.monotonic() + PATIENCE
        while to_kill and process.poll() is None and time.monotonic() < deadline:
            for name in sorted(to_kill):
                told = facts(logs, name)
                if any("holds" in one for one in told):
                    os.kill(told[0]["pid"], signal.SIGKILL)
                    to_kill.remove(name)
            time.sleep(0.01)
        out, _ = process.communicate(timeout=PATIENCE)
    codes: list[int] = json.loads(out)
    return codes


def stored(logs: Path, plan: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Example -> who was told that their label of it is stored."""
    by: dict[str, list[str]] = {}
    for one in plan:
        for fact in facts(logs, one["name"]):
            if "stored" in fact:
                by.setdefault(fact["stored"], []).append(one["name"])
    return by


def test_no_two_of_twenty_get_one_example_and_every_acknowledged_label_is_there_once(
    store_place: str, tmp_path: Path, fake: ModuleType
) -> None:
    run, plan = new_run(store_place, fake, 1), people(3, {})
    asked = run.queue()
    assert annotate(store_place, tmp_path / "logs", plan) == [0] * N_PEOPLE
    taken = [{id_ for fact in facts(tmp_path / "logs", one["name"]) for id_ in fact.get("taken", ())} for one in plan]
    assert Counter(id_ for ids in taken for id_ in ids) == Counter(asked)
    by = stored(tmp_path / "logs", plan)
    labels = open_run(store_place, "r").labels()
    assert labels["id"].is_unique
    assert dict(zip(labels["id"], labels["annotator"], strict=True)) == {id_: names[0] for id_, names in by.items()}
    assert by.keys() == set(asked)
    assert all(len(names) == 1 for names in by.values())
    assert not any("refused" in fact for one in plan for fact in facts(tmp_path / "logs", one["name"]))


@pytest.mark.parametrize("store_place", ["folder", "server"], indirect=True)
def test_what_killed_annotators_held_comes_back_when_their_leases_end(
    store_place: str, tmp_path: Path, fake: ModuleType
) -> None:
    run, killed = new_run(store_place, fake, 1), {2: 0, 7: 1, 11: 0, 19: 2}
    asked, plan = set(run.queue()), people(4, killed)
    codes = annotate(store_place, tmp_path / "logs", plan)
    # Who is to be killed after some labels may find nothing left before.
    assert {number for number, code in enumerate(codes) if code} <= killed.keys()
    assert set(codes) == {0, -signal.SIGKILL}
    labels = open_run(store_place, "r").labels()
    by = stored(tmp_path / "logs", plan)
    assert set(labels["id"]) == asked == by.keys()
    assert labels["id"].is_unique
    assert {id_: names for id_, names in by.items() if len(names) > 1} == {}
    assert open_run(store_place, "r").state == "ready"
    assert verify_store(store_place).findings == []


@pytest.mark.parametrize(
    ("store_place", "overlap", "share"),
    [("folder", 2, 0.5), ("server", 3, 0.2)],
    indirect=["store_place"],
)
def test_exactly_as_many_people_annotate_an_example_as_are_asked(
    store_place: str, tmp_path: Path, fake: ModuleType, overlap: int, share: float
) -> None:
    run, killed = new_run(store_place, fake, overlap, share), {4: 0, 13: 1}
    wanted = {one.id: one.wanted for one in run.queue_state().examples}
    plan = people(3, killed)
    codes = annotate(store_place, tmp_path / "logs", plan)
    assert set(codes) <= {0, -signal.SIGKILL}
    by = stored(tmp_path / "logs", plan)
    # A lease that ended before its label came leaves no mark on the count either.
    assert {id_: len(set(names)) for id_, names in by.items()} == wanted
    assert Counter(wanted.values()) == {overlap: share * N_EXAMPLES, 1: (1 - share) * N_EXAMPLES}
    run = open_run(store_place, "r")
    opinions = run.opinions().groupby("id")["annotator"].agg(set).to_dict()
    assert opinions == {id_: set(names) for id_, names in by.items() if wanted[id_] > 1}
    assert run.labels()["id"].is_unique
    assert set(run.labels()["id"]) == wanted.keys()
    assert run.agreement().alpha == pytest.approx(1.0)
    assert verify_store(store_place).findings == []
