"""The page Runs in a real browser: good and bad uploads, a run from file to map, trash, files, hostile texts."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alvin_core as alvin

PAGE = ".st-key-start_run"
UPLOAD = ".st-key-upload input[type=file]"
HOSTILE = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "**bold** [link](javascript:alert(1)) $x^2$",
    "\u05e9\u05dc\u05d5\u05dd \u202e reversed",
    "👩‍🔬 " + "long " * 20_000,
)


def _open(page: Any, url: str, settled: Callable[..., None], query: str = "") -> None:
    page.goto(f"{url}/?page=runs{query}")
    settled(page, PAGE)


def _upload(page: Any, path: Path, settled: Callable[..., None]) -> None:
    page.set_input_files(UPLOAD, path)
    settled(page, ".runs-verdict")


def test_a_bad_file_shows_every_problem_and_a_good_one_after_it_becomes_a_run(
    page: Any,
    serve: Callable[[Path], Any],
    own_store: Path,
    small_data: Path,
    small_encoder: Path,
    tmp_path: Path,
    settled: Callable[..., None],
    shot: Callable[..., Path],
) -> None:
    served = serve(own_store)
    bad = tmp_path / "bad.csv"
    bad.write_text("id,text,label,split\n1,one,a,train\n1,two,b,pool\n")
    _open(page, served.url, settled)
    _upload(page, bad, settled)
    problems = page.inner_text(".runs-problems")
    for words in ("bad.csv", "line 2", "'train'", "line 3", "give every row its own id"):
        assert words in problems
    assert page.is_disabled(".st-key-start_run button")
    shot(page, "runs-bad-file")

    _upload(page, small_data, settled)
    page.wait_for_selector(".st-key-report_ok")
    for key, value in (("set_initial", "30"), ("run_name", "uploaded")):
        page.fill(f".st-key-{key} input", value)
        page.keyboard.press("Enter")
        settled(page)
    page.click(".st-key-group_encoder summary")
    page.fill(".st-key-set_encoder_name input", str(small_encoder))
    page.keyboard.press("Enter")
    settled(page)
    shot(page, "runs-good-file")
    page.click(".st-key-start_run button")
    page.wait_for_selector(".st-key-start_box .alvin-job[role=status]", timeout=5_000)
    page.wait_for_url("**page=explore**", timeout=120_000)
    settled(page)
    assert "run=uploaded" in page.url
    made = alvin.open_run(own_store, "uploaded")
    assert (made.n_rounds, made.source, made.settings.initial) == (1, "reviews.csv", 30)
    assert list((own_store / "uploads").glob("*/reviews.csv")) == []


def test_hostile_texts_names_and_columns_are_shown_as_text_and_nothing_in_them_runs(
    page: Any, dashboard: Any, tmp_path: Path, settled: Callable[..., None], shot: Callable[..., Path]
) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    path = tmp_path / "<img src=x onerror=alert(1)>.csv"
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "<b>label</b>", "label"])
    for number in range(40):
        writer.writerow([f"{HOSTILE[number % 5]} {number}", "x", "<i>yes</i>" if number % 2 else "*no*"])
    path.write_text(out.getvalue(), encoding="utf-8")
    _open(page, dashboard.url, settled)
    _upload(page, path, settled)
    shown = page.inner_text(".runs-preview")
    for words in ("<script>window.hacked = 1</script>", "**bold** [link]", "$x^2$", "<b>label</b>", "<i>yes</i>"):
        assert words in shown
    assert "<img src=x onerror=alert(1)>.csv" in page.inner_text(".st-key-data_head")
    assert page.locator(".st-key-card_new_run :is(.runs-scroll, .st-key-data_head) :is(img, i, script)").count() == 0
    assert page.locator(".runs-preview td b").count() == 0
    assert page.evaluate("window.hacked === undefined")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 1280
    assert alerts == []
    shot(page, "runs-hostile")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_small_screen_with_its_start_button_in_sight(
    browser: Any, dashboard: Any, settled: Callable[..., None], shot: Callable[..., Path], scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    try:
        page = context.new_page()
        page.set_default_timeout(20_000)
        _open(page, dashboard.url, settled, "&run=first")
        page.locator(".st-key-sample_choice").get_by_text("reviews").click()
        settled(page, ".st-key-report_ok")
        box = page.locator(".st-key-start_run button").bounding_box()
        assert box["y"] + box["height"] <= 800
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 1280
        shot(page, f"runs-{scheme}")
    finally:
        context.close()


def test_delete_and_undo_bring_a_run_back_and_its_files_can_be_downloaded(
    page: Any, serve: Callable[[Path], Any], own_store: Path, settled: Callable[..., None], shot: Callable[..., Path]
) -> None:
    served = serve(own_store)
    run = alvin.open_run(own_store, "first")
    _open(page, served.url, settled, "&run=first")
    with page.expect_download() as labels:
        page.click(f".st-key-labels_csv_{run.id} button")
    assert len(labels.value.path().read_text(encoding="utf-8").splitlines()) == 1 + len(run.labels())

    page.click(f".st-key-pack_{run.id} button")
    with page.expect_download() as packed:
        page.click(f".st-key-packed_{run.id} button")
    assert packed.value.suggested_filename == "first.zip"
    assert zipfile.ZipFile(packed.value.path()).testzip() is None
    settled(page)

    page.click(f".st-key-delete_{run.id} button")
    settled(page, ".st-key-undo_delete")
    assert [info.name for info in alvin.list_runs(own_store)] == ["people"]
    assert "run=people" in page.url
    shot(page, "runs-undo")
    page.click(".st-key-undo_delete button")
    page.wait_for_selector(f".st-key-run_row_here_{run.id}")
    settled(page)
    assert alvin.open_run(own_store, "first").n_rounds == 3
    assert "run=first" in page.url
