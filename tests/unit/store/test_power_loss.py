"""What a power cut would leave: of every file what was synced, of every folder the names that were.

A disk may keep anything that was not synced, or nothing of it. Here it keeps nothing. SQLite syncs its own file, which
no Python sees: its setting is read back instead.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, text

from alvin_core.run import Run, create_run, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import save_arrays, save_packed
from alvin_core.store.database import Store, open_store
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.restoring import restore_store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders cannot be synced there")


class Disk:
    """Remembers what was synced."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.root = root
        self.n_synced = 0
        self.contents: dict[tuple[int, int], bytes] = {}  # by inode: a rename or a second name changes nothing
        self.names: dict[tuple[int, int], set[str]] = {}
        self._sync = os.fsync
        for path in (root, *root.rglob("*")):
            self._keep(path)
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        self._sync(descriptor)
        self.n_synced += 1
        self._keep(Path(f"/proc/self/fd/{descriptor}").readlink())

    def _keep(self, path: Path) -> None:
        status = path.stat()
        inode = status.st_dev, status.st_ino
        if path.is_dir():
            self.names[inode] = {one.name for one in path.iterdir()}
        else:
            self.contents[inode] = path.read_bytes()

    def lost(self, path: Path) -> str:
        """Say what a power cut would take of a file, or of a folder and all in it; nothing where it is safe."""
        for place in (path, *path.rglob("*")):
            status = place.stat()
            inode = status.st_dev, status.st_ino
            if place.is_file() and self.contents.get(inode) != place.read_bytes():
                return f"the content of {place}"
            if place.is_dir() and self.names.get(inode) != {one.name for one in place.iterdir()}:
                return f"names in {place}"
        while path != self.root:
            status = path.parent.stat()
            if path.name not in self.names.get((status.st_dev, status.st_ino), ()):
                return f"the name {path}"
            path = path.parent
        return ""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the names of open files cannot be read here")
    return Disk(monkeypatch, tmp_path)


def at_each_commit(check: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Call a check just before each commit of a writer; return how many there were."""
    real, commits = Store.write, list[int]()

    def write(self: Store) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def checked() -> Any:
            with real(self) as session:
                event.listen(session, "before_commit", lambda _: (check(), commits.append(1)))
                yield session

        return checked()

    monkeypatch.setattr(Store, "write", write)
    return commits


def test_the_test_itself_sees_what_is_not_synced(tmp_path: Path, disk: Disk) -> None:
    file = tmp_path / "folder" / "file"
    file.parent.mkdir()
    file.write_text("a")
    assert disk.lost(file) == f"the content of {file}"
    with file.open("a") as opened:
        os.fsync(opened.fileno())
    assert disk.lost(file) == f"the name {file}"
    for folder in (file.parent, tmp_path):
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    assert disk.lost(file) == ""
    file.write_text("b")
    assert disk.lost(file.parent) == f"the content of {file}"


def test_folders_and_files_of_arrays_are_safe_when_the_call_returns(tmp_path: Path, disk: Disk) -> None:
    arrays = {"one": np.arange(5), "two": np.ones((3, 2))}
    save_arrays(tmp_path / "new" / "folder" / "round", arrays, mapped={"vectors": np.ones((100, 4), np.float32)})
    assert disk.lost(tmp_path / "new") == ""
    assert disk.n_synced >= 3 + 4  # three files; the folder and its three parents
    save_packed(tmp_path / "new" / "file.npz", arrays)
    assert disk.lost(tmp_path / "new") == ""
    save_arrays(
        tmp_path / "new" / "folder" / "next",
        arrays,
        mapped={"vectors": np.ones((100, 4), np.float32)},
        twin=tmp_path / "new" / "folder" / "round",
    )
    assert disk.lost(tmp_path / "new") == ""


def arrays_of_all(store: Path) -> list[Path]:
    return [path for name in ("runs", "datasets") for path in (store / name).glob("*")]


def test_whatever_the_database_names_is_safe_before_it_names_it(
    tmp_path: Path, fake: ModuleType, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "compute", fake.compute)
    store = tmp_path / "store"

    def check() -> None:
        for path in arrays_of_all(store):
            assert disk.lost(path) == ""

    commits = at_each_commit(check, monkeypatch)
    run = create_run(store, fake.make_dataset(), RunSettings(budget=4, initial=8), name="r")
    list(run.run_rounds(1))
    run.fork(1, name="fork").step()
    assert len(commits) >= 6
    check()


def test_a_commit_returns_once_it_is_on_the_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    for begin in (store.read, store.write):
        with begin() as session:
            assert session.scalar(text("PRAGMA synchronous")) == 2  # FULL: the log is synced at each commit
            assert session.scalar(text("PRAGMA journal_mode")) == "wal"


def test_labels_are_in_the_write_ahead_log_when_submit_returns(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies the files at that moment, as a power cut leaves them, and opens the copy."""
    monkeypatch.setattr(Engine, "compute", fake.compute)
    run: Run = create_run(
        tmp_path / "store", fake.make_dataset(labeled=0.0), RunSettings(budget=4, initial=8), name="r"
    )
    ids = run.pending()["id"].tolist()
    reader = sqlite3.connect(tmp_path / "store" / "alvin.db")  # keeps the log from being folded in
    reader.execute("SELECT count(*) FROM runs").fetchone()
    for number, one in enumerate(ids, 1):
        run.submit({one: "pos"})
        copy = tmp_path / f"copy-{number}"
        for path in (tmp_path / "store").rglob("*"):
            if path.is_file() and not path.name.endswith("-shm"):
                target = copy / path.relative_to(tmp_path / "store")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        assert open_run(copy, "r").labels()["id"].tolist() == ids[:number]
    reader.close()


def test_a_backup_and_a_restored_store_are_safe_when_the_call_returns(
    tmp_path: Path, fake: ModuleType, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "compute", fake.compute)
    create_run(tmp_path / "store", fake.make_dataset(), RunSettings(budget=4, initial=8), name="r").step()
    backup_store(tmp_path / "store", tmp_path / "a.tar")
    assert disk.lost(tmp_path / "a.tar") == ""
    restore_store(tmp_path / "a.tar", tmp_path / "again")
    for path in arrays_of_all(tmp_path / "again"):
        assert disk.lost(path) == ""
