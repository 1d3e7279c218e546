"""The Classroom page in a real browser: a round in slow motion with predictions, and an address for thirty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.figures.world import STAGES

WORLD = ".st-key-world .js-plotly-plot"
# The picture's data as the browser drew them: names of traces and their places.
DRAWN = f"""JSON.stringify(document.querySelector('{WORLD}').data.map(
    one => [one.name, one.xaxis, Array.from(one.x), Array.from(one.y)]))"""
NAMES = f"document.querySelector('{WORLD}').data.map(one => one.name)"
# What a stage adds to the picture.
ADDED = {
    "groups": "minority",
    "interpolate": "segments",
    "retrieve": "candidates",
    "rank": "order",
    "annotate": "selected",
}


def test_a_round_in_slow_motion_with_a_prediction(
    page: Any,
    empty_store: Path,
    serve: Callable[[Path], Any],
    settled: Callable[..., None],
    shot: Callable[[Any, str], Path],
) -> None:
    page.goto(f"{serve(empty_store).url}/?page=classroom")  # no run, and no store, is needed
    settled(page, WORLD, timeout=120_000)  # the first world waits for a process to start
    page.wait_for_selector(".st-key-predict [role=radiogroup] label")
    assert "0 of" not in page.inner_text(".st-key-classroom_question_box")
    page.click(".st-key-predict [role=radiogroup] label >> nth=0")
    page.click(".st-key-reveal button:enabled")
    page.wait_for_selector(".classroom-answer")
    assert " of 1 right" in page.inner_text(".st-key-classroom_question_box")
    shot(page, "classroom-train")
    for stage in STAGES[1:]:
        page.click(".st-key-next_stage button")
        page.wait_for_function(f"{NAMES}.includes('{ADDED[stage]}')")
        page.wait_for_function(f"location.search.includes('stage={stage}')")
        settled(page)
        shot(page, f"classroom-{stage}")
    box = page.evaluate(  # true to scale: pixels a unit, across and up
        f"""(() => {{ const {{xaxis: x, yaxis: y}} = document.querySelector('{WORLD}')._fullLayout;
        return [x._length / (x.range[1] - x.range[0]), y._length / (y.range[1] - y.range[0])]; }})()"""
    )
    assert abs(box[0] / box[1] - 1) < 0.01
    page.click(".st-key-next_stage button")
    page.wait_for_function("location.search.includes('turn=1')")
    page.wait_for_function("document.querySelector('.classroom-round').innerText.includes('1')")
    settled(page)
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 1280


def test_an_address_opens_the_same_world_for_everybody(
    page: Any,
    browser: Any,
    dashboard: Any,
    settled: Callable[..., None],
    shot: Callable[[Any, str], Path],
) -> None:
    page.goto(f"{dashboard.url}/?page=classroom&seed=7&stage=rank&turn=1&strength=0.97")
    settled(page, WORLD, timeout=120_000)
    before = page.evaluate(DRAWN)
    page.click(".st-key-new_world button")
    page.wait_for_function("location.search.includes('seed=8')")
    page.wait_for_function(f"drawn => {DRAWN} !== drawn", arg=before)
    settled(page)
    drawn, address = page.evaluate(DRAWN), page.url
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    try:
        other = context.new_page()
        other.set_default_timeout(40_000)
        other.goto(address)
        settled(other, WORLD)
        assert other.evaluate(DRAWN) == drawn
        other.click(".st-key-classroom_view button >> nth=1")
        other.wait_for_selector(".st-key-show_me_0_1 button")
        other.click(".st-key-show_me_0_1 button")
        other.wait_for_function(f"{NAMES}.filter(name => name === 'pool').length === 4")  # a class each, two panels
        settled(other)
        shot(other, "classroom-lesson-dark")
        other.click(".st-key-classroom_view button >> nth=2")
        other.wait_for_selector(".st-key-phase .st-key-phase_cell_0_0 button")
        assert other.locator("[data-testid=stException]").count() == 0
        shot(other, "classroom-phase-dark")
    finally:
        context.close()
