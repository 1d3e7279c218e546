"""A store that a newer version wrote: everything says so and asks for an upgrade, and nothing in it is touched."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from folders import contents

from alvin_core.errors import StoreVersionError
from alvin_core.run import create_run, delete_run, list_runs, open_run
from alvin_core.run.bundle import pack_run
from alvin_core.settings import RunSettings
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.verifying import verify_store
from alvin_core.worker import enqueue_job, list_jobs
from alvin_core.worker.__main__ import main as be_the_worker

SETTINGS = RunSettings(budget=4, initial=8)


@pytest.fixture
def newer(tmp_path: Path, fake: ModuleType) -> Path:
    """A store with a round, a leftover, and a version that is not known yet."""
    store = tmp_path / "store"
    create_run(store, fake.make_dataset(), SETTINGS, name="r").step()
    (store / "runs" / "89abcdef").mkdir()
    with closing(sqlite3.connect(store / "alvin.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE of_the_future (x)")
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    return store


CALLS: dict[str, Callable[[Path, Any], object]] = {
    "open": lambda store, _: open_run(store, "r"),
    "list": lambda store, _: list_runs(store),
    "create": lambda store, fake: create_run(store, fake.make_dataset(), SETTINGS, name="other"),
    "delete": lambda store, _: delete_run(store, "r"),
    "pack": lambda store, _: pack_run(store, "r", store.parent / "r.zip"),
    "verify": lambda store, _: verify_store(store),
    "repair": lambda store, _: repair_store(store),
    "backup": lambda store, _: backup_store(store, store.parent / "all.tar"),
    "jobs": lambda store, _: list_jobs(store),
    "ask": lambda store, _: enqueue_job(store, "rounds", run="r"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_newer_store_asks_for_an_upgrade_and_is_left_as_it_is(newer: Path, fake: ModuleType, call: str) -> None:
    before = contents(newer)
    with pytest.raises(StoreVersionError, match=r"has version 99, this ALVIN Studio reads \d+; upgrade it"):
        CALLS[call](newer, fake)
    assert contents(newer) == before
    assert list(newer.parent.iterdir()) == [newer]


def test_the_worker_of_a_newer_store_ends_with_the_same_words(newer: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = contents(newer)
    with caplog.at_level(logging.ERROR):
        assert be_the_worker(["--store", str(newer)]) == 2
    assert "has version 99, this ALVIN Studio reads" in caplog.text
    assert contents(newer) == before


def test_the_server_of_a_newer_store_says_that_it_cannot_read_it(newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.health import health

    before = contents(newer)
    monkeypatch.setenv("ALVIN_STORE", str(newer))
    code, told = health()
    assert (code, told["status"]) == (503, "failing")
    assert contents(newer) == before
