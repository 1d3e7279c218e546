"""The map's bundle in a real browser, on a page that plays Streamlit's part."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SPEC = importlib.util.spec_from_file_location("map_world", Path(__file__).parent / "map_harness" / "world.py")
assert _SPEC is not None
assert _SPEC.loader is not None
world = importlib.util.module_from_spec(_SPEC)
sys.modules["map_world"] = world  # a dataclass looks its module up
_SPEC.loader.exec_module(world)

Show = Callable[..., None]
N = 1_200
BLUE, ORANGE = (0, 114, 178), (230, 159, 0)

# How many pixels of the point layer are nearer to one colour than its blends with the other are.
PIXELS = """([r, g, b]) => {
  const canvas = document.querySelector('.st-key-map').shadowRoot.querySelector('canvas.points');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 40 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 90) found++;
  return found;
}"""


@pytest.fixture
def served() -> Iterator[Any]:
    server = world.Served(world.World(N))
    yield server
    server.close()


@pytest.fixture
def show(page: Page, served: Any) -> Show:
    """``show(data)`` hands data to the map and waits until it stands."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_viewport_size({"width": 900, "height": 440})  # software draws every pixel of it
    page.goto(served.url)
    page.wait_for_function("window.loaded")

    def hand(data: dict[str, Any], key: str = "map", *, ready: bool = True) -> None:
        page.evaluate("([key, data]) => window.show(key, data)", [key, data])
        if ready:
            page.wait_for_function("key => window.__alvinMaps[key].ready", arg=key)
        assert errors == []

    return hand


def sent(page: Page, name: str) -> list[Any]:
    """What the map reported under a name, oldest first."""
    return page.evaluate("name => window.sent.filter((m) => m.name === name).map((m) => m.value)", name)


def view(page: Page, key: str = "map") -> dict[str, float]:
    return page.evaluate("key => window.__alvinMaps[key].view()", key)


def place(page: Page, index: int, key: str = "map") -> tuple[float, float]:
    x, y = page.evaluate("([key, i]) => window.__alvinMaps[key].screenOf(i)", [key, index])
    return x, y


def lonely(xy: NDArray[np.float32]) -> int:
    """The point farthest from its nearest neighbour, of those well within the map: a click near it means it."""
    gaps = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    return int(np.argmax(np.where(xy[:, 0] > 0, gaps.min(axis=1), 0)))


def inside(polygon: list[list[float]], xy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Even–odd rule, point by point."""
    corners = np.asarray(polygon)
    odd = np.zeros(len(xy), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        if y0 != y1:
            crossed = (y0 > xy[:, 1]) != (y1 > xy[:, 1])
            odd ^= crossed & (xy[:, 0] < (x1 - x0) * (xy[:, 1] - y0) / (y1 - y0) + x0)
    return odd


def circle(page: Page, index: int, radius: float, *, shift: bool = False) -> None:
    x, y = place(page, index)
    if shift:
        page.keyboard.down("Shift")
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for step in range(1, 14):
        page.mouse.move(x + radius * math.cos(step / 2.2), y + radius * math.sin(step / 2.2))
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")


def test_both_classes_are_drawn_and_a_hidden_one_leaves_no_pixel(page: Page, served: Any, show: Show) -> None:
    show(served.world.data())
    assert page.evaluate("window.__alvinMaps.map.n") == N
    assert page.evaluate(PIXELS, BLUE) > 200
    assert page.evaluate(PIXELS, ORANGE) > 200
    page.locator(".entry[data-code='0']").click()
    page.wait_for_function(f"() => ({PIXELS})([{BLUE[0]}, {BLUE[1]}, {BLUE[2]}]) === 0")
    assert page.evaluate(PIXELS, ORANGE) > 200
    page.locator(".chip[data-layer='pool']").click()
    page.wait_for_function(f"() => ({PIXELS})([{ORANGE[0]}, {ORANGE[1]}, {ORANGE[2]}]) === 0")
    assert sent(page, "region") == sent(page, "picked") == []  # nothing of it went to the server


def test_a_click_reports_the_point_under_it_with_its_view_and_round(page: Page, served: Any, show: Show) -> None:
    index = lonely(served.world.xy(0))
    show(served.world.data())
    x, y = place(page, index)
    page.mouse.click(x + 3, y - 2)
    (picked,) = sent(page, "picked")
    assert (picked["index"], picked["view"], picked["round"]) == (index, "run/model", 0)
    page.mouse.click(x, y)
    assert sent(page, "picked")[1]["stamp"] > picked["stamp"]


def test_a_click_on_nothing_picks_nothing(page: Page, served: Any, show: Show) -> None:
    show(served.world.data())
    box = page.locator("canvas.overlay").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5)
    assert sent(page, "picked") == []


def test_hovering_shows_a_hostile_text_as_text(page: Page, served: Any, show: Show) -> None:
    show(served.world.data())
    xy = served.world.xy(0)
    index = next(int(i) for i in np.argsort(-xy[:, 1]) if i % 2 == 0)
    page.mouse.move(*place(page, index))
    tooltip = page.locator(".tooltip")
    tooltip.wait_for()
    assert tooltip.locator(".tooltip-text").text_content() == world.HOSTILE
    assert tooltip.locator("img, script").count() == 0
    assert page.evaluate("window.hurt") is None
    assert "predicted positive 0.88" in (tooltip.text_content() or "")
    asked = served.asked.count(f"/texts/{index}")
    page.mouse.move(5, 5)
    page.mouse.move(*place(page, index))
    tooltip.wait_for()
    assert served.asked.count(f"/texts/{index}") == asked == 1  # the second time from memory


def test_a_text_is_asked_for_again_once_labels_have_changed(page: Page, served: Any, show: Show) -> None:
    data = served.world.data()
    show(data)
    index = lonely(served.world.xy(0))
    for revision in ("marks-0", "marks-0", "later"):
        show(data | {"marks": {"url": f"/marks-0.bin?{revision}", "revision": revision}})
        page.mouse.move(5, 5)
        page.mouse.move(*place(page, index))
        page.locator(".tooltip").wait_for()
    assert served.asked.count(f"/texts/{index}") == 2


def test_a_lasso_sends_its_outline_and_the_count_of_what_it_holds(page: Page, served: Any, show: Show) -> None:
    show(served.world.data())
    page.locator("[data-mode='lasso']").first.click()
    circle(page, 5, 70)
    (region,) = sent(page, "region")
    held = inside(region["polygon"], served.world.xy(0))
    assert 20 < region["count"] == int(held.sum())
    assert held[5]
    assert 3 <= len(region["polygon"]) <= 400
    assert (region["kind"], region["revision"], region["codes_revision"]) == ("lasso", "xy-0", "class")
    assert set(region) == {
        "kind", "polygon", "view", "round", "revision", "codes_revision", "hidden", "layers", "count", "stamp",
    }  # fmt: skip
    page.keyboard.press("Escape")
    assert sent(page, "region")[-1] is None


def test_a_region_leaves_out_what_the_legend_and_the_layers_hide(page: Page, served: Any, show: Show) -> None:
    show(served.world.data())
    page.locator(".entry[data-code='1']").click()
    page.locator(".chip[data-layer='labeled']").click()
    circle(page, 5, 110, shift=True)
    (region,) = sent(page, "region")
    marks, classes = served.world.marks(0), served.world.classes
    held = inside(region["polygon"], served.world.xy(0)) & (classes == 0) & (marks & world.LABELED == 0)
    assert region["hidden"] == [1]
    assert region["layers"]["labeled"] is False
    assert region["count"] == int(held.sum()) > 20


def test_a_region_counts_a_ringed_point_though_the_pool_is_off(page: Page, served: Any, show: Show) -> None:
    show(served.world.data(layers=served.world.data()["layers"] | {"pool": False, "labeled": False}))
    marks, xy = served.world.marks(0), served.world.xy(0)
    ringed = marks & world.SELECTED != 0
    circle(page, int(np.flatnonzero(ringed)[0]), 110, shift=True)
    (region,) = sent(page, "region")
    assert region["count"] == int((inside(region["polygon"], xy) & ringed).sum()) > 0


def test_a_box_has_four_corners_and_a_click_beside_it_clears_it(page: Page, served: Any, show: Show) -> None:
    show(served.world.data(mode="box"))
    x, y = place(page, 5)
    page.mouse.move(x - 60, y - 50)
    page.mouse.down()
    page.mouse.move(x + 10, y + 10)
    page.mouse.move(x + 60, y + 50)
    page.mouse.up()
    (region,) = sent(page, "region")
    assert (region["kind"], len(region["polygon"])) == ("box", 4)
    assert region["count"] == int(inside(region["polygon"], served.world.xy(0)).sum())
    box = page.locator("canvas.overlay").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5)
    assert sent(page, "region")[-1] is None


def test_another_round_moves_the_points_and_keeps_the_zoom(page: Page, served: Any, show: Show) -> None:
    show(served.world.data(0))
    page.mouse.move(*place(page, 7))
    whole = view(page)
    page.mouse.wheel(0, -600)
    page.wait_for_function("scale => window.__alvinMaps.map.view().scale > 1.5 * scale", arg=whole["scale"])
    zoomed, before = view(page), place(page, 7)
    show(served.world.data(1))
    assert view(page) == zoomed
    moved = np.subtract(place(page, 7), before)
    expected = (served.world.xy(1) - served.world.xy(0))[7]
    assert np.sign(moved[0]) == np.sign(expected[0])
    show(served.world.data(0))
    assert place(page, 7) == pytest.approx(before)
    assert served.asked.count("/xy-0.bin") == 1  # the way back needed no request
    show(served.world.data(0, view="run/encoder"))
    assert view(page) != zoomed  # another view is shown whole


def test_a_focus_or_a_layer_from_the_server_fetches_nothing_and_draws_no_point_again(
    page: Page, served: Any, show: Show
) -> None:
    show(served.world.data())
    asked, drawn = len(served.asked), page.evaluate("window.__alvinMaps.map.drawn")
    show(served.world.data(focus=3, lit=[4, 5], layers=dict.fromkeys(served.world.data()["layers"], True)))
    assert len(served.asked) == asked
    assert page.evaluate("window.__alvinMaps.map.drawn") == drawn
    assert page.locator(".chip[data-layer='other']").get_attribute("aria-pressed") == "true"


def test_rounds_scrubbed_faster_than_they_are_drawn_end_at_the_last(page: Page, served: Any, show: Show) -> None:
    show(served.world.data(0))
    still = place(page, 7)
    for round_no in (1, 0, 1, 0):
        show(served.world.data(round_no), ready=False)
    show(served.world.data(0))
    assert place(page, 7) == pytest.approx(still)
    page.mouse.click(*still)
    assert sent(page, "picked")[0]["round"] == 0


def test_the_keyboard_walks_picks_zooms_and_speaks(page: Page, served: Any, show: Show) -> None:
    show(served.world.data(focus=5))
    canvas = page.locator("canvas.overlay")
    canvas.focus()
    assert canvas.get_attribute("aria-label") == served.world.data()["label"]
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "document.querySelector('.st-key-map').shadowRoot.querySelector('.spoken').textContent.startsWith('Example ')"
    )
    page.keyboard.press("Enter")
    (picked,) = sent(page, "picked")
    xy = served.world.xy(0)
    assert xy[picked["index"], 0] > xy[5, 0]
    assert abs(xy[picked["index"], 1] - xy[5, 1]) <= xy[picked["index"], 0] - xy[5, 0]
    whole = view(page)
    page.keyboard.press("+")
    assert view(page)["scale"] == pytest.approx(1.4 * whole["scale"])
    page.keyboard.press("0")
    assert view(page)["scale"] == pytest.approx(whole["scale"])
    page.keyboard.press("l")
    assert page.locator("[data-mode='lasso']").first.get_attribute("aria-pressed") == "true"


def test_linked_maps_share_zoom_hover_and_lasso(page: Page, served: Any, show: Show) -> None:
    show(served.world.data(0, link="a"), "map")
    show(served.world.data(1, link="a", view="other/model"), "second")
    show(served.world.data(1, link=None, view="third/model"), "third")
    before, alone = view(page), view(page, "third")
    page.mouse.move(*place(page, 5))
    page.mouse.wheel(0, -500)
    page.wait_for_function("scale => window.__alvinMaps.map.view().scale > scale", arg=before["scale"])
    assert view(page, "second") == view(page, "map")
    assert view(page, "third") == alone
    page.mouse.move(*place(page, 5))
    over = ".st-key-second canvas.overlay[data-over='true']"
    page.wait_for_selector(over)
    circle(page, 5, 30, shift=True)
    messages = page.evaluate("window.sent.map((m) => m.key + ' ' + m.name)")
    assert messages == ["map region"]  # the other map shows it and reports nothing


def test_data_that_do_not_come_are_said_with_a_way_to_try_again(page: Page, served: Any, show: Show) -> None:
    served.failing.add("/class.bin")
    show(served.world.data(), ready=False)
    notice = page.locator(".notice")
    notice.wait_for()
    assert "404" in (notice.text_content() or "")
    served.failing.clear()
    page.locator(".retry").click()
    page.wait_for_function("window.__alvinMaps.map.ready")
    assert notice.is_hidden()


def test_arrays_of_another_map_are_not_drawn(page: Page, served: Any, show: Show) -> None:
    show(served.world.data() | {"n": N + 1}, ready=False)
    page.locator(".notice").wait_for()
    assert "were expected" in (page.locator(".notice").text_content() or "")
    assert page.evaluate("window.__alvinMaps.map.n") == 0


def test_without_webgl_the_map_says_so_in_its_place(page: Page, served: Any) -> None:
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest); };"
    )
    page.goto(served.url)
    page.wait_for_function("window.loaded")
    page.evaluate("data => window.show('map', data)", served.world.data())
    page.locator(".notice").wait_for()
    assert "WebGL" in (page.locator(".notice").text_content() or "")
    assert sent(page, "webgl") == [False]


def test_marks_stay_on_their_points_when_the_page_moves_to_a_finer_screen(page: Page, served: Any, show: Show) -> None:
    show(served.world.data())
    size = "() => { const c = document.querySelector('.st-key-map').shadowRoot.querySelector('canvas.overlay');"
    size += " return [c.width / c.clientWidth, c.height / c.clientHeight]; }"
    assert page.evaluate(size) == [1, 1]
    metrics = {"width": 900, "height": 440, "deviceScaleFactor": 2, "mobile": False}
    page.context.new_cdp_session(page).send("Emulation.setDeviceMetricsOverride", metrics)
    page.mouse.move(*place(page, 5))
    page.wait_for_function(f"() => ({size})()[0] === 2")
    assert page.evaluate(size) == [2, 2]


def test_a_graphics_context_that_is_taken_away_comes_back(page: Page, served: Any) -> None:
    page.add_init_script(
        "window.contexts = []; const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " const made = get.call(this, kind, ...rest);"
        " if (kind === 'webgl' && !contexts.includes(made)) contexts.push(made); return made; };"
    )
    page.goto(served.url)
    page.wait_for_function("window.loaded")
    page.evaluate("data => window.show('map', data)", served.world.data())
    page.wait_for_function("window.__alvinMaps.map.ready")
    page.evaluate("window.contexts[0].getExtension('WEBGL_lose_context').loseContext()")
    page.wait_for_function("window.__alvinMaps.map.drawn >= 2 && window.__alvinMaps.map.ready")
    page.wait_for_function(f"color => ({PIXELS})(color) > 200", arg=BLUE)
    assert sent(page, "webgl") == []


def test_a_map_that_is_gone_leaves_nothing_behind(page: Page, served: Any, show: Show) -> None:
    show(served.world.data(link="a"))
    page.evaluate("window.unmount('map')")
    assert page.evaluate("Object.keys(window.__alvinMaps)") == []
    assert page.evaluate("window.__alvinLinks.size") == 0
    assert page.locator(".alvin-map").count() == 0
    show(served.world.data())
    assert page.evaluate("window.__alvinMaps.map.n") == N


def test_an_overtaken_clean_up_does_not_take_the_map_away(page: Page, served: Any, show: Show) -> None:
    show(served.world.data())
    page.evaluate(
        "data => { const stale = window.cleanupOf('map'); window.show('map', data); stale(); }", served.world.data()
    )
    assert page.evaluate("window.__alvinMaps.map.n") == N


def test_the_map_takes_its_height_before_anything_was_fetched(page: Page, served: Any, show: Show) -> None:
    served.failing.update({"/xy-0.bin"})
    show(served.world.data(height=432), ready=False)
    box = page.locator(".alvin-map").bounding_box()
    assert box is not None
    assert box["height"] == 432
