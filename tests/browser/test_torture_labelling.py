"""The server killed with SIGKILL while somebody labels by keys: what the page showed as labeled is stored, and once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from processes import of_store

import alvin_core as alvin
from alvin_core.store.labels import label_events
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.verifying import verify_store

if TYPE_CHECKING:
    from playwright.sync_api import Page

N_KILLS = max(1, int(os.environ.get("ALVIN_KILLS", "0")) // 10)
SEED = int(os.environ.get("ALVIN_SEED", "0"))
N_WAITING = 1500
MEAN_SECONDS = 2.0  # that somebody labels until the server is gone
BETWEEN = 0.13  # seconds between two presses of one key: quicker ones are a bouncing key
GONE_SECONDS = 60.0  # for what a killed server leaves running to notice, on a machine that has much else to do
KEYS = {"1": "neg", "2": "pos"}
pytestmark = pytest.mark.timeout(300 + 30 * N_KILLS)


def shown(page: Page) -> str | None:
    """The example that waits for a key; None while there is none."""
    found = page.evaluate("document.querySelector('.label-state')?.dataset.example ?? null")
    return None if found is None else str(found)


def label_until_gone(page: Page, server: subprocess.Popen[bytes], rng: random.Random) -> dict[str, str]:
    """Press keys until the server is gone; return what the page showed as labeled: another text stood there after."""
    acknowledged: dict[str, str] = {}
    while server.poll() is None:
        before, key = shown(page), rng.choice(list(KEYS))
        if before is None:
            continue
        page.keyboard.press(key)
        pressed = time.monotonic()
        while server.poll() is None and shown(page) in (before, None):
            time.sleep(0.01)
        if shown(page) not in (before, None):
            acknowledged[before] = KEYS[key]
            page.wait_for_timeout(1000 * max(0.0, pressed + BETWEEN - time.monotonic()))
    return acknowledged


def events_of(run: alvin.Run) -> dict[str, list[tuple[str, str]]]:
    """Return every label event of a run, by example."""
    found: dict[str, list[tuple[str, str]]] = {}
    with run._handle.store.read() as session:
        for one in label_events(session, run.id):
            found.setdefault(one.example_id, []).append((one.action, one.label))
    return found


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while not all(map(is_gone, processes)):
        assert time.monotonic() < deadline, [one for one in processes if not is_gone(one)]
        time.sleep(0.02)


def test_a_label_that_the_page_showed_is_stored_once_whenever_the_server_is_killed(
    tmp_path: Path,
    fake: ModuleType,
    serve: Callable[[Path], Any],
    page: Page,
    settled: Callable[..., None],
) -> None:
    store, rng = tmp_path / "store", random.Random(SEED)
    settings = alvin.RunSettings(budget=5, initial=N_WAITING)
    run = alvin.create_run(store, fake.make_dataset(n_pool=2 * N_WAITING, labeled=0.0), settings, name="keys")
    (store / "dashboard").mkdir()
    (store / "dashboard" / "tour-seen").touch()
    acknowledged: dict[str, str] = {}
    ends: Counter[int | None] = Counter()
    for _ in range(N_KILLS):
        served = serve(store)
        page.goto(f"{served.url}/?run=keys&page=label&annotator=Ada")
        settled(page, ".label-text")
        timer = threading.Timer(rng.expovariate(1 / MEAN_SECONDS), served.process.kill)
        timer.start()
        acknowledged |= label_until_gone(page, served.process, rng)
        timer.join()
        family = psutil.Process(served.process.pid).children(recursive=True) if served.process.poll() is None else []
        ends[served.process.wait(10)] += 1
        wait_until_gone([*family, *of_store(store)])
        events = events_of(run)
        for example, label in acknowledged.items():
            assert events[example] == [("label", label)]
        assert verify_store(store).sound
    assert ends == {-signal.SIGKILL: N_KILLS}
    assert acknowledged
    assert repair_store(store)[1].findings == []
