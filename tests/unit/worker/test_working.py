"""A worker at its work: rounds, maps, new runs, progress, cancelling, crashes; one worker through all of it."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from processes import PATIENCE

from alvin_core.errors import DataError, RunBusyError
from alvin_core.run import open_run
from alvin_core.store.database import open_store
from alvin_core.store.jobs import add_job, claim_job
from alvin_core.worker import cancel_job, enqueue_job, get_job, list_jobs, supervisor, worker_status
from alvin_core.worker.child import how_it_ended
from alvin_core.worker.executor import Executor
from alvin_core.worker.supervisor import GRACE_SECONDS, POLL_SECONDS, Supervisor, Task


def test_rounds_are_trained_and_told_of_with_a_map_each(worker: Any) -> None:
    run = worker.make_run(1)
    job = worker.ended(worker.rounds(run, 3))
    assert (job.state, job.error) == ("done", "")
    assert job.result == {"rounds": [0, 1, 2], "notes": []}
    assert run.n_rounds == 3
    assert (worker.store / f"map-{run.id}-2-model").read_text() == "umap"
    assert job.started_at < job.heartbeat == job.finished_at
    assert job.seconds_left is None


def test_a_later_round_gets_a_map_only_where_the_one_before_has_one(worker: Any) -> None:
    run = worker.make_run(2)
    worker.ended(worker.rounds(run))
    (worker.store / f"map-{run.id}-0-model").unlink()
    assert worker.ended(worker.rounds(run)).result["rounds"] == [1]
    assert not (worker.store / f"map-{run.id}-1-model").exists()


def test_a_map_that_fails_is_a_note_and_the_round_is_there(worker: Any) -> None:
    run = worker.make_run(3)
    (worker.store / "no-maps").touch()
    job = worker.ended(worker.rounds(run))
    (worker.store / "no-maps").unlink()
    assert job.state == "done"
    assert job.result == {"rounds": [0], "notes": ["round 0 has no map: umap is not installed"]}


def test_a_map_that_was_asked_for_is_made(worker: Any) -> None:
    run = worker.make_run(4)
    worker.ended(worker.rounds(run))
    job = worker.ended(enqueue_job(worker.store, "project", run=run.name, params={"round": 0, "space": "encoder"}))
    assert job.result == {"round": 0, "space": "encoder", "revision": "revision of 0"}
    assert job.stage == "map"
    assert (worker.store / f"map-{run.id}-0-encoder").exists()


def test_progress_says_stage_round_and_epoch_while_the_round_runs(worker: Any) -> None:
    run = worker.make_run(5, waits=True, from_round=1)
    worker.ended(worker.rounds(run))
    job = worker.rounds(run, 2)
    seen = worker.at_stage(job)
    assert (seen.state, seen.done, seen.total) == ("running", 3, 60)
    assert seen.note == "round 1 (1 of 2), epoch 4 of 60"
    assert seen.heartbeat >= seen.started_at
    with pytest.raises(RunBusyError, match="are under way: job"):
        worker.rounds(run)
    cancel_job(worker.store, job.id)
    assert worker.ended(job, 5).state == "cancelled"


def test_a_job_cancelled_between_rounds_keeps_the_finished_ones(worker: Any) -> None:
    run = worker.make_run(6, waits=True, from_round=1)
    job = worker.rounds(run, 3)
    worker.at_stage(job)
    cancel_job(worker.store, job.id)
    ended = worker.ended(job)
    assert (ended.state, ended.cancel, ended.result["rounds"], run.n_rounds) == ("cancelled", True, [0], 1)


def test_a_job_that_holds_the_interpreter_is_killed_within_two_seconds_and_the_next_one_runs(worker: Any) -> None:
    run = worker.make_run(7, steps=1, how="hold")
    job = worker.rounds(run)
    worker.at_stage(job)
    before = worker.executor()
    start = time.monotonic()
    cancel_job(worker.store, job.id)
    ended = worker.ended(job)
    assert time.monotonic() - start < 5  # not two, because the tests' machine may be busy with other things
    assert GRACE_SECONDS + POLL_SECONDS <= 1.5
    assert (ended.state, ended.error, run.n_rounds) == ("cancelled", "", 0)
    assert not before.is_running()
    worker.tell(7)
    assert worker.ended(worker.rounds(run)).result["rounds"] == [0]


@pytest.mark.parametrize(
    ("seed", "how", "words", "trace"),
    [
        (8, "segfault", "crashed in a library (SIGSEGV", ""),
        (10, "memory", "memory ran out", "MemoryError"),
        (11, "fault", "unexpected: ValueError: three lines long", 'raise ValueError("three'),
        (12, "no device", "device 'cuda' is not there; use 'cpu'", "DeviceError"),
    ],
)
def test_a_crash_is_one_line_on_the_job_and_the_next_job_runs(
    worker: Any, seed: int, how: str, words: str, trace: str
) -> None:
    run = worker.make_run(seed, steps=1, how=how, from_round=1)
    job = worker.ended(worker.rounds(run, 2))
    assert job.state == "failed"
    assert words in job.error
    assert "\n" not in job.error
    assert trace in job.traceback
    assert job.result["rounds"] == [0]
    worker.tell(seed)
    assert worker.ended(worker.rounds(run)).result["rounds"] == [1]
    assert worker.alive()


def test_an_end_is_told_in_words() -> None:
    assert how_it_ended(3) == "ended by itself with exit code 3 (worker.log in the store may tell why)"
    assert how_it_ended(-15) == "was ended by SIGTERM"
    assert how_it_ended(-63) == "was ended by signal 63"


def test_a_disk_that_is_full_for_a_moment_does_not_end_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop: list[int] = []
    tries: list[Path] = []

    def refuse(store: Path, **_: Any) -> None:
        tries.append(store)
        stop.extend([15] * (len(tries) == 2))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(supervisor, "write_status", refuse)
    monkeypatch.setattr(supervisor, "AGAIN_SECONDS", 0)
    store = open_store(tmp_path, create=True)
    assert Supervisor(store, ["none"], stop).run() == 0
    assert tries == [store.path] * 2


def test_how_a_job_ended_stands_when_the_executor_dies_before_it_is_written(tmp_path: Path) -> None:
    one = Supervisor(open_store(tmp_path, create=True), ["none"], [])
    one._task = Task(1, end=("done", {"result": {"rounds": [0]}}))
    one._child = SimpleNamespace(pid=1, wait=lambda: -9)  # type: ignore[assignment]
    one._bury()
    assert one._task.end == ("done", {"result": {"rounds": [0]}})


def test_a_job_that_is_done_as_its_time_to_stop_is_up_is_done_and_its_executor_lives(tmp_path: Path) -> None:
    """The last word of the executor is on its way while the store is asked whether the job is to stop."""
    store = open_store(tmp_path, create=True)
    with store.write() as session:
        claim_job(session, add_job(session, "phase", None, {}).id, 1)
    words: list[dict[str, Any]] = [{"event": "done", "id": 1, "result": {"points": 3}}]
    one = Supervisor(store, ["none"], [])
    one._task = Task(1, written=time.monotonic(), asked=time.monotonic(), deadline=time.monotonic() - 1)
    one._child = SimpleNamespace(pid=1, receive=lambda _: words.pop() if words else None)  # type: ignore[assignment]
    one._watch(one._task)
    job = get_job(tmp_path, 1)
    assert (job.state, job.cancel, job.result) == ("done", False, {"points": 3})
    assert one._child is not None


def test_a_job_that_ends_as_it_is_cancelled_does_not_end_the_executor(tmp_path: Path) -> None:
    class JustEnded(dict[int, Any]):
        def __contains__(self, key: object) -> bool:
            return True  # a moment ago it was there

    one = Executor(tmp_path, SimpleNamespace(), None)  # type: ignore[arg-type]
    one._stops = JustEnded()
    one._take({"do": "cancel", "id": 1})


def test_what_libraries_print_is_no_message(worker: Any) -> None:
    run = worker.make_run(13, how="print")
    assert worker.ended(worker.rounds(run)).result["rounds"] == [0]


def test_a_run_that_waits_for_a_person_is_no_failure(worker: Any) -> None:
    run = worker.make_run(14, labeled=0.0)
    job = worker.ended(worker.rounds(run))
    assert (job.state, job.result["rounds"]) == ("done", [])
    assert "have no label yet" in job.result["waits_for"]


def test_the_end_of_the_pool_is_no_failure(worker: Any) -> None:
    run = worker.make_run(15, budget=26)
    job = worker.ended(worker.rounds(run, 20))
    assert job.state == "done"
    assert job.result["rounds"] == [0, 1, 2]
    assert "nothing is left to select" in job.result["ended"]


def test_a_run_deleted_before_its_turn_fails_with_a_line(worker: Any) -> None:
    from alvin_core.run import delete_run

    blocker, run = worker.make_run(16, waits=True), worker.make_run(17)
    first = worker.rounds(blocker)
    worker.at_stage(first)
    job = worker.rounds(run)
    delete_run(worker.store, run.id)
    cancel_job(worker.store, first.id)
    assert "no run is called" in worker.ended(job).error


def test_rounds_go_before_maps_and_a_waiting_job_is_cancelled_at_once(worker: Any) -> None:
    run, other = worker.make_run(18), worker.make_run(19, waits=True)
    worker.ended(worker.rounds(run))
    blocker = worker.rounds(other)
    worker.at_stage(blocker)
    project = enqueue_job(worker.store, "project", run=run.id, params={"round": 0})
    assert enqueue_job(worker.store, "project", run=run.id, params={"round": 0}).id == project.id
    rounds = worker.rounds(run)
    dropped = enqueue_job(worker.store, "project", run=run.id, params={"round": 0, "space": "encoder"})
    assert cancel_job(worker.store, dropped.id).state == "cancelled"
    cancel_job(worker.store, blocker.id)
    assert worker.ended(rounds).finished_at < worker.ended(project).started_at
    assert [job.id for job in list_jobs(worker.store, run=run.id)] == [dropped.id, rounds.id, project.id, rounds.id - 3]


def test_labels_are_stored_while_a_round_runs_and_count_for_the_next(worker: Any) -> None:
    run = worker.make_run(20, labeled=0.5, waits=True)
    job = worker.rounds(run)
    worker.at_stage(job)
    unlabeled = run.dataset.ids[run.dataset.rows_of("pool")][run.dataset.labels[run.dataset.rows_of("pool")] < 0]
    for example_id in unlabeled[:10].tolist():
        run.submit({example_id: "pos"})
    assert worker.job(job).active
    worker.let_go(20)
    assert worker.ended(job).state == "done"
    assert len(run.labels()) == run.record(0).n_labeled + 10


def upload(store: Path, name: str, n: int = 60) -> Path:
    (store / "uploads").mkdir(exist_ok=True)
    rows = [
        f"{'good' if row % 2 else 'bad'} number {row},{row % 2},{'pool' if row < n - 12 else 'test'}\n"
        for row in range(n)
    ]
    place = store / "uploads" / name
    place.write_text("text,mark,split\n" + "".join(rows))
    return place


def test_a_run_is_made_of_an_upload_which_is_deleted_then(worker: Any) -> None:
    place = upload(worker.store, "good.csv")
    params = {"path": str(place), "columns": {"label": "mark"}, "settings": {"budget": 4, "initial": 8}, "seed": 21}
    params |= {"name": "uploaded", "rounds": 1, "source": "my data.csv", "delete_after": True}
    job = worker.ended(enqueue_job(worker.store, "create", params=params))
    assert (job.error, job.state) == ("", "done")
    run = open_run(worker.store, "uploaded")
    assert job.result == {"run_id": run.id, "run": "uploaded", "rounds": [0, 1], "notes": []}
    assert (job.run_id, run.source, run.settings.seed, run.n_rounds) == (run.id, "my data.csv", 21, 2)
    assert not place.exists()


def test_a_file_that_cannot_be_used_fails_in_one_line_stays_and_leaves_no_run(worker: Any) -> None:
    place = upload(worker.store, "bad.csv")
    params = {"path": str(place), "columns": {"label": "none"}, "name": "bad", "delete_after": True}
    job = worker.ended(enqueue_job(worker.store, "create", params=params))
    assert job.state == "failed"
    assert "'none'" in job.error
    assert place.exists()
    assert job.run_id is None
    with pytest.raises(DataError, match="there is no file"):
        enqueue_job(worker.store, "create", params={"path": str(place) + "x"})


def test_a_new_run_whose_first_round_fails_is_removed_and_can_be_started_again(worker: Any) -> None:
    worker.tell(22, how="no device")
    place = upload(worker.store, "again.csv")
    settings = {"budget": 4, "initial": 8, "seed": 22}
    params = {"path": str(place), "columns": {"label": "mark"}, "settings": settings, "name": "again", "rounds": 0}
    params["delete_after"] = True
    failed = worker.ended(enqueue_job(worker.store, "create", params=params))
    assert (failed.state, failed.result, failed.run_id) == ("failed", {"run_id": None}, None)
    assert place.exists()
    worker.tell(22)
    assert worker.ended(enqueue_job(worker.store, "create", params=params)).result["rounds"] == [0]
    assert not place.exists()


def test_after_all_this_it_is_the_same_worker(worker: Any) -> None:
    status = worker_status(worker.store)
    assert (status.alive, status.warm, status.pid) == (True, False, worker.process.pid)
    assert list_jobs(worker.store, active=True) == []


def test_a_second_worker_of_a_store_ends_at_once_and_says_why(worker: Any, harness: ModuleType) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "alvin_core.worker", "--store", str(worker.store)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 75
    assert f"has a worker already: process {worker.process.pid};" in second.stderr
    assert worker.alive()
