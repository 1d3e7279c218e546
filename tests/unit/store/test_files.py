import dataclasses
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.errors import RunBusyError, StoreError
from alvin_core.store import locks, rearranged
from alvin_core.store.arrays import (
    disk_reason,
    load_array,
    load_arrays,
    load_packed,
    remove,
    save_arrays,
    save_packed,
    sweep,
)
from alvin_core.store.database import open_store
from alvin_core.store.datasets import dataset_path, is_dataset, load_stored_dataset, save_dataset
from alvin_core.store.linking import link_folder
from alvin_core.store.locks import file_lock, remove_free_lock
from alvin_core.store.rearranged import Rearranged
from alvin_core.store.runs import sweep_store

ARRAYS = {"numbers": np.arange(5, dtype=np.int32), "flags": np.array([True, False]), "nothing": np.empty(0)}
VECTORS = {"vectors": np.arange(6, dtype=np.float32).reshape(2, 3)}


def test_arrays_come_back_with_their_types(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a" / "round", ARRAYS, mapped=VECTORS)
    back = load_arrays(tmp_path / "a" / "round")
    assert back.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype
    vectors = load_array(tmp_path / "a" / "round", "vectors")
    np.testing.assert_array_equal(vectors, VECTORS["vectors"])
    assert not vectors.flags.writeable


def test_files_are_synced_then_their_folder_then_renamed_then_the_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def record_fsync(descriptor: int) -> None:
        order.append("sync " + Path(f"/proc/self/fd/{descriptor}").resolve().name)
        fsync(descriptor)

    def record_rename(path: Path, target: Path) -> Path:
        order.append(f"rename {path.name} {target.name}")
        return rename(path, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("which file a descriptor is of is read from /proc")
    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "rename", record_rename)
    save_arrays(tmp_path / "r", ARRAYS, mapped=VECTORS)
    assert order == [
        *("sync arrays.npz", "sync vectors.npy", "sync sums.json"),
        *("sync r.part", "rename r.part r", f"sync {tmp_path.name}"),
    ]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"could not write .*: No space left on device"):
        save_arrays(tmp_path / "r", ARRAYS)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_of_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    message = "No space left on device; free some space; the store's folder 'cache' may be"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=message):
        save_packed(tmp_path / "d.npz", ARRAYS)
    assert list(tmp_path.iterdir()) == []  # what a full disk needs least is a leftover
    assert disk_reason(OSError("7680 requested and 992 written")).startswith(message)  # numpy's words for it
    assert disk_reason(OSError(30, "Read-only file system")).endswith(
        "; ask for the permission, or name another folder"
    )


def test_an_array_that_its_twin_has_to_the_byte_takes_no_room(tmp_path: Path) -> None:
    first, second, third = tmp_path / "1", tmp_path / "2", tmp_path / "3"
    save_arrays(first, ARRAYS, mapped=VECTORS)
    save_arrays(second, ARRAYS, mapped=VECTORS, twin=first)
    assert (first / "vectors.npy").samefile(second / "vectors.npy")
    assert not (first / "arrays.npz").samefile(second / "arrays.npz")
    changed = VECTORS["vectors"].copy()
    changed[-1, -1] = -0.0 if changed[-1, -1] == 0 else -changed[-1, -1]
    save_arrays(third, ARRAYS, mapped={"vectors": changed}, twin=first)
    assert not (first / "vectors.npy").samefile(third / "vectors.npy")
    assert load_array(third, "vectors").tobytes() == changed.tobytes()


@pytest.mark.parametrize("n_rows", [0, 1, 5, 23])
def test_a_rearranged_array_is_written_as_the_array_it_stands_for(
    tmp_path: Path, n_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rearranged, "BLOCK_BYTES", 5 * 3 * 4)  # five rows
    values = np.random.default_rng(0).random((23, 3), dtype=np.float32)
    rows = np.random.default_rng(1).permutation(23)[:n_rows]
    save_arrays(tmp_path / "1", ARRAYS, mapped={"vectors": Rearranged(values, rows)})
    np.save(tmp_path / "by-numpy.npy", values[rows])
    assert (tmp_path / "1" / "vectors.npy").read_bytes() == (tmp_path / "by-numpy.npy").read_bytes()
    save_arrays(tmp_path / "2", ARRAYS, mapped={"vectors": values[rows]}, twin=tmp_path / "1")
    save_arrays(tmp_path / "3", ARRAYS, mapped={"vectors": Rearranged(values, rows)}, twin=tmp_path / "2")
    assert (tmp_path / "1" / "vectors.npy").samefile(tmp_path / "3" / "vectors.npy")
    save_arrays(tmp_path / "4", ARRAYS, mapped={"vectors": Rearranged(values, rows[::-1])}, twin=tmp_path / "3")
    assert (load_array(tmp_path / "4", "vectors") == values[rows[::-1]]).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_written_row_by_row_however_it_lies_in_memory(tmp_path: Path, order: str) -> None:
    values = np.asarray(np.arange(12).reshape(4, 3), order=order)
    save_arrays(tmp_path / "r", ARRAYS, mapped={"vectors": values[:, ::2]})
    assert (load_array(tmp_path / "r", "vectors") == values[:, ::2]).all()


@pytest.mark.parametrize("twin", ["missing", "damaged"])
def test_a_twin_that_cannot_be_read_is_no_obstacle(tmp_path: Path, twin: str) -> None:
    if twin == "damaged":
        save_arrays(tmp_path / twin, ARRAYS, mapped=VECTORS)
        (tmp_path / twin / "vectors.npy").write_bytes(b"garbage")
    save_arrays(tmp_path / "r", ARRAYS, mapped=VECTORS, twin=tmp_path / twin)
    assert (load_array(tmp_path / "r", "vectors") == VECTORS["vectors"]).all()


def test_a_disk_without_hard_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    save_arrays(tmp_path / "1", ARRAYS, mapped=VECTORS)
    monkeypatch.setattr(os, "link", refuse)
    save_arrays(tmp_path / "2", ARRAYS, mapped=VECTORS, twin=tmp_path / "1")
    assert (load_array(tmp_path / "2", "vectors") == VECTORS["vectors"]).all()


def test_objects_are_never_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'names' holds objects"):
        save_arrays(tmp_path / "r", {"names": np.array(["a", None], dtype=object)})


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_damaged_arrays_are_reported_with_their_file(tmp_path: Path, damage: bytes | None) -> None:
    save_arrays(tmp_path / "r", ARRAYS, mapped=VECTORS)
    for name in ("arrays.npz", "vectors.npy"):
        path = tmp_path / "r" / name
        path.write_bytes(path.read_bytes()[:60] if damage is None else damage)
    with pytest.raises(StoreError, match=r"cannot read .*arrays\.npz"):
        load_arrays(tmp_path / "r")
    with pytest.raises(StoreError, match=r"cannot read .*vectors\.npy"):
        load_array(tmp_path / "r", "vectors")


def test_a_linked_folder_outlives_the_first(tmp_path: Path) -> None:
    import shutil

    save_arrays(tmp_path / "a", ARRAYS, mapped=VECTORS)
    link_folder(tmp_path / "a", tmp_path / "other" / "b")
    assert (tmp_path / "a" / "arrays.npz").stat().st_ino == (tmp_path / "other" / "b" / "arrays.npz").stat().st_ino
    shutil.rmtree(tmp_path / "a")
    assert load_arrays(tmp_path / "other" / "b").keys() == ARRAYS.keys()


def test_what_is_still_being_written_into_a_folder_is_not_linked(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a", ARRAYS)
    for name in ("map-0.new", "map-1.new.part", "map-model.npz"):
        (tmp_path / "a" / name).touch()
    link_folder(tmp_path / "a", tmp_path / "b")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["arrays.npz", "map-model.npz", "sums.json"]


def test_of_packed_arrays_some_are_read_by_name(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a", ARRAYS)
    assert list(load_arrays(tmp_path / "a", ("flags", "unknown"))) == ["flags"]


def test_a_sweep_removes_only_our_names_that_nothing_knows(tmp_path: Path) -> None:
    for name in ("r-1", "r-2", "r-3.part", "theirs", "r-x"):
        (tmp_path / name).mkdir()
    assert sweep(tmp_path, {"r-1"}, re.compile(r"r-\d")) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r-1", "r-x", "theirs"]
    assert sweep(tmp_path / "nowhere", set(), re.compile("x")) == 0


def test_what_cannot_be_removed_is_left_and_the_rest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "open":  # as Windows does while somebody reads it
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    for name in ("open", "other"):
        (tmp_path / name).touch()
    remove([tmp_path / "open", tmp_path / "gone", tmp_path / "other"])
    assert [path.name for path in tmp_path.iterdir()] == ["open"]


@pytest.mark.parametrize(
    ("name", "goes"), [(".snapshot-0123abcd", True), ("snapshot-20251123", False), ("backup-0123abcd", False)]
)
def test_a_sweep_takes_the_snapshots_of_killed_backups_and_no_copy_that_somebody_named_by_its_date(
    tmp_path: Path, name: str, goes: bool
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    os.utime(folder, (0, 0))
    store = open_store(tmp_path, create=True)
    with store.lock():
        assert sweep_store(store) == ([folder] if goes else [])
    assert folder.exists() is not goes


def make_dataset() -> Dataset:
    return Dataset(
        ids=np.asarray(["a", "b" * 50, "ü"]),
        texts=Texts.pack(["one", "", "dreißig 😀"]),
        labels=np.asarray([0, 1, -1]),
        classes=("no", "yes"),
        splits=np.asarray(["pool", "test", "ood:x"]),
        warnings=("2 texts were cut",),
    )


@pytest.mark.parametrize(
    "extra", [{}, {"second_texts": Texts.pack(["x", "y", "z"])}, {"attributes": np.asarray(["", "p", "q"])}]
)
def test_a_data_set_comes_back_as_it_was(tmp_path: Path, extra: dict[str, object]) -> None:
    dataset = dataclasses.replace(make_dataset(), **extra)  # type: ignore[arg-type]
    digest = save_dataset(tmp_path, dataset)
    back = load_stored_dataset(tmp_path, digest)
    assert back.digest() == dataset.digest() == digest
    assert list(back.texts) == list(dataset.texts)
    assert back.ids.tolist() == dataset.ids.tolist()
    assert back.warnings == dataset.warnings
    assert (back.second_texts is None) == (dataset.second_texts is None)
    assert (back.attributes is None) == (dataset.attributes is None)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("labels", np.asarray(5)),
        ("labels", np.asarray([[0, 1, -1]])),
        ("ids.offsets", np.asarray([0.0, 1.0, 2.0, 3.0])),
        ("texts.offsets", np.asarray(0)),
        ("texts.blob", np.asarray([0.5])),
        ("splits.blob", np.asarray(["pool"])),
    ],
)
def test_arrays_of_other_shapes_and_types_are_no_data_set(
    tmp_path: Path, name: str, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
) -> None:
    digest = save_dataset(tmp_path, make_dataset())
    path = dataset_path(tmp_path, digest)
    arrays = load_packed(path)
    assert is_dataset(path, digest)
    save_packed(path, arrays | {name: array})
    assert not is_dataset(path, digest)
    with pytest.raises(StoreError, match=f"is not a stored data set: {name} has the shape"):
        load_stored_dataset(tmp_path, digest)


def test_a_changed_data_set_is_refused(tmp_path: Path) -> None:
    digest = save_dataset(tmp_path, make_dataset())
    other = save_dataset(tmp_path, dataclasses.replace(make_dataset(), labels=np.asarray([1, 1, -1])))
    dataset_path(tmp_path, digest).write_bytes(dataset_path(tmp_path, other).read_bytes())
    with pytest.raises(StoreError, match=f"has changed: its digest is {other[:12]}"):
        load_stored_dataset(tmp_path, digest)
    dataset_path(tmp_path, digest).unlink()
    with pytest.raises(StoreError, match="cannot read"):
        load_stored_dataset(tmp_path, digest)


def test_a_lock_excludes_threads_of_the_same_process(tmp_path: Path) -> None:
    errors: list[str] = []

    def attempt() -> None:
        try:
            with file_lock(tmp_path / "l", subject="run 'r'"):
                errors.append("entered")
        except RunBusyError as error:
            errors.append(str(error))

    with file_lock(tmp_path / "l", subject="run 'r'"):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert errors == ["run 'r' is in use by another part of this process; wait until it is done, or end it"]
    attempt()
    assert errors[-1] == "entered"


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom alvin_core.store.locks import file_lock\n"
        "with file_lock(Path(sys.argv[1]), subject='x'):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "l")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(RunBusyError, match=f"run 'r' is in use by process {holder.pid};"),
            file_lock(tmp_path / "l", subject="run 'r'"),
        ):
            pass
        holder.kill()
        holder.wait()
    with file_lock(tmp_path / "l", subject="run 'r'"):
        pass


def test_a_lock_whose_file_is_removed_is_held_by_one_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opened the file before it was removed must not take what is left of it for the lock."""
    path, real, removed = tmp_path / "l", locks._try_lock, list[bool]()

    def remove_first(descriptor: int) -> bool:
        if not removed:  # it is opened already
            removed.append(True)
            assert remove_free_lock(path)
        return real(descriptor)

    monkeypatch.setattr(locks, "_try_lock", remove_first)
    with file_lock(path, subject="x"):
        assert removed
        assert path.read_text() == str(os.getpid())
        with pytest.raises(RunBusyError), file_lock(path, subject="x"):
            pass
        assert not remove_free_lock(path)
    assert remove_free_lock(path)
    assert not path.exists()


def test_a_lock_can_be_waited_for(tmp_path: Path) -> None:
    entered = threading.Event()
    release = threading.Event()

    def hold() -> None:
        with file_lock(tmp_path / "l", subject="x"):
            entered.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(10)
    threading.Timer(0.2, release.set).start()
    with file_lock(tmp_path / "l", subject="x", wait_seconds=10):
        assert release.is_set()
    thread.join()
