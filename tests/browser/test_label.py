"""Labelling in a real browser: from the keyboard, a region at once, and with hostile texts."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import alvin_core as alvin

if TYPE_CHECKING:
    from playwright.sync_api import Page

NEXT = (
    "(before) => { const box = document.querySelector('.label-state'); return box && box.dataset.example !== before }"
)
# A press of the same key within 120 ms is a bouncing key (`label_keys.js`), and a quick machine shows the next text
# sooner than that: these tests press as a person does.
BETWEEN = 0.13  # seconds
N_WAITING = 100
HOSTILE = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    "$x^2$ **md** :smile: :red[x] `code`",
    "nul \0 here",
    "שלום, עולם",
    "=cmd|' /C calc'!A0",
    "word " * 20_000,
)


@pytest.fixture
def waiting(tmp_path: Path, fake: ModuleType) -> alvin.Run:
    """A run that asks for 100 labels before its first round."""
    dataset = fake.make_dataset(n_pool=400, labeled=0.0)
    run = alvin.create_run(tmp_path / "store", dataset, alvin.RunSettings(budget=5, initial=N_WAITING), name="keys")
    (tmp_path / "store" / "dashboard").mkdir()
    (tmp_path / "store" / "dashboard" / "tour-seen").touch()
    return run


def open_page(page: Page, url: str, run: str, settled: Callable[..., None], more: str = "&annotator=Ada") -> None:
    page.goto(f"{url}/?run={run}&page=label{more}")
    settled(page, ".label-text")


def example(page: Page) -> str:
    return str(page.locator(".label-text").get_attribute("data-example"))


def press(page: Page, key: str) -> float:
    """Press a key and wait for another example; return the seconds that took, which are no fewer than a person's."""
    before, start = example(page), time.perf_counter()
    page.keyboard.press(key)
    page.wait_for_function(NEXT, arg=before)
    seconds = time.perf_counter() - start
    page.wait_for_timeout(1000 * max(0.0, BETWEEN - seconds))
    return seconds


def labels_of(run: alvin.Run) -> dict[str, str]:
    frame = run.labels()
    return dict(zip(frame["id"], frame["label"], strict=True))


def test_a_hundred_labels_by_keyboard_are_a_hundred_labels(
    waiting: alvin.Run, serve: Callable[[Path], Any], page: Page, settled: Callable[..., None], tmp_path: Path
) -> None:
    open_page(page, serve(tmp_path / "store").url, "keys", settled)
    said, seconds = {}, []
    for number in range(N_WAITING):
        key = "1" if number % 3 else "2"
        said[example(page)] = {"1": "neg", "2": "pos"}[key]
        if number == N_WAITING - 1:
            page.keyboard.press(key)
            page.wait_for_selector(".st-key-train_next")
        else:
            seconds.append(press(page, key))
    assert labels_of(waiting) == said
    assert len(said) == len(waiting.history()) == N_WAITING
    # The goal is 0.3 s on a machine at rest; a busy one may take a few times as long, and a broken page far longer.
    assert statistics.median(seconds) < 1.5, statistics.median(seconds)


def test_a_held_or_doubled_key_labels_one_example(
    waiting: alvin.Run, serve: Callable[[Path], Any], page: Page, settled: Callable[..., None], tmp_path: Path
) -> None:
    open_page(page, serve(tmp_path / "store").url, "keys", settled)
    first = example(page)
    for _ in range(8):  # without a release in between these are repeats
        page.keyboard.down("1")
    page.wait_for_function(NEXT, arg=first)
    for _ in range(8):
        page.keyboard.down("1")
        page.wait_for_timeout(40)
    page.keyboard.up("1")
    settled(page)
    assert labels_of(waiting) == {first: "neg"}
    second = example(page)
    page.wait_for_timeout(200)
    page.keyboard.press("1")
    page.keyboard.press("2")  # before anything else can be on the screen
    page.wait_for_function(NEXT, arg=second)
    settled(page)
    assert labels_of(waiting) == {first: "neg", second: "neg"}


def test_skip_undo_flag_and_note_from_the_keyboard(
    waiting: alvin.Run, serve: Callable[[Path], Any], page: Page, settled: Callable[..., None], tmp_path: Path
) -> None:
    open_page(page, serve(tmp_path / "store").url, "keys", settled)
    skipped = example(page)
    press(page, "s")
    labeled = example(page)
    press(page, "2")
    press(page, "u")
    assert example(page) == labeled
    page.keyboard.press("f")
    page.wait_for_selector(".label-chip.flagged")
    note = page.locator(".st-key-label_tools input")
    note.fill("12 suf")
    note.press("1")  # typed, not pressed
    note.press("Enter")
    page.wait_for_selector(".label-message.done >> text=The note on")
    assert labels_of(waiting) == {}
    marks = waiting.marks().set_index("id")
    assert marks.loc[skipped, "skipped"]
    assert marks.loc[labeled, "flagged"]
    assert marks.loc[labeled, "note"] == "12 suf1"
    assert waiting.queue("Ada")[-1] == skipped
    page.reload()
    settled(page, ".label-text")
    assert page.locator(".st-key-annotator input").input_value() == "Ada"


def test_a_class_key_right_behind_the_flag_is_not_lost(
    waiting: alvin.Run, serve: Callable[[Path], Any], page: Page, settled: Callable[..., None], tmp_path: Path
) -> None:
    open_page(page, serve(tmp_path / "store").url, "keys", settled)
    first = example(page)
    page.keyboard.press("f")
    page.keyboard.press("2")  # before the flag can be on the screen
    page.wait_for_function(NEXT, arg=first)
    settled(page)
    assert labels_of(waiting) == {first: "pos"}
    assert waiting.marks().set_index("id").loc[first, "flagged"]


def test_nobody_labels_without_a_name(
    waiting: alvin.Run, serve: Callable[[Path], Any], page: Page, settled: Callable[..., None], tmp_path: Path
) -> None:
    open_page(page, serve(tmp_path / "store").url, "keys", settled, more="")
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    assert labels_of(waiting) == {}
    page.locator(".st-key-annotator input").fill("Grace")
    page.locator(".st-key-annotator input").press("Enter")
    page.wait_for_selector(".st-key-label_0 button:not(:disabled)")
    press(page, "1")  # Enter has left the field: the key is no part of the name
    assert waiting.labels()["annotator"].tolist() == ["Grace"]
    assert "annotator=Grace" in page.url


def test_hostile_texts_are_text_and_nothing_in_them_runs(
    fake: ModuleType, serve: Callable[[Path], Any], page: Page, settled: Callable[..., None], tmp_path: Path
) -> None:
    plain = fake.make_dataset(n_pool=40, labeled=0.0)
    texts = [HOSTILE[row % len(HOSTILE)] for row in range(len(plain))]
    classes = (":smile: $x$ **n**", "pos -> :red[x]")
    dataset = dataclasses.replace(plain, texts=alvin.Texts.pack(texts), classes=classes)
    run = alvin.create_run(tmp_path / "store", dataset, alvin.RunSettings(budget=5, initial=30), name="hostile")
    (tmp_path / "store" / "dashboard").mkdir()
    (tmp_path / "store" / "dashboard" / "tour-seen").touch()
    open_page(page, serve(tmp_path / "store").url, "hostile", settled)
    text_of = dict(zip(dataset.ids.tolist(), texts, strict=True))
    seen = set()
    for _ in range(20):
        text = text_of[example(page)]
        assert page.locator(".label-words").text_content() == text.replace("\0", "␀")
        seen.add(text)
        press(page, "1")
    assert len(seen) == len(HOSTILE)
    assert page.evaluate("window.hacked") is None
    shown = page.locator(".st-key-label_0 button p").inner_text()
    assert shown.replace("\u2060", "") == classes[0]
    assert page.locator(".st-key-label_1 button p").inner_text().replace("\u2060", "") == classes[1]
    assert set(run.labels()["label"]) == {classes[0]}
    # The page does not grow with the text.
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight") <= 800


def test_the_models_opinion_comes_after_the_label_and_never_before(
    own_store: Path, serve: Callable[[Path], Any], page: Page, settled: Callable[..., None]
) -> None:
    run = alvin.open_run(own_store, "people")
    open_page(page, serve(own_store).url, "people", settled)
    first = example(page)
    columns = run.map_columns(0)
    place = columns.ids.tolist().index(first)
    confidence = f"{columns.confidence[place]:.2f}"
    label = columns.classes[int(columns.predicted[place])]
    assert page.locator(".label-verdict").count() == 0
    assert confidence not in page.content()
    press(page, "12"[1 - columns.classes.index(label)])
    page.wait_for_selector(".label-verdict.disagrees")
    said = page.locator(".label-opinion").inner_text()
    assert label in said
    assert confidence in said
    assert first in said
    assert example(page) not in said


def test_a_lasso_is_labeled_at_once_and_taken_back_at_once(
    own_store: Path,
    serve: Callable[[Path], Any],
    page: Page,
    settled: Callable[..., None],
    small_gold: Mapping[str, str],
) -> None:
    run = alvin.open_run(own_store, "people")
    before = labels_of(run)
    open_page(page, serve(own_store).url, "people", settled)
    page.get_by_role("radio", name="Browse").or_(page.get_by_role("button", name="Browse")).first.click()
    page.locator(".st-key-label_find").get_by_text("Map").click()
    canvas = page.locator(".st-key-map canvas").first
    canvas.wait_for()
    page.wait_for_function("window.__alvinMaps?.map?.ready")
    settled(page)
    box = canvas.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    reach = 0.4 * min(box["width"], box["height"])
    page.mouse.move(middle[0] - reach, middle[1] - reach)
    page.mouse.down()
    for x, y in ((1, -1), (1, 1), (-1, 1), (-1, -0.9)):
        page.mouse.move(middle[0] + x * reach, middle[1] + y * reach, steps=8)
    page.mouse.up()
    page.wait_for_selector(".label-region")
    n = int(page.locator(".label-region b").inner_text().replace(",", ""))
    assert 1 < n < len(small_gold)
    page.locator(".st-key-bulk_class input").click()
    page.get_by_role("option").first.click()
    page.locator(".st-key-bulk button:not(:disabled)").click()
    confirm = page.locator(".st-key-bulk_confirm button")
    assert f"Label {n} examples as" in confirm.inner_text()
    confirm.click()
    undo = page.get_by_role("button", name=f"Undo the last {n}")
    undo.wait_for()
    after = labels_of(run)
    assert len(after) == len(before) + n
    assert {one: label for one, label in after.items() if one in before} == before
    undo.click()
    page.wait_for_selector(".label-message.done >> text=taken back")
    assert labels_of(run) == before
