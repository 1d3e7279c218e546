"""The keeper of the worker, with processes that do nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import wait_for

from alvin_core import WorkerStatus
from dashboard import supervising
from dashboard.supervising import WorkerKeeper


class _Starter:
    def __init__(self, code: str) -> None:
        self.code, self.started = code, list[subprocess.Popen[bytes]]()

    def __call__(self, store: Path) -> subprocess.Popen[bytes]:
        self.started.append(subprocess.Popen([sys.executable, "-c", self.code]))
        return self.started[-1]


def _nobody(store: Path) -> WorkerStatus:
    return WorkerStatus(alive=False)


def test_a_worker_that_dies_is_started_again_and_the_last_one_ends_with_the_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "FIRST_PAUSE", 0.01)
    start = _Starter("import time; time.sleep(60)")
    keeper = WorkerKeeper(tmp_path, start, _nobody)
    keeper.start()
    wait_for(lambda: len(start.started) == 1)
    start.started[0].kill()
    wait_for(lambda: len(start.started) == 2)
    keeper.stop()
    assert [process.poll() is not None for process in start.started] == [True, True]
    assert len(start.started) == 2


def test_a_worker_that_cannot_live_is_started_ever_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "FIRST_PAUSE", 0.4)
    start = _Starter("raise SystemExit(1)")
    keeper = WorkerKeeper(tmp_path, start, _nobody)
    keeper.start()
    wait_for(lambda: len(start.started) == 2)  # after a pause of 0.8 s; the next is 1.6 s
    time.sleep(0.8)
    keeper.stop()
    assert len(start.started) == 2


def test_a_store_that_may_only_be_read_gets_a_worker_once_it_can_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervising, "LOOK_AGAIN", 0.01)
    start, looks, why = _Starter("import time; time.sleep(60)"), list[Path](), ["the store can be read only"]

    def closed(store: Path) -> str:
        looks.append(store)
        if len(looks) == 1:
            raise OSError("the disk does not answer")  # which must not end the keeper
        return why[0]

    keeper = WorkerKeeper(tmp_path, start, _nobody, closed)
    keeper.start()
    wait_for(lambda: len(looks) > 5)
    assert start.started == []
    assert caplog.text.count("no worker is started: the store can be read only") == 1
    why[0] = ""
    wait_for(lambda: len(start.started) == 1)
    keeper.stop()


def test_a_store_with_a_worker_gets_no_second_one_until_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "LOOK_AGAIN", 0.02)
    there = [True]
    start = _Starter("import time; time.sleep(60)")
    keeper = WorkerKeeper(tmp_path, start, lambda store: WorkerStatus(alive=there[0]))
    keeper.start()
    time.sleep(0.2)
    assert start.started == []
    there[0] = False
    wait_for(lambda: len(start.started) == 1)
    keeper.stop()
    assert start.started[0].poll() is not None
