"""Worker processes: replaced when they die, ended with the work, never left behind."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from alvin_core.errors import Cancelled
from alvin_core.experiments.crew import Crew, Failure, Job, Message

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")

COMMAND = (sys.executable, str(Path(__file__).with_name("fake_cell_worker.py")))
Doing = Callable[..., tuple[list[Failure], list[tuple[str, str]], set[int]]]


@pytest.fixture
def do(tmp_path: Path) -> Doing:
    """Does jobs by their words; returns failures, what became of each job, and the numbers of the processes."""

    def do_jobs(*words: str, n_workers: int = 1) -> tuple[list[Failure], list[tuple[str, str]], set[int]]:
        ends: list[tuple[str, str]] = []
        pids: set[int] = set()

        def tell(job: Job | None, message: Message) -> None:
            if job is None:
                return
            if message["event"] == "progress":
                pids.add(message["done"])
            else:
                ends.append((job.name, message["event"]))

        with Crew(tmp_path, "abcd1234", 1, COMMAND) as crew:
            failures = crew.do(jobs(tmp_path, *words), n_workers, tell)
        assert not any(map(psutil.pid_exists, pids))
        return failures, ends, pids

    return do_jobs


def jobs(folder: Path, *words: str) -> list[Job]:
    return [
        Job(f"{place} {what}", json.dumps({"what": what, "mark": str(folder / str(place))}))
        for place, what in enumerate(words)
    ]


def test_one_process_does_job_after_job_in_their_order(do: Doing) -> None:
    failures, ends, pids = do("work", "work", "work")
    assert failures == []
    assert ends == [("0 work", "done"), ("1 work", "done"), ("2 work", "done")]
    assert len(pids) == 1


def test_two_processes_share_the_jobs(do: Doing) -> None:
    failures, ends, pids = do("work", "work", "work", "work", n_workers=2)
    assert failures == []
    assert sorted(ends) == [(f"{place} work", "done") for place in range(4)]
    assert len(pids) == 2


def test_a_job_whose_process_was_killed_is_done_by_another_one(do: Doing) -> None:
    failures, ends, pids = do("die once", "work")
    assert failures == []
    assert ends == [("0 die once", "died"), ("1 work", "done"), ("0 die once", "done")]
    assert len(pids) == 2


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("die", "its process was killed, most often because memory ran out; take fewer --workers, or end others"),
        ("exit", "its process ended with exit code 3: last words"),
        ("no memory", "memory ran out; take fewer --workers, fewer examples or a smaller encoder"),
    ],
)
def test_a_job_that_twice_ends_its_process_is_given_up_and_the_others_are_done(do: Doing, what: str, text: str) -> None:
    failures, ends, _ = do("work", what, "work")
    assert [(failure.job.name, failure.kind) for failure in failures] == [(f"1 {what}", "AlvinError")]
    assert failures[0].text.startswith(text[:60])
    assert [end for end in ends if "work" in end[0]] == [("0 work", "done"), ("2 work", "done")]
    assert ends.count((f"1 {what}", "died")) == 2


def test_a_job_that_fails_is_not_tried_again_but_one_that_was_in_use_is(do: Doing) -> None:
    failures, ends, pids = do("fail", "busy", "work")
    assert [(one.job.name, one.kind, one.text) for one in failures] == [("0 fail", "DataError", "it is not right")]
    assert ends == [("0 fail", "failed"), ("1 busy", "failed"), ("2 work", "done"), ("1 busy", "done")]
    assert len(pids) == 1


@pytest.mark.parametrize("reason", [Cancelled, KeyboardInterrupt])
def test_stopping_ends_busy_processes_within_two_seconds(tmp_path: Path, reason: type[BaseException]) -> None:
    pids: set[int] = set()
    stopped_at = 0.0

    def tell(job: Job | None, message: Message) -> None:
        nonlocal stopped_at
        if job is not None and message["event"] == "progress":
            pids.add(message["done"])
        if len(pids) == 2:
            stopped_at = time.monotonic()
            raise reason

    with pytest.raises(reason), Crew(tmp_path, "abcd1234", 1, COMMAND) as crew:
        crew.do(jobs(tmp_path, "hang", "hang"), 2, tell)
    assert time.monotonic() - stopped_at < 2
    assert not any(map(psutil.pid_exists, pids))


def test_somebody_is_told_several_times_a_second_while_nothing_happens(tmp_path: Path) -> None:
    n_told = 0

    def tell(job: Job | None, _message: Message) -> None:
        nonlocal n_told
        n_told += job is None
        if n_told == 5:
            raise Cancelled

    with pytest.raises(Cancelled), Crew(tmp_path, "abcd1234", 1, COMMAND) as crew:
        crew.do(jobs(tmp_path, "hang"), 1, tell)
