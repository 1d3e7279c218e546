"""The table of rounds: its columns, and what a narrow terminal does without."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

import pytest

from alvin_core.cli import round_table
from alvin_core.cli.round_table import RoundTable, Warnings, round_json
from alvin_core.run import RoundRecord


@pytest.fixture
def record() -> RoundRecord:
    scores = {"accuracy": 0.9, "macro_f1": 0.89, "worst_group_accuracy": 0.25, "groups": {"a × b": {}}}
    return RoundRecord(
        run="mine",
        round=1,
        strategy="alvin",
        n_labeled=1250,
        metrics={"test": scores, "ood:a-very-long-name": {**scores, "accuracy": None}},
        groups={"n_minority": 41, "n_majority": 1209, "filled_share": 0.625},
        anchors={"n": 31050, "k": 10},
        selection={
            "n": 50,
            "n_candidates": 100,
            "candidate_share": 0.5,
            "mean_confidence": 0.701,
            "uncertainty_mean_confidence": 0.512,
            "overlap_entropy": 0.0,
        },
        encoding={"n_encoded": 0, "from_cache": True, "texts_per_second": None},
        seconds={"train": 1.0, "select": 61.0},
        warnings=("62% were filled up (classes: a, b)",),
        created_at="",
    )


def shown(capsys: pytest.CaptureFixture[str], *records: RoundRecord) -> list[str]:
    table = RoundTable(records)
    for record in records:
        table.show(record)
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


def test_every_figure_stands_under_its_header(record: RoundRecord, capsys: pytest.CaptureFixture[str]) -> None:
    top, bottom, row = shown(capsys, replace(record, metrics={"test": record.metrics["test"]}))
    cells = {bottom[: end + 1].split()[-1]: row[: end + 1].split()[-1] for end in ends_of_words(bottom)}
    assert (cells["labeled"], cells["majority"], cells["up"]) == ("1,250", "41/1209", "62%")
    assert (cells["alvin"], cells["entropy"], cells["anchors"]) == (".70", ".51", "31,050")
    assert row.endswith("1 min 2 s")
    assert top.split()[:3] == ["accuracy", "worst", "group"]


def ends_of_words(line: str) -> list[int]:
    return [at for at, character in enumerate(line) if character != " " and (line + " ")[at + 1] == " "]


def test_a_long_split_name_is_cut_and_a_missing_score_is_a_dash(
    record: RoundRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    _, bottom, row = shown(capsys, record)
    assert "a-very-lo…" in bottom
    assert row.split()[2:4] == [".900", "–"]


def test_no_anchors_no_columns_for_them(record: RoundRecord, capsys: pytest.CaptureFixture[str]) -> None:
    plain = replace(record, strategy="entropy", anchors={"n": 0, "k": None})
    _, bottom, _ = shown(capsys, plain)
    assert "anchors" not in bottom
    assert "dates" not in bottom
    assert bottom.split().count("entropy") == 1


def test_a_fork_of_two_strategies_names_each_round_s(record: RoundRecord, capsys: pytest.CaptureFixture[str]) -> None:
    _, bottom, first, second = shown(capsys, record, replace(record, round=2, strategy="margin"))
    assert "strategy" in bottom
    assert "selected" in bottom
    assert (first.split()[2], second.split()[2]) == ("alvin", "margin")


@pytest.mark.parametrize("width", [100, 80, 60])
def test_a_narrow_terminal_gets_lines_that_fit(
    width: int, record: RoundRecord, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_table.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(round_table.shutil, "get_terminal_size", lambda: os.terminal_size((width, 24)))
    lines = shown(capsys, record)
    assert max(map(len, lines)) <= width
    assert lines[1].split()[:3] == ["round", "labeled", "test"]
    assert "filled" in lines[0]  # whatever else must go, how much was filled up is told


def test_a_warning_is_told_once_whatever_its_figures(record: RoundRecord, capsys: pytest.CaptureFixture[str]) -> None:
    warnings = Warnings()
    warnings.show(record)
    warnings.show(replace(record, round=2, warnings=("71% were filled up (classes: b)", "the pool is empty")))
    assert capsys.readouterr().err.splitlines() == [
        "warning: round 1: 62% were filled up (classes: a, b)",
        "warning: round 2: the pool is empty",
    ]


def test_json_leaves_out_what_was_not_annotated_and_all_that_was_not_asked_for(record: RoundRecord) -> None:
    line: dict[str, Any] = round_json(record, annotated=False)
    assert line["selection"] is None
    assert line["seconds"] == {"train": 1.0, "encode": 0.0, "select": 61.0, "evaluate": 0.0}
    assert "groups" not in line["metrics"]["test"]
    assert round_json(record, annotated=True)["selection"]["overlap_entropy"] == 0.0
