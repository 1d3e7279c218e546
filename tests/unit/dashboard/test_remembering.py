"""Marks beside the runs, in a store that takes them and in one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.remembering import recall, remember


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path))
    return tmp_path


def test_a_mark_is_a_file_of_the_store(store: Path) -> None:
    assert recall("told") is None
    remember("told", "7")
    assert recall("told") == (store / "dashboard" / "told").read_text() == "7"


def test_what_the_store_does_not_take_holds_in_this_process_until_it_does(store: Path) -> None:
    (store / "dashboard").write_text("a file stands where the folder should be")
    remember("told", "7")
    assert recall("told") == "7"
    (store / "dashboard").unlink()
    remember("told", "8")
    assert recall("told") == "8"
    (store / "dashboard" / "told").write_text("9")  # by another server
    assert recall("told") == "9"
