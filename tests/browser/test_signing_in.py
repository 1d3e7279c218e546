"""Signing in with a browser: the way to the provider and back, what each role can press, and the way out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sign_in_provider as provider_module
from processes import free_port

import alvin_core as alvin

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def url(own_store: Path, serve: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A dashboard that ada owns, on which ben labels and vic looks."""
    provider = provider_module.start_provider()
    port = free_port()
    file = tmp_path / "sign-in.toml"
    file.touch(mode=0o600)
    file.write_text(provider_module.sign_in_toml(provider, f"http://127.0.0.1:{port}"), encoding="utf-8")
    monkeypatch.setenv("ALVIN_SIGN_IN", str(file))
    try:
        yield serve(own_store, port).url
    finally:
        provider.stop()


def sign_in(page: Page, url: str, account: str, settled: Callable[..., None], address: str = "") -> None:
    page.goto(url + address)
    settled(page, ".st-key-sign_in_default button")
    page.click(".st-key-sign_in_default button")
    page.click(f"#{account}")
    page.wait_for_url(f"{url}/?*")
    settled(page, ".st-key-header")


def test_each_role_signs_in_presses_what_it_may_and_signs_out(
    browser: Browser, url: str, own_store: Path, settled: Callable[..., None], shot: Callable[..., Path]
) -> None:
    for account, role in (("vic", "viewer"), ("ben", "annotator"), ("ada", "owner")):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.set_default_timeout(60_000)
        sign_in(page, url, account, settled, "/?page=runs&run=people" if role == "viewer" else "")
        if role == "viewer":  # what was asked for before is there after it
            assert "page=runs" in page.url
            page.wait_for_selector(".st-key-nav-runs-here")
            page.goto(url)
        settled(page, ".st-key-step button")
        assert page.is_enabled(".st-key-step button") is page.is_enabled(".st-key-fork button") is (role == "owner")
        if role == "annotator":
            _label(page, url, own_store, settled)
        other = context.new_page() if role == "viewer" else None
        if other is not None:
            other.goto(url)
            settled(other, ".st-key-header")
            page.bring_to_front()
        page.click(".st-key-who button")
        page.wait_for_selector(f"text=with the role {role}")
        shot(page, f"signed-in-{role}")
        page.click(".st-key-sign_out button")
        settled(page, ".st-key-sign_in_default button")
        if other is not None:  # another tab finds out by itself
            other.bring_to_front()
            other.wait_for_selector(".st-key-sign_in_default button", timeout=60_000)
        assert page.request.get(f"{url}/api/watch/-").status == 401
        context.close()
    labels = alvin.open_run(own_store, "people").labels()
    assert set(labels["annotator"].iloc[-1:]) == {"ben@lab.example"}


def _label(page: Page, url: str, store: Path, settled: Callable[..., None]) -> None:
    """Label one example under a name that is not one's own, as the address has it."""
    before = len(alvin.open_run(store, "people").labels())
    page.goto(f"{url}/?page=label&run=people&annotator=mallory")
    settled(page, ".st-key-label_0 button:enabled")
    page.click(".st-key-label_0 button")
    end = time.monotonic() + 60
    while len(alvin.open_run(store, "people").labels()) == before:
        assert time.monotonic() < end, "no label came"
        page.wait_for_timeout(50)


def test_who_has_no_role_is_told_so_and_can_leave(
    page: Page, url: str, settled: Callable[..., None], shot: Callable[..., Path]
) -> None:
    page.goto(url)
    settled(page, ".st-key-sign_in_default button")
    shot(page, "sign-in")
    page.click(".st-key-sign_in_default button")
    page.click("#eve")
    page.wait_for_selector("text=eve@evil.example has no role on this server")
    assert page.locator(".st-key-header").count() == 0
    shot(page, "sign-in-nobody")
    page.click(".st-key-sign_out button")
    page.wait_for_selector(".st-key-sign_in_default button")
    page.click(".st-key-sign_in_default button")
    page.click("#wrong-nonce")
    page.wait_for_url(re.compile("sign_in=refused"))
    page.wait_for_selector("text=The sign-in was not accepted")
