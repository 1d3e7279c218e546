"""The worker, its executor and the dashboard's server killed with SIGKILL at random moments, while commands and people
work at the same store and are killed as well; then everything that must hold.

Five servers are killed with all other tests, and 300 by ``make torture``; beside them, more than as many of the others.
"""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from processes import of_store, wait_for

from alvin_core.errors import AlvinError
from alvin_core.run import create_run, list_runs, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings, TrainingSettings
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.verifying import verify_store
from alvin_core.worker import Job, cancel_job, enqueue_job, get_job, list_jobs, worker_status

from .conftest import KILLED, Workers
from .test_torture import ANSWERED, KEPT, N_KILLS, SEED, Torture, check_answers, check_files

sys.path.insert(0, str(Path(__file__).parent))
import servers
import stand_ins

sys.path.pop(0)
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc who is left")

VICTIMS = ("worker", "executor", "dashboard", "executor", "worker")
IS_LONG = N_KILLS >= 300
N_SERVER_KILLS = N_KILLS if IS_LONG else len(VICTIMS)
SETTINGS = RunSettings(budget=4, initial=8)
KEPT_JOBS = 4  # the newest of those that wait
GONE_SECONDS = 60.0  # for what a killed process leaves running to notice: far less is needed on a machine at rest


class Store:
    """A store with a worker or a dashboard, one of which is killed after the other."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.path, self.folder, self.rng = folder / "store", folder, rng
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.jobs: list[Job] = []
        self.n_made = 0

    def serve(self, victim: str) -> None:
        """Have the servers run that are needed to kill one of a kind."""
        wants_dashboard = victim == "dashboard"
        if self.process is not None and wants_dashboard:
            self.end()
        if self.process is None and wants_dashboard:
            self.process, self.url = servers.start_dashboard(self.path, self.folder / "dashboard.log")
            wait_for(lambda: servers.answers(f"{self.url}/api/ready"), "the dashboard answers", servers.PATIENCE)
        elif self.process is None:
            self.process = servers.start("alvin_core.worker", self.path, self.folder / "worker.log")
            wait_for(lambda: worker_status(self.path).alive, "the worker lives", servers.PATIENCE)

    def ask(self) -> None:
        """Put jobs in the queue, as the pages do."""
        for kind in self.rng.sample(("rounds", "rounds", "create", "project", "compare"), 2):
            try:
                self.jobs.append(self._enqueue(kind))
            except AlvinError:  # a job of this run is under way already
                continue

    def _enqueue(self, kind: str) -> Job:
        if kind == "rounds":
            names = ("oracle", "trained") if IS_LONG and self.rng.random() < 0.2 else ("oracle",)
            return enqueue_job(self.path, "rounds", run=names[-1], params={"n": 2})
        if kind == "project":
            return enqueue_job(
                self.path,
                "project",
                run="oracle",
                params={"round": self.rng.randrange(open_run(self.path, "oracle").n_rounds)},
            )
        self.n_made += 1
        if kind == "compare":
            compared = {"run": "oracle", "strategies": ["random", "entropy"], "seeds": 1, "rounds": 1}
            return enqueue_job(self.path, "compare", params=compared | {"name": f"compared-{self.n_made}"})
        asked = {"path": str(self.folder / "data.csv"), "settings": SETTINGS.to_dict(), "rounds": 1}
        return enqueue_job(self.path, "create", params=asked | {"name": f"made-{self.n_made}"})

    def kill(self, victim: str) -> list[psutil.Process]:
        """Kill one of the servers wherever it is; return those that must be gone with it."""
        assert self.process is not None
        time.sleep(self.rng.expovariate(1 / (2.0 if victim == "dashboard" else 0.7)))
        family = servers.family(self.process)
        if victim == "executor":
            (child,) = wait_for(
                lambda: servers.family(self.process)[1:2], "the worker has an executor", servers.PATIENCE
            )
            family = [child, *child.children(recursive=True)]
            child.kill()
            return family
        self.process.kill()
        assert self.process.wait(10) == -signal.SIGKILL
        self.process = None
        return family

    def visit(self, until: threading.Event) -> None:
        """Ask the dashboard for what its pages ask for, until it is gone."""
        run = open_run(self.path, "oracle").id
        paths = ("healthz", "metrics", f"api/watch/{run}", f"api/texts/{run}/0/0", f"api/texts/{run}/0/blind/3", "")
        while not until.is_set():
            for path in paths:
                servers.answers(f"{self.url}/{path}")

    def end(self) -> None:
        """End what runs, as a person would."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(servers.PATIENCE)
            self.process = None


def write_data(path: Path, fake: ModuleType) -> None:
    dataset = fake.make_dataset()
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "text", "label", "split"))
        for row, id_ in enumerate(dataset.ids):
            rows.writerow((id_, f"text {row}", dataset.classes[dataset.labels[row]], dataset.splits[row]))


def make_runs(store: Path, fake: ModuleType, tiny_encoder: Path | None) -> None:
    create_run(store, fake.make_dataset(600, labeled=1.0), SETTINGS, name="oracle").step()
    create_run(store, fake.make_dataset(600, labeled=0.0), SETTINGS, name="person")
    if tiny_encoder is not None:
        real = RunSettings(
            budget=4,
            initial=8,
            seed=stand_ins.REAL_SEEDS,
            encoder=EncoderSettings(name=str(tiny_encoder), max_length=32),
            training=TrainingSettings(epochs=2, trainable_layers=1),
            runtime=RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
        )
        create_run(store, fake.make_dataset(600, labeled=1.0), real, name="trained")


def tidy(store: Path, workers: Workers) -> None:
    """Delete what the cycles have made and forget what they have asked for, where it becomes too much."""
    for job in list_jobs(store, active=True, limit=500)[KEPT_JOBS:]:
        cancel_job(store, job.id)
    names = [info.name for info in list_runs(store) if info.name not in KEPT]
    for name in names[:-6]:
        argv = ["discard", name.split("/")[0], "--yes"] if name.startswith("compared") else ["delete", name, "--yes"]
        workers.carry_out(store, {"action": "command", "arguments": {"argv": argv}})


def check_whole(store: Store, workers: Workers, actions: list[dict[str, Any]]) -> None:
    """Check everything that must hold whoever was killed, whoever still works."""
    report = verify_store(store.path)
    assert report.sound, (actions, report.findings)
    check_answers(store.path, workers)
    check_files(store.folder)
    for info in list_runs(store.path):
        records = open_run(store.path, info.id).records()
        assert [one.round for one in records] == list(range(len(records)))


def check_at_rest(store: Store) -> None:
    """Check that nobody works any more, that a sweep leaves nothing, and that rounds can be had again."""
    wait_for(lambda: not servers.living(of_store(store.path)), "no process is left", GONE_SECONDS)
    _, report = repair_store(store.path)
    assert [str(one) for one in report.findings] == []
    left = [path for path in store.path.rglob("*") if path.suffix == ".part" or path.name.startswith(".snapshot-")]
    assert left == []
    runs = [info for info in list_runs(store.path) if info.name != "trained"]
    assert all(one.same for one in open_run(store.path, store.rng.choice(runs).id).replay())


def attack(store: Store, victim: str, workers: Workers, torture: Torture) -> tuple[list[dict[str, Any]], list[int]]:
    """Have everybody work, kill one of the servers; return what else was done, and how it ended."""
    store.serve(victim)
    store.ask()
    actions, codes, stop = torture.actions(), list[int](), threading.Event()
    others = [threading.Thread(target=lambda: codes.extend(workers.carry_out(store.path, *actions)))]
    if victim == "dashboard":
        others.append(threading.Thread(target=store.visit, args=(stop,)))
    for one in others:
        one.start()
    try:
        family = store.kill(victim)
    finally:
        stop.set()
        for one in others:
            one.join()
    wait_for(lambda: not servers.living(family), f"what the {victim} had started is gone", GONE_SECONDS)
    return actions, codes


def finish(store: Store) -> None:
    """Let a last worker do what is asked for; every job has ended in one way, and the store goes on."""
    for job in list_jobs(store.path, active=True, limit=500)[KEPT_JOBS:]:
        cancel_job(store.path, job.id)
    store.serve("worker")
    for job in store.jobs:
        wait_for(lambda job=job: not get_job(store.path, job.id).active, f"job {job.id} ends", 300)
    store.end()
    check_at_rest(store)
    for job in list_jobs(store.path, limit=500):
        assert job.state in ("done", "failed", "cancelled")
        assert job.finished_at is not None
        assert bool(job.error) == (job.state == "failed"), job
    for info in list_runs(store.path):
        assert all(one.same for one in open_run(store.path, info.id).replay())
    run = open_run(store.path, "oracle")
    before = run.n_rounds
    run.step()
    assert open_run(store.path, "oracle").n_rounds == before + 1


@pytest.mark.timeout(300 + 20 * N_SERVER_KILLS)
def test_servers_killed_at_any_moment_lose_nothing_and_leave_nobody_behind(
    tmp_path: Path,
    fake: ModuleType,
    workers: Workers,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Engine, "compute", stand_ins.compute)
    monkeypatch.setattr(stand_ins, "STEP_SECONDS", 0.0)
    rng = random.Random(SEED)
    store, torture = Store(tmp_path, rng), Torture(tmp_path, rng)
    write_data(tmp_path / "data.csv", fake)
    make_runs(store.path, fake, request.getfixturevalue("tiny_encoder") if IS_LONG else None)
    workers.forget()
    killed: Counter[str] = Counter()
    try:
        while sum(killed[one] for one in set(VICTIMS)) < N_SERVER_KILLS:
            victim = VICTIMS[sum(killed[one] for one in set(VICTIMS)) % len(VICTIMS)]
            actions, codes = attack(store, victim, workers, torture)
            killed[victim] += 1
            for action, code in zip(actions, codes, strict=True):
                assert code == KILLED or code in ANSWERED, action
                killed["others"] += code == KILLED
            check_whole(store, workers, actions)
            if store.process is None:
                check_at_rest(store)
                tidy(store.path, workers)
            print(dict(killed), flush=True)  # noqa: T201 - how far the long form is, with -s
        finish(store)
    finally:
        store.end()
        for one in of_store(store.path):
            one.kill()
    assert set(killed) >= set(VICTIMS)
