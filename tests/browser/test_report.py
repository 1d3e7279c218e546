"""A comparison's page in a browser: drawn without a network, on a wide screen, on a narrow one, and on paper."""

from __future__ import annotations

import time
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from alvin_core import results_of, summarize_comparison
from dashboard.report_page import report_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

made = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "unit" / "experiments" / "made_records.py")))

CURVES = {
    "alvin max_pairs=200 <i>": [[0.50, 0.70, 0.80], [0.52, 0.71, 0.81], [0.54, 0.72, 0.80]],
    "entropy": [[0.50, 0.60, 0.70], [0.52, 0.60, 0.72], [0.54, 0.62, 0.70]],
}
# Asked from here, again and again: the page's policy lets no script that waits be made of words.
DRAWN = "[...document.querySelectorAll('.plot')].filter((one) => one.querySelector('svg.main-svg')).length"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cells = [
        made.cell(arm, seed, heights, split="ood:a rather long name of a split", mean_confidence=0.6)
        for arm, seeds in CURVES.items()
        for seed, heights in enumerate(seeds)
    ]
    summary = summarize_comparison(results_of("made", "sample", cells))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_page(summary, {"Data": [("digest", "0" * 64)]}), encoding="utf-8")
    return path


def until_drawn(page: Page, n: int) -> None:
    """Wait until a number of plots are drawn."""
    deadline = time.monotonic() + 30
    while (drawn := page.evaluate(DRAWN)) != n:
        assert time.monotonic() < deadline, f"{drawn} plots are drawn, not {n}"
        page.wait_for_timeout(50)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_draws_without_a_network_and_fits_its_window(page: Page, file: Path, width: int) -> None:
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(file.as_uri())
    until_drawn(page, 3)  # accuracy, the forest, and confidence; macro-F1 is closed
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert complaints == []
    assert asked == [file.as_uri()]


def test_what_is_closed_is_drawn_when_it_is_opened(page: Page, file: Path) -> None:
    page.goto(file.as_uri())
    page.get_by_text("Show the curves").click()
    until_drawn(page, 4)
    box = page.locator("details .plot").first.bounding_box()
    assert box is not None
    assert box["width"] > 300


def test_paper_shows_what_the_screen_keeps_closed(page: Page, file: Path) -> None:
    page.goto(file.as_uri())
    until_drawn(page, 3)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(DRAWN) == 4
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
