"""Runs that are forked and unpacked while others work, at a place that takes its time, and makers that are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from postgres_server import WORD
from processes import wait_for

from alvin_core.errors import RunNotFoundError, StoreError
from alvin_core.run import Run, create_run, delete_run, list_runs, open_run
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.trash import trash_run
from alvin_core.settings import RunSettings
from alvin_core.store import database
from alvin_core.store.arrays import load_array, load_arrays
from alvin_core.store.database import open_store
from alvin_core.store.making import making_run
from alvin_core.store.rounds import list_rounds, store_arrays_again
from alvin_core.store.runs import sweep_store
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.verifying import verify_store

Mirrored = Callable[..., tuple[Path, Path, Path]]
SMALL = RunSettings(budget=4, initial=8)


@pytest.fixture(autouse=True)
def _nobody_is_waited_for(faulty: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENT_SECONDS", 2)
    monkeypatch.setattr(database, "BUSY_SECONDS", 2)


def tell(place: Path, what: str, *faults: str) -> Path:
    """Tell the place what to do the next times, and return the folder that it is told through."""
    told = place.with_name("place.told")
    told.mkdir(exist_ok=True)
    for name in ("waiting", "go"):
        (told / name).unlink(missing_ok=True)
    (told / what).write_text("\n".join(faults))
    return told


def slowly(place: Path, make: Callable[[], Run], meanwhile: Callable[[], None]) -> Future[Run]:
    """Make a run whose arrays are held up at the place while something else happens; return what came of it."""
    told = tell(place, "put", "wait")
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(make)
        try:
            wait_for(lambda: (told / "waiting").exists() or made.done())
            assert not made.done(), made.result()
            meanwhile()
        finally:
            (told / "go").touch()
    return made


def made_by(kind: str, store: Path, tmp_path: Path) -> Callable[[], Run]:
    """Return what makes the run "new" of the run "first": a fork, or an unpacked one."""
    if kind == "fork":
        return lambda: open_run(store, "first").fork(2, name="new")
    packed = tmp_path / "first.zip"
    if not packed.exists():
        pack_run(store, "first", packed)
    return lambda: unpack_run(store, packed, name="new")


def keys(place: Path) -> list[str]:
    """The files that the place keeps, without its mark."""
    found = (path for name in ("runs", "datasets") for path in (place / name).rglob("*") if path.is_file())
    return sorted(path.relative_to(place).as_posix() for path in found)


@pytest.mark.parametrize("kind", ["fork", "unpack"])
def test_others_make_delete_and_mend_while_a_run_is_sent_and_remove_nothing_of_it(
    mirrored: Mirrored, fake: ModuleType, tmp_path: Path, kind: str
) -> None:
    ada, bob, place = mirrored("faulty")

    def meanwhile() -> None:
        for machine in (ada, bob):
            create_run(machine, fake.make_dataset(20), SMALL, name="other")
            delete_run(machine, "other")
        if kind == "fork":
            assert verify_store(bob, thorough=False).findings == []
            assert repair_store(ada)[0] == []
        assert [one.name for one in list_runs(bob)] == ["first"]

    run = slowly(place, made_by(kind, ada, tmp_path), meanwhile).result()
    assert {one.name for one in list_runs(bob)} == {"first", "new"}
    assert verify_store(bob).findings == []
    assert len([key for key in keys(place) if run.id in key]) == 6
    pd.testing.assert_frame_equal(open_run(bob, "new").examples(1), open_run(ada, "first").examples(1))
    assert open_run(bob, "new").step().round == 2  # its lock is free again


def test_two_are_unpacked_at_once(mirrored: Mirrored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob, place = mirrored("faulty")
    monkeypatch.setattr("alvin_core.run.bundle.WAIT_SECONDS", 2)
    packed = pack_run(ada, "first", tmp_path / "first.zip")
    slowly(place, made_by("unpack", ada, tmp_path), lambda: (unpack_run(bob, packed, name="second"), None)[1]).result()
    assert {one.name for one in list_runs(bob)} == {"first", "second", "new"}
    assert verify_store(ada).findings == verify_store(bob).findings == []


@pytest.mark.parametrize("remove", [delete_run, trash_run])
def test_a_parent_that_is_deleted_meanwhile_is_not_half_forked(
    mirrored: Mirrored, tmp_path: Path, remove: Callable[[Path, str], None]
) -> None:
    ada, bob, place = mirrored("faulty")
    made = slowly(place, made_by("fork", bob, tmp_path), lambda: remove(ada, "first"))
    with pytest.raises(RunNotFoundError, match=r"run 'first' (has been deleted|is in the trash)"):
        made.result()
    assert list_runs(bob) == []
    assert verify_store(ada).findings == verify_store(bob).findings == []
    assert len(keys(place)) == (0 if remove is delete_run else 7)


def test_a_round_that_is_trained_again_meanwhile_is_not_forked_as_it_was(mirrored: Mirrored, tmp_path: Path) -> None:
    ada, bob, place = mirrored("faulty")

    def train_again() -> None:
        store = open_store(ada)
        with store.read() as session:
            row = list_rounds(session, open_run(ada, "first").id)[0]
        folder = store.run_folder(row.run_id) / row.folder
        with store.run_lock(row.run_id, "first"):
            store_arrays_again(store, row, load_arrays(folder), {"vectors": load_array(folder, "vectors")})

    made = slowly(place, made_by("fork", bob, tmp_path), train_again)
    with pytest.raises(StoreError, match="was mended while it was forked; nothing was made: try again"):
        made.result()
    assert open_run(bob, "first").fork(2, name="new").n_rounds == 2
    for machine in (ada, bob):
        repair_store(machine)  # the round that was replaced is of no round
    assert verify_store(ada).findings == verify_store(bob).findings == []


def test_two_machines_on_one_server_leave_each_other_what_they_make(
    postgres_address: str, tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    monkeypatch.setenv("ALVIN_MIRRORS", str(tmp_path / "mirrors"))
    monkeypatch.setenv("PGPASSWORD", WORD)
    place, bob = tmp_path / "place", tmp_path / "bob"
    ada = open_store(f"{postgres_address}&arrays=faulty://{place}", create=True).path
    bob.mkdir()
    (bob / "store.json").write_bytes((ada / "store.json").read_bytes())
    list(create_run(ada, fake.make_dataset(), SMALL, name="first").run_rounds(1))

    def meanwhile() -> None:
        create_run(bob, fake.make_dataset(20), SMALL, name="other")
        assert verify_store(bob, thorough=False).findings == []
        delete_run(bob, "other")

    for kind, store in (("fork", bob), ("unpack", ada)):
        run = slowly(place, made_by(kind, store, tmp_path), meanwhile).result()
        assert len([key for key in keys(place) if run.id in key]) == 6
        assert verify_store(ada if store is bob else bob).findings == []
        delete_run(ada, "new")
    assert len(keys(place)) == 7


def test_what_somebody_removed_before_the_run_was_there_is_not_named(mirrored: Mirrored, tmp_path: Path) -> None:
    ada, bob, place = mirrored("faulty")

    def as_older_versions_sweep() -> None:
        sent = next(path for path in (place / "runs").iterdir() if path.name != open_run(ada, "first").id)
        for path in sorted(sent.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    tell(place, "put", *["ok"] * 5)
    with pytest.MonkeyPatch.context() as patch:
        check = database.Store.lock
        n_locks = iter((lambda: None, as_older_versions_sweep, lambda: None))

        def lock(store: database.Store, **options: Any) -> Any:
            next(n_locks)()
            return check(store, **options)

        patch.setattr(database.Store, "lock", lock)
        with pytest.raises(StoreError, match=r"was removed from faulty://.*older ALVIN Studio\? Upgrade it"):
            made_by("fork", ada, tmp_path)()
    assert [one.name for one in list_runs(bob)] == ["first"]
    assert verify_store(ada).findings == []


@pytest.mark.parametrize("kind", ["fork", "unpack"])
def test_a_listing_that_is_late_neither_cuts_a_run_short_nor_refuses_it(
    mirrored: Mirrored, tmp_path: Path, kind: str
) -> None:
    ada, bob, place = mirrored("faulty")
    make = made_by(kind, ada, tmp_path)
    tell(place, "ls", *["stale"] * 50)
    run = make() if kind == "unpack" else made_by(kind, bob, tmp_path)()
    tell(place, "ls")
    assert len([key for key in keys(place) if run.id in key]) == 6
    assert verify_store(ada).findings == verify_store(bob).findings == []


def killed(action: Callable[[], object], patches: dict[str, int]) -> bool:
    """Do something in a process that is killed when it calls something for the nth time; tell whether it was."""
    child = os.fork()
    if child == 0:
        try:
            with pytest.MonkeyPatch.context() as patch:
                for name, n in patches.items():
                    patch.setattr(name, partial(_die_at, name, [n], _found(name)))
                action()
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _found(name: str) -> Any:
    import importlib

    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _die_at(name: str, left: list[int], real: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **keywords)


STAGES = {
    "fork": [
        ("alvin_core.store.remote.put_file", 1),
        ("alvin_core.store.remote.put_file", 6),
        ("alvin_core.run.forking.check_kept", 1),
        ("alvin_core.run.forking._copy_past", 1),
        ("alvin_core.run.forking.RunHandle", 1),
    ],
    "unpack": [
        ("alvin_core.run.bundle._give_name", 1),
        ("alvin_core.store.remote.put_file", 2),
        ("alvin_core.run.bundle.check_kept", 1),
        ("alvin_core.run.bundle.add_proposal", 2),
        ("alvin_core.run.bundle.RunHandle", 1),
    ],
}


@pytest.mark.parametrize("kind", ["fork", "unpack"])
def test_whenever_its_maker_is_killed_a_run_is_there_whole_or_nothing_of_it_stays(
    mirrored: Mirrored, tmp_path: Path, kind: str
) -> None:
    ada, bob, place = mirrored("faulty")
    make, n_before = made_by(kind, ada, tmp_path), len(keys(place))
    for name, n in STAGES[kind]:
        assert killed(make, {name: n}), (name, n)
        is_there = "new" in [one.name for one in list_runs(bob)]
        assert is_there == name.endswith("RunHandle"), name  # which comes after all is written
        found = verify_store(bob, thorough=False)
        assert found.sound
        assert found.n_runs == 1 + is_there
        if is_there:
            assert found.findings == []
            assert len(open_run(bob, "new").vectors(1)[1]) == 60
            delete_run(bob, "new")
        for machine in (bob, ada):
            with open_store(machine).lock():
                sweep_store(open_store(machine))
        assert verify_store(ada, thorough=False).findings == [], (name, n)
        assert len(keys(place)) == n_before
    assert not killed(make, {})
    assert "new" in [one.name for one in list_runs(bob)]


def test_a_maker_that_fails_leaves_what_it_wrote_to_those_who_are_busy(mirrored: Mirrored) -> None:
    ada, bob, _ = mirrored("file")
    store = open_store(ada)
    held = ExitStack()

    def fail_while_another_is_busy() -> None:
        with making_run(store, "new") as run_id:
            store.run_folder(run_id).mkdir()
            held.enter_context(open_store(bob).lock())
            raise ValueError("no")

    with held, pytest.raises(ValueError, match="no"):
        fail_while_another_is_busy()
    assert [one.subject for one in verify_store(ada).findings] == ["runs", "locks"]
    with store.lock():
        sweep_store(store)
    assert verify_store(ada).findings == []


def test_a_data_set_on_its_way_is_not_swept(
    mirrored: Mirrored, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    ada, bob, place = mirrored("file")
    put = LocalFileSystem.put_file

    def put_and_be_swept(self: LocalFileSystem, source: str, target: str, **options: object) -> None:
        put(self, source, target, **options)
        for machine in (ada, bob):
            create_run(machine, fake.make_dataset(), SMALL, name="other")  # of a data set that is there
            delete_run(machine, "other")

    monkeypatch.setattr(LocalFileSystem, "put_file", put_and_be_swept)
    create_run(ada, fake.make_dataset(20), SMALL, name="second")
    monkeypatch.undo()
    assert len(keys(place)) == 8
    assert verify_store(ada).findings == verify_store(bob).findings == []
