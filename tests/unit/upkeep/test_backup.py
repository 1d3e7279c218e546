from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import tarfile
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.errors import Cancelled, RunBusyError, StoreError, StoreVersionError
from alvin_core.progress import ProgressEvent
from alvin_core.run import create_run, delete_run, open_run
from alvin_core.run.slice_rules import SliceRule
from alvin_core.run.trash import purge_trash, restore_run, trash_run
from alvin_core.settings import RunSettings
from alvin_core.store.locks import file_lock
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.restoring import is_backup, restore_store
from alvin_core.upkeep.verifying import verify_store
from alvin_core.worker import enqueue_job, list_jobs

SETTINGS = RunSettings(budget=4, initial=8)


@pytest.fixture
def store(tmp_path: Path, fake: ModuleType) -> Path:
    """A run with a fork, a run in the trash, marks, an added example and a slice."""
    folder = tmp_path / "store"
    first = create_run(folder, fake.make_dataset(), SETTINGS, name="first")
    list(first.run_rounds(2))
    fork = first.fork(2, name="fork")
    fork.step()
    fork.add_example(("a new text",), "neg", annotator="Ada")
    fork.note("e00001", "ça va\nand 'quotes'", annotator="Ada")
    fork.save_slice("some", SliceRule("ids", ("e00001", "e00002")))
    create_run(folder, fake.make_dataset(20), SETTINGS, name="old").step()
    trash_run(folder, "old")
    cached = folder / "cache" / ("a" * 64)
    cached.mkdir()
    (cached / "values.bin").write_bytes(b"values")
    return folder


def everything(store: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("first", "fork"):
        run = open_run(store, name)
        found[name] = [
            run.id,
            run.settings,
            run.records(),
            run.labels().to_dict("records"),
            run.marks().to_dict("records"),
            [run.selection(one.round).to_dict("records") for one in run.records()],
            [run.vectors(one.round)[1].tolist() for one in run.records()],
        ]
    found["slices"] = open_run(store, "fork").slices()
    return found


@pytest.mark.parametrize(
    ("name", "compressed"), [("monday.tar", False), ("monday.tar.gz", True), ("mon.day.tgz", True), ("M.TAR.GZ", True)]
)
def test_every_ending_is_what_it_promises_and_is_restored(
    tmp_path: Path, fake: ModuleType, name: str, compressed: bool
) -> None:
    create_run(tmp_path / "store", fake.make_dataset(20), SETTINGS, name="first").step()
    backup_store(tmp_path / "store", tmp_path / name)
    with tarfile.open(tmp_path / name, "r:gz" if compressed else "r:") as archive:
        assert archive.getnames()[-1] == "backup.json"
    restore_store(tmp_path / name, tmp_path / "again")
    assert open_run(tmp_path / "again", "first").labels().equals(open_run(tmp_path / "store", "first").labels())


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("monday.zip", "monday.tar"),
        ("monday", "monday.tar"),
        ("monday.gz", "monday.tar"),
        ("monday.tar.xz", "monday.tar"),
        ("store-2026.11.23", "store-2026.11.23.tar"),
        (".zip", ".zip.tar"),
    ],
)
def test_a_name_that_promises_something_else_is_refused_with_one_that_does_not(
    tmp_path: Path, fake: ModuleType, name: str, better: str
) -> None:
    create_run(tmp_path / "store", fake.make_dataset(20), SETTINGS, name="first")
    words = f"{name} is no name for a backup, which is a tar: name it {tmp_path / better}, or {tmp_path / better}.gz to"
    with pytest.raises(StoreError, match=re.escape(words)):
        backup_store(tmp_path / "store", tmp_path / name)
    assert list(tmp_path.iterdir()) == [tmp_path / "store"]


@pytest.mark.parametrize("name", ["monday.tar", "monday.tar.gz"])
def test_a_restored_store_holds_what_was_backed_up_and_goes_on_alike(store: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    n_files = backup_store(store, file)
    assert is_backup(file)
    assert not list(store.glob(".snapshot-*"))
    assert sorted(tmp_path.iterdir()) == sorted([file, store])
    report = restore_store(file, tmp_path / "again")
    assert report.findings == []
    assert (report.n_runs, report.store) == (3, str(tmp_path / "again"))
    assert n_files > 20
    assert everything(tmp_path / "again") == everything(store)
    assert restore_run(tmp_path / "again", "old").n_rounds == 1
    assert not (tmp_path / "again" / "cache" / ("a" * 64)).exists()
    assert sorted(one.name for one in (tmp_path / "again").iterdir()) == [
        "alvin.db",
        "cache",
        "datasets",
        "locks",
        "runs",
    ]
    assert open_run(tmp_path / "again", "first").step().metrics == open_run(store, "first").step().metrics


def test_the_cache_comes_along_where_it_is_asked_for(store: Path, tmp_path: Path) -> None:
    backup_store(store, tmp_path / "all.tar", cache=True)
    restore_store(tmp_path / "all.tar", tmp_path / "again")
    assert (tmp_path / "again" / "cache" / ("a" * 64) / "values.bin").read_bytes() == b"values"


def test_vectors_that_rounds_share_are_stored_once_and_are_shared_again(tmp_path: Path, fake: ModuleType) -> None:
    store = tmp_path / "store"
    first = create_run(store, fake.make_dataset(), SETTINGS, name="first")
    list(first.run_rounds(2))
    first.fork(3, name="fork")
    backup_store(store, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert sum(one.islnk() for one in archive) >= 6
    restore_store(tmp_path / "a.tar", tmp_path / "again")
    vectors = sorted((tmp_path / "again" / "runs").glob("*/round-0000-*/vectors.npy"))
    assert len(vectors) == 2
    assert vectors[0].samefile(vectors[1])


def test_labels_given_while_a_backup_is_written_are_in_it_whole_or_not_at_all(store: Path, tmp_path: Path) -> None:
    run = open_run(store, "first")
    examples, held = run.examples(2), set(run.labels()["id"])
    free = [one for one in examples.loc[examples["split"] == "pool", "id"] if one not in held]
    stop, given = threading.Event(), list[str]()

    def annotate() -> None:
        for one in free:
            if stop.is_set():
                return
            run.submit({one: "pos"}, annotator="Ada")
            given.append(one)

    thread = threading.Thread(target=annotate)
    thread.start()
    try:
        for number in range(5):
            before = len(given)
            backup_store(store, tmp_path / f"{number}.tar")
            report = restore_store(tmp_path / f"{number}.tar", tmp_path / f"again-{number}")
            assert report.findings == []
            labels = open_run(tmp_path / f"again-{number}", "first").labels()["id"]
            mine = [one for one in labels if one in set(free)]
            assert mine == free[: len(mine)]
            assert len(mine) >= before
    finally:
        stop.set()
        thread.join()


def test_a_backup_is_there_whole_or_not_at_all(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "monday.tar"

    def stop(event: ProgressEvent) -> None:
        if event.done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        backup_store(store, file, progress=stop)
    assert list(tmp_path.iterdir()) == [store]
    assert not list(store.glob(".snapshot-*"))
    backup_store(store, file)
    content = file.read_bytes()
    with pytest.raises(StoreError, match="--force"):
        backup_store(store, file)
    with pytest.raises(Cancelled):
        backup_store(store, file, overwrite=True, progress=stop)
    assert file.read_bytes() == content
    delete_run(store, "fork")
    backup_store(store, file, overwrite=True)
    assert restore_store(file, tmp_path / "again").n_runs == 2
    with pytest.raises(StoreError, match="no folder"):
        backup_store(store, tmp_path / "nowhere" / "a.tar")
    with pytest.raises(StoreError, match="is a folder; name a file"):
        backup_store(store, tmp_path, overwrite=True)


def test_a_backup_into_the_store_itself_is_refused(store: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store)
    for file in (store / "all.tar", store / "runs" / "all.tar", tmp_path / "link" / "all.tar"):
        with pytest.raises(StoreError, match="lies in the store itself, and would be lost with it; name a file"):
            backup_store(store, file)
        assert not file.exists()


def test_a_store_that_lacks_a_file_is_not_backed_up_as_if_it_were_whole(store: Path, tmp_path: Path) -> None:
    shutil.rmtree(next((store / "runs").glob("*/round-0001-*")))
    with pytest.raises(StoreError, match="alvin verify"):
        backup_store(store, tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == [store]


def test_a_snapshot_that_a_killed_backup_left_goes_with_a_repair_once_it_is_old(store: Path) -> None:
    left = store / ".snapshot-0123abcd"
    left.mkdir()
    assert verify_store(store).count("leftover") == 0
    os.utime(left, (0, 0))
    shutil.rmtree(store / "cache" / ("a" * 64))
    assert verify_store(store).count("leftover") == 1
    repair_store(store)
    assert not left.exists()


def test_the_snapshot_of_a_killed_backup_goes_with_the_next_sweep_and_that_of_a_living_one_stays(
    store: Path, tmp_path: Path
) -> None:
    """Whatever the clock says: the snapshot of the living one is a century old."""
    left = store / ".snapshot-0123abcd"
    left.mkdir()
    (store / "locks" / "snapshot-0123abcd.lock").write_text("1")
    found = []

    def look(event: ProgressEvent) -> None:
        if event.stage == "backup" and not found:
            (living,) = set(store.glob(".snapshot-*")) - {left}
            os.utime(living, (0, 0))
            shutil.rmtree(store / "cache" / ("a" * 64))
            found.extend(repair_store(store)[0])
            assert living.is_dir()

    backup_store(store, tmp_path / "a.tar", progress=look)
    assert "removed .snapshot-0123abcd, of no run" in found
    assert not left.exists()
    assert sorted(path.name for path in (store / "locks").iterdir() if "snapshot" in path.name) == []
    assert restore_store(tmp_path / "a.tar", tmp_path / "again").sound


def test_without_hard_links_files_are_copied_before_the_store_is_locked(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs come and go meanwhile: the snapshot has what the store has when it is locked."""
    copied_under_lock, copyfile = list[str](), shutil.copyfile

    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    def copy(source: Path, target: Path) -> Path:
        try:
            with file_lock(store / "locks" / "store.lock", subject="the store"):
                pass
        except RunBusyError:
            copied_under_lock.append(str(source))
        else:
            if open_run(store, "first").n_rounds == 3:
                monkeypatch.setattr(os, "link", link)
                purge_trash(store)
                open_run(store, "first").step()
                monkeypatch.setattr(os, "link", refuse)
        return Path(copyfile(source, target))

    link = os.link
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(shutil, "copyfile", copy)
    backup_store(store, tmp_path / "a.tar")
    assert copied_under_lock == []
    assert restore_store(tmp_path / "a.tar", tmp_path / "again").findings == []
    assert everything(tmp_path / "again") == everything(store)
    assert open_run(store, "first").n_rounds == 4


def test_a_place_that_is_taken_is_not_restored_to(store: Path, tmp_path: Path) -> None:
    backup_store(store, tmp_path / "a.tar")
    before = everything(store)
    for place in (store, tmp_path / "a.tar"):
        with pytest.raises(StoreError, match=r"is there already|holds a store that is in use"):
            restore_store(tmp_path / "a.tar", place)
    assert everything(store) == before
    (tmp_path / "empty").mkdir()
    restore_store(tmp_path / "a.tar", tmp_path / "empty")


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write a backup anew after a change of its members' bytes; the manifest follows unless it was changed."""
    with tarfile.open(file) as archive:
        members = {one.name: archive.extractfile(one).read() for one in archive if one.isreg()}  # type: ignore[union-attr]
    change(members)
    made = file.with_name("changed.tar")
    with tarfile.open(made, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made


def plain_store(tmp_path: Path, fake: ModuleType) -> Path:
    create_run(tmp_path / "plain", fake.make_dataset(20), SETTINGS, name="first").step()
    backup_store(tmp_path / "plain", tmp_path / "plain.tar")
    return tmp_path / "plain.tar"


def manifest_with(**values: Any) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["backup.json"] = json.dumps({**json.loads(members["backup.json"]), **values}).encode()

    return change


def rows_with(table: str, line: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        from hashlib import sha256

        name = f"tables/{table}.jsonl"
        members[name] += line
        told = json.loads(members["backup.json"])
        told["members"][name] = {"bytes": len(members[name]), "sha256": sha256(members[name]).hexdigest()}
        members["backup.json"] = json.dumps(told).encode()

    return change


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda members: members.pop("backup.json"), "no whole backup"),
        (lambda members: members.update({"tables/labels.jsonl": b""}), "not what was written"),
        (lambda members: members.pop("tables/labels.jsonl"), "is missing"),
        (lambda members: members.update({"../evil": b"x"}), "which no backup has"),
        (lambda members: members.update({"/etc/evil": b"x"}), "which no backup has"),
        (lambda members: members.update({"runs/01234567/round-0000-01234567/../../x": b"x"}), "which no backup has"),
        (lambda members: members.update({"alvin.db": b"x"}), "which no backup has"),
        (lambda members: members.update({"backup.json": b"[" * 100_000}), "backup.json"),
        (manifest_with(format="alvin-run"), "no backup of a store"),
        (rows_with("labels", b"no json\n"), "labels.jsonl, line"),
        (rows_with("labels", b'{"no": "column"}\n'), "no row of this table"),
        (rows_with("labels", b'{"run_id": "ghost", "seq": 1}\n'), "labels.jsonl"),
        (rows_with("slices", b'{"members": "***"}\n'), "slices.jsonl"),
        (rows_with("jobs", b'{"id": 1e999}\n'), "jobs.jsonl"),
        (rows_with("jobs", b'{"id": 36893488147419103232}\n'), "jobs.jsonl"),
        (rows_with("jobs", b'{"id": 1, "kind": "\\ud800"}\n'), "jobs.jsonl"),
        (manifest_with(members=5), "backup.json"),
        (manifest_with(version=float("inf")), "backup.json"),
    ],
)
def test_a_changed_backup_makes_no_store_and_writes_nowhere_else(
    tmp_path: Path, fake: ModuleType, change: Callable[[dict[str, bytes]], None], error: str
) -> None:
    file = rewritten(plain_store(tmp_path, fake), change)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match=error):
        restore_store(file, tmp_path / "again")
    assert sorted(tmp_path.rglob("*")) == before


def renamed(table: str, column: str, value: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        name = f"tables/{table}.jsonl"
        rows = [json.loads(line) for line in members[name].splitlines()]
        members[name] = b"".join(json.dumps({**one, column: value}).encode() + b"\n" for one in rows)
        rows_with(table, b"")(members)

    return change


@pytest.mark.parametrize(
    ("table", "column"),
    [("runs", "id"), ("runs", "name"), ("runs", "dataset"), ("rounds", "folder")],
)
@pytest.mark.parametrize("value", ["../../elsewhere", "/tmp/elsewhere", "", "..", 7])
def test_a_row_of_a_backup_that_would_lead_out_of_the_store_is_refused(
    tmp_path: Path, fake: ModuleType, table: str, column: str, value: Any
) -> None:
    """Deleting a run with such an id removed a folder that was never the store's."""
    file = rewritten(plain_store(tmp_path, fake), renamed(table, column, value))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match=f"{table}.jsonl, line 1: {column} = "):
        restore_store(file, tmp_path / "again")
    assert sorted(tmp_path.rglob("*")) == before


def test_compressed_data_that_is_damaged_within_a_file_is_told_as_such(store: Path, tmp_path: Path) -> None:
    (store / "cache" / ("a" * 64) / "values.bin").write_bytes(b"values" * 100_000)  # the first file of the backup
    backup_store(store, tmp_path / "a.tar", cache=True)
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress((tmp_path / "a.tar").read_bytes()[:500_000]) + packer.flush(zlib.Z_FULL_FLUSH)
    (tmp_path / "a.tar.gz").write_bytes(packed + b"\xff" * 1000)
    with pytest.raises(StoreError, match=r"damaged, or is no backup: Error -3 .*; take another copy"):
        restore_store(tmp_path / "a.tar.gz", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_what_is_found_in_a_restored_store_names_the_place_where_it_is(store: Path, tmp_path: Path) -> None:
    (next((store / "runs").glob("*/round-0001-*")) / "arrays.npz").write_bytes(b"damaged")
    backup_store(store, tmp_path / "a.tar")
    report = restore_store(tmp_path / "a.tar", tmp_path / "again")
    assert any(str(tmp_path / "again" / "runs") in one.what for one in report.findings)
    assert not any(".part" in one.what for one in report.findings)


def test_an_encoding_that_goes_while_a_backup_begins_is_left_out(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alvin_core.upkeep.backup.cache_entries", lambda _: ["a" * 64, "b" * 64])
    backup_store(store, tmp_path / "a.tar", cache=True)
    restore_store(tmp_path / "a.tar", tmp_path / "again")
    assert [one.name for one in (tmp_path / "again" / "cache").iterdir()] == ["a" * 64]


@pytest.mark.parametrize("values", [{"version": 99}, {"schema": 99}])
def test_a_backup_of_a_newer_version_asks_for_an_upgrade(tmp_path: Path, fake: ModuleType, values: Any) -> None:
    file = rewritten(plain_store(tmp_path, fake), manifest_with(**values))
    with pytest.raises(StoreVersionError, match="upgrade"):
        restore_store(file, tmp_path / "again")


@pytest.mark.parametrize("member", ["events/labels.jsonl", "backup.toml", "arrays/" + "0" * 200])
def test_members_that_only_a_newer_version_writes_ask_for_an_upgrade_and_are_not_called_damage(
    tmp_path: Path, fake: ModuleType, member: str
) -> None:
    def newer(members: dict[str, bytes]) -> None:
        members[member] = b"x"
        manifest_with(version=2)(members)

    with pytest.raises(StoreVersionError, match=r"version 2 of a store .* upgrade it"):
        restore_store(rewritten(plain_store(tmp_path, fake), newer), tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_would_fill_the_memory_is_refused_before_it_is_read(tmp_path: Path, kind: bytes) -> None:
    """A terabyte is told of and 100 KB are there: who reads what is told of fails otherwise, or not at all."""
    info = tarfile.TarInfo("tables/labels.jsonl")
    info.type, info.size = kind, 2**40
    file = tmp_path / "evil.tar"
    file.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"0" * 100_000)
    with pytest.raises(StoreError, match=r"a header of 1,099,511,627,776 bytes; a backup has none above 65,536"):
        restore_store(file, tmp_path / "again")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.SYMTYPE, "is neither a file nor a second name of one"),
        (tarfile.LNKTYPE, "is a second name of '/etc/passwd', which is not there"),
        (tarfile.FIFOTYPE, "is neither a file nor a second name of one"),
        (tarfile.DIRTYPE, "is neither a file nor a second name of one"),
    ],
)
def test_nothing_but_files_is_unpacked(tmp_path: Path, kind: bytes, message: str) -> None:
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as archive:
        info = tarfile.TarInfo("tables/labels.jsonl")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(StoreError, match=f"tables/labels.jsonl: {message}"):
        restore_store(file, tmp_path / "again")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "content",
    [b"", b"no tar", gzip.compress(b"no tar", mtime=0), b"\x1f\x8b" + b"\0" * 600],
    ids=["nothing", "text", "gzip", "broken gzip"],
)
def test_what_is_no_tar_is_no_backup(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.tar"
    file.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged, or is no backup"):
        restore_store(file, tmp_path / "again")
    assert list(tmp_path.iterdir()) == [file]


def test_a_cut_backup_is_told_as_such(store: Path, tmp_path: Path) -> None:
    for name in ("a.tar", "a.tar.gz"):
        backup_store(store, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        for share in (0.2, 0.7, 0.9):  # at the very end is padding
            (tmp_path / "cut.tar").write_bytes(content[: int(len(content) * share)])
            with pytest.raises(StoreError, match=r"is damaged, or is no backup|is no whole backup"):
                restore_store(tmp_path / "cut.tar", tmp_path / "again")
            assert not (tmp_path / "again").exists()


def test_jobs_that_waited_are_not_begun_by_the_restored_store(store: Path, tmp_path: Path) -> None:
    enqueue_job(store, "rounds", run="first", params={"n": 2})
    backup_store(store, tmp_path / "a.tar")
    restore_store(tmp_path / "a.tar", tmp_path / "again")
    assert [job.state for job in list_jobs(store)] == ["queued"]
    (job,) = list_jobs(tmp_path / "again")
    assert (job.state, job.note) == ("cancelled", "the store was restored from a backup")
