"""A comparison as one HTML page: whole, safe, and the same numbers as everywhere."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from alvin_core import (
    ComparisonPlan,
    ComparisonSummary,
    RunSettings,
    create_comparison,
    results_of,
    summarize_comparison,
)
from dashboard.report_page import report_page
from dashboard.reporting import main, provenance

TESTS = Path(__file__).parents[1]
made = SimpleNamespace(**run_path(str(TESTS / "unit" / "experiments" / "made_records.py")))

LOW = [[0.50, 0.60, 0.70], [0.52, 0.60, 0.72], [0.54, 0.62, 0.70]]
HIGH = [[0.50, 0.70, 0.80], [0.52, 0.71, 0.81], [0.54, 0.72, 0.80]]
NOISY = [[0.50, 0.60, 0.72], [0.52, 0.60, 0.70], [0.54, 0.62, 0.71]]
HOSTILE = "</script><script>alert(1)</script>&<b>"
FROM = {"Data": [("source", "a <file>.csv"), ("digest (SHA-256)", "0" * 64)]}


def summary_of(name: str = "made", **arms: list[list[float]]) -> ComparisonSummary:
    shares = {"neg × film": 0.75, "neg × book": 0.25}
    cells = [
        made.cell(arm, seed, heights, mean_confidence=0.6, class_shares={"neg": 1.0}, group_shares=shares)
        for arm, seeds in arms.items()
        for seed, heights in enumerate(seeds)
    ]
    return summarize_comparison(results_of(name, "sample", cells, against=["neg × book"]))


@pytest.fixture(scope="module")
def summary() -> ComparisonSummary:
    return summary_of(alvin=HIGH, entropy=LOW, random=NOISY)


@pytest.fixture(scope="module")
def page(summary: ComparisonSummary) -> str:
    return report_page(summary, FROM)


def test_the_page_holds_all_it_needs_and_forbids_the_network(page) -> None:
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", page)
    assert "default-src 'none'" in page
    assert page.count("plotly.js v") == 1
    assert page.startswith("<!DOCTYPE html>")


def test_every_figure_has_a_place_content_and_words(page, summary) -> None:
    contents = re.findall(
        r'<script type="application/json" class="plot-data" data-plot="(plot-\d+)">(.*?)</script>', page
    )
    places = re.findall(r'<div class="plot" id="(plot-\d+)" role="img" aria-label="([^"]+)"', page)
    # Accuracy and macro-F1 on one split, the forest, and two figures of the selections.
    assert [name for name, _ in contents] == [name for name, _ in places] == [f"plot-{row}" for row in range(5)]
    assert places[0][1] == "Learning curves: accuracy on test"
    drawn = json.loads(contents[0][1])
    means = [one.mean for one in summary.curve("accuracy:test", "alvin").rounds]
    assert means in [trace["y"] for trace in drawn["data"]]


def test_every_verdict_figure_and_origin_is_told(page, summary) -> None:
    for one in summary.primary:
        if one.difference.verdict == "better":
            assert escape(one.sentence) in page
    for sentence in (*summary.method(), summary.headline(), summary.power()):
        assert escape(sentence) in page
    assert "a &lt;file&gt;.csv" in page
    assert "0" * 64 in page


def test_the_same_summary_gives_the_same_page(page, summary) -> None:
    assert report_page(summary, FROM) == page


def test_texts_of_users_are_shown_as_text() -> None:
    summary = summary_of(HOSTILE, **{HOSTILE: HIGH, "entropy": LOW})
    page = report_page(summary, {HOSTILE: [(HOSTILE, HOSTILE)]})
    assert "alert(1)</script>" not in page
    assert page.count("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;") > 5


def test_tags_are_closed_in_their_order(page) -> None:
    checked = Tags()
    checked.feed(page)
    assert (checked.open, checked.wrong) == ([], [])


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("arms", "headline"),
    [
        ({"alvin": HIGH, "entropy": LOW}, "alvin (in 1 of 1 measure) is measurably better than entropy."),
        (
            {"alvin": LOW, "badge": LOW, "entropy": HIGH},
            "alvin (in 1 of 1 measure) and badge (in 1 of 1 measure) are measurably worse than entropy. "
            "No arm is measurably better than entropy in anything.",
        ),
        (
            {"alvin": NOISY, "entropy": LOW},
            "No measurable difference to entropy in any of 1 comparison.",
        ),
        (
            {"alvin": HIGH[:1], "entropy": LOW[:1]},
            "Too few seeds to tell anything: 1 can be compared; 2 are needed.",
        ),
        ({"alvin": HIGH}, "Nothing can be said yet: no two arms have finished seeds in common."),
    ],
)
def test_the_headline_says_what_was_found(arms: dict[str, list[list[float]]], headline: str) -> None:
    summary = summary_of(**arms)
    assert summary.headline() == headline
    assert escape(headline) in report_page(summary, {})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, fake: Any) -> Iterator[Path]:
    """A store with a finished comparison of rounds that cost nothing."""
    from alvin_core.experiments.cells import CellTask, do_cell
    from alvin_core.run.engine import Engine

    folder = tmp_path_factory.mktemp("compared") / "store"
    settings = RunSettings(initial=20, budget=5).with_values({"alvin.alpha": 0.5})
    plan = ComparisonPlan(("alvin", "entropy"), (0, 1), 1, settings)
    comparison = create_comparison(folder, fake.make_dataset(), plan, name="tried", source="made up")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "compute", fake.compute)
        for cell in plan.cells:
            do_cell(folder, comparison.id, CellTask(cell.key, cell.settings, plan.rounds, None))
    yield folder
    shutil.rmtree(folder)


def test_a_stored_comparison_becomes_a_file(store, tmp_path, capsys) -> None:
    out = tmp_path / "tried.html"
    arguments = ["--store", str(store), "--comparison", "tried", "--out", str(out), "--reference", "alvin"]
    assert main(arguments) == 0
    page = out.read_text(encoding="utf-8")
    assert "<h1>tried</h1>" in page
    assert "DIFFERENCES TO ALVIN" in page.upper()
    assert capsys.readouterr() == ("", "")


def test_provenance_tells_plan_data_settings_and_versions(store, fake) -> None:
    from alvin_core import open_comparison

    found = {title: dict(rows) for title, rows in provenance(open_comparison(store, "tried")).items()}
    assert found["Plan"]["arms"] == "alvin, entropy"
    assert found["Plan"]["seeds"] == "0, 1"
    assert found["Plan"]["cells"] == "4 of 4 finished"
    assert found["Data"]["digest (SHA-256)"] == fake.make_dataset().digest()
    assert found["Data"]["splits"] == "pool 60, test 12"
    assert found["Settings that are not the default"] == {"alvin.alpha": "0.5", "budget": "5", "initial": "20"}
    import numpy as np

    assert found["Versions"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("change", "told"),
    [({"--comparison": "tryed"}, "tried"), ({"--reference": "badge"}, "choose one of: alvin, entropy")],
)
def test_an_error_is_one_line_and_writes_nothing(store, tmp_path, capsys, change: dict[str, str], told: str) -> None:
    out = tmp_path / "page.html"
    options = {"--store": str(store), "--comparison": "tried", "--out": str(out), **change}
    assert main([part for pair in options.items() for part in pair]) == 2
    error = capsys.readouterr().err
    assert error.startswith("alvin: ")
    assert told in error
    assert error.count("\n") == 1
    assert not out.exists()
