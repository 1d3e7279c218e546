"""What breaks around the page: a worker killed in a round, a browser without WebGL, a run deleted under a tab."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import wait_for

import alvin_core as alvin

from .conftest import in_header

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

READY = "() => window.__alvinMaps?.map?.ready"
OVERLAY = ".st-key-map canvas.overlay"
NO_WEBGL = """
const real = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return /webgl/i.test(kind) ? null : real.call(this, kind, ...rest);
};
"""


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []


def in_a_round(store: Path) -> bool:
    return any(job.kind == "rounds" and job.state == "running" and job.stage for job in alvin.list_jobs(store))


@pytest.mark.parametrize("victim", ["executor", "supervisor"])
def test_a_worker_killed_in_a_round_is_told_comes_back_and_loses_nothing(
    page: Page, own_store: Path, serve: Callable[[Path], Any], settled: Callable[..., None], victim: str
) -> None:
    page.goto(f"{serve(own_store).url}/?page=explore&run=first")
    settled(page, OVERLAY, ".st-key-step button")
    wait_for(lambda: alvin.worker_status(own_store).alive)
    before = alvin.open_run(own_store, "first").labels()
    page.click(".st-key-step button")
    wait_for(lambda: in_a_round(own_store))
    supervisor = alvin.worker_status(own_store).pid
    assert supervisor is not None
    for pid in [supervisor] if victim == "supervisor" else children(supervisor):
        os.kill(pid, signal.SIGKILL)
    page.wait_for_selector(".alvin-message, .st-key-header :text('Round 3')", timeout=120_000)
    run = alvin.open_run(own_store, "first")
    assert before["id"].isin(run.labels()["id"]).all()
    if run.n_rounds == 4:  # it was killed so late that the round stood: that is nothing lost, too
        return
    message = page.inner_text(".alvin-message")
    assert "Training failed" in message
    assert "Traceback" not in message
    page.wait_for_selector(".st-key-step button:enabled", timeout=120_000)
    page.click(".st-key-step button")
    in_header(page, "Round 3", timeout=120_000)
    assert alvin.open_run(own_store, "first").n_rounds == 4


def test_without_webgl_a_message_and_the_plotly_figure_stand_in_for_the_map(
    browser: Browser, dashboard: Any, settled: Callable[..., None], shot: Callable[..., Path]
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        context.add_init_script(NO_WEBGL)
        page = context.new_page()
        page.goto(f"{dashboard.url}/?page=explore&run=first")
        page.wait_for_selector(".st-key-plain_map .scatterlayer .point", timeout=40_000)
        settled(page)
        assert "This browser has no WebGL" in page.inner_text(".st-key-card_map")
        assert page.locator("[data-testid=stException]").count() == 0
        box = page.locator(".st-key-plain_map .scatterlayer .point").first.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_selector(".alvin-card-title")
        page.wait_for_url(re.compile("example="))
        shot(page, "explore-no-webgl")
    finally:
        context.close()


def test_a_run_deleted_in_another_tab_is_said_at_the_next_click(
    page: Page, own_store: Path, serve: Callable[[Path], Any], settled: Callable[..., None]
) -> None:
    page.goto(f"{serve(own_store).url}/?page=explore&run=first")
    settled(page, OVERLAY)
    page.wait_for_function(READY)
    wait_for(lambda: not alvin.list_jobs(own_store, run="first", active=True))
    alvin.delete_run(own_store, "first")
    page.locator(".st-key-side button", has_text="Table").click()
    page.wait_for_selector(".alvin-message")
    assert "no run is called" in page.inner_text(".st-key-notices")
    in_header(page, "people", timeout=60_000)
    assert page.locator("[data-testid=stException]").count() == 0
