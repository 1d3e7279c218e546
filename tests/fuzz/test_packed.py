"""Packed runs, backups and stored arrays: changed in any way they are read or refused, and nothing else is touched."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from made_up import bytes_near, json_values, texts

from alvin_core.run import create_run
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import load_array, load_arrays, save_arrays
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.restoring import is_backup, restore_store

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, fake: ModuleType) -> tuple[Path, Path]:
    """A packed run, and a backup of its store."""
    folder = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "compute", fake.compute)
        run = create_run(folder / "store", fake.make_dataset(20, 4), RunSettings(budget=3, initial=6), name="r")
        run.step()
    backup_store(folder / "store", folder / "store.tar")
    return pack_run(folder / "store", "r", folder / "r.zip"), folder / "store.tar"


@pytest.fixture
def try_on(tmp_path: Path) -> Callable[[Callable[[Path, Path], object], bytes, str], None]:
    """Writes a file, opens it into a new store, and sees that nothing was written beside it."""

    def take(act: Callable[[Path, Path], object], content: bytes, name: str) -> None:
        file, store = tmp_path / name, tmp_path / "store"
        file.write_bytes(content)
        try:
            act(file, store)
        finally:
            there = {one.name for one in tmp_path.iterdir()}
            shutil.rmtree(store, ignore_errors=True)
            assert there <= {name, "store"}, there

    return take


def zip_of(members: Members) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


def tar_of(members: Members) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def with_true_sums(members: Members, manifest: str) -> Members:
    """Let the manifest say what the members are, so that reading goes on beyond it."""
    told = json.loads(members[manifest])
    told["members"] = {
        name: {"bytes": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in members.items()
        if name != manifest
    }
    return {**{name: data for name, data in members.items() if name != manifest}, manifest: json.dumps(told).encode()}


def changed_record(data: bytes, at: int, changes: dict[int, Any], gone: set[int], extra: dict[str, Any]) -> bytes:
    """Change one record of a member: values are replaced by the place of their names, some go, some come."""
    lines = data.splitlines() or [b"{}"]
    record = json.loads(lines[at % len(lines)])
    names = sorted(record) or [""]
    for place, value in changes.items():
        record[names[place % len(names)]] = value
    for place in gone:
        record.pop(names[place % len(names)], None)
    lines[at % len(lines)] = json.dumps({**record, **extra}).encode()
    return b"\n".join(lines) + b"\n"


changed = st.tuples(
    st.integers(0, 50),
    st.integers(0, 50),
    st.dictionaries(st.integers(0, 20), json_values, max_size=3),
    st.sets(st.integers(0, 20), max_size=1),
    st.dictionaries(texts, json_values, max_size=1),
)


def test_changed_bytes_of_a_packed_run_are_read_or_refused(fuzz, packed, try_on) -> None:
    take = bytes_near([packed[0].read_bytes()])
    fuzz(lambda data: try_on(lambda file, store: unpack_run(store, file), data, "r.zip"), take, share=2)


def test_changed_bytes_of_members_of_a_packed_run_are_read_or_refused(fuzz, packed, try_on) -> None:
    with zipfile.ZipFile(packed[0]) as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(good)

    def take(value: tuple[int, bytes]) -> None:
        name = names[value[0] % len(names)]
        members = good | {name: value[1]}
        if name.startswith("arrays/"):  # a member of this kind is called by its own sum
            members.pop(name)
            new = f"arrays/{sha256(value[1]).hexdigest()}{name[-4:]}"
            members = {key: data.replace(name[7:71].encode(), new[7:71].encode()) for key, data in members.items()}
            members[new] = value[1]
        content = zip_of(members if name == "manifest.json" else with_true_sums(members, "manifest.json"))
        try_on(lambda file, store: unpack_run(store, file), content, "r.zip")

    pairs = st.integers(0, len(names) - 1).flatmap(lambda at: st.tuples(st.just(at), bytes_near([good[names[at]]])))
    fuzz(take, pairs, share=1.2)


def test_changed_records_of_a_packed_run_are_read_or_refused(fuzz, packed, try_on) -> None:
    with zipfile.ZipFile(packed[0]) as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(name for name in good if name.endswith((".json", ".jsonl")) and name != "manifest.json")

    def take(value: tuple[int, int, dict[int, Any], set[int], dict[str, Any]]) -> None:
        name = names[value[0] % len(names)]
        members = with_true_sums(good | {name: changed_record(good[name], *value[1:])}, "manifest.json")
        try_on(lambda file, store: unpack_run(store, file), zip_of(members), "r.zip")

    fuzz(take, changed, share=1.2)


def test_changed_bytes_of_a_backup_are_read_or_refused(fuzz, packed, try_on) -> None:
    take = bytes_near([packed[1].read_bytes()[:4096], packed[1].read_bytes()])

    def restore(file: Path, store: Path) -> None:
        is_backup(file)
        restore_store(file, store)

    fuzz(lambda data: try_on(restore, data, "store.tar"), take, share=0.3)


def test_changed_records_of_a_backup_are_read_or_refused(fuzz, packed, try_on) -> None:
    with tarfile.open(packed[1]) as archive:
        good = {one.name: archive.extractfile(one).read() for one in archive if one.isreg()}  # type: ignore[union-attr]
    names = sorted(name for name in good if name.startswith("tables/") and good[name])

    def take(value: tuple[int, int, dict[int, Any], set[int], dict[str, Any]]) -> None:
        name = names[value[0] % len(names)]
        members = with_true_sums(good | {name: changed_record(good[name], *value[1:])}, "backup.json")
        try_on(lambda file, store: restore_store(file, store), tar_of(members), "store.tar")

    fuzz(take, changed, share=0.3)


HEADERS = (
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2)}",
    b"(((((",
    b"'" * 50,
    b"{'shape': (" + b"9," * 90 + b")}",
)


def test_changed_bytes_of_stored_arrays_are_read_or_refused(fuzz, tmp_path: Path) -> None:
    folder = tmp_path / "round"
    save_arrays(folder, {"a": np.arange(6.0), "b": np.asarray(["x", "yz"])}, mapped={"m": np.ones((3, 2))})
    files = {name: (folder / name).read_bytes() for name in ("arrays.npz", "m.npy")}

    def take(value: tuple[str, bytes]) -> None:
        name, content = value
        (folder / name).unlink(missing_ok=True)  # what is mapped from the last input keeps its own bytes
        (folder / name).write_bytes(content)
        if name == "m.npy":
            load_array(folder, "m").sum()
        else:
            load_arrays(folder)

    either = st.sampled_from(sorted(files)).flatmap(
        lambda name: st.tuples(st.just(name), bytes_near([files[name]], words=HEADERS))
    )
    fuzz(take, either, share=5)
