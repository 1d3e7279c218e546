"""A clock that jumps: what came first is told by numbers, who lives by locks, and nothing that is in use is swept."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from processes import wait_for

from alvin_core.run import create_run, open_run
from alvin_core.settings import RunSettings
from alvin_core.store import labels
from alvin_core.store.database import open_store
from alvin_core.store.labels import label_events
from alvin_core.store.locks import file_lock
from alvin_core.store.runs import sweep_store
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.restoring import restore_store
from alvin_core.upkeep.verifying import verify_store
from alvin_core.worker import enqueue_job, get_job, worker_status

sys.path.insert(0, str(Path(__file__).parents[2] / "crash"))
import servers

sys.path.pop(0)

pytestmark = pytest.mark.usefixtures("cheap_rounds")
SETTINGS = RunSettings(budget=4, initial=8)
DAY, YEAR = 86_400.0, 365 * 86_400.0


class Clock(datetime):
    """A clock that goes back by a day whenever somebody looks."""

    n_looks = 0

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        cls.n_looks += 1
        return datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=cls.n_looks)


def test_events_are_in_the_order_of_their_numbers_however_the_clock_goes(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "datetime", Clock)
    run = create_run(tmp_path / "store", fake.make_dataset(labeled=0.0), SETTINGS, name="r")
    first, *rest = run.pending()["id"].tolist()
    for label in ("neg", "pos", "neg"):
        run.submit({first: label}, annotator="Ada")
        run.undo(first, annotator="Ada")
    run.submit({first: "pos"}, annotator="Ada")
    run.submit(dict.fromkeys(rest[:4], "neg") | dict.fromkeys(rest[4:], "pos"), annotator="Ben")
    run.step()
    with run._handle.store.read() as session:
        events = label_events(session, run.id)
    assert Clock.n_looks > 8
    assert [one.seq for one in events] == list(range(1, len(events) + 1))
    assert [one.created_at for one in events if one.example_id == first] == sorted(
        (one.created_at for one in events if one.example_id == first), reverse=True
    )
    assert dict(zip(run.labels()["id"], run.labels()["label"], strict=True))[first] == "pos"
    child = run.fork(0, name="child")
    assert child.labels()["id"].tolist() == run.labels()["id"].tolist()
    assert verify_store(tmp_path / "store").findings == []
    assert all(one.same for one in run.replay())
    backup_store(tmp_path / "store", tmp_path / "all.tar")
    assert restore_store(tmp_path / "all.tar", tmp_path / "again").findings == []
    again = open_run(tmp_path / "again", "r").labels().drop(columns="time")
    assert again.equals(run.labels().drop(columns="time"))


@pytest.mark.parametrize("hours", [-24, 24 * 365], ids=["back", "forward"])
def test_what_a_backup_needs_is_not_swept_whatever_the_clock_says(tmp_path: Path, hours: int) -> None:
    store = open_store(tmp_path, create=True)
    staged, lock = tmp_path / ".snapshot-0123abcd", tmp_path / "locks" / "snapshot-0123abcd.lock"
    staged.mkdir()
    made = staged.stat().st_mtime - hours * 3600
    os.utime(staged, (made, made))
    with file_lock(lock, subject="the snapshot"), store.lock():
        assert sweep_store(store) == []
    with store.lock():
        assert sweep_store(store) == [staged, lock]


@pytest.mark.skipif(os.name == "nt", reason="ends a process by a POSIX signal")
def test_a_worker_lives_and_works_on_while_its_clock_jumps(tmp_path: Path, fake: ModuleType) -> None:
    """Forward by a year in the midst of a job, then back by a day: it is alive for all, and its jobs end."""
    clock, store = tmp_path / "clock", tmp_path / "store"
    clock.write_text("0")
    run = create_run(store, fake.make_dataset(600), SETTINGS, name="r")
    worker = servers.start("alvin_core.worker", store, tmp_path / "log", clock=clock)
    try:
        wait_for(lambda: worker_status(store).alive, "the worker lives", servers.PATIENCE)
        n_done = 0
        for jump in (YEAR, -DAY):
            job = enqueue_job(store, "rounds", run=run.id, params={"n": 4})
            wait_for(lambda job=job: get_job(store, job.id).result.get("rounds"), "a round is done", servers.PATIENCE)
            other = tmp_path / "other"
            other.write_text(str(jump))
            other.replace(clock)
            assert worker_status(store).alive
            assert not verify_store(store).count("damage")
            wait_for(lambda job=job: not get_job(store, job.id).active, "the job has ended", servers.PATIENCE)
            found = get_job(store, job.id)
            assert (found.state, found.error) == ("done", "")
            n_done += 4
            assert run.n_rounds == n_done
        assert worker_status(store).alive
    finally:
        worker.terminate()
        worker.wait(servers.PATIENCE)
    times = [datetime.fromisoformat(one.created_at) for one in run.records()]
    assert max(times) - times[0] > timedelta(days=300)  # it did jump, and back:
    assert times[-1] < times[0]
    assert verify_store(store).findings == []
    assert all(one.same for one in run.replay())
