"""``alvin shortcuts``: the table, one cue through the rounds, JSON, and what cannot be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alvin_core.run import open_run


def test_the_table_has_the_strongest_cues_and_says_what_was_tested(alvin: Any, finished: Path) -> None:
    answer = alvin("shortcuts", "first", "--store", finished, "--top", "4", "--min-count", "3")
    assert (answer.code, answer.err) == (0, "")
    frame = open_run(finished, "first").cues(2, min_count=3)
    assert answer.lines[0].split() == ["cue", "label", "n", "share", "of", "all", "z", "LMI", "p"]
    for line, cue in zip(answer.lines[1:5], frame.head(4).to_dict("records"), strict=True):
        cells = line.split()
        assert cells[:3] == [cue["cue"], cue["label"], str(cue["n"])]
        assert cells[3:5] == [f"{cue['share']:.0%}", f"{cue['base_share']:.0%}"]
        assert cells[5:7] == [f"{cue['z']:.1f}", f"{1000 * cue['lmi']:.1f}"]
        assert ("*" in cells) == cue["significant"]
    told = " ".join(answer.lines[5:])
    n_significant = frame["significant"].sum()
    assert (
        f"{len(frame)} cues in at least 3 labeled examples; {n_significant} significant at .05, "
        "corrected by the method of Holm."
    ) in told


def test_options_are_those_of_the_library(alvin: Any, finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "cues.json"
    options = ("--round", "1", "--of", "pool", "--kind", "ngram, token", "--top", "3", "--min-count", "4")
    more = ("--correction", "benjamini-hochberg", "--base", "uniform", "--json", file)
    answer = alvin("shortcuts", "first", *options, *more, "--store", finished)
    assert answer.code == 0
    assert "examples of the pool" in " ".join(answer.lines)
    assert "Benjamini and Hochberg" in " ".join(answer.lines)
    frame = open_run(finished, "first").cues(
        1, of="pool", kinds=("token", "ngram"), min_count=4, correction="benjamini-hochberg", base="uniform"
    )
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found.pop("cues") == frame.head(3).to_dict("records")
    assert found == {
        **{"run": "first", "round": 1, "of": "pool", "min_count": 4, "base": "uniform"},
        **{"correction": "benjamini-hochberg", "n_cues": len(frame)},
    }
    printed = alvin("shortcuts", "first", *options, *more[:-1], "-", "--store", finished)
    assert json.loads(printed.out) == json.loads(file.read_text(encoding="utf-8"))


def test_one_cue_is_followed_through_the_rounds(alvin: Any, finished: Path) -> None:
    answer = alvin("shortcuts", "first", "--follow", "attribute:horror", "--store", finished)
    assert (answer.code, answer.err) == (0, "")
    assert answer.lines[0] == "attribute:horror (the attribute “horror”) with the label negative"
    history = open_run(finished, "first").cue_history([("attribute:horror", "negative")])
    for line, there in zip(answer.lines[2:5], history.to_dict("records"), strict=True):
        assert line.split() == [
            str(there["round"]),
            str(there["n"]),
            f"{there['share']:.0%}",
            f"{there['base_share']:.0%}",
            f"{there['z']:.1f}",
            f"{1000 * there['lmi']:.1f}",
        ]
    assert len(alvin("shortcuts", "first", "--follow", "token:the", "--round", "0", "--store", finished).lines) == 5


def test_a_cue_that_nobody_holds_has_dashes_and_json_has_null(alvin: Any, finished: Path) -> None:
    answer = alvin("shortcuts", "first", "--follow", "token:unheard", "--store", finished)
    assert answer.code == 0
    assert answer.lines[2].split() == ["0", "0", "–", "50%", "–", "0.0"]
    found = json.loads(alvin("shortcuts", "first", "--follow", "token:unheard", "--store", finished, "--json", "-").out)
    assert found["cue"] == "token:unheard"
    assert [(line["round"], line["n"], line["share"], line["z"]) for line in found["rounds"]] == [
        (round_no, 0, None, None) for round_no in range(3)
    ]


def test_what_cannot_be_asked_is_one_line_with_the_remedy(
    alvin: Any, finished: Path, small: tuple[str, ...], unlabeled: Path
) -> None:
    wrong = alvin("shortcuts", "first", "--follow", "token:not good", "--store", finished)
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err == "alvin: 'not good' is 2 words, a token is one; write ngram:not good\n"
    assert (
        "choose from: token, ngram, attribute, overlap"
        in alvin("shortcuts", "first", "--kind", "word", "--store", finished).err
    )
    assert (
        "has no round 9: it has rounds 0 to 2" in alvin("shortcuts", "first", "--round", "9", "--store", finished).err
    )
    assert (
        "has no round 9"
        in alvin("shortcuts", "first", "--follow", "token:the", "--round", "9", "--store", finished).err
    )
    assert (
        "name a file in a folder that is there"
        in alvin("shortcuts", "first", "--json", "no/folder.json", "--store", finished).err
    )
    assert alvin("run", *small, "--rounds", "0", "--name", "new").code == 0
    answer = alvin("shortcuts", "new")
    assert (answer.code, answer.out) == (0, "")
    assert "the run 'new' has no round yet" in answer.err
