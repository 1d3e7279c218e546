"""The page Compare in a real browser: linked maps, what each selected, the verdict, and the report."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import alvin_core as alvin
from alvin_core.experiments.cells import do_cell

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SPEC = importlib.util.spec_from_file_location("map_world_beside", Path(__file__).parent / "map_harness" / "world.py")
assert _SPEC is not None
assert _SPEC.loader is not None
world = importlib.util.module_from_spec(_SPEC)
sys.modules["map_world_beside"] = world  # a dataclass looks its module up
_SPEC.loader.exec_module(world)

READY = "['map_a', 'map_b'].every((key) => window.__alvinMaps?.[key]?.ready)"

# Milliseconds from a pointer's move on one map until the other map has painted it; null when it never does.
LINKED_HOVER = """async ([one, other, index]) => {
  const overlay = (key) => document.querySelector(`.st-key-${key}`).shadowRoot.querySelector('canvas.overlay');
  const [from, to] = [overlay(one), overlay(other)];
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const pixels = () => to.getContext('2d').getImageData(0, 0, to.width, to.height).data.join();
  await frame();
  const before = pixels();
  const start = performance.now();
  const [clientX, clientY] = window.__alvinMaps[one].screenOf(index);
  from.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY, pointerId: 1 }));
  for (let n = 0; n < 200; n++) {
    await frame();
    const painted = performance.now();
    if (pixels() !== before) return painted - start;
  }
  return null;
}"""


@pytest.fixture
def compared(own_store: Path, small_data: Path, small_encoder: Path) -> alvin.Comparison:
    """Two strategies with two seeds and rounds 0 and 1, in a store of the test's own."""
    settings = alvin.RunSettings().with_values(
        {
            "encoder.name": str(small_encoder),
            "initial": 30,
            "budget": 10,
            "training.epochs": 2,
            "runtime.threads": 1,
            "runtime.device": "cpu",
        }
    )
    plan = alvin.ComparisonPlan(("alvin", "entropy"), (0, 1), 1, settings)
    made = alvin.create_comparison(own_store, alvin.load_dataset(small_data), plan, name="both", source="reviews.csv")
    for task in made._tasks():
        do_cell(own_store, made.id, task)
    return made


def test_from_linked_maps_to_the_verdict_and_the_report(
    page: Page,
    compared: alvin.Comparison,
    serve: Callable[[Path], Any],
    settled: Callable[..., None],
    shot: Callable[..., Path],
) -> None:
    served = serve(compared.store)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{served.url}/?page=compare&run=first")
    settled(page, ".st-key-map_a", ".st-key-map_b", timeout=90_000)  # the fullest page, from a server just begun
    page.wait_for_function(READY)

    # What is shown: the newest comparison on these data, its arms, its verdict.
    summary = alvin.summarize_comparison(compared.results())
    assert summary.headline() in page.inner_text(".st-key-verdict")
    assert page.locator(".st-key-curves .js-plotly-plot").count() == 3
    boxes = [page.locator(f".st-key-strategy_{letter}") for letter in "ab"]
    assert ["alvin" in boxes[0].inner_html(), "entropy" in boxes[1].inner_html()] == [True, True]

    _draw_around_all_and_click_one(page, compared, settled)
    shot(page, "compare")
    _go_to_round_0_in_the_dark(page, settled)
    shot(page, "compare-dark")
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML report").click()
    report = Path(download.value.path()).read_text(encoding="utf-8")
    assert "<h1>both</h1>" in report
    assert errors == []


def _draw_around_all_and_click_one(page: Page, compared: alvin.Comparison, settled: Callable[..., None]) -> None:
    """A lasso on B is counted by the server for both; a click on A tells what both models say."""
    runs = {one.cell.arm: alvin.open_run(compared.store, one.run or "") for one in compared.states()[:2]}
    _around_all(page, "map_b")
    page.wait_for_selector(".st-key-compare_region")
    settled(page)
    counted = page.inner_text(".compare-counts")
    assert "240 examples" in counted
    assert "A alvin: 10 selected, 40 labeled" in counted
    assert "B entropy: 10 selected, 40 labeled" in counted
    example = str(runs["alvin"].selection(1)["id"].iloc[0])
    index = runs["alvin"].map_columns(1).ids.tolist().index(example)
    page.mouse.click(*page.evaluate("(i) => window.__alvinMaps.map_a.screenOf(i)", index))
    page.wait_for_selector(".st-key-compare_example")
    settled(page)
    picked = re.search("example=([^&]+)", page.url)
    assert picked is not None
    card = page.inner_text(".st-key-compare_example")
    for run in runs.values():
        assert run.explain(1, picked[1]).reason in card


def _go_to_round_0_in_the_dark(page: Page, settled: Callable[..., None]) -> None:
    """One scrubber moves both maps, and the address shows the same again."""
    page.locator(".st-key-compare_round input[type=range]").press("ArrowLeft")
    page.wait_for_function("location.search.includes('at=0')")
    settled(page)
    assert page.locator(".compare-title", has_text="30 labels").count() == 2
    page.emulate_media(color_scheme="dark")
    page.reload()
    settled(page, ".st-key-map_b", ".st-key-only_table")
    page.wait_for_function(READY)
    assert page.locator(".compare-title", has_text="30 labels").count() == 2


def _around_all(page: Page, key: str) -> None:
    """Draw a lasso along the edges of a map, which shows all its points at first."""
    box = page.locator(f".st-key-{key} canvas.overlay").bounding_box()
    assert box is not None
    left, top, right, bottom = box["x"] + 2, box["y"] + 2, box["x"] + box["width"] - 2, box["y"] + box["height"] - 2
    page.keyboard.down("Shift")
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, bottom), (left, bottom), (left, top + 4)):
        page.mouse.move(*corner, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")


@pytest.fixture
def served() -> Iterator[Any]:
    server = world.Served(world.World(20_000))
    yield server
    server.close()


def test_hovering_on_one_of_two_maps_of_20_000_points_shows_on_the_other_without_a_request(
    page: Page, served: Any
) -> None:
    page.set_viewport_size({"width": 1100, "height": 420})
    page.goto(served.url)
    page.wait_for_function("window.loaded")
    for key in ("one", "two"):
        data = served.world.data(link="compare", view=f"{key}/model", height=340)
        page.evaluate("([key, data]) => window.show(key, data)", [key, data])
    page.wait_for_function("['one', 'two'].every((key) => window.__alvinMaps[key]?.ready)")
    asked = len(served.asked)
    times = [page.evaluate(LINKED_HOVER, ["one", "two", index]) for index in (5, 4_007, 9_001, 12_345)]
    assert None not in times
    # Only what rests under the pointer is asked for its text, by the map under the pointer; the other asks for nothing.
    page.wait_for_selector(".st-key-one .tooltip:not([hidden])")
    assert {path.partition("/texts/")[0] for path in served.asked[asked:]} == {""}
    assert page.locator(".st-key-two .tooltip:not([hidden])").count() == 0
    assert page.evaluate("window.sent.filter((message) => message.name !== 'webgl')") == []
    assert min(times) < 300, times  # the quickest, since a machine may stop for a moment
