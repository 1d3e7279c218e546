"""The worker and its executor killed with SIGKILL in the midst of a round: nothing is lost, nothing stays behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from processes import wait_for

from alvin_core.worker import enqueue_job, list_jobs, worker_status

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")

HARNESS = Path(__file__).parents[1] / "unit" / "worker" / "harness.py"


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("worker_kill_harness", HARNESS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def worker(harness: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with harness.FakeWorker(tmp_path / "store") as running:
        wait_for(running.alive)
        yield running


def test_a_killed_worker_takes_its_busy_executor_with_it_and_the_next_one_goes_on(
    worker: Any, harness: ModuleType
) -> None:
    run = worker.make_run(1, steps=1, from_round=1, how="hold")
    job = worker.rounds(run, 3)
    worker.at_stage(job)
    wait_for(lambda: worker.job(job).result.get("rounds") == [0])
    executor = worker.executor()
    worker.process.kill()
    assert worker.process.wait(5) == -signal.SIGKILL
    wait_for(lambda: not executor.is_running() or executor.status() == "zombie", patience=5)
    assert not worker_status(worker.store).alive
    assert worker.job(job).state == "running"  # nobody was there to say otherwise
    waiting = enqueue_job(worker.store, "project", run=run.id, params={"round": 0, "space": "encoder"})

    worker.tell(1)
    worker.process = worker.start()
    wait_for(worker.alive)
    failed = worker.ended(job)
    assert failed.state == "failed"
    assert failed.error == (
        "the worker ended while it trained rounds; nothing that was finished is lost: start it again"
    )
    assert failed.result["rounds"] == [0]
    assert worker.ended(waiting).state == "done"
    assert worker.ended(worker.rounds(run, 2)).result["rounds"] == [1, 2]


def test_a_killed_executor_is_replaced_at_work_or_idle_and_the_job_says_what_happened(
    worker: Any, harness: ModuleType
) -> None:
    run = worker.make_run(2, waits=True, from_round=1)
    job = worker.rounds(run, 2)
    worker.at_stage(job)
    executor = worker.executor()
    executor.kill()
    failed = worker.ended(job)
    assert failed.state == "failed"
    assert "was killed by the system (SIGKILL): most often because memory ran out" in failed.error
    assert failed.result["rounds"] == [0]
    worker.tell(2)
    assert worker.ended(worker.rounds(run)).result["rounds"] == [1]
    assert worker.executor().pid != executor.pid
    assert worker.executor().children(recursive=True) == []

    second = worker.executor()  # which is idle now
    second.kill()
    wait_for(lambda: worker.executor() not in (None, second))
    assert worker.ended(worker.rounds(run)).result["rounds"] == [2]


def test_a_worker_that_is_told_to_stop_cancels_its_job_and_is_gone_within_two_seconds(
    worker: Any, harness: ModuleType
) -> None:
    run = worker.make_run(4, steps=1, how="hold")
    job = worker.rounds(run)
    worker.at_stage(job)
    family = worker.family()
    worker.process.terminate()
    assert worker.process.wait(5) == 0
    wait_for(lambda: not any(one.is_running() for one in family), patience=2)
    ended = worker.job(job)
    assert (ended.state, ended.note, run.n_rounds) == ("cancelled", "the worker was stopped", 0)
    assert list_jobs(worker.store, active=True) == []


def test_a_worker_whose_store_is_deleted_ends(worker: Any, harness: ModuleType) -> None:
    import shutil

    shutil.rmtree(worker.store)
    assert worker.process.wait(10) == 1
