"""A run whose labels come from a person: it waits, hands out texts, and takes labels back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def waiting(alvin: Any, small: tuple[str, ...], unlabeled: Path) -> str:
    answer = alvin("run", *small, "--data", unlabeled, "--rounds", "3", "--name", "hand")
    assert answer.code == 0
    return str(answer.out)


def test_a_pool_without_labels_waits_and_says_what_to_do(waiting: str) -> None:
    lines = waiting.splitlines()
    start = lines.index("The run 'hand' waits for labels of 20 texts:")
    assert lines[start + 1 :] == [
        "  1. alvin export hand --pending --out hand-to-label.csv",
        "  2. fill in the label column with: negative, positive",
        "  3. alvin submit hand hand-to-label.csv",
        "  4. alvin step hand",
    ]


def test_waiting_prints_no_json(alvin: Any, small: tuple[str, ...], unlabeled: Path) -> None:
    answer = alvin("run", *small, "--data", unlabeled, "--name", "hand", "--json")
    assert (answer.code, answer.out) == (0, "")
    assert "The run 'hand' waits for labels of 20 texts:" in answer.err


def test_a_step_before_the_labels_is_an_error_that_says_how(alvin: Any, waiting: str) -> None:
    answer = alvin("step", "hand")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("alvin: the run 'hand' waits for labels of 20 texts; get them with `alvin export hand")


def test_the_four_commands_of_the_hint_take_the_run_to_its_next_round(
    alvin: Any, waiting: str, fill_in: Callable[[Path], None]
) -> None:
    assert alvin("export", "hand", "--pending", "--out", "hand-to-label.csv").out == (
        "wrote 20 texts to label to hand-to-label.csv\n"
    )
    path = Path("hand-to-label.csv")
    assert path.read_text(encoding="utf-8").splitlines()[0] == "id,text,label"
    fill_in(path)
    answer = alvin("submit", "hand", path, "--annotator", "maria")
    assert answer.code == 0
    assert answer.lines == ["20 new labels stored in the run 'hand'", "nothing is missing now"]
    answer = alvin("step", "hand", "--json")
    assert answer.code == 0
    line = json.loads(answer.out)
    assert (line["round"], line["n_labeled"], line["selection"]) == (0, 20, None)
    assert "The run 'hand' waits for labels of 5 texts:" in answer.err
    alvin("export", "hand", "--out", "labels.jsonl")
    labels = [json.loads(line) for line in Path("labels.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {(one["round"], one["source"], one["annotator"]) for one in labels} == {(0, "person", "maria")}


def test_several_steps_end_where_the_person_is_needed(
    alvin: Any, waiting: str, fill_in: Callable[[Path], None]
) -> None:
    alvin("export", "hand", "--pending", "--out", "all.csv")
    fill_in(Path("all.csv"))
    alvin("submit", "hand", "all.csv")
    answer = alvin("step", "hand", "--rounds", "3", "--json")
    assert answer.code == 0
    assert [json.loads(line)["round"] for line in answer.lines] == [0]


def test_labels_may_come_in_parts_and_again(alvin: Any, waiting: str, gold: dict[str, str]) -> None:
    alvin("export", "hand", "--pending", "--out", "all.csv")
    ids = [line.split(",")[0] for line in Path("all.csv").read_text(encoding="utf-8").splitlines()[1:]]
    Path("part.tsv").write_text(f"id\tlabel\n{ids[0]}\t{gold[ids[0]]}\n{ids[1]}\t\n", encoding="utf-8")
    assert alvin("submit", "hand", "part.tsv").lines == [
        "1 new label stored in the run 'hand'",
        "1 row without a label passed over",
        "it still waits for 19 labels",
    ]
    Path("again.jsonl").write_text(json.dumps({"id": ids[0], "label": gold[ids[0]]}) + "\n", encoding="utf-8")
    assert alvin("submit", "hand", "again.jsonl").lines[:2] == [
        "0 new labels stored in the run 'hand'",
        "1 label of the file was there already",
    ]


def test_an_undone_label_is_asked_for_again(alvin: Any, waiting: str, gold: dict[str, str]) -> None:
    alvin("export", "hand", "--pending", "--out", "all.csv")
    example = Path("all.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    Path("one.csv").write_text(f"id,label\n{example},{gold[example]}\n", encoding="utf-8")
    alvin("submit", "hand", "one.csv")
    assert len(json.loads(alvin("show", "hand", "--json").out)["pending"]) == 19
    assert alvin("undo", "hand", example).out == f"took back the label of {example!r} in the run 'hand'\n"
    assert example in json.loads(alvin("show", "hand", "--json").out)["pending"]
    answer = alvin("undo", "hand", example)
    assert answer.code == 2
    assert "nothing to undo" in answer.err


BAD_FILES = {
    "header.csv": ("id,label\n", "header.csv: no rows"),
    "columns.csv": ("key,label\n1,positive\n", "column 'id': missing column; a file of labels has the columns id and"),
    "ragged.csv": ("id,label\nx,positive,more\n", "ragged.csv, line 2: ragged row: 3 values"),
    "class.csv": ("id,label\npool-00001,fine\n", "example 'pool-00001' has the unknown class 'fine'; the classes are"),
    "example.csv": ("id,label\nnobody,positive\n", "the run 'hand' has no example 'nobody'"),
    "test.csv": ("id,label\ntest-00001,positive\n", "is in the split 'test'; only pool examples are annotated"),
    "twice.csv": (
        "id,label\npool-00001,positive\npool-00001,negative\n",
        "'pool-00001' is given two labels, 'positive' and 'negative'",
    ),
    "not.jsonl": ("nonsense\n", "not.jsonl"),
    "two-columns.csv": ("id,label,label\nx,positive,negative\n", "duplicate column name; leave one of them out"),
    "list.jsonl": ('{"id": "x", "label": ["positive"]}\n', "line 1: a list or an object where one value is expected"),
    "empty.csv": ("", "empty.csv: the file is empty (0 bytes)"),
    "labels.txt": ("id,label\n", "labels.txt: unknown extension '.txt'"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_of_labels_is_refused_and_nothing_of_it_stored(name: str, alvin: Any, waiting: str) -> None:
    content, message = BAD_FILES[name]
    Path(name).write_text(content, encoding="utf-8")
    answer = alvin("submit", "hand", name)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert len(json.loads(alvin("show", "hand", "--json").out)["pending"]) == 20


def test_a_file_of_labels_that_is_not_there(alvin: Any, waiting: str) -> None:
    answer = alvin("submit", "hand", "none.csv")
    assert answer.code == 2
    assert answer.err.startswith("alvin: none.csv: no such file")


def test_numbers_as_ids_and_labels_are_read_as_the_data_reads_them(tmp_path: Path) -> None:
    from alvin_core.cli.labels import read_labels

    path = tmp_path / "numbers.jsonl"
    lines = ('{"id": 7, "label": 1.0}', '{"id": "8", "label": null}', '{"id": " 9 "}', '{"id": 10, "label": true}')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert read_labels(path).to_numpy().tolist() == [["7", "1"], ["8", ""], ["9", ""], ["10", "true"]]


def test_labels_of_one_class_only_say_what_is_missing(alvin: Any, waiting: str, gold: dict[str, str]) -> None:
    alvin("export", "hand", "--pending", "--out", "all.csv")
    ids = [line.split(",")[0] for line in Path("all.csv").read_text(encoding="utf-8").splitlines()[1:]]
    Path("one.csv").write_text("id,label\n" + "".join(f"{id_},positive\n" for id_ in ids), encoding="utf-8")
    missing = "the labeled set of the run 'hand' has only the class 'positive', at least 2 classes are needed to train"
    answer = alvin("submit", "hand", "one.csv")
    assert answer.lines == ["20 new labels stored in the run 'hand'"]
    assert missing in answer.err
    answer = alvin("step", "hand")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"alvin: {missing}; label any pool example of another class with")
    assert alvin("show", "hand").lines[-1].startswith(missing[:1].upper() + missing[1:])
    assert missing in alvin("export", "hand", "--pending", "--out", "none.csv").err
    forked = alvin("fork", "hand", "--at", "0", "--name", "other")
    assert (forked.code, forked.lines[-1].count("'other' has only the class 'positive'")) == (0, 1)


def test_a_run_that_nobody_annotates_says_when_it_lacks_a_class(
    alvin: Any, small: tuple[str, ...], gold: dict[str, str]
) -> None:
    alvin("run", *small, "--initial", "2", "--rounds", "0", "--name", "two", "--quiet")
    alvin("export", "two", "--out", "two.csv")
    first = Path("two.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    alvin("undo", "two", first)
    answer = alvin("fork", "two", "--at", "0", "--name", "again", "--quiet")
    assert answer.code == 2
    assert "alvin: the labeled set of the run 'again' has only the class" in answer.err


def test_labels_that_a_spreadsheet_wrote_are_understood(
    alvin: Any, small: tuple[str, ...], unlabeled: Path, tmp_path: Path
) -> None:
    number = {"negative": "0", "positive": "1", "": ""}
    data = unlabeled.read_text(encoding="utf-8").splitlines()
    where = data[0].split(",").index("label")
    rows = list(csv.reader(data))
    for row in rows[1:]:
        row[where] = number[row[where]]
    with Path("numbers.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    assert alvin("run", *small, "--data", "numbers.csv", "--rounds", "0", "--name", "n").code == 0
    alvin("export", "n", "--pending", "--out", "n.csv")
    ids = [line.split(",")[0] for line in Path("n.csv").read_text(encoding="utf-8").splitlines()[1:]]
    text = f"\ufeffnote,label,id\r\nwell,1.0,{ids[0]}\r\n\r\n,,{ids[1]}\r\n,, \r\n,0.0 ,{ids[2]}\r\n"
    Path("sheet.csv").write_text(text, encoding="utf-8", newline="")
    assert alvin("submit", "n", "sheet.csv").lines == [
        "2 new labels stored in the run 'n'",
        "2 rows without a label passed over",
        "it still waits for 18 labels",
    ]
