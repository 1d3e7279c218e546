"""Runs kept: packed, unpacked, put in the trash and brought back; settings and history listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alvin_core.setting_info import describe_settings


@pytest.fixture
def kept(alvin: Any, finished: Path, tmp_path: Path) -> Path:
    """A store of one's own with the run ``first``, which came there as a file."""
    assert alvin("pack", "first", tmp_path / "first.zip", "--store", finished).code == 0
    assert alvin("unpack", tmp_path / "first.zip").code == 0
    return tmp_path / "first.zip"


def names(alvin: Any) -> list[str]:
    return [json.loads(line)["name"] for line in alvin("runs", "--json").lines]


def test_a_real_run_is_packed_unpacked_and_replays(alvin: Any, finished: Path, tmp_path: Path) -> None:
    answer = alvin("pack", "first", "--store", finished)
    assert answer.out == "packed the run 'first' with 3 rounds into first.zip\n"
    answer = alvin("unpack", "first.zip", "--name", "again")
    assert answer.out == "unpacked the run 'again' with 3 rounds and 30 labels\n"
    shown = [json.loads(alvin("show", "first", "--json", "--store", finished).out)]
    shown.append(json.loads(alvin("show", "again", "--json").out))
    for key in ("settings", "classes", "pending", "source", "created_at"):
        assert shown[1][key] == shown[0][key]
    assert [one["metrics"] for one in shown[1]["rounds"]] == [one["metrics"] for one in shown[0]["rounds"]]
    assert alvin("replay", "again", "--quiet").lines[-1] == "all 3 rounds picked the same examples again"
    assert json.loads(alvin("unpack", "first.zip", "--json").out)["run"] == "first"


def test_a_file_that_is_there_is_not_replaced_by_itself(alvin: Any, finished: Path) -> None:
    Path("first.zip").write_text("precious")
    answer = alvin("pack", "first", "--store", finished)
    assert (answer.code, answer.out) == (2, "")
    assert "first.zip is there already; name another file, or replace it with --force" in answer.err
    assert Path("first.zip").read_text() == "precious"
    assert alvin("pack", "first", "first.zip", "--force", "--store", finished).code == 0
    assert Path("first.zip").stat().st_size > 1000


def test_a_damaged_file_is_one_line_and_adds_nothing(alvin: Any, kept: Path) -> None:
    data = bytearray(kept.read_bytes())
    data[len(data) // 3] ^= 255
    kept.write_bytes(data)
    for path in (kept, Path("none.zip")):
        answer = alvin("unpack", path)
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert names(alvin) == ["first"]


def test_a_run_goes_to_the_trash_and_comes_back(alvin: Any, kept: Path) -> None:
    assert alvin("trash").err.startswith("the trash of ")
    assert alvin("trash", "first").out == (
        "put the run 'first' in the trash; bring it back with `alvin restore first`\n"
    )
    assert names(alvin) == []
    answer = alvin("show", "first")
    assert (answer.code, answer.err) == (
        2,
        "alvin: the run 'first' is in the trash; bring it back with `alvin restore first`\n",
    )
    header, row = alvin("trash").lines
    assert header.split()[:3] == ["name", "id", "strategy"]
    assert row.split()[0] == "first"
    (listed,) = map(json.loads, alvin("trash", "--json").lines)
    assert (listed["name"], listed["n_rounds"], listed["n_labeled"]) == ("first", 3, 30)
    assert listed["deleted_at"]
    assert alvin("restore", "first").out == "restored the run 'first' with 3 rounds\n"
    assert names(alvin) == ["first"]
    assert alvin("trash", "--json").out == ""


def test_the_trash_is_emptied_when_somebody_says_so(alvin: Any, kept: Path) -> None:
    alvin("trash", "first")
    answer = alvin("trash", "--empty")
    assert (answer.code, answer.out) == (2, "")
    assert "deleting 1 run in the trash cannot be undone; repeat the command with --yes" in answer.err
    assert alvin("trash", "--empty", "--older-than", "1", "--yes").out == "deleted 0 runs for good\n"
    assert "leave the run out" in alvin("trash", "first", "--empty").err
    assert "--older-than goes with --empty" in alvin("trash", "--older-than", "1").err
    assert alvin("trash", "--empty", "--yes").out == "deleted 1 run for good\n"
    assert alvin("restore", "first").err == "alvin: no run called 'first' is in the trash; there are: none\n"
    assert alvin("trash", "--empty", "--yes").out == "deleted 0 runs for good\n"
    assert "out of range" in alvin("trash", "--empty", "--older-than", "-1", "--yes").err


def test_a_store_that_is_not_there_yet_has_an_empty_trash(alvin: Any) -> None:
    for arguments in (("trash",), ("trash", "--json"), ("trash", "--empty", "--yes")):
        answer = alvin(*arguments)
        assert (answer.code, answer.out) == (0, "")
        assert not Path("alvin-store").exists()


def test_the_history_tells_who_did_what(alvin: Any, kept: Path) -> None:
    example = json.loads(alvin("history", "first", "--json").lines[0])["id"]
    alvin("undo", "first", example, "--annotator", "Ada")
    events = [json.loads(line) for line in alvin("history", "first", "--json").lines]
    assert len(events) == 31
    assert events[0] == events[0] | {"run": "first", "action": "label", "source": "initial", "annotator": "data"}
    assert events[-1] == events[-1] | {"action": "undo", "annotator": "Ada", "id": example, "note": None}
    lines = alvin("history", "first").lines
    assert lines[0].split() == ["time", "(UTC)", "annotator", "action", "id", "label", "source", "note"]
    assert lines[-1].split()[2:5] == ["Ada", "undo", example]


def test_the_settings_are_listed_with_all_that_a_person_needs(alvin: Any) -> None:
    lines = alvin("settings").lines
    assert [line for line in lines if line in ("Run", "Encoder", "Training", "Groups", "ALVIN", "Device")] == [
        "Run",
        "Encoder",
        "Training",
        "Groups",
        "ALVIN",
        "Device",
    ]
    (budget,) = (line for line in lines if line.startswith("  budget "))
    assert budget.split(maxsplit=2) == ["budget", "50", "at least 1"]
    listed = [json.loads(line) for line in alvin("settings", "--json").lines]
    assert listed == json.loads(json.dumps([info.to_dict() for info in describe_settings()]))
    for info in describe_settings():
        assert sum(line.startswith(f"{info.name} ") and line.endswith(info.help) for line in lines) == 1
