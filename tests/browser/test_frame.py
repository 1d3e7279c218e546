"""The frame in a real browser: header, addresses, themes, messages, and a worker that dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alvin_core as alvin

HEADER = ".st-key-header"


def test_the_header_keeps_run_strategy_and_round_in_sight_and_the_page_never_scrolls_sideways(
    page: Any, dashboard: Any, settled: Callable[..., None], shot: Callable[..., Path]
) -> None:
    page.goto(f"{dashboard.url}/?run=first&round=1&page=runs")
    settled(page, HEADER)
    for piece in ("ALVIN Studio", "Explore", "Runs", "labeled"):  # its pieces come one after the other
        page.wait_for_selector(f"{HEADER} :text('{piece}')")
    words = page.inner_text(HEADER)
    for word in ("ALVIN Studio", "Explore", "Label", "Runs", "first", "ALVIN", "Round 1", "labeled"):
        assert word in words
    box = page.locator(HEADER).bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 1280, 48)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 1280
    assert page.locator("[data-testid=stAppDeployButton]").count() == 0
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.locator(".st-key-nav-runs-here").count() == 1
    shot(page, "frame-light")


def test_in_a_narrow_window_every_button_is_within_reach(
    page: Any, dashboard: Any, settled: Callable[..., None]
) -> None:
    page.set_viewport_size({"width": 900, "height": 800})
    page.goto(f"{dashboard.url}/?run=first&page=explore")
    settled(page, ".st-key-step button", ".st-key-map_tools button", ".st-key-play button")
    right_ends = page.evaluate(
        "[...document.querySelectorAll('.st-key-header button, .st-key-map_tools button, .st-key-card_strip button')]"
        ".map(one => one.getBoundingClientRect().right)"
    )
    assert len(right_ends) > 10
    assert max(right_ends) <= 900


def test_a_reload_and_a_second_tab_open_the_same_view(page: Any, dashboard: Any, settled: Callable[..., None]) -> None:
    page.goto(f"{dashboard.url}/?run=first&round=1&page=runs")
    settled(page, HEADER)
    page.click(".st-key-nav_label button")
    page.wait_for_selector(".st-key-nav-label-here")
    settled(page)
    assert "page=label" in page.url
    page.reload()
    settled(page, ".st-key-nav-label-here")
    assert "Round 1" in page.inner_text(HEADER)
    other = page.context.new_page()
    other.goto(page.url)
    settled(other, ".st-key-nav-label-here")
    assert "Round 1" in other.inner_text(HEADER)


def test_the_way_back_leads_back(page: Any, dashboard: Any, settled: Callable[..., None]) -> None:
    page.goto(f"{dashboard.url}/?run=first&round=1&page=runs")
    settled(page, ".st-key-nav-runs-here")
    page.click(".st-key-nav_label button")
    page.wait_for_selector(".st-key-nav-label-here")
    settled(page)
    page.go_back()
    page.wait_for_selector(".st-key-nav-runs-here")


def test_a_hostile_address_is_shown_as_text_and_dismissed(
    page: Any, dashboard: Any, settled: Callable[..., None]
) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(f"{dashboard.url}/?page=runs&run=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&round=99")
    settled(page, ".alvin-message")
    assert "<img src=x onerror=alert(1)>" in page.inner_text(".st-key-notices")
    while page.locator(".alvin-message").count():
        n = page.locator(".alvin-message").count()
        page.click(".st-key-dismiss_0 button")
        page.wait_for_function("n => document.querySelectorAll('.alvin-message').length < n", arg=n)
    assert alerts == []


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_the_dark_scheme_is_dark_throughout(
    browser: Any, dashboard: Any, settled: Callable[..., None], shot: Callable[..., Path], size: tuple[int, int]
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme="dark")
    try:
        page = context.new_page()
        page.goto(f"{dashboard.url}/?run=first&page=runs")
        settled(page, HEADER)
        page.wait_for_function(  # the style sheet comes with the page, in its own time
            "getComputedStyle(document.querySelector('.st-key-header')).backgroundColor !== 'rgba(0, 0, 0, 0)'"
        )
        colours = page.evaluate(
            "['.stApp', '.st-key-header'].map(one => getComputedStyle(document.querySelector(one)).backgroundColor)"
        )
        assert colours == ["rgb(18, 22, 28)", "rgb(26, 32, 41)"]
        shot(page, f"frame-dark-{size[0]}")
    finally:
        context.close()


def test_an_empty_store_says_what_to_do(
    page: Any, empty_store: Path, serve: Callable[[Path], Any], settled: Callable[..., None], shot: Callable[..., Path]
) -> None:
    page.goto(serve(empty_store).url)
    settled(page, ".st-key-sample_reviews button")
    assert "There are no runs here yet" in page.inner_text(".st-key-welcome")
    assert page.locator(".st-key-tour").count() == 0, "there is no map to tour yet"
    shot(page, "frame-empty")


def test_a_page_follows_what_others_do_to_its_run(
    page: Any, own_store: Path, serve: Callable[[Path], Any], settled: Callable[..., None]
) -> None:
    page.goto(f"{serve(own_store).url}/?run=first&page=runs")
    settled(page, HEADER)
    assert "Round 2" in page.inner_text(HEADER)
    alvin.open_run(own_store, "first").step()
    page.wait_for_function("document.querySelector('.st-key-header').innerText.includes('Round 3')", timeout=40_000)


def test_a_worker_that_is_killed_comes_back(own_store: Path, serve: Callable[[Path], Any]) -> None:
    serve(own_store)
    first = _worker(own_store, other_than=None)
    os.kill(first, signal.SIGKILL)
    assert _worker(own_store, other_than=first) != first


def _worker(store: Path, other_than: int | None) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        status = alvin.worker_status(store)
        if status.alive and status.pid not in (None, other_than):
            assert status.pid is not None
            return status.pid
        time.sleep(0.05)
    raise AssertionError("no worker came")
