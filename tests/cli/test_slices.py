"""Slices on the command line: saved, listed with figures, selected from, deleted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished store that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_a_saved_slice_is_listed_with_accuracy_per_split_and_round(alvin: Any, store: Path) -> None:
    from alvin_core.run import open_run

    run = open_run(store, "first")
    value = sorted(set(run.dataset.attributes.tolist()) - {""})[0]
    answer = alvin("slices", "first", "--save", "part", "--filter", f"attribute={value}", "--store", store)
    assert (answer.code, answer.out) == (0, "")
    info = run.slices()[0]
    counts = ", ".join(f"{split} {n}" for split, n in info.n.items())
    assert f"the slice 'part' holds {sum(info.n.values())} examples ({counts}): attribute {value}" in answer.err

    listed = alvin("slices", "first", "--store", store)
    assert listed.lines[:3] == ["part", f"  attribute {value}", f"  {sum(info.n.values())} examples ({counts})"]
    assert listed.lines[3].split() == ["round", "labeled", "picked", "×pool", *(one for one in info.n if one != "pool")]
    figures = run.slice_metrics("part")
    for round_no, line in enumerate(listed.lines[4:7]):
        of_round = figures[figures["round"] == round_no].set_index("split")
        pool = of_round.loc["pool"]
        cells = line.split()
        assert cells[:3] == [str(round_no), str(pool["n_labeled"]), str(pool["n_selected"])]
        accuracies = [of_round.loc[split, "accuracy"] for split in info.n if split != "pool"]
        np.testing.assert_allclose([float(cell) for cell in cells[4:]], accuracies, atol=6e-4)

    shown = alvin("show", "first", "--store", store)
    [line] = [line for line in shown.lines if line.startswith("part ")]
    test = figures[(figures["round"] == 2) & (figures["split"] == "test")].iloc[0]
    assert f"of {test['n']}" in line
    assert line.split()[1] == str(info.n["pool"])
    assert json.loads(alvin("show", "first", "--json", "--store", store).out)["slices"][0]["name"] == "part"


def test_slices_as_json_have_the_rule_and_every_figure(alvin: Any, store: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.csv"
    known = json.loads(alvin("show", "first", "--json", "--store", store).out)["pending"][:2]
    ids.write_text("text,id\n" + "".join(f"x,{one}\n" for one in known), encoding="utf-8")
    saved = alvin("slices", "first", "--save", "two", "--ids", ids, "--note", "n", "--store", store, "--json", "-")
    values = json.loads(saved.out)
    [one] = values["slices"]
    assert (values["run"], one["name"], one["n"], one["note"]) == ("first", "two", {"pool": 2}, "n")
    assert one["rule"]["words"] == "examples picked by hand"
    assert [row["round"] for row in one["rounds"]] == [0, 1, 2]
    assert one["rounds"][-1]["n_selected"] == 2
    assert one["rounds"][-1]["share_selected"] == 2 / 5
    plain = tmp_path / "ids.txt"
    plain.write_text("\n".join(known) + "\n\n", encoding="utf-8")
    assert alvin("slices", "first", "--save", "same", "--ids", plain, "--store", store).code == 0
    alvin("slices", "first", "--store", store, "--json", tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["slices"]
    assert [one["n"] for one in found] == [{"pool": 2}] * 2


def test_a_fork_selects_from_a_slice_and_replays(alvin: Any, store: Path) -> None:
    from alvin_core.run import open_run

    run = open_run(store, "first")
    word = run.texts([0])[0][0].split()[0].lower()
    saved = alvin("slices", "first", "--save", "w", "--cue", f"token:{word}", "--contradicts",
                  run.dataset.classes[0], "--store", store)  # fmt: skip
    assert saved.code == 0, saved.err
    assert f"the word “{word}”; the shortcut says {run.dataset.classes[0]}" in saved.err
    forked = alvin("fork", "first", "--at", "1", "--strategy", "counter-shortcut", "--set", "counter_shortcut.slice=w",
                   "--name", "child", "--store", store)  # fmt: skip
    assert forked.code == 0, forked.err
    assert alvin("step", "child", "--store", store, "--quiet").code == 0
    child = open_run(store, "child")
    members = set(run.dataset.ids[run.slice_members("w")].tolist())
    examples = child.examples(1)
    n_open = len(members & set(examples["id"][(examples["split"] == "pool") & ~examples["labeled"]]))
    assert len(members & set(child.selection(1)["id"])) == min(5, n_open) > 0
    assert alvin("replay", "child", "--store", store).code == 0
    assert alvin("slices", "first", "--delete", "w", "--store", store).code == 0
    gone = alvin("step", "child", "--store", store)
    assert gone.code == 2
    assert "counter_shortcut.slice = 'w': this data has no slice of that name" in gone.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--save", "s"), "needs one rule, --cue or --search or --filter or --ids, and has none"),
        (("--save", "s", "--cue", "token:a", "--search", "b"), "has --cue and --search"),
        (("--search", "b"), "add --save NAME"),
        (("--save", "s", "--search", "b", "--delete", "t"), "do not go together"),
        (("--save", "s", "--filter", "colour=red"), "'colour=red' is no condition"),
        (("--save", "s", "--ids", "nowhere.txt"), "cannot read nowhere.txt"),
        (("--delete", "s"), "no slice of this data is called 's'; there are: none yet"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    alvin: Any, finished: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = alvin("slices", "first", *arguments, "--store", finished)
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


def test_without_slices_the_list_says_how_to_save_one(alvin: Any, finished: Path) -> None:
    answer = alvin("slices", "first", "--store", finished)
    assert (answer.code, answer.out) == (0, "")
    assert "save one with --save NAME" in answer.err
