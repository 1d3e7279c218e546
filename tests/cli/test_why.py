"""``alvin why``: the explanation of one example in the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_a_selected_example_is_explained_by_its_anchors_and_their_parents(alvin: Any, finished: Path) -> None:
    from alvin_core.run import open_run

    run = open_run(finished, "first")
    picked = run.selection(1)["id"].iloc[0]
    found = run.explain(1, picked)
    answer = alvin("why", "first", picked, "--round", "1", "--store", finished)
    assert (answer.code, answer.err) == (0, "")
    assert answer.lines[0].startswith(f"first, round 1: {picked} · labeled ")
    words = " ".join(answer.out.split())
    assert found.reason in words
    assert words.count("retrieved it (its reach is") == len(found.anchors) == 3
    assert {(anchor.minority_role, anchor.majority_role) for anchor in found.anchors} == {("minority", "majority")}
    for anchor in found.anchors:
        for role, parent, label in (
            (anchor.minority_role, anchor.minority_id, anchor.minority_label),
            (anchor.majority_role, anchor.majority_id, anchor.majority_label),
        ):
            assert f"{role} {parent}, {label}:" in answer.out
    assert f"alvin 1 of {found.ranks['alvin'][1]}" in words


def test_json_is_the_explanation_with_the_text(alvin: Any, finished: Path) -> None:
    from alvin_core.run import open_run

    run = open_run(finished, "first")
    example_id = run.examples(2).query("split == 'pool' and not labeled and not selected")["id"].iloc[0]
    answer = alvin("why", "first", example_id, "--json", "--anchors", "2", "--store", finished)
    assert len(answer.lines) == 1
    shown = json.loads(answer.out)
    found = run.explain(2, example_id, 2)
    assert (shown["run"], shown["round_no"], shown["id"]) == ("first", 2, example_id)
    assert (shown["reason"], shown["label"], shown["label_now"]) == (found.reason, None, None)
    assert [one["anchor"] for one in shown["anchors"]] == [one.anchor for one in found.anchors]
    assert shown["ranks"]["entropy"] == {"place": found.ranks["entropy"][0], "n_ranked": found.ranks["entropy"][1]}
    assert shown["text"] == run.examples(2).set_index("id").loc[example_id, "text"]


def test_the_newest_round_is_explained_by_default(alvin: Any, finished: Path) -> None:
    from alvin_core.run import open_run

    example_id = open_run(finished, "first").selection(2)["id"].iloc[0]
    answer = alvin("why", "first", example_id, "--store", finished)
    assert answer.lines[0].startswith(f"first, round 2: {example_id} · predicted")


def test_an_evaluation_example_has_no_places_and_no_anchors(alvin: Any, finished: Path) -> None:
    from alvin_core.run import open_run

    frame = open_run(finished, "first").examples(0)
    example_id = frame.loc[frame["split"] == "test", "id"].iloc[0]
    answer = alvin("why", "first", example_id, "--round", "0", "--store", finished)
    assert "Not selected: it is in the split 'test'" in answer.out
    assert "Its place under each strategy" not in answer.out
    assert "reach" not in answer.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody",), "alvin: the run 'first' has no example 'nobody'; ids are those of its data, such as"),
        (("nobody", "--round", "9"), "alvin: the run 'first' has no"),
    ],
)
def test_what_is_not_there_is_one_line_and_code_two(
    alvin: Any, finished: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = alvin("why", "first", *arguments, "--store", finished)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(message)
    assert len(answer.err.splitlines()) == 1


def test_hostile_texts_are_shown_without_control_characters(
    alvin: Any, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alvin_core.run import Run, open_run

    example_id = open_run(finished, "first").selection(2)["id"].iloc[0]
    monkeypatch.setattr(
        Run, "texts", lambda self, rows: [("\x1b[31m<script>alert(1)</script>\x00 [bold]x[/bold]\r\n2",)]
    )
    answer = alvin("why", "first", example_id, "--store", finished)
    assert (
        answer.lines[1].strip()
        == "\N{REPLACEMENT CHARACTER}[31m<script>alert(1)</script>\N{REPLACEMENT CHARACTER} [bold]x[/bold] 2"
    )
    assert "\x1b" not in answer.out
