"""The command line on a team's store: each command once, on a real server, and no password anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from postgres_server import WORD


@pytest.fixture
def team(postgres_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that is named as people name it, with its password where a lab puts it."""
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("PGPASSWORD", WORD)
    return f"{postgres_address.replace(f':{WORD}', '')}&arrays={tmp_path / 'shared'}"


def test_every_command_works_on_a_teams_store(
    alvin: Any,
    small: tuple[str, ...],
    unlabeled: Path,
    reviews: Path,
    fill_in: Callable[[Path], None],
    team: str,
    postgres_address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def do(*arguments: object, code: int = 0) -> str:
        answer = alvin(*arguments)
        assert answer.code == code, answer.err
        assert WORD not in answer.out + answer.err
        return str(answer.out + answer.err)

    assert "no runs in" in do("runs", "--store", team)
    monkeypatch.setenv("ALVIN_STORE", team)
    do("run", *small, "--rounds", "1", "--name", "first", "--quiet")
    do("step", "first", "--quiet")
    do("fork", "first", "--at", "1", "--rounds", "1", "--name", "second", "--quiet")
    assert "first" in do("runs")
    do("replay", "first", "--quiet")
    options = [part for part in small if part != str(reviews)]
    options[options.index("--data")] = "--data=" + str(unlabeled)
    do("run", *options, "--rounds", "0", "--name", "hand", "--quiet")
    do("export", "hand", "--pending", "--out", "todo.csv")
    fill_in(Path("todo.csv"))
    do("submit", "hand", "todo.csv", "--annotator", "ada")
    do("undo", "hand", first_id("todo.csv"))
    compare = ("--strategies", "entropy,random", "--seeds", "1", "--rounds", "1", "--workers", "1", "--quiet")
    do("compare", *small, *compare, "--name", "c")
    do("export", "first", "--out", "labels.csv")
    do("delete", "second", "--yes")
    do("backup", "all.tar", "--quiet")
    assert "is sound" in do("verify", "--quiet")
    (tmp_path / "again").mkdir()
    do("restore", "all.tar", "--store", f"{team.partition('&')[0]}_again&arrays={tmp_path / 'again'}", "--quiet")
    assert "is sound" in do("verify", "--store", str(tmp_path / "again"), "--quiet")
    assert "tables in the database postgresql" in do("doctor")
    assert do("runs", "--store", f"{postgres_address}&arrays=/nowhere", code=2)
    do("verify", postgres_address, "--store", postgres_address, code=2)
    hint = do("run", *small, "--rounds", "0", "--name", "hinted", "--quiet", "--store", postgres_address)
    assert "alvin step hinted" in hint
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert WORD.encode() not in path.read_bytes(), path
    assert WORD in os.environ["PGPASSWORD"]


def first_id(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").splitlines()[1].split(",")[0]
