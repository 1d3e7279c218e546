"""Explore in a real browser: the map and its card, lasso and table, rounds and forks, hostile texts."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import alvin_core as alvin
from dashboard.colouring import COLOURINGS

from .conftest import in_header

if TYPE_CHECKING:
    from playwright.sync_api import Page

READY = "() => window.__alvinMaps?.map?.ready"
VIEW = "window.__alvinMaps.map.view()"
OVERLAY = ".st-key-map canvas.overlay"
CHIP = ".st-key-map .chip[data-layer='{}']"
NEWEST = 2  # of the run `first`
HOSTILE = (
    "<script>window.hacked=1</script> zebra",
    "<img src=x onerror=window.hacked=1> zebra",
    "$\\frac{}{}$ **md** :smile: `code` [link](javascript:window.hacked=1) zebra",
    "=1+1 zebra",
    "שלום עולם zebra",
    "zebra " + "x" * 100_000,
)

Open = Callable[..., None]


@pytest.fixture
def explore(page: Page, settled: Callable[..., None]) -> Open:
    """``explore(url, "run=first")`` opens the page and returns when its map is drawn, with the legend folded."""

    def open_(url: str, query: str, on: Page = page) -> None:
        on.goto(f"{url}/?page=explore&{query}")
        settled(on, OVERLAY)
        on.wait_for_function(READY)
        fold_legend(on)

    return open_


def fold_legend(page: Page) -> None:
    """It lies over points that a test may want to click."""
    if page.locator(".st-key-map .legend-title").get_attribute("aria-expanded") == "true":
        page.click(".st-key-map .legend-title")


def places(page: Page, n: int) -> np.ndarray:
    """Where each point is on the screen, (n, 2)."""
    return np.array(
        page.evaluate("n => Array.from({length: n}, (_, i) => window.__alvinMaps.map.screenOf(i))", n), dtype=float
    )


def clickable(page: Page, n: int, wanted: np.ndarray) -> int:
    """The wanted point with the most room around it."""
    at = places(page, n)
    apart = np.linalg.norm(at[:, None] - at[None], axis=2) + np.diag(np.full(n, np.inf))
    rows = np.flatnonzero(wanted)
    return int(rows[np.argmax(apart[rows].min(axis=1))])


def inside(polygon: list[tuple[float, float]], at: np.ndarray) -> np.ndarray:
    """Even-odd rule, one edge after the other: slow and plain."""
    held = np.zeros(len(at), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        for row, (x, y) in enumerate(at):
            if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
                held[row] = not held[row]
    return held


def draw(page: Page, corners: list[tuple[float, float]]) -> None:
    """With Shift held, along straight lines from corner to corner."""
    page.keyboard.down("Shift")
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")


def count_shown(page: Page, n: int) -> None:
    """Wait until the table is of so many examples."""
    page.wait_for_function(
        "n => document.querySelector('.alvin-count b')?.textContent === n.toLocaleString('en-US')", arg=n
    )


def choose(page: Page, key: str, text: str) -> None:
    """Choose in a select box what its text is part of."""
    page.click(f".st-key-{key} input[role=combobox]")
    page.locator("[role=option]", has_text=text).first.click()


def titled(page: Page, example_id: str) -> None:
    page.wait_for_function("id => document.querySelector('.alvin-card-title bdi')?.textContent === id", arg=example_id)
    page.wait_for_selector(
        "[data-testid=stApp][data-test-script-state=notRunning]"
    )  # the card's other parts come after its title


@pytest.fixture(scope="session")
def first(prepared_store: Path) -> alvin.Run:
    return alvin.open_run(prepared_store, "first")


def test_a_click_opens_the_card_with_text_reason_and_ranks_and_a_neighbour_moves_on(
    page: Page, dashboard: Any, explore: Open, first: alvin.Run, shot: Callable[..., Path]
) -> None:
    explore(dashboard.url, f"run=first&round={NEWEST}")
    assert "No example is open." in page.inner_text(".st-key-card")
    height = page.locator(".st-key-card_side").bounding_box()
    columns = first.map_columns(NEWEST)
    index = clickable(page, len(columns.ids), columns.selected)
    example_id = str(columns.ids[index])
    page.mouse.click(*places(page, len(columns.ids))[index])
    titled(page, example_id)
    found = first.explain(NEWEST, example_id)
    card = page.inner_text(".st-key-card")
    assert first.texts([int(columns.rows[index])])[0][0] in card
    assert found.reason in page.inner_text(".st-key-why")
    assert "why this one" in card.lower()
    for name, (place, n_ranked) in found.ranks.items():
        assert re.search(rf"{name}\s+{place:,} of {n_ranked:,}" if place else f"not among its {n_ranked:,}", card)
    assert f"example={example_id}" in page.url
    assert page.locator(".st-key-card_side").bounding_box() == height, "the panel must not jump when a card opens"
    neighbour = str(first.nearest(NEWEST, example_id, 5)["id"].iloc[0])
    page.click(".st-key-near_0 button")
    titled(page, neighbour)
    page.click(".st-key-near_0 button")
    page.wait_for_function("id => document.querySelector('.alvin-card-title bdi').textContent !== id", arg=neighbour)
    page.goto(f"{dashboard.url}/?page=explore&run=first&round={NEWEST}&example={example_id}")
    titled(page, example_id)
    page.click(".st-key-parent_0_minority button")
    titled(page, found.anchors[0].minority_id)
    shot(page, "explore-card")


def test_every_colouring_is_drawn_by_the_same_map_at_the_same_zoom(page: Page, dashboard: Any, explore: Open) -> None:
    explore(dashboard.url, "run=first")
    for _ in range(3):
        page.click(".st-key-map [data-zoom=in]")
    before = page.evaluate(VIEW)
    page.locator(OVERLAY).evaluate("canvas => { window.sameMap = canvas }")
    from playwright.sync_api import expect

    legend = page.locator(".st-key-map .legend-title")
    titles = {legend.text_content()}
    for how, words in COLOURINGS.items():
        if how == "class":
            continue
        before_title = legend.text_content()
        choose(page, "color_by", f"Colour by {words}")
        page.wait_for_url(re.compile(f"color={how}"))
        expect(legend).not_to_have_text(before_title)
        page.wait_for_function(READY)
        titles.add(legend.text_content())
    assert len(titles) == len(COLOURINGS)
    assert page.locator(OVERLAY).evaluate("canvas => canvas === window.sameMap")
    assert page.evaluate(VIEW) == before


def test_search_and_filter_list_what_a_look_at_every_example_finds(
    page: Page, dashboard: Any, explore: Open, settled: Callable[..., None], first: alvin.Run
) -> None:
    explore(dashboard.url, f"run=first&round={NEWEST}")
    columns = first.map_columns(NEWEST)
    word = "horror"
    texts = [text[0].lower() for text in first.texts(columns.rows)]
    held = np.array([word in text for text in texts])
    page.fill(".st-key-search input", word)
    page.press(".st-key-search input", "Enter")
    count_shown(page, int(held.sum()))
    page.click(".st-key-filter_menu button")
    choose(page, "filter_predicted", columns.classes[0])
    held &= columns.predicted == 0
    count_shown(page, int(held.sum()))
    assert 0 < held.sum() < len(held)
    page.wait_for_url(re.compile("filter="))
    page.reload()
    settled(page, ".st-key-side")
    page.wait_for_function(READY)
    page.locator(".st-key-side button", has_text="Table").click()
    count_shown(page, int(held.sum()))
    fold_legend(page)
    page.click(".st-key-map .legend-title")
    assert f"{int(held.sum())} match" in page.inner_text(".st-key-map .legend")


def test_a_lasso_and_a_box_list_what_the_screen_shows_inside_and_the_export_has_it(
    page: Page, dashboard: Any, explore: Open, first: alvin.Run, shot: Callable[..., Path]
) -> None:
    explore(dashboard.url, f"run=first&round={NEWEST}")
    columns = first.map_columns(NEWEST)
    n = len(columns.ids)
    at = places(page, n)
    (left, top), (right, bottom) = np.quantile(at, 0.2, axis=0), np.quantile(at, 0.8, axis=0)
    star = [(left, top), (right, top + 40), (left + 30, bottom), (right - 20, top - 5), (right, bottom)]
    draw(page, star)
    held = inside(star, at)
    assert 0 < held.sum() < n
    count_shown(page, int(held.sum()))
    shot(page, "explore-table")
    with page.expect_download() as download:
        page.click(".st-key-export_table button")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert {row["id"] for row in rows} == set(columns.ids[held])
    by_id = {str(one): place for place, one in enumerate(columns.ids)}
    for row in rows:
        code = int(columns.label_now[by_id[row["id"]]])
        assert row["label"] == ("" if code < 0 else columns.classes[code])
        place = int(columns.ranks["entropy"][by_id[row["id"]]])
        assert row["rank_entropy"] == (str(place) if place else "")
    # What the legend hides is not counted.
    page.keyboard.press("Escape")
    page.click(".st-key-map .legend-title")
    page.click(".st-key-map .entry[data-code='1']")
    fold_legend(page)
    page.click(".st-key-map [data-mode=box]")
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(right, bottom, steps=4)
    page.mouse.up()
    shown = np.where(columns.label >= 0, columns.label, columns.predicted) == 0
    boxed = inside([(left, top), (right, top), (right, bottom), (left, bottom)], at) & shown
    count_shown(page, int(boxed.sum()))
    assert "in the box" in page.inner_text(".alvin-count")


def test_layers_switch_in_the_browser_alone(page: Page, dashboard: Any, explore: Open) -> None:
    frames: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame)))
    explore(dashboard.url, "run=first")
    frames.clear()
    page.evaluate(
        """names => {
          const host = [...document.querySelectorAll('.st-key-map *')].find((one) => one.shadowRoot);
          for (const name of names) host.shadowRoot.querySelector(`.chip[data-layer='${name}']`).click();
        }""",
        ["pool", "anchors", "segments", "selected", "other", "pool"],
    )
    page.wait_for_timeout(250)
    assert len(frames) <= 2, "six layers; the page's own looks at the worker may fall between"
    for layer, on in (("pool", "true"), ("anchors", "false"), ("selected", "false"), ("other", "true")):
        assert page.locator(CHIP.format(layer)).get_attribute("aria-pressed") == on


def test_the_keyboard_walks_the_map_and_opens_an_example(page: Page, dashboard: Any, explore: Open) -> None:
    explore(dashboard.url, "run=first")
    page.focus(OVERLAY)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".alvin-card-title")
    page.wait_for_url(re.compile("example="))


def test_scrubber_and_play_move_the_rounds_and_keep_the_zoom(page: Page, dashboard: Any, explore: Open) -> None:
    explore(dashboard.url, "run=first&round=2")
    page.click(".st-key-map [data-zoom=in]")
    before = page.evaluate(VIEW)
    page.locator(".st-key-round input[type=range]").press("ArrowLeft")
    in_header(page, "Round 1")
    page.wait_for_function(READY)
    assert page.evaluate(VIEW) == before
    assert "round=1" in page.url
    page.click(".st-key-play button")
    in_header(page, "Round 2")
    page.wait_for_function("document.querySelector('.st-key-play').innerText.includes('Play')")
    page.wait_for_function(READY)
    assert page.evaluate(VIEW) == before


def test_a_step_shows_progress_then_the_new_round_in_every_tab_with_the_zoom_kept(
    page: Page, own_store: Path, serve: Callable[[Path], Any], explore: Open
) -> None:
    url = serve(own_store).url
    explore(url, "run=first")
    other = page.context.new_page()
    explore(url, "run=first", on=other)
    page.bring_to_front()
    page.click(".st-key-map [data-zoom=in]")
    before, strip = page.evaluate(VIEW), page.locator(".st-key-card_strip").bounding_box()
    page.click(".st-key-step button")
    page.wait_for_selector(".st-key-job_line .alvin-bar")
    assert page.locator(".st-key-card_strip").bounding_box() == strip, "nothing jumps when progress appears"
    in_header(page, "Round 3", timeout=120_000)
    page.wait_for_function(READY)
    assert page.evaluate(VIEW) == before
    assert page.locator("[data-testid=stException]").count() == 0
    other.bring_to_front()
    in_header(other, "Round 3")


def test_many_rounds_go_on_over_a_reload_and_stop_when_asked_to(
    page: Page, own_store: Path, serve: Callable[[Path], Any], explore: Open, settled: Callable[..., None]
) -> None:
    explore(serve(own_store).url, "run=first&round=1&color=entropy")
    page.fill(".st-key-run_count input", "12")
    page.press(".st-key-run_count input", "Enter")
    page.wait_for_function("document.querySelector('.st-key-run_n').innerText.includes('12')")
    page.click(".st-key-run_n button")
    page.wait_for_selector(".st-key-cancel button")
    page.reload()
    settled(page, OVERLAY, ".st-key-cancel button")
    in_header(page, "Round 1")
    assert "color=entropy" in page.url
    page.click(".st-key-cancel button")
    page.wait_for_function("!document.querySelector('.st-key-cancel')")
    (job,) = [job for job in alvin.list_jobs(own_store) if job.kind == "rounds"]
    assert job.state == "cancelled"
    assert alvin.open_run(own_store, "first").n_rounds < 3 + 12
    page.wait_for_selector(".st-key-step button:enabled")


def test_the_fork_dialog_makes_a_run_and_goes_there(
    page: Page, own_store: Path, serve: Callable[[Path], Any], explore: Open, settled: Callable[..., None]
) -> None:
    from playwright.sync_api import expect

    explore(serve(own_store).url, "run=first&round=2")
    page.click(".st-key-fork button")
    choose(page, "fork_strategy", "random")
    page.fill(".st-key-fork_name input", "another-way")
    page.press(".st-key-fork_name input", "Tab")
    settled(page)
    page.click(".st-key-fork_confirm button")
    in_header(page, "another-way")
    in_header(page, "Round 2", timeout=120_000)
    in_header(page, "random")
    page.wait_for_function(READY)
    expect(page.locator(OVERLAY)).to_have_attribute("aria-label", re.compile("another-way"), timeout=40_000)
    # Random has none: those of the round that was forked stay until its own round is drawn.
    expect(page.locator(OVERLAY)).not_to_have_attribute("aria-label", re.compile("anchors"), timeout=40_000)
    fork = alvin.open_run(own_store, "another-way")
    assert (fork.settings.strategy, fork.n_rounds) == ("random", 3)


def test_an_oracle_s_answers_are_in_no_route_before_they_are_given(
    dashboard: Any, first: alvin.Run, small_gold: Mapping[str, str]
) -> None:
    columns = first.map_columns(NEWEST)
    unlabeled = np.flatnonzero(columns.label_now < 0)
    wrong = [i for i in unlabeled if columns.classes[columns.predicted[i]] != small_gold[str(columns.ids[i])]]
    assert wrong, "there must be something to leak"
    for index in (*wrong[:15], *unlabeled[:5]):
        with urllib.request.urlopen(f"{dashboard.url}/api/texts/{first.id}/{NEWEST}/{index}") as answer:
            told = json.load(answer)
        assert told["label"] is None
        assert told["predicted"] == columns.classes[columns.predicted[index]]


@pytest.fixture
def hostile_store(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two rounds of a run whose texts, classes, ids and attributes are hostile."""
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    from alvin_core.data.dataset import Texts

    plain = fake.make_dataset()
    texts = [HOSTILE[row] if row < len(HOSTILE) else f"plain {row}" for row in range(len(plain))]
    ids = plain.ids.astype(object)
    ids[:3] = ["<b>id</b>", "a&b=c", "**0**"]
    dataset = dataclasses.replace(
        plain,
        ids=ids.astype(str),
        texts=Texts.pack(texts),
        classes=("<img src=x onerror=window.hacked=1>", "**pos** :smile: $x$"),
    )
    folder = tmp_path / "hostile"
    run = alvin.create_run(folder, dataset, alvin.RunSettings(budget=5, initial=10), name="hostile")
    list(run.run_rounds(1))
    (folder / "dashboard").mkdir()
    (folder / "dashboard" / "tour-seen").touch()
    return folder


def test_hostile_texts_are_shown_as_they_are_and_nothing_in_them_runs(
    page: Page, hostile_store: Path, serve: Callable[[Path], Any], explore: Open, shot: Callable[..., Path]
) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    url = serve(hostile_store).url
    run = alvin.open_run(hostile_store, "hostile")
    columns = run.map_columns(1)
    explore(url, "run=hostile")
    page.fill(".st-key-search input", "zebra")
    page.press(".st-key-search input", "Enter")
    count_shown(page, len(HOSTILE))
    shot(page, "explore-hostile-table")
    at = places(page, len(columns.ids))
    texts = [one[0] for one in run.texts(columns.rows)]
    for row, text in enumerate(texts):
        if "zebra" not in text:
            continue
        page.mouse.move(*at[row])
        page.wait_for_selector(".st-key-map .tooltip")
        page.mouse.click(*at[row])
        titled(page, str(columns.ids[row]))
        expected = text[:100_000] + ("… 6 more characters" if len(text) > 100_000 else "")
        page.wait_for_function("said => document.querySelector('.alvin-text')?.textContent === said", arg=expected)
        assert page.locator(".st-key-card script, .st-key-card img:not(.alvin-picture)").count() == 0
    assert page.locator(".stApp img:not(.alvin-picture)").count() == 0
    assert page.evaluate("window.hacked") is None
    assert alerts == []
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 1280
    shot(page, "explore-hostile-card")
