"""A store looked through, mended, backed up and restored, as at a prompt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A store of one's own with the finished run ``first``."""
    return shutil.copytree(finished, tmp_path / "mine")


def a_round_of(store: Path, number: int) -> Path:
    return next((store / "runs").glob(f"*/round-{number:04d}-*"))


def test_a_sound_store_is_said_to_be_in_one_line(alvin: Any, store: Path) -> None:
    for arguments in (("verify", store), ("verify", "--store", store)):
        answer = alvin(*arguments)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out == f"{store} is sound: 1 run, 3 rounds, 30 label events\n"


def test_a_quick_look_says_that_it_compared_sizes_alone(alvin: Any, store: Path) -> None:
    answer = alvin("verify", store, "--quick")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"{store} is sound as far as sizes tell: 1 run, 3 rounds, 30 label events\n"


def test_damage_is_told_with_its_remedy_and_the_exit_code_is_1(alvin: Any, store: Path) -> None:
    (a_round_of(store, 1) / "vectors.npy").unlink()
    answer = alvin("verify", store)
    assert answer.code == 1
    assert answer.lines[0].startswith("damage  run 'first', round 1: cannot read ")
    assert "--repair --retrain" in answer.lines[0]
    assert answer.lines[1] == f"{store}: 1 damage among 1 run, 3 rounds, 30 label events"
    told = json.loads(alvin("verify", store, "--json").out)
    assert (told["sound"], told["done"], told["findings"][0]["kind"]) == (False, [], "damage")


def test_a_damaged_round_is_trained_again_and_the_run_replays(alvin: Any, store: Path) -> None:
    shutil.rmtree(a_round_of(store, 1))
    left = store / "runs" / "0123abcd"
    left.mkdir()
    answer = alvin("verify", store)
    assert answer.lines[1] == "leftover  runs: 0123abcd belongs to no run; remove it with --repair"
    answer = alvin("verify", store, "--repair")
    assert (answer.code, answer.lines[0]) == (1, "removed runs/0123abcd, of no run")
    answer = alvin("verify", store, "--repair", "--retrain")
    assert answer.code == 0, answer.out
    assert answer.lines[0] == "trained round 1 of the run 'first' again: it selects what it selected"
    assert alvin("replay", "first", "--store", store, "--quiet").code == 0


def test_options_that_contradict_each_other_are_refused(alvin: Any, store: Path) -> None:
    for arguments, words in {
        ("verify", store, "--retrain"): "--retrain goes with --repair",
        ("verify", store, "--repair", "--quick"): "leave out --quick",
        ("verify", store, "--store", store): "named twice",
    }.items():
        answer = alvin(*arguments)
        assert (answer.code, answer.out) == (2, "")
        assert words in answer.err


def test_where_there_is_no_store_it_says_so_and_makes_none(alvin: Any) -> None:
    for command in (("verify", "nowhere"), ("backup", "a.tar", "--store", "nowhere")):
        answer = alvin(*command)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert "no store at" in answer.err
    assert list(Path().iterdir()) == []


def test_a_backup_is_restored_as_a_new_store_that_replays(alvin: Any, store: Path) -> None:
    answer = alvin("backup", "monday.tar.gz", "--store", store)
    assert answer.code == 0
    assert answer.out.endswith(" MB, to monday.tar.gz\n")
    answer = alvin("restore", "monday.tar.gz", "--store", "again")
    assert answer.code == 0
    assert answer.out == "restored 1 run with 3 rounds and 30 label events to again\n"
    assert alvin("replay", "first", "--store", "again", "--quiet").code == 0
    answer = alvin("restore", "monday.tar.gz", "--store", "again")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "name a new folder with --store" in answer.err
    for name in ("torn.tar", "labels.csv"):
        Path(name).write_bytes(b"no tar")
    for name in ("tuesday.tar.gz", "torn.tar", "labels.csv"):
        answer = alvin("restore", name, "--store", "third")
        assert (answer.code, answer.err.count("\n")) == (2, 1)
        assert f"{name} is no backup that can be read" in answer.err
    assert alvin("pack", "first", "first.zip", "--store", store).code == 0
    answer = alvin("restore", "first.zip", "--store", "third")
    assert (answer.code, answer.err) == (
        2,
        "alvin: first.zip is no backup that can be read, and no run in the trash; `alvin unpack` reads a packed run\n",
    )
    answer = alvin("backup", "monday.zip", "--store", store)
    assert answer.code == 2
    assert "monday.zip is no name for a backup, which is a tar: name it " in answer.err
    assert not Path("monday.zip").exists()
    answer = alvin("backup", "monday.tar.gz", "--store", store)
    assert "replace it with --force" in answer.err
    assert alvin("backup", "monday.tar.gz", "--store", store, "--force").code == 0
