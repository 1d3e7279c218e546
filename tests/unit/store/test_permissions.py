"""A store that may only be read: what only reads works, what writes says in one line why not, and nothing changes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from folders import contents
from ordinary_user import as_an_ordinary_user, closed_to_writing

from alvin_core.errors import StoreError
from alvin_core.run import create_run, open_run
from alvin_core.run.bundle import unpack_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import remove
from alvin_core.store.database import open_store
from alvin_core.store.read_only import why_read_only
from alvin_core.upkeep.restoring import restore_store

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="permissions and mounts as Linux has them")

# Commands in a process that may do no more than an ordinary user: one line of JSON each, [code, output, complaints].
CALLS = """
import contextlib, io, json, sys
from alvin_core.cli import main
for argv in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(argv)
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""
READING = {
    "runs": ["runs"],
    "show": ["show", "first"],
    "why": ["why", "first", "e00003"],
    "history": ["history", "first"],
    "jobs": ["jobs"],
    "trash": ["trash"],
    "verify": ["verify"],
    "export": ["export", "first", "--out", "{out}/labels.csv"],
    "pack": ["pack", "first", "{out}/first.zip"],
    "backup": ["backup", "{out}/all.tar"],
}
WRITING = {
    "step": ["step", "first"],
    "submit": ["submit", "person", "{out}/answers.csv"],
    "fork": ["fork", "first", "--at", "1", "--name", "second"],
    "delete": ["delete", "first", "--yes"],
    "undo": ["undo", "first", "e00001"],
    "worker": ["worker"],
    "mend": ["verify", "--repair"],
}


@pytest.fixture
def store(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Engine, "compute", fake.compute)
    folder, settings = tmp_path / "store", RunSettings(budget=4, initial=8)
    list(create_run(folder, fake.make_dataset(), settings, name="first").run_rounds(1))
    person = create_run(folder, fake.make_dataset(labeled=0.0), settings, name="person")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "answers.csv").write_text(f"id,label\n{person.pending()['id'].iloc[0]},pos\n")
    return folder


@pytest.fixture(params=["permissions", "mount"])
def closed(request: pytest.FixtureRequest, store: Path) -> Iterator[tuple[Path, list[str]]]:
    """The store, closed to writers, and what a command must begin with to mind that."""
    if request.param == "permissions":
        with closed_to_writing(store):
            yield store, as_an_ordinary_user()
        return
    mounts = [["mount", "--bind", str(store), str(store)], ["mount", "-o", "remount,bind,ro", str(store)]]
    if shutil.which("mount") is None or subprocess.run(mounts[0], check=False, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        subprocess.run(mounts[1], check=True, capture_output=True)
        yield store, []
    finally:
        subprocess.run(["umount", str(store)], check=True)


def call(prefix: list[str], store: Path, out: Path, commands: dict[str, list[str]]) -> dict[str, list[Any]]:
    argvs = [
        [*(one.format(out=out) for one in argv), "--store", str(store)] for argv in commands.values()
    ]  # a command has the store last
    done = subprocess.run(
        [*prefix, sys.executable, "-B", "-c", CALLS, json.dumps(argvs)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        env={name: value for name, value in os.environ.items() if name != "ALVIN_STORE"} | {"COLUMNS": "200"},
    )
    return dict(zip(commands, map(json.loads, done.stdout.splitlines()), strict=True))


def test_what_only_reads_works_and_what_writes_says_in_one_line_that_it_may_not(
    closed: tuple[Path, list[str]], tmp_path: Path
) -> None:
    store, prefix = closed
    before = contents(store)
    told = call(prefix, store, tmp_path / "out", READING | WRITING)
    for name in READING:
        code, _, err = told[name]
        assert code == 0, (name, err)
        assert "alvin: " not in err, name
    assert "leftovers of no run were not looked for" in told["verify"][1]
    assert "is sound" in told["verify"][1]
    for name in WRITING:
        code, out, err = told[name]
        assert (code, out) == (2, ""), name
        assert err.startswith(f"alvin: the store {store} can be read only: this user may not write to"), name
        assert err.endswith("or copy the store to where you may write\n")
        assert err.count("\n") == 1
    assert contents(store) == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("all.tar", "answers.csv", "first.zip", "labels.csv")
    ]
    assert restore_store(tmp_path / "out" / "all.tar", tmp_path / "again").findings == []
    assert open_run(tmp_path / "again", "first").labels().equals(open_run(store, "first").labels())
    assert unpack_run(tmp_path / "other", tmp_path / "out" / "first.zip").n_rounds == 2


def test_where_no_store_can_be_made_or_looked_at_each_command_says_why_in_one_line(tmp_path: Path) -> None:
    closed, hidden, file = tmp_path / "closed", tmp_path / "hidden", tmp_path / "file"
    closed.mkdir(mode=0o555)
    (hidden / "store").mkdir(parents=True)
    file.touch()
    making = {"run": ["run", "--data", "reviews", "--rounds", "0"], "worker": ["worker"]}
    ask = "; ask for the permission, or name another folder"
    for store, why in (
        (closed / "a" / "store", f"cannot be made: this user may not write to {closed}{ask} with --store"),
        (file / "store", f"cannot be made: {file} is a file; name another folder with --store"),
    ):
        told = call(as_an_ordinary_user(), store, tmp_path, making)
        assert {tuple(one) for one in told.values()} == {(2, "", f"alvin: the store {store} {why}\n")}
    hidden.chmod(0o600)
    try:
        told = call(as_an_ordinary_user(), hidden / "store", tmp_path, {**making, "doctor": ["doctor"]})
    finally:
        hidden.chmod(0o700)
    assert told["run"][2].startswith(f"alvin: cannot read {hidden / 'store' / 'store.json'}: Permission denied; ask")
    assert told["worker"][2] == f"alvin: the store {hidden / 'store'} cannot be used: Permission denied{ask}\n"
    assert told["doctor"][2] == f"alvin: the store {hidden / 'store'} cannot be looked at: Permission denied{ask}\n"
    assert [one[0] for one in told.values()] == [2, 2, 2]


def test_a_store_where_a_link_leads_nowhere_or_no_drive_is_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, drive = tmp_path / "link", tmp_path / "drive"
    link.symlink_to(drive)
    for store in (link, link / "a" / "store"):
        why = why_read_only(store)
        assert why == (
            f"the store {store} cannot be made: {link} is a link to {drive}, which is not there; make or mount that "
            "folder, or name another with --store"
        )
        with pytest.raises(StoreError, match="is a link to"):
            open_store(store, create=True)
    drive.mkdir()
    assert open_store(link / "store", create=True).path == link / "store"
    monkeypatch.setattr(os.path, "lexists", lambda path: False)  # as of Z:\\ on Windows, where there is no such drive
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert why_read_only("/away/store") == (
        "the store /away/store cannot be made: / is not there; connect it, or name another folder with --store"
    )


def test_what_nobody_can_look_at_is_not_told_to_be_gone(tmp_path: Path) -> None:
    loop, file = tmp_path / "loop", tmp_path / "file"
    loop.symlink_to(loop)
    file.touch()
    gone = [file / "below", file, tmp_path / "gone", loop]
    assert remove([loop / "hidden", *gone]) == gone


@pytest.fixture
def only_reading(store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store as one sees it in this process who may only read it, while others go on writing."""
    monkeypatch.setattr("alvin_core.store.sqlite.may_write", lambda path: False)
    return store


def test_labels_of_somebody_who_has_the_store_open_are_read(only_reading: Path) -> None:
    """They are in the write-ahead log: the database as it lies there has none of them."""
    with closing(sqlite3.connect(only_reading / "alvin.db")) as writer:
        writer.execute("UPDATE runs SET name = 'renamed' WHERE name = 'first'")
        writer.commit()
        assert (only_reading / "alvin.db-wal").stat().st_size > 0
        assert open_run(only_reading, "renamed").n_rounds == 2
    assert open_run(only_reading, "renamed").n_rounds == 2


def test_what_was_read_while_somebody_wrote_is_thrown_away(only_reading: Path) -> None:
    opened = open_store(only_reading)

    def read_while_another_writes() -> None:
        with opened.read() as session:
            session.connection()
            with closing(sqlite3.connect(only_reading / "alvin.db")) as writer:
                writer.execute("UPDATE runs SET name = 'renamed' WHERE name = 'first'")
                writer.commit()

    with pytest.raises(StoreError, match="was written to while it was read; try again"):
        read_while_another_writes()
    assert open_run(only_reading, "renamed").n_rounds == 2


def test_a_store_of_a_killed_process_that_cannot_be_mended_here_says_so(store: Path, tmp_path: Path) -> None:
    """Its log holds labels that the database has not; without the second file nothing tells which of them hold."""
    copy = tmp_path / "copy"
    with closing(sqlite3.connect(store / "alvin.db")) as writer:
        writer.execute("UPDATE runs SET name = 'renamed' WHERE name = 'first'")
        writer.commit()
        shutil.copytree(store, copy, ignore=shutil.ignore_patterns("*-shm"))
    before = contents(copy)
    places = (copy, copy / "alvin.db", copy / "alvin.db-wal")
    for path in places:
        path.chmod(0o500)
    told = call(as_an_ordinary_user(), copy, tmp_path, {"runs": ["runs"]})
    for path in places:
        path.chmod(0o700)
    error = f"alvin: the store {copy} cannot be opened: it may not be written to; copy it to where it may\n"
    assert told["runs"] == [2, "", error]
    assert contents(copy) == before
    assert open_run(copy, "renamed").n_rounds == 2
