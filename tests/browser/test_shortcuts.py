"""Shortcuts in a real browser: find the planted shortcut, see what contradicts it, and do something about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlparse

import pytest

import alvin_core as alvin

if TYPE_CHECKING:
    from playwright.sync_api import Page

READY = "() => window.__alvinMaps?.shortcut_map?.ready"
CELLS = ".st-key-token_table canvas tbody tr"
HEADER, ROW = 33, 27  # pixels of the table's lines
N_POOL = 240
NEWEST = 2  # of the run `first`

Open = Callable[..., None]


@pytest.fixture
def shortcuts(page: Page, settled: Callable[..., None]) -> Open:
    """``shortcuts(url, "run=first")`` opens the page and returns when its map and table are drawn."""

    def open_(url: str, query: str) -> None:
        page.goto(f"{url}/?page=shortcuts&{query}")
        settled(
            page, ".st-key-token_table canvas", ".st-key-dataset_map .nsewdrag", ".st-key-save_slice", timeout=90_000
        )
        page.wait_for_function(READY)

    return open_


def names(page: Page) -> list[str]:
    """The cues in the table, from the top, as a screen reader finds them."""
    page.wait_for_selector(CELLS, state="attached")
    return [row.locator("td").first.inner_text() for row in page.locator(CELLS).all()]


def click_row(page: Page, row: int) -> None:
    box = page.locator(".st-key-token_table canvas").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 60, box["y"] + HEADER + ROW * row + ROW / 2)


def draw(page: Page, corners: list[tuple[float, float]]) -> None:
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()


def address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).query).items()}


def test_the_shortcut_is_found_looked_at_saved_and_countered(
    page: Page,
    shortcuts: Open,
    serve: Callable[[Path], Any],
    own_store: Path,
    settled: Callable[..., None],
    shot: Callable[[Page, str], Path],
) -> None:
    run = alvin.open_run(own_store, "first")
    expected = run.cues(NEWEST)
    shortcuts(serve(own_store).url, "run=first")

    # The planted genres lead, and the sentence on top says so.
    planted = set(run.map_columns(NEWEST).attributes)
    assert expected["kind"].iloc[0] == "attribute"
    assert names(page)[0] == f"attribute {expected['name'].iloc[0]}"
    top = page.inner_text(".alvin-headline")
    assert f"The attribute “{expected['name'].iloc[0]}” goes with {expected['label'].iloc[0]}" in top
    shot(page, "shortcuts-first")

    # Another one is chosen: its row, its map and its examples follow, and the address.
    at = next(row for row in range(1, 9) if expected["kind"].iloc[row] == "token")
    chosen = expected.iloc[at]
    click_row(page, at)
    page.wait_for_function("cue => new URL(location).searchParams.get('cue') === cue", arg=chosen["cue"])
    settled(page)
    page.wait_for_function(READY)
    told = f"“{chosen['name']}” → {chosen['label']}"
    page.wait_for_selector(f".st-key-cue_title >> text={told}")
    examples = run.cue_examples(NEWEST, chosen["cue"], chosen["label"], most=60)
    for column, follows in (("against", False), ("along", True)):
        first = examples[examples["follows"].astype(bool) == follows].head(1)
        for example_id in first["id"]:
            button = page.locator(f".st-key-open_{column}_0 button")
            assert button.inner_text(timeout=20_000) == f"Open example {example_id}"
    marks = page.locator(".alvin-marked mark").all_inner_texts()
    assert {mark.lower() for mark in marks} == {chosen["name"]}

    # Saved with one click, and countered with another.
    click_row(page, 0)
    page.wait_for_function("cue => new URL(location).searchParams.get('cue') === cue", arg=expected["cue"].iloc[0])
    settled(page)
    page.click(".st-key-save_slice button")
    page.wait_for_selector(".st-key-acquire_0 button")
    settled(page)
    [info] = run.slices()
    assert info.name in planted
    assert (info.rule.value, info.rule.contradicts) == (expected["cue"].iloc[0], expected["label"].iloc[0])
    page.click(".st-key-acquire_0 button")
    page.wait_for_function("() => new URL(location).searchParams.get('run') !== 'first'")
    settled(page)
    fork = alvin.open_run(own_store, address(page)["run"])
    assert (fork.parent, fork.settings.strategy) == ((run.id, NEWEST), "counter-shortcut")


def test_a_lasso_on_either_map_lights_its_points_on_the_other(
    page: Page,
    shortcuts: Open,
    dashboard: Any,
    prepared_store: Path,
    settled: Callable[..., None],
    shot: Callable[[Page, str], Path],
) -> None:
    page.emulate_media(color_scheme="dark")
    run = alvin.open_run(prepared_store, "first")
    shortcuts(dashboard.url, "run=first")
    frame = run.dataset_map(NEWEST)

    # Around everything on the dataset map.
    plot = page.locator(".st-key-dataset_map .nsewdrag")
    plot.scroll_into_view_if_needed()
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollBy(0, 120)")
    settled(page)
    box = plot.bounding_box()
    assert box is not None
    left, right, top, bottom = box["x"] + 2, box["x"] + box["width"] - 2, box["y"] + 2, box["y"] + box["height"] - 2
    draw(page, [(left, top), (right, top), (right, bottom), (left, bottom)])
    page.wait_for_selector(f".st-key-cue_title >> text={len(frame)} examples of the dataset map")
    page.wait_for_selector(f"text={len(frame)} labeled examples in the lasso")
    settled(page)
    shot(page, "shortcuts-lasso-dark")

    # Around a part of the other, clear of its note and its legend.
    page.click(".st-key-lit_clear button")
    settled(page)
    page.wait_for_function(READY)
    box = page.locator(".st-key-shortcut_map canvas.overlay").bounding_box()
    assert box is not None
    left, right = box["x"] + 0.42 * box["width"], box["x"] + 0.97 * box["width"]
    top, bottom = box["y"] + 0.2 * box["height"], box["y"] + 0.97 * box["height"]
    places = page.evaluate(
        "n => Array.from({length: n}, (_, i) => window.__alvinMaps.shortcut_map.screenOf(i))", N_POOL
    )
    page.keyboard.down("Shift")
    draw(page, [(left, top), (right, top), (right, bottom), (left, bottom)])
    page.keyboard.up("Shift")
    inside = [at for at, (x, y) in enumerate(places) if left < x < right and top < y < bottom]
    n_labeled = int(run.map_columns(NEWEST).labeled[inside].sum())
    assert 0 < n_labeled < len(frame)
    page.wait_for_selector(".st-key-cue_title >> text=/[0-9]+ examples of this map/")
    told = int(re.findall(r"([0-9]+) examples of this map", page.inner_text(".st-key-cue_title"))[0])
    at_border = sum(min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom)) < 2 for x, y in places)
    assert abs(told - len(inside)) <= at_border  # what lies on the line itself may count or not
    page.wait_for_selector(f"text={n_labeled} labeled examples in the lasso")
