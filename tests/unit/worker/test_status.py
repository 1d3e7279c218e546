"""Whether there is a worker: the lock tells, and nothing that a dead one left is believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from alvin_core.errors import RunBusyError
from alvin_core.store.database import open_store
from alvin_core.store.locks import file_lock
from alvin_core.worker import WorkerStatus, worker_status
from alvin_core.worker.starting import LARGEST_LOG, bound_log, worker_environment
from alvin_core.worker.status import be_the_worker, write_status

NOBODY = WorkerStatus(alive=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return open_store(tmp_path / "store", create=True).path


def test_no_store_and_no_worker_are_no_worker(tmp_path: Path, store: Path) -> None:
    assert worker_status(tmp_path / "none") == NOBODY
    assert worker_status(store) == NOBODY


def test_a_worker_is_alive_with_what_it_says_until_it_ends(store: Path) -> None:
    with be_the_worker(store):
        assert worker_status(store) == NOBODY  # it has said nothing yet
        write_status(store, warm=False, since="2020")
        assert worker_status(store) == WorkerStatus(alive=True, warm=False, pid=os.getpid(), since="2020")
        write_status(store, warm=True, since="2020")
        assert worker_status(str(store)).warm
        with pytest.raises(RunBusyError, match=f"has a worker already: process {os.getpid()}"), be_the_worker(store):
            pass
        assert worker_status(store).alive
    assert worker_status(store) == NOBODY


def test_what_a_killed_worker_left_is_not_believed(store: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "from alvin_core.worker.status import be_the_worker, write_status\n"
        "with be_the_worker(Path(sys.argv[1])): write_status(Path(sys.argv[1]), warm=True, since='x'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(store)]).returncode == 9
    assert json.loads((store / "locks" / "worker.json").read_text())["alive"] is True
    assert worker_status(store) == NOBODY
    # Nor when somebody else holds the lock, as those do who ask at the same time.
    with file_lock(store / "locks" / "worker.lock", subject="the worker"):
        assert worker_status(store) == NOBODY
    with be_the_worker(store):
        write_status(store, warm=False, since="y")
        assert worker_status(store).since == "y"


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"alive": true, "pid": "x"}', '{"other": 1}'])
def test_a_status_that_nobody_can_read_is_no_worker(store: Path, text: str) -> None:
    (store / "locks" / "worker.json").write_text(text)
    with file_lock(store / "locks" / "worker.lock", subject="the worker"):
        assert worker_status(store) == NOBODY


def test_those_who_ask_do_not_keep_a_worker_from_starting(store: Path) -> None:
    (store / "locks" / "worker.json").write_text(json.dumps({"alive": True, "pid": 1}))
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.001):  # three that never pause would hold the lock nearly always
            worker_status(store)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for one in askers:
        one.start()
    try:
        for _ in range(20):
            with be_the_worker(store):
                write_status(store, warm=False, since="z")
                assert worker_status(store).pid == os.getpid()
    finally:
        done.set()
        for one in askers:
            one.join()


def test_the_log_is_bounded_and_its_end_is_kept(store: Path) -> None:
    log = store / "worker.log"
    bound_log(store)  # there is none
    log.write_bytes(b"short")
    bound_log(store)
    assert log.read_bytes() == b"short"
    with log.open("ab") as writer:
        writer.write(b"x" * LARGEST_LOG)
        writer.flush()
        bound_log(store)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (store / "worker.log.1").stat().st_size == LARGEST_LOG + 5


def test_a_worker_finds_this_package_and_keeps_libraries_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "surprise.py")
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "debug")
    environment = worker_environment()
    assert "PYTHONSTARTUP" not in environment
    assert environment["TRANSFORMERS_VERBOSITY"] == "debug"
    assert environment["HF_HUB_DISABLE_PROGRESS_BARS"] == "1"
