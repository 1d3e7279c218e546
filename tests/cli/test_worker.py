"""``alvin worker``, ``jobs`` and ``cancel``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from alvin_core.worker import enqueue_job, get_job, worker_status
from alvin_core.worker.status import be_the_worker


@pytest.fixture
def store(tmp_path: Path, finished: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "store"))


def test_a_store_without_jobs_says_so(alvin: Any, store: Path, tmp_path: Path) -> None:
    for folder in (store, tmp_path / "new"):
        answer = alvin("jobs", "--store", folder)
        assert (answer.code, answer.out) == (0, "")
        assert answer.err == f"no jobs in {folder}\n"
    assert not (tmp_path / "new").exists()


def test_jobs_are_listed_newest_first_with_a_hint_where_nobody_does_them(alvin: Any, store: Path) -> None:
    enqueue_job(store, "rounds", run="first", params={"n": 2})
    enqueue_job(store, "project", run="first", params={"round": 1})
    answer = alvin("jobs", "--store", store)
    assert answer.code == 0
    header, *rows = answer.lines
    assert header.split()[:4] == ["job", "kind", "run", "state"]
    assert [row.split()[:4] for row in rows] == [
        ["2", "project", "first", "queued"],
        ["1", "rounds", "first", "queued"],
    ]
    assert answer.err == f"no worker is there to do them; start one with: alvin worker --store {store}\n"


def test_jobs_as_json_are_one_line_each(alvin: Any, store: Path) -> None:
    enqueue_job(store, "rounds", run="first", params={"n": 2})
    answer = alvin("jobs", "--store", store, "--json")
    (job,) = map(json.loads, answer.lines)
    assert (job["id"], job["kind"], job["params"], job["state"]) == (1, "rounds", {"n": 2}, "queued")
    assert answer.err == ""


def test_a_job_is_cancelled_once(alvin: Any, store: Path) -> None:
    job = enqueue_job(store, "rounds", run="first")
    assert alvin("cancel", str(job.id), "--store", store).out == f"job {job.id} is cancelled\n"
    assert get_job(store, job.id).state == "cancelled"
    answer = alvin("cancel", "99", "--store", store)
    assert (answer.code, answer.out) == (2, "")
    assert "there is no job 99" in answer.err


def test_a_second_worker_is_an_error_of_one_line(alvin: Any, store: Path) -> None:
    with be_the_worker(store):
        answer = alvin("worker", "--store", store)
    assert (answer.code, answer.out) == (2, "")
    assert f"has a worker already: process {os.getpid()}" in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="ends by a POSIX signal")
def test_a_worker_in_the_foreground_trains_a_real_round_and_ends_with_ctrl_c(store: Path) -> None:
    job = enqueue_job(store, "rounds", run="first")
    command = [sys.executable, "-c", "import sys; from alvin_core.cli import main; sys.exit(main())", "worker"]
    process = subprocess.Popen([*command, "--store", str(store)], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while get_job(store, job.id).active:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert worker_status(store).pid == process.pid
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=10)
    ended = get_job(store, job.id)
    assert (ended.state, ended.error) == ("done", "")
    assert ended.result["rounds"] == [3]
    assert process.returncode == 0
    assert "is ready" in told
    assert "has ended" in told
