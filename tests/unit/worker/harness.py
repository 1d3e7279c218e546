"""Workers in processes of their own, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from processes import PATIENCE, wait_for

from alvin_core.run import Run, create_run
from alvin_core.settings import RunSettings
from alvin_core.worker import Job, enqueue_job, get_job, worker_status

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "crash"))
from fake_engine import make_dataset  # noqa: E402

sys.path.pop(0)


class FakeWorker:
    """A worker whose rounds cost nothing and do as they are told."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.process = self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        family = self.family()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        wait_for(lambda: not any(map(psutil.Process.is_running, family)), patience=5)

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(HERE / "fake_worker.py"), str(self.store)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def alive(self) -> bool:
        return worker_status(self.store).alive

    def executor(self) -> psutil.Process | None:
        """The executor's process, where there is one."""
        try:
            children = psutil.Process(self.process.pid).children()
        except psutil.NoSuchProcess:
            return None
        return children[0] if children else None

    def family(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def make_run(self, seed: int, *, labeled: float = 1.0, budget: int = 4, **what: Any) -> Run:
        """Make a run whose rounds do what is said here."""
        self.tell(seed, **what)
        settings = RunSettings(budget=budget, initial=8, seed=seed)
        return create_run(self.store, make_dataset(labeled=labeled), settings, name=f"seed-{seed}")

    def tell(self, seed: int, **what: Any) -> None:
        self.store.mkdir(exist_ok=True)
        (self.store / f"seed-{seed}.json").write_text(json.dumps(what))

    def let_go(self, seed: int) -> None:
        """Let a round that waits go on."""
        (self.store / f"seed-{seed}.open").touch()

    def job(self, job: Job) -> Job:
        return get_job(self.store, job.id)

    def ended(self, job: Job, patience: float = PATIENCE) -> Job:
        """Wait for a job's end."""
        wait_for(lambda: self.process.poll() is not None or not self.job(job).active, patience=patience)
        found = self.job(job)
        assert not found.active, "the worker has ended"
        return found

    def at_stage(self, job: Job, stage: str = "train") -> Job:
        """Wait until a job is at work on something."""
        wait_for(lambda: self.job(job).stage == stage)
        return self.job(job)

    def rounds(self, run: Run, n: int = 1) -> Job:
        return enqueue_job(self.store, "rounds", run=run.id, params={"n": n})
