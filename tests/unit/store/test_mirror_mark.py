"""Whose a place for arrays is, where two new stores want the same empty one at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.errors import StoreError
from alvin_core.store import mirror_mark, remote
from alvin_core.store.database import open_store
from alvin_core.store.mirror import Mirror, mirror_at

MARK = "alvin-arrays.json"
Two = Callable[[str], tuple[Mirror, Mirror]]


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    """Makes two new stores that name the same empty place for their arrays."""
    monkeypatch.setattr(remote, "PAUSES", (0.0,))

    def make(protocol: str) -> tuple[Mirror, Mirror]:
        found = []
        for name in ("ada", "bob"):
            folder = tmp_path / name
            folder.mkdir()
            sign = {"database": None, "arrays": f"{protocol}://{tmp_path / 'place'}", "id": name}
            (folder / "store.json").write_text(json.dumps(sign))
            open_store(folder, create=True)
            mirror = mirror_at(folder)
            assert mirror is not None
            found.append(mirror)
        return found[0], found[1]

    return make


def owner(tmp_path: Path) -> str:
    return str(json.loads((tmp_path / "place" / MARK).read_text())["store"])


def others_mark_after_the_first_look(other: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have another store mark the place when this one has found it without a mark, twice: the second look is sure."""
    real, n_looks = mirror_mark._read, 0

    def look(place: Any) -> str | None:
        nonlocal n_looks
        n_looks += 1
        found = real(place)
        if n_looks == 2:
            monkeypatch.setattr(mirror_mark, "_read", real)
            other.check()
        return found

    monkeypatch.setattr(mirror_mark, "_read", look)


@pytest.mark.parametrize("protocol", ["file", "dir::file", "faulty"])
def test_of_two_stores_that_mark_a_place_at_once_the_second_is_refused(
    two: Two, tmp_path: Path, faulty: ModuleType, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    ada, bob = two(protocol)
    others_mark_after_the_first_look(bob, monkeypatch)
    with pytest.raises(StoreError, match=r"holds the arrays of another store; name a place of its own"):
        ada.check()
    assert owner(tmp_path) == "bob"
    bob.check()
    assert [path.name for path in (tmp_path / "place").iterdir()] == [MARK]


def test_a_drive_without_second_names_has_one_mark_as_well(
    two: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    ada, bob = two("file")
    others_mark_after_the_first_look(bob, monkeypatch)
    with pytest.raises(StoreError, match="holds the arrays of another store"):
        ada.check()
    assert owner(tmp_path) == "bob"


def test_a_mark_that_was_written_over_is_noticed(
    two: Two, tmp_path: Path, faulty: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a place that looks first and then writes, of which another writes in between."""
    ada, bob = two("faulty")
    real = remote.create_file

    def create(fs: Any, target: str, content: bytes) -> None:
        monkeypatch.setattr(remote, "create_file", real)
        real(fs, target, content)
        (tmp_path / "place" / MARK).unlink()
        bob.check()

    monkeypatch.setattr(remote, "create_file", create)
    with pytest.raises(StoreError, match="holds the arrays of another store"):
        ada.check()
    bob.check()
    for mirror, mark in ((bob, content_of(ada, tmp_path)), (ada, content_of(bob, tmp_path))):
        (tmp_path / "place" / MARK).write_bytes(mark)  # later, when this one was sure of its own
        with pytest.raises(StoreError, match="holds the arrays of another store"):
            mirror.check()


def content_of(mirror: Mirror, tmp_path: Path) -> bytes:
    mark = json.loads((tmp_path / "place" / MARK).read_text())
    return json.dumps(mark | {"store": mirror.root.name}).encode()


@pytest.mark.parametrize("error", [TypeError("mode"), OSError(22, "NotImplemented"), NotImplementedError()])
def test_a_place_that_knows_no_condition_is_marked_all_the_same(
    two: Two, tmp_path: Path, faulty: ModuleType, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ada, bob = two("faulty")
    pipe = faulty.FaultyPlace.pipe_file

    def refuse(self: Any, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        if mode == "create":
            raise error
        pipe(self, path, value, **options)

    monkeypatch.setattr(faulty.FaultyPlace, "pipe_file", refuse)
    ada.check()
    assert owner(tmp_path) == "ada"
    with pytest.raises(StoreError, match="holds the arrays of another store"):
        bob.check()
    assert owner(tmp_path) == "ada"


def test_a_place_that_forgets_its_mark_is_refused(two: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = two("file")
    monkeypatch.setattr(remote.Remote, "create", lambda *_: None)
    with pytest.raises(StoreError, match=r"does not keep the alvin-arrays\.json .* name another place"):
        ada.check()
