"""``alvin add``: an example of one's own, from the command line through a round to the exported file."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished store that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_an_added_example_is_trained_on_shown_explained_and_exported(alvin: Any, store: Path, reviews: Path) -> None:
    parent = next(row for row in read_rows(reviews) if row["split"] == "pool")
    text = parent["text"].replace(".", "!") + " Or not."
    answer = alvin(
        "add", "first", "--text", text, "--label", "negative", "--from", parent["id"],
        "--attribute", "horror", "--annotator", "ada", "--store", store,
    )  # fmt: skip
    assert answer.lines == [f"added 'edit-0001' to the run 'first' as negative, an edit of {parent['id']}"]
    assert f"the next round trains on it: alvin step first --store {store}" in answer.err
    shown = alvin("show", "first", "--store", store)
    assert any(line.split() == ["added", "1", "example", "that", "people", "wrote"] for line in shown.lines)
    assert json.loads(alvin("show", "first", "--store", store, "--json").out)["added"] == 1
    early = alvin("why", "first", "edit-0001", "--store", store)
    assert (early.code, early.lines) == (2, [])
    assert "was added after round 2" in early.err
    step = alvin("step", "first", "--store", store, "--quiet", "--json")
    assert json.loads(step.lines[0])["n_labeled"] == 20 + 3 * 5 + 1
    why = " ".join(alvin("why", "first", "edit-0001", "--store", store).out.split())
    assert f"Not selected: ada added it as an edit of {parent['id']}, and only pool examples are selected" in why
    assert alvin("replay", "first", "--store", store, "--quiet").code == 0
    alvin("export", "first", "--out", store / "out.csv", "--store", store)
    [row] = [one for one in read_rows(store / "out.csv") if one["source"] == "counterfactual"]
    assert (row["id"], row["label"], row["round"], row["annotator"]) == ("edit-0001", "negative", "3", "ada")
    assert (row["parent_id"], row["text"], row["attribute"]) == (parent["id"], text, "horror")
    history = alvin("history", "first", "--store", store)
    assert any("edit-0001" in line and "counterfactual" in line for line in history.lines)
    assert alvin("undo", "first", "edit-0001", "--store", store).code == 0
    alvin("export", "first", "--out", store / "after.csv", "--store", store)
    assert all(one["source"] != "counterfactual" for one in read_rows(store / "after.csv"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--text", "new", "--label", "good"), "the class 'good' is unknown; the classes are: negative, positive"),
        (("--text", " ", "--label", "positive"), "is empty; write one"),
        (("--text", "a", "--text-b", "b", "--label", "positive"), "has 1 text, given: 2; give 1"),
        (("--text", "a", "--label", "positive", "--from", "nobody"), "has no example 'nobody'"),
    ],
)
def test_what_cannot_be_added_is_one_line_and_nothing_is_stored(
    alvin: Any, finished: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = alvin("add", "first", *arguments, "--store", finished)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert json.loads(alvin("show", "first", "--store", finished, "--json").out)["added"] == 0


def test_a_waiting_run_says_that_it_still_waits(alvin: Any, unlabeled: Path, encoder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    arguments = ("--encoder", encoder, "--initial", "4", "--rounds", "0", "--store", store, "--quiet")
    alvin("run", "--data", unlabeled, "--name", "hand", *arguments)
    answer = alvin("add", "hand", "--text", "A film of my own.", "--label", "positive", "--store", store)
    assert answer.code == 0
    assert "the run still waits: 4 of the 4 examples" in answer.err
