from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alvin_core.data.dataset import Dataset
from alvin_core.errors import StoreError
from alvin_core.run import create_run, delete_run, open_run
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.trash import purge_trash, restore_run, trash_run
from alvin_core.settings import RunSettings
from alvin_core.store import remote
from alvin_core.store.arrays import save_packed
from alvin_core.store.database import Store, open_store
from alvin_core.store.datasets import send_ahead
from alvin_core.store.mirror import bring, is_there, mirror_at, mirror_of
from alvin_core.store.runs import sweep_store
from alvin_core.store.sending import put_file
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.restoring import restore_store
from alvin_core.upkeep.verifying import verify_store

Mirrored = Callable[..., tuple[Path, Path, Path]]


def files(folder: Path) -> dict[str, bytes]:
    """The files that are the same here and there, and their bytes."""
    found = (path for name in ("runs", "datasets") for path in (folder / name).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("protocol", ["file", "local", "simplecache::file", "dir::file", "faulty"])
def test_what_is_written_here_is_there(mirrored: Mirrored, faulty: ModuleType, protocol: str) -> None:
    ada, _, place = mirrored(protocol)
    assert len(files(ada)) == 7
    assert files(place) == files(ada)
    assert verify_store(ada).findings == []


def test_another_machine_reads_what_this_one_wrote_and_goes_on_with_it(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    run = open_run(bob, "first")
    np.testing.assert_array_equal(run.vectors(1)[1], open_run(ada, "first").vectors(1)[1])
    run.step()
    assert open_run(ada, "first").records() == run.records()
    assert open_run(ada, "first").predictions("e00001").equals(run.predictions("e00001"))
    assert verify_store(ada).findings == []
    assert files(bob).items() < files(ada).items() == files(place).items()  # what nobody read here is not here


def test_the_copies_may_be_deleted_at_any_time(mirrored: Mirrored) -> None:
    ada, _, place = mirrored()
    before, run = files(ada), open_run(ada, "first")
    for name in ("runs", "datasets"):
        shutil.rmtree(ada / name)
    assert len(open_run(ada, "first").vectors(0)[1]) == 60
    assert sorted(path.name for path in (ada / "runs").rglob("*.npy")) == ["vectors.npy"]  # what is read is fetched
    run.step()
    shutil.rmtree(ada / "runs")
    assert verify_store(ada).findings == []  # every byte is read, so every file is fetched
    assert before.items() < files(ada).items() == files(place).items()
    assert not list((ada / "fetching").iterdir())


def test_a_quick_look_compares_sizes_and_fetches_next_to_nothing(mirrored: Mirrored) -> None:
    _, bob, place = mirrored()
    assert verify_store(bob, thorough=False).findings == []
    assert {path.name for path in (bob / "runs").rglob("*") if path.is_file()} == {"sums.json"}
    next(place.rglob("vectors.npy")).write_bytes(b"short")
    assert not verify_store(bob, thorough=False).sound


def test_a_deleted_run_is_deleted_there_with_the_data_that_no_other_has(mirrored: Mirrored, fake: ModuleType) -> None:
    ada, bob, place = mirrored()
    create_run(ada, fake.make_dataset(20), RunSettings(budget=4, initial=8), name="second")
    delete_run(bob, "first")  # of which this machine has no copy
    assert list(files(place)) == [f"datasets/{fake.make_dataset(20).digest()}.npz"]
    trash_run(ada, "second")
    restore_run(bob, "second")
    assert len(files(place)) == 1
    trash_run(bob, "second")
    assert purge_trash(bob) == 1
    assert files(place) == {}
    assert verify_store(bob).findings == []


def test_nobody_waits_while_a_data_set_is_sent(
    mirrored: Mirrored, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _, place = mirrored()
    sent: list[tuple[str, bool]] = []

    def put(fs: object, source: Path, target: str) -> None:
        sent.append((source.name, open_store(ada).database.is_free("store")))
        put_file(fs, source, target)

    monkeypatch.setattr(remote, "put_file", put)
    create_run(ada, fake.make_dataset(20), RunSettings(budget=4, initial=8), name="second")
    assert sent == [(f"{fake.make_dataset(20).digest()}.npz", True)]
    assert files(place) == files(ada)


def test_a_data_set_that_was_swept_before_anything_named_it_is_sent_again(
    mirrored: Mirrored, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, place = mirrored()

    def send_and_sweep(store: Store, dataset: Dataset) -> str:
        sent = send_ahead(store, dataset)
        for machine in (ada, bob):
            with open_store(machine).lock():
                sweep_store(open_store(machine))
        assert len(list((place / "datasets").iterdir())) == 1
        return sent

    monkeypatch.setattr("alvin_core.run.creating.send_ahead", send_and_sweep)
    create_run(ada, fake.make_dataset(20), RunSettings(budget=4, initial=8), name="second")
    assert files(place) == files(ada)
    assert verify_store(bob).findings == []


def test_a_fork_is_copied_there_without_being_fetched(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    parent = open_run(bob, "first")
    fork = parent.fork(2, name="fork")
    assert not [path for path in (bob / "runs" / fork.id).rglob("*") if path.is_file()]
    theirs = {key.split("/", 2)[2]: content for key, content in files(place).items() if parent.id in key}
    assert {key.split("/", 2)[2]: content for key, content in files(place).items() if fork.id in key} == theirs
    open_run(ada, "fork").step()
    delete_run(ada, "first")
    assert verify_store(bob).findings == []
    assert files(bob) == files(place)


def test_a_place_without_copying_gets_a_fork_from_here(mirrored: Mirrored, faulty: ModuleType) -> None:
    _, bob, place = mirrored("faulty")
    fork = open_run(bob, "first").fork(2, name="fork")
    assert len([key for key in files(place) if fork.id in key]) == 6
    assert verify_store(bob).findings == []


def test_vectors_that_no_round_changes_are_sent_once(mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _, place = mirrored()
    source = next((ada / "runs").rglob("round-0001-*/vectors.npy"))
    target = source.parents[1] / "round-0002-00000000"
    target.mkdir()
    (target / "vectors.npy").hardlink_to(source)
    mirror = mirror_of(target)
    assert mirror is not None
    sent: list[str] = []
    monkeypatch.setattr(type(mirror.remote), "put", lambda _, path, key: sent.append(key))
    mirror.publish(target, twin=source.parent)
    assert sent == []
    assert (place / mirror.key(target) / "vectors.npy").read_bytes() == source.read_bytes()


def test_a_packed_run_is_read_from_there_and_an_unpacked_one_sent_there(mirrored: Mirrored, tmp_path: Path) -> None:
    ada, bob, place = mirrored()
    packed = pack_run(bob, "first", tmp_path / "run.zip")
    delete_run(bob, "first")
    run = unpack_run(ada, packed)
    assert len([key for key in files(place) if run.id in key]) == 6
    assert verify_store(ada).findings == verify_store(bob).findings == []
    assert len(open_run(bob, "first").vectors(1)[1]) == 60


def test_a_backup_holds_what_is_there_alone(mirrored: Mirrored, tmp_path: Path) -> None:
    ada, bob, place = mirrored()
    backup_store(bob, tmp_path / "store.tar")
    report = restore_store(tmp_path / "store.tar", tmp_path / "again")
    assert report.findings == []
    assert files(tmp_path / "again") == files(place) == files(ada)


def test_the_map_that_was_sent_first_is_kept_by_all(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    name = next((ada / "runs").rglob("round-0000-*")).relative_to(ada) / "map-model.npz"
    for number, folder in enumerate((ada, bob)):
        mirror = mirror_at(folder)
        assert mirror is not None
        save_packed(folder / name, {"xy": np.full(3, number)})
        mirror.publish_map(folder / name)
    assert (place / name).read_bytes() == (ada / name).read_bytes() == (bob / name).read_bytes()
    (bob / name).unlink()
    assert is_there(bob / name)
    assert not is_there(bob / name.with_name("map-none.npz"))


def test_a_place_holds_the_arrays_of_one_store(mirrored: Mirrored, tmp_path: Path, fake: ModuleType) -> None:
    _, _, place = mirrored()
    other = tmp_path / "other"
    other.mkdir()
    (other / "store.json").write_text(json.dumps({"database": None, "arrays": f"file://{place}"}))
    before = files(place)
    with pytest.raises(StoreError, match=r"holds the arrays of another store; name a place of its own"):
        create_run(other, fake.make_dataset(20), RunSettings(budget=4, initial=8))
    assert files(place) == before
    [damage] = [one for one in verify_store(other).findings if one.kind == "damage"]
    assert damage.what == f"file://{place} holds the arrays of another store"
    assert not damage.mendable


def test_a_drive_that_is_not_mounted_is_not_taken_for_an_empty_one(mirrored: Mirrored, tmp_path: Path) -> None:
    ada, bob, place = mirrored()
    place.rename(tmp_path / "unmounted")
    with pytest.raises(StoreError, match=r"has no alvin-arrays.json.*is the drive mounted"):
        open_run(ada, "first").step()
    assert len(open_run(ada, "first").records()) == 2
    assert not place.exists()
    with pytest.raises(StoreError, match=r"neither in .*bob nor at file://.*alvin verify"):
        open_run(bob, "first").vectors(0)
    (tmp_path / "unmounted").rename(place)
    open_run(bob, "first").step()
    assert verify_store(ada).findings == []


def test_a_listing_that_leads_elsewhere_is_not_followed(mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bob, _ = mirrored()
    folder = bob / "runs" / "00000000" / "round-0000-00000000"
    mirror = mirror_of(folder)
    assert mirror is not None
    asked: list[Path] = []
    monkeypatch.setattr(
        type(mirror.remote), "names", lambda *_: ["..", ".hidden", "a\\b", "arrays.npz.1.part", "x.npz"]
    )
    monkeypatch.setattr(type(mirror), "fetch", lambda _, path: asked.append(path))
    bring(folder)
    assert asked == [folder / "sums.json", folder / "x.npz"]


def test_a_store_that_keeps_its_arrays_has_no_mirror(tmp_path: Path, fake: ModuleType) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"database": None, "arrays": None}))
    assert mirror_at(tmp_path) is None
    assert mirror_of(tmp_path / "elsewhere" / "runs" / "0") is None
    assert not is_there(tmp_path / "runs" / "0")
