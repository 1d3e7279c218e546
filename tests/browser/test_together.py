"""Several people at one queue, each in a browser of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import alvin_core as alvin

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZE = {"width": 1280, "height": 800}
NEXT = (
    "(before) => { const box = document.querySelector('.label-state'); return box && box.dataset.example !== before }"
)
BETWEEN = 130  # milliseconds; less is a bouncing key (`label_keys.js`)
MANY = 200  # presses after which a queue of a dozen is surely done

Open = Callable[..., "Page"]


@pytest.fixture
def shared(tmp_path: Path, fake: ModuleType) -> Callable[..., alvin.Run]:
    """``shared(n, overlap)`` makes a run that asks for ``n`` labels before its first round."""

    def make(n: int, overlap: int = 1) -> alvin.Run:
        settings = alvin.RunSettings(budget=5, initial=n).with_value("annotation.overlap", overlap)
        run = alvin.create_run(tmp_path / "store", fake.make_dataset(n_pool=60, labeled=0.0), settings, name="shared")
        (tmp_path / "store" / "dashboard").mkdir()
        (tmp_path / "store" / "dashboard" / "tour-seen").touch()
        return run

    return make


@pytest.fixture
def sit_down(
    tmp_path: Path, serve: Callable[[Path], Any], browser: Browser, settled: Callable[..., None]
) -> Iterator[Open]:
    """``sit_down(name)`` opens the Label page for somebody, in a browser context of their own."""
    contexts = []
    url = []

    def open_page(name: str, *, can_say_goodbye: bool = True) -> Page:
        if not url:
            url.append(serve(tmp_path / "store").url)
        contexts.append(browser.new_context(viewport=SIZE))
        page = contexts[-1].new_page()
        page.set_default_timeout(40_000)
        if not can_say_goodbye:
            page.add_init_script("navigator.sendBeacon = () => false")
        page.goto(f"{url[0]}/?run=shared&page=label&annotator={name}")
        settled(page, ".label-state", ".st-key-label_seat")
        return page

    yield open_page
    for context in contexts:
        context.close()


def in_front(page: Page) -> str:
    """The example in front; empty where nothing is left."""
    return str(page.locator(".label-state").first.get_attribute("data-example"))


def press(page: Page, key: str) -> None:
    before = in_front(page)
    page.keyboard.press(key)
    page.wait_for_function(NEXT, arg=before)
    page.wait_for_timeout(BETWEEN)


def work_in_turns(pages: dict[str, Page], key: Callable[[str, str], str]) -> dict[str, list[str]]:
    """Have everybody press one key after the other until nobody has anything left; return who was shown what."""
    seen: dict[str, list[str]] = {name: [] for name in pages}
    for _ in range(MANY):
        asked = {name: in_front(page) for name, page in pages.items()}
        if not any(asked.values()):
            return seen
        for name, page in pages.items():
            example = in_front(page)
            if example:
                seen[name].append(example)
                press(page, key(name, example))
    raise AssertionError(f"the queue is not done after {MANY} turns: {seen}")


def test_three_people_share_one_queue_and_nobody_is_shown_what_another_has(
    shared: Callable[..., alvin.Run], sit_down: Open
) -> None:
    run = shared(10)
    pages = {name: sit_down(name) for name in ("Ada", "Bo", "Cy")}
    pages["Cy"].wait_for_selector(".label-left >> text=6 with Ada and Bo")
    seen = work_in_turns(pages, lambda name, example: "2" if name == "Bo" else "1")
    shown = [example for examples in seen.values() for example in examples]
    assert len(shown) == len(set(shown)) == 10
    assert all(seen.values())
    history = run.history()
    assert sorted(history["id"]) == sorted(shown)
    labels = run.labels().set_index("id")
    for name, examples in seen.items():
        assert set(labels.loc[examples, "annotator"]) == {name}
        assert set(labels.loc[examples, "label"]) == {"pos" if name == "Bo" else "neg"}


def test_with_overlap_two_each_example_gets_two_names_and_their_agreement_shows(
    shared: Callable[..., alvin.Run], sit_down: Open
) -> None:
    run = shared(6, overlap=2)
    pages = {name: sit_down(name) for name in ("Ada", "Bo")}
    first = in_front(pages["Ada"])
    assert in_front(pages["Bo"]) == first
    pages["Ada"].wait_for_selector(".label-chip >> text=wants 2 opinions")
    press(pages["Ada"], "1")
    pages["Bo"].wait_for_selector(".label-chip >> text=wants 1 more opinion")
    assert in_front(pages["Bo"]) == first  # the card did not move
    assert not pages["Bo"].locator(".st-key-label_recent .label-chip").count()  # nor does Bo see what Ada said
    seen = work_in_turns(pages, lambda name, example: "1")
    assert sorted(seen["Bo"]) == sorted([first, *seen["Ada"]])
    assert len(seen["Bo"]) == 6
    opinions = run.opinions()
    assert opinions.groupby("id")["annotator"].apply(lambda names: sorted(names)).tolist() == [["Ada", "Bo"]] * 6
    assert set(run.labels()["annotator"]) <= {"Ada, Bo", "Bo, Ada"}
    bo = pages["Bo"]
    bo.locator(".st-key-open_agreement button").click()
    bo.wait_for_selector("[role=dialog] .label-kappa")
    said = bo.locator("[role=dialog]").inner_text()
    assert "100%" in said
    assert "Every opinion names one and the same class" in said


def test_an_example_opened_out_of_the_agreement_is_in_front_and_the_name_stays(
    shared: Callable[..., alvin.Run], sit_down: Open, settled: Callable[..., None]
) -> None:
    run = shared(4, overlap=2)
    first = run.queue("Ada")[0]
    for name, label in (("Bo", "pos"), ("Cy", "neg"), ("Dora", "pos")):
        run.submit({first: label}, annotator=name, force=True)
    ada = sit_down("")
    ada.fill(".st-key-annotator input", "Ada")
    ada.keyboard.press("Enter")
    ada.wait_for_selector(".st-key-label_0 button:enabled")
    ada.locator(".st-key-open_agreement button").click()
    ada.wait_for_selector("[role=dialog] [data-testid=stDataFrame] canvas")
    settled(ada)
    table = ada.locator("[role=dialog] [data-testid=stDataFrame]")
    table.scroll_into_view_if_needed()
    table.click(position={"x": 15, "y": 50})  # the first row's own box
    ada.wait_for_selector("[role=dialog]", state="detached")
    ada.wait_for_selector(f".label-state[data-example={first}]")
    settled(ada)
    assert ada.input_value(".st-key-annotator input") == "Ada"
    ada.locator(".st-key-label_bar button >> text=Queue").click()
    ada.wait_for_selector(f".label-state:not([data-example={first}])")
    settled(ada)
    press(ada, "1")
    assert run.opinions().iloc[-1][["annotator", "label"]].tolist() == ["Ada", "neg"]


def test_what_a_closed_browser_held_is_given_back_at_once(shared: Callable[..., alvin.Run], sit_down: Open) -> None:
    run = shared(4)
    ada, bo = sit_down("Ada"), sit_down("Bo")
    held = {one.id for one in run.queue_state().examples if one.held_by and one.held_by[0].annotator == "Ada"}
    assert len(held) == 3
    press(bo, "1")
    bo.wait_for_selector("text=Nothing is left for you now")
    ada.close(run_before_unload=True)
    bo.wait_for_selector(".label-text")  # by itself
    assert in_front(bo) in held


def test_what_a_browser_that_vanished_held_comes_back_when_its_time_is_over(
    shared: Callable[..., alvin.Run], sit_down: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALVIN_LEASE_SECONDS", "3")
    run = shared(4)
    ada = sit_down("Ada", can_say_goodbye=False)
    first = in_front(ada)
    ada.close()
    bo = sit_down("Bo")
    seen = []
    for _ in range(4):
        bo.wait_for_selector(".label-text")
        seen.append(in_front(bo))
        press(bo, "1")
    assert first in seen
    assert sorted(seen) == sorted(run.labels()["id"])
    assert set(run.labels()["annotator"]) == {"Bo"}
