"""``alvin report``: a page, Markdown, JSON, and what is said where one cannot be made."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alvin_core.cli import report as command
from alvin_core.experiments.cells import CellTask, do_cell
from alvin_core.experiments.comparison import create_comparison, open_comparison
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.report import summarize_comparison, to_markdown
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, fake: Any) -> Path:
    """A store with a finished comparison, and one that is not begun. Its rounds cost nothing."""
    folder = tmp_path_factory.mktemp("compared") / "store"
    plan = ComparisonPlan(("alvin", "entropy", "random"), (0, 1), 1, RunSettings(initial=20, budget=5))
    comparison = create_comparison(folder, fake.make_dataset(), plan, name="tried", source="made up")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "compute", fake.compute)
        for cell in plan.cells:
            do_cell(folder, comparison.id, CellTask(cell.key, cell.settings, plan.rounds, None))
    create_comparison(folder, fake.make_dataset(), plan, name="begun")
    return folder


@pytest.fixture
def report(alvin: Any, store: Path) -> Callable[..., Any]:
    return lambda *arguments: alvin("report", *arguments, "--store", store)


@pytest.fixture
def no_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None if name == "plotly" else find(name))


def test_asked_for_nothing_it_writes_the_page_here_and_prints_markdown(report, store, tmp_path) -> None:
    answer = report("tried")
    assert answer.code == 0
    assert answer.out == to_markdown(summarize_comparison(open_comparison(store, "tried").results()))
    assert answer.err == "wrote tried.html\n"
    page = (tmp_path / "tried.html").read_text(encoding="utf-8")
    assert "<h1>tried</h1>" in page
    assert "Differences to entropy" in page


def test_the_page_has_the_reference_that_was_asked_for(report, tmp_path) -> None:
    answer = report("tried", "--out", tmp_path / "-odd name.html", "--reference", "random", "--test", "sign-flip")
    assert (answer.code, answer.out) == (0, "")
    page = (tmp_path / "-odd name.html").read_text(encoding="utf-8")
    assert "Differences to random" in page
    assert "Too few seeds to tell anything" in page


def test_markdown_goes_to_a_file_or_the_screen_and_no_page_is_made(report, tmp_path) -> None:
    there = report("tried", "--markdown", "report.md", "--reference", "alvin")
    assert (there.code, there.out, there.err) == (0, "", "wrote report.md\n")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "entropy − alvin" in text
    here = report("tried", "--markdown", "-", "--reference", "alvin")
    assert (here.out, here.err) == (text, "")
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_json_is_the_summary_and_nothing_else(report, store) -> None:
    answer = report("tried", "--json")
    assert json.loads(answer.out) == summarize_comparison(open_comparison(store, "tried").results()).to_dict()
    assert answer.err == ""


def test_without_plotly_markdown_is_printed_and_the_remedy_told(report, no_plotly, tmp_path) -> None:
    answer = report("tried")
    assert answer.code == 0
    assert answer.out.startswith("# tried\n")
    assert "no page was written: the page needs the package 'plotly', which is not installed: pip install" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_without_plotly_a_page_that_was_asked_for_is_an_error(report, no_plotly) -> None:
    answer = report("tried", "--out", "page.html")
    assert answer.code == 2
    assert "or write Markdown with --markdown FILE.md" in answer.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tryed"], "tried"),
        (["begun"], "the comparison 'begun' has no finished round yet; run it with `alvin compare`"),
        (["tried", "--reference", "badge"], "'badge' is no arm of 'tried'; choose one of: alvin, entropy, random"),
        (["tried", "--test", "u"], "the test 'u' is unknown; choose one of: t, sign-flip"),
        (["tried", "--out", "nowhere/page.html"], "there is no folder nowhere; make it, or name another --out"),
        (["tried", "--markdown", "nowhere/page.md"], "nowhere/page.md cannot be written"),
        (["tried", "--json", "--markdown", "-"], "both want the screen"),
    ],
)
def test_errors_are_one_line_with_the_remedy(report, arguments: list[str], told: str) -> None:
    answer = report(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("alvin: ")
    assert told in answer.err
    assert answer.err.count("\n") == 1


def test_a_page_that_cannot_be_made_says_why(report, tmp_path) -> None:
    (tmp_path / "page.html").mkdir()
    answer = report("tried", "--out", "page.html")
    assert answer.code == 2
    assert "the page was not written: " in answer.err
    assert "Is a directory" in answer.err
