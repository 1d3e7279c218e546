"""A run as one file: the same run on the other side, or an error and nothing."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvin_core.errors import AlvinError, RunNotFoundError, StoreError, StoreVersionError
from alvin_core.run import Run, create_run, delete_run, list_runs, open_run
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.engine import Engine
from alvin_core.run.trash import trash_run
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=5, initial=10)
N_ROUNDS = 3


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, fake: ModuleType) -> Path:
    """A packed run of three rounds with an undone label and marks. Tests must only look at it."""
    folder = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "compute", fake.compute)
        make_run(folder / "store", fake)
        return pack_run(folder / "store", "r", folder / "r.zip")


@pytest.fixture(scope="module")
def original(packed: Path) -> Run:
    return open_run(packed.parent / "store", "r")


def make_run(store: Path, fake: ModuleType) -> Run:
    run = create_run(store, fake.make_dataset(30, 6, pairs=True), SETTINGS, name="r", source="a/b.csv")
    list(run.run_rounds(N_ROUNDS - 1))
    first, second = run.labels()["id"].tolist()[:2]
    run.undo(first, "Ada")
    run.submit({first: "pos"}, annotator="Ada")
    run.note(second, "<b>two</b>\nlines", "Ben")
    run.skip(second, "Ada")
    run.flag(first, "Ada")
    return run


def everything(run: Run) -> list[pd.DataFrame]:
    """All that a run tells, as frames."""
    frames = [run.labels(), run.marks(), run.history(), run.pending(), run.metrics().drop(columns="run")]
    for round_no in range(run.n_rounds):
        frames += [run.examples(round_no, oracle=True), run.selection(round_no), run.provenance(round_no)]
        frames += [run.anchors(round_no), pd.DataFrame(run.vectors(round_no)[1])]
        frames += [pd.DataFrame(run.dynamics(round_no).gold_prob)]
    return frames


def assert_same(one: Run, other: Run) -> None:
    for found, expected in zip(everything(one), everything(other), strict=True):
        pd.testing.assert_frame_equal(found, expected)
    assert one.settings == other.settings
    records = ([record.to_dict() | {"run": ""} for record in run.records()] for run in (one, other))
    assert next(records) == next(records)


def assert_nothing_in(store: Path) -> None:
    if store.exists():
        assert list_runs(store) == []
        assert [path.name for folder in ("runs", "datasets") for path in (store / folder).iterdir()] == []


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(path: Path, members: dict[str, bytes], *, honest: bool = True) -> Path:
    """Write members as a zip; with ``honest``, the manifest and the arrays' names follow what is in them."""
    if honest:
        members = dict(members)
        manifest = json.loads(members.pop("manifest.json"))
        manifest["members"] = {
            name: {"bytes": len(data), "sha256": sha256(data).hexdigest()} for name, data in members.items()
        }
        members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def edited(path: Path, name: str, change: Callable[[list[Any]], None]) -> dict[str, bytes]:
    """Return a packed run's members with the records of one of them changed."""
    members = members_of(path)
    records = [json.loads(line) for line in members[name].decode().splitlines()]
    change(records)
    members[name] = "".join(json.dumps(one) + "\n" for one in records).encode()
    return members


def with_arrays(path: Path, round_no: int, change: Callable[[dict[str, Any]], None], *, vectors: bool = False) -> Any:
    """Return a packed run's members with the arrays of a round changed, and named by their new hash."""
    members = members_of(path)
    rounds = [json.loads(line) for line in members["rounds.jsonl"].decode().splitlines()]
    kind, suffix = ("vectors", "npy") if vectors else ("arrays", "npz")
    data = members.pop(f"arrays/{rounds[round_no][kind]}.{suffix}")
    buffer = io.BytesIO()
    if vectors:
        held = {"vectors": np.load(io.BytesIO(data))}
        change(held)
        np.save(buffer, held["vectors"])
    else:
        with np.load(io.BytesIO(data)) as archive:
            held = dict(archive)
        change(held)
        np.savez(buffer, **held)
    return with_raw(members, rounds, round_no, kind, suffix, buffer.getvalue())


def with_raw(
    members: dict[str, bytes], rounds: list[Any], round_no: int, kind: str, suffix: str, data: bytes
) -> dict[str, bytes]:
    rounds[round_no][kind] = sha256(data).hexdigest()
    members[f"arrays/{rounds[round_no][kind]}.{suffix}"] = data
    members["rounds.jsonl"] = "".join(json.dumps(one) + "\n" for one in rounds).encode()
    return members


def test_a_run_comes_out_as_it_went_in(tmp_path: Path, fake: ModuleType) -> None:
    run = make_run(tmp_path / "a", fake)
    path = pack_run(tmp_path / "a", run.id, tmp_path / "r.zip")
    assert path == tmp_path / "r.zip"
    twin = unpack_run(tmp_path / "b", path)
    assert (twin.name, twin.source, twin.annotator, twin.created_at) == ("r", "a/b.csv", "oracle", run.created_at)
    assert twin.id != run.id
    assert_same(twin, run)
    assert [one.same for one in twin.replay()] == [True] * N_ROUNDS
    assert twin.environment["unpacked"] == {"id": run.id, "name": "r", "parent_id": None, "parent_round": None}
    for one in (run, twin):
        one.step()
    pd.testing.assert_frame_equal(twin.selection(N_ROUNDS), run.selection(N_ROUNDS))
    delete_run(tmp_path / "a", "r")
    assert len(open_run(tmp_path / "b", "r").examples(0)) == 36


def test_a_run_that_waits_for_its_first_labels_comes_out_waiting(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path / "a", fake.make_dataset(labeled=0.0), SETTINGS, name="hand")
    twin = unpack_run(tmp_path / "b", pack_run(tmp_path / "a", "hand", tmp_path / "r.zip"))
    assert (twin.state, twin.n_rounds) == ("waiting", 0)
    assert twin.queue("Ada") == run.queue("Ada")
    twin.submit({one: "pos" if place % 2 else "neg" for place, one in enumerate(twin.queue("Ada"))})
    assert twin.step().round == 0


def test_packing_twice_gives_the_same_members(tmp_path: Path, fake: ModuleType) -> None:
    make_run(tmp_path / "a", fake)
    one, other = (members_of(pack_run(tmp_path / "a", "r", tmp_path / f"{name}.zip")) for name in "xy")
    one.pop("manifest.json")
    other.pop("manifest.json")
    assert one == other


def test_a_taken_name_gets_a_number_unless_it_was_asked_for(packed: Path, tmp_path: Path) -> None:
    names = [unpack_run(tmp_path, packed).name for _ in range(2)]
    assert names == ["r", "r-2"]
    assert unpack_run(tmp_path, packed, name="mine").name == "mine"
    with pytest.raises(StoreError, match="there is a run called 'mine' already"):
        unpack_run(tmp_path, packed, name="mine")
    trash_run(tmp_path, "mine")
    with pytest.raises(StoreError, match="'mine' is in the trash"):
        unpack_run(tmp_path, packed, name="mine")
    with pytest.raises(StoreError, match="cannot name a run"):
        unpack_run(tmp_path, packed, name="../mine")
    assert sorted(one.name for one in list_runs(tmp_path)) == ["r", "r-2"]
    assert len(list((tmp_path / "datasets").iterdir())) == 1
    assert len(list((tmp_path / "runs").iterdir())) == 3


def test_a_parent_is_kept_where_the_store_has_it(tmp_path: Path, fake: ModuleType) -> None:
    parent = make_run(tmp_path / "a", fake)
    child = parent.fork(2, name="child")
    path = pack_run(tmp_path / "a", "child", tmp_path / "r.zip")
    assert unpack_run(tmp_path / "a", path).parent == (parent.id, 2)
    stranger = unpack_run(tmp_path / "b", path)
    assert stranger.parent is None
    origin = stranger.environment["unpacked"]
    assert (origin["id"], origin["parent_id"], origin["parent_round"]) == (child.id, parent.id, 2)


def test_vectors_that_are_those_of_every_round_are_packed_and_stored_once(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def frozen(*arguments: Any) -> Any:
        result, environment = fake.compute(*arguments)
        result.vectors[:] = 0.5
        return result, environment

    monkeypatch.setattr(Engine, "compute", frozen)
    make_run(tmp_path / "a", fake)
    path = pack_run(tmp_path / "a", "r", tmp_path / "r.zip")
    assert sum(name.endswith(".npy") for name in members_of(path)) == 1
    run = unpack_run(tmp_path / "b", path)
    files = list((tmp_path / "b" / "runs" / run.id).glob("*/vectors.npy"))
    assert len(files) == N_ROUNDS
    assert len({file.stat().st_ino for file in files}) == 1


def test_a_run_is_packed_whole_while_its_next_round_is_trained(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "a", fake)

    def packing(*arguments: Any) -> Any:
        pack_run(tmp_path / "a", "r", tmp_path / "r.zip")
        return fake.compute(*arguments)

    monkeypatch.setattr(Engine, "compute", packing)
    run.step()
    twin = unpack_run(tmp_path / "b", tmp_path / "r.zip")
    # The oracle had answered for the round that was being trained.
    assert (twin.n_rounds, len(twin.labels())) == (N_ROUNDS, 25)
    assert (run.n_rounds, len(run.labels())) == (N_ROUNDS + 1, 25)


def test_what_cannot_be_packed_is_said_in_one_line(packed: Path, tmp_path: Path, fake: ModuleType) -> None:
    store = tmp_path / "a"
    run = make_run(store, fake)
    with pytest.raises(StoreError, match="is a folder; name a file to pack the run into"):
        pack_run(store, "r", tmp_path)
    with pytest.raises(StoreError, match="there is no folder"):
        pack_run(store, "r", tmp_path / "none" / "r.zip")
    with pytest.raises(RunNotFoundError):
        pack_run(store, "other", tmp_path / "r.zip")
    with pytest.raises(StoreError, match="there is no store at"):
        pack_run(tmp_path / "nowhere", "r", tmp_path / "r.zip")
    arrays = next((store / "runs" / run.id).glob("round-0001-*/arrays.npz"))
    data = bytearray(arrays.read_bytes())
    data[len(data) // 2] ^= 255
    arrays.write_bytes(data)
    with pytest.raises(StoreError, match="the run 'r' cannot be packed, it is damaged in the store"):
        pack_run(store, "r", tmp_path / "r.zip")
    shutil.rmtree(arrays.parent)
    with pytest.raises(StoreError, match=r"cannot read .*arrays\.npz: No such file"):
        pack_run(store, "r", tmp_path / "r.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_leaves_the_file_that_was_there(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "a", fake)
    path = tmp_path / "r.zip"
    path.write_text("precious")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("alvin_core.run.bundle.os.fsync", full)
    with pytest.raises(StoreError, match=r"cannot pack the run 'r' into .*No space left on device; free some space"):
        pack_run(tmp_path / "a", "r", path)
    assert path.read_text() == "precious"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "r.zip"]


def test_a_file_that_is_none_says_what_it_is(packed: Path, tmp_path: Path) -> None:
    plain, other, empty = tmp_path / "plain.zip", tmp_path / "other.zip", tmp_path / "empty.zip"
    plain.write_text("no zip")
    empty.write_bytes(b"")
    write_zip(other, {"readme.txt": b"hello"}, honest=False)
    for path, message in (
        (tmp_path / "none.zip", r"cannot read .*none\.zip: No such file"),
        (tmp_path, "cannot read"),
        (plain, "is damaged, or is no packed run"),
        (empty, "is damaged, or is no packed run"),
        (other, "holds 'readme.txt', which no packed run has; nothing of it was read"),
        (write_zip(tmp_path / "bare.zip", {}, honest=False), r"is no packed run: it has no manifest\.json"),
    ):
        with pytest.raises(StoreError, match=message):
            unpack_run(tmp_path / "b", path)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", "arrays/../../evil.npy", "arrays\\evil.npz", "C:/evil", "runs/x/evil", "a\x00b", "ä"],
)
def test_a_member_of_another_name_is_refused(packed: Path, tmp_path: Path, name: str) -> None:
    write_zip(tmp_path / "r.zip", members_of(packed) | {name: b"evil"})
    with pytest.raises(StoreError, match="which no packed run has; nothing of it was read"):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(packed: Path, tmp_path: Path) -> None:
    shutil.copyfile(packed, tmp_path / "r.zip")
    with zipfile.ZipFile(tmp_path / "r.zip", "a") as archive:
        archive.writestr("run.json", b"{}")
    with pytest.raises(StoreError, match="a member is there twice"):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")


def test_what_would_fill_the_disk_or_the_memory_is_refused(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = write_zip(tmp_path / "bomb.zip", members_of(packed) | {"marks.jsonl": b" " * (2**26 + 1)})
    with pytest.raises(StoreError, match=r"more than 200 times its own size of .*, as no packed run does"):
        unpack_run(tmp_path / "b", bomb)
    monkeypatch.setattr("alvin_core.run.bundle_reading.LARGEST", 10_000)
    with pytest.raises(StoreError, match=r"would unpack to [0-9,]+ bytes, at most 10,000 are read"):
        unpack_run(tmp_path / "b", packed)
    monkeypatch.undo()
    monkeypatch.setattr("alvin_core.run.bundle_reading.MOST_MEMBERS", 3)
    with pytest.raises(StoreError, match="members; a packed run has at most 3"):
        unpack_run(tmp_path / "b", packed)
    monkeypatch.undo()
    monkeypatch.setattr("alvin_core.run.bundle_reading.LARGEST_DOCUMENT", 50)
    with pytest.raises(StoreError, match=r"manifest\.json: [0-9,]+ bytes, at most 50 are read"):
        unpack_run(tmp_path / "b", packed)
    monkeypatch.undo()
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("alvin_core.run.bundle.shutil.disk_usage", lambda path: usage)
    with pytest.raises(StoreError, match=r"the packed run takes [0-9,]+ bytes, and 1,000 are free at"):
        unpack_run(tmp_path / "b", packed)
    assert_nothing_in(tmp_path / "b")


def test_a_line_without_end_is_not_read_to_its_end(packed: Path, tmp_path: Path) -> None:
    members = members_of(packed) | {"marks.jsonl": b"[" * (2**24 + 5)}
    write_zip(tmp_path / "r.zip", members)
    with pytest.raises(StoreError, match=r"marks\.jsonl, line 1: longer than 16,777,216 bytes"):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")


@pytest.mark.parametrize(
    ("version", "error", "message"),
    [
        (4, StoreVersionError, "has the format version 4, this ALVIN Studio reads 3; upgrade it"),
        (0, StoreError, "version is 0"),
        (True, StoreError, "version is True"),
        ("1", StoreError, "version is '1'"),
    ],
)
def test_other_versions_are_refused(
    packed: Path, tmp_path: Path, version: object, error: type[StoreError], message: str
) -> None:
    members = members_of(packed)
    members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | {"version": version}).encode()
    write_zip(tmp_path / "r.zip", members, honest=False)
    with pytest.raises(error, match=message):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")


def first(records: list[Any], **values: object) -> None:
    records[0].update(values)


def in_metrics(value: object) -> Callable[[list[Any]], None]:
    return lambda records: records[0]["metrics"]["test"].update(accuracy=value)


CHANGED: dict[str, tuple[str, Callable[[list[Any]], None], str]] = {
    "dataset": ("run.json", lambda r: first(r, dataset="0" * 64), "dataset is '0000"),
    "name": ("run.json", lambda r: first(r, name="../x"), "cannot name a run"),
    "setting": ("run.json", lambda r: r[0]["settings"].update(budget=0), "budget = 0 is out of range"),
    "strategy": ("run.json", lambda r: r[0]["settings"].update(strategy="evil"), "no strategy is called 'evil'"),
    "unknown setting": ("run.json", lambda r: r[0]["settings"].update(evil=1), "no setting is called 'evil'"),
    "annotator": ("run.json", lambda r: first(r, annotator="me"), "annotator is 'me', which cannot be"),
    "id": ("run.json", lambda r: first(r, id="../../x"), "id is '../../x', which cannot be"),
    "parent": ("run.json", lambda r: first(r, parent_id="x"), "parent_id is 'x'"),
    "half a parent": ("run.json", lambda r: first(r, parent_id="0123abcd"), "parent_round is 'None'"),
    "time": ("run.json", lambda r: first(r, created_at="yesterday"), "created_at is 'yesterday', no time"),
    "time without zone": ("run.json", lambda r: first(r, created_at="2026-01-01"), "no time with its zone"),
    "more fields": ("run.json", lambda r: first(r, evil=1), "is no record of id, name, settings"),
    "surrogate": ("run.json", lambda r: first(r, source="\ud800"), "no JSON"),
    "source": ("run.json", lambda r: first(r, source="x" * 10_001), "source is"),
    "no record": ("labels.jsonl", lambda r: r.append([1]), "is no record of seq, example_id"),
    "gap in labels": ("labels.jsonl", lambda r: first(r, seq=2), "labels.jsonl, line 1: seq is 2, 1 is expected"),
    "true as a number": ("labels.jsonl", lambda r: first(r, seq=True), "seq is True"),
    "class": ("labels.jsonl", lambda r: first(r, label="evil"), "label is 'evil', which is none of this run's"),
    "example": ("labels.jsonl", lambda r: first(r, example_id="evil"), "example_id is 'evil'"),
    "test example": ("labels.jsonl", lambda r: first(r, example_id="e00032"), "example_id is 'e00032'"),
    "label twice": ("labels.jsonl", lambda r: r.append(r[1] | {"seq": len(r) + 1}), "has a label already"),
    "undo of nothing": ("labels.jsonl", lambda r: first(r, action="undo"), "or none to take back"),
    "other undo": ("labels.jsonl", lambda r: r[-2].update(label="pos", seq=len(r) - 1), "another label is taken back"),
    "source of a label": ("labels.jsonl", lambda r: first(r, source="evil"), "source is 'evil'"),
    "annotator of a label": ("labels.jsonl", lambda r: first(r, annotator="a\nb"), "must be a name of 1 to 200"),
    "labels gone": ("labels.jsonl", lambda r: r.clear(), "last_seq is 10; from 0 to 0 there are labels"),
    "mark": ("marks.jsonl", lambda r: first(r, action="evil"), "action is 'evil'"),
    "note": ("marks.jsonl", lambda r: first(r, note="a\x00"), "control character"),
    "note of a flag": ("marks.jsonl", lambda r: r[1].update(note="x"), "note is none that is stored"),
    "mark of nobody": ("marks.jsonl", lambda r: first(r, example_id="evil"), "example_id is 'evil'"),
    "proposal": ("proposals.jsonl", lambda r: first(r, example_id="evil"), "example_id is 'evil'"),
    "round of a proposal": ("proposals.jsonl", lambda r: first(r, round_no=9), "round_no is 9"),
    "rank": ("proposals.jsonl", lambda r: first(r, rank=1), "rank is 1, 0 is expected"),
    "proposed twice": ("proposals.jsonl", lambda r: r[1].update(example_id=r[0]["example_id"]), "twice"),
    "other proposal": ("proposals.jsonl", lambda r: r.pop(), "scores has the shape|selected_rows"),
    "round": ("rounds.jsonl", lambda r: r.pop(0), "round_no is 1, 0 is expected"),
    "last label": ("rounds.jsonl", lambda r: first(r, last_seq=10**30), "last_seq is 1000"),
    "labels go back": ("rounds.jsonl", lambda r: r[1].update(last_seq=1), "last_seq is 1; from"),
    "count": ("rounds.jsonl", lambda r: first(r, n_labeled=11), "n_labeled is 11, 10 is expected"),
    "accuracy": ("rounds.jsonl", in_metrics("evil"), "accuracy is 'evil'"),
    "accuracy of groups": ("rounds.jsonl", in_metrics({"a": 1}), "accuracy is {'a': 1}"),
    "split": ("rounds.jsonl", lambda r: r[0]["metrics"].update(evil={}), "metrics has 'evil'"),
    "summary": ("rounds.jsonl", lambda r: r[0]["summary"].update(evil={}), "summary has 'evil'"),
    "seconds": ("rounds.jsonl", lambda r: r[0]["seconds"].update(train=-1), "no duration"),
    "warnings": ("rounds.jsonl", lambda r: first(r, warnings=[1]), "warnings holds what is no text"),
    "round's setting": ("rounds.jsonl", lambda r: r[0]["settings"].update(seed=-1), "seed = -1 is out of range"),
    "round's strategy": ("rounds.jsonl", lambda r: r[0]["settings"].update(strategy="x"), "no ranking of its own"),
    "arrays": ("rounds.jsonl", lambda r: first(r, arrays="0" * 64), "does not name the arrays that are there"),
    "path": ("rounds.jsonl", lambda r: first(r, vectors="../../../etc/passwd"), "does not name the arrays"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_changed_record_is_refused_though_its_hash_is_right(packed: Path, tmp_path: Path, case: str) -> None:
    name, change, message = CHANGED[case]
    write_zip(tmp_path / "r.zip", edited(packed, name, change))
    with pytest.raises(StoreError, match=message) as caught:
        unpack_run(tmp_path / "b", tmp_path / "r.zip")
    assert "\n" not in str(caught.value)
    assert_nothing_in(tmp_path / "b")


@pytest.mark.parametrize(
    "text", ["{", "NaN", '{"a": NaN}', "[" * 100_000, "\xff", "1" * 5000, '"\\ud800"', "[]", "null"]
)
def test_what_is_no_json_or_no_record_is_refused(packed: Path, tmp_path: Path, text: str) -> None:
    write_zip(tmp_path / "r.zip", members_of(packed) | {"run.json": text.encode("latin-1")})
    with pytest.raises(StoreError, match=r"run\.json: (no JSON|is no record)"):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")


def changed(name: str, make: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.update({name: make(arrays[name])})


def swapped(array: Any) -> Any:
    return array[::-1].copy()


def beyond(array: Any) -> Any:
    return np.full_like(array, 10**6)


ARRAYS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "missing": (lambda a: a.pop("probs") is None, "the array 'probs' is missing"),
    "unknown": (lambda a: a.update(evil=np.zeros(3)), "the array 'evil' is unknown"),
    "type": (changed("probs", lambda x: x.astype(int)), "probs has the type"),
    "text": (changed("scores", lambda x: x.astype(str)), "values of the type '<U"),
    "complex": (changed("scores", lambda x: x.astype(complex)), "values of the type"),
    "other bytes": (changed("scores", lambda x: x.astype(">f8")), "values of the type '>f8'"),
    "shape": (changed("probs", lambda x: x[:, :1]), "probs has the shape .36, 1., 2 is expected"),
    "dimensions": (changed("probs", lambda x: x[None]), "the shape .1, 36, 2. does not fit"),
    "not finite": (changed("probs", lambda x: x * np.nan), "probs is not finite"),
    "labeled": (changed("labeled_rows", swapped), "labeled_rows are not those that the labels tell"),
    "vectors of others": (changed("vector_rows", swapped), "vector_rows are not the pool's"),
    "selected": (changed("selected_rows", swapped), "selected_rows are not what was proposed"),
    "ranking": (changed("ranking:alvin", swapped), "not the top of its ranking"),
    "ranking beyond": (changed("ranking:entropy", beyond), "selected, ranked or retrieved what is not open"),
    "ranking twice": (changed("ranking:entropy", lambda x: np.repeat(x, 2)), "what is not open"),
    "negative": (changed("candidate_rows", lambda x: -x - 1), "what is not open"),
    "parents": (changed("anchor_minority_rows", beyond), "an anchor has a parent without a label"),
    "anchor class": (changed("anchor_classes", beyond), "an anchor has an unknown class"),
    "links": (changed("link_anchors", beyond), "a link names no anchor"),
    "places": (changed("link_places", lambda x: -x - 1), "a link names nothing selected"),
    "half of the anchors": (lambda a: a.pop("anchor_weights") is None, "'anchor_weights' is missing"),
    "vectors among them": (lambda a: a.update(vectors=np.zeros((30, 4), np.float32)), "'vectors' is there twice"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_changed_arrays_are_refused_though_their_hash_is_right(packed: Path, tmp_path: Path, case: str) -> None:
    change, message = ARRAYS[case]
    write_zip(tmp_path / "r.zip", with_arrays(packed, 1, change))
    with pytest.raises(StoreError, match=message):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")
    assert_nothing_in(tmp_path / "b")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: x[:-1], "vectors has the shape"),
        (lambda x: x[:, :0], "vectors has the shape"),
        (lambda x: x + np.inf, "vectors is not finite"),
        (lambda x: x.astype(np.float128), "values of the type"),
        (lambda x: x.astype(int), "vectors has the type"),
    ],
)
def test_changed_vectors_are_refused(packed: Path, tmp_path: Path, make: Callable[[Any], Any], message: str) -> None:
    write_zip(tmp_path / "r.zip", with_arrays(packed, 2, changed("vectors", make), vectors=True))
    with pytest.raises(StoreError, match=message):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")
    assert_nothing_in(tmp_path / "b")


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([print], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def lying_header() -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**6)})
    return buffer.getvalue() + bytes(64)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pickled(), r"values of the type '\|O'"),
        (lying_header(), "the shape .1000000000, 1000000. does not fit its"),
        (b"\x93NUMPY\x09\x00", r"an array of the format \(9, 0\)"),
        (b"", "is damaged, or is no packed run"),
        (b"no array at all", "is damaged, or is no packed run"),
    ],
)
def test_arrays_that_would_run_code_or_fill_the_memory_are_refused(
    packed: Path, tmp_path: Path, data: bytes, message: str
) -> None:
    members = members_of(packed)
    rounds = [json.loads(line) for line in members["rounds.jsonl"].decode().splitlines()]
    del members[f"arrays/{rounds[0]['vectors']}.npy"]
    write_zip(tmp_path / "r.zip", with_raw(members, rounds, 0, "vectors", "npy", data))
    with pytest.raises(StoreError, match=message):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")
    assert_nothing_in(tmp_path / "b")


def test_a_bomb_within_the_arrays_is_refused(packed: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, labels=np.zeros(2**22))
    write_zip(tmp_path / "r.zip", members_of(packed) | {"dataset.npz": buffer.getvalue()})
    with pytest.raises(StoreError, match=r"dataset\.npz: holds 'labels\.npy', which is no array as they are stored"):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")


def texts(words: list[bytes]) -> tuple[Any, Any]:
    return np.frombuffer(b"".join(words), np.uint8), np.cumsum([0, *map(len, words)]).astype(np.int64)


DATASETS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "text": (changed("texts.blob", lambda x: x | 0x80), "texts is not UTF-8"),
    "borders": (changed("texts.offsets", swapped), "texts has borders that are not those of its texts"),
    "order": (lambda a: a["texts.offsets"].__setitem__(3, 0), "texts has a text that ends before it begins"),
    "half": (lambda a: a.pop("texts.offsets") is None, "texts is no column of texts"),
    "unknown": (lambda a: a.update(evil=np.zeros(3)), "has the arrays"),
    "length": (changed("labels", lambda x: x[:-1]), "its columns do not fit together"),
    "labels": (changed("labels", lambda x: x + 2), "its labels are no classes"),
    "label type": (changed("labels", lambda x: x.astype(float)), "labels has the shape .* and the type float64"),
    "another text": (changed("texts.blob", lambda x: np.where(x == ord("t"), ord("u"), x).astype(np.uint8)), "digest"),
    "no splits": (lambda a: [a.pop(f"splits.{one}") for one in ("blob", "offsets")].clear(), "do not fit together"),
}


@pytest.mark.parametrize("case", DATASETS)
def test_a_changed_data_set_is_refused(packed: Path, tmp_path: Path, case: str) -> None:
    change, message = DATASETS[case]
    members = members_of(packed)
    with np.load(io.BytesIO(members["dataset.npz"])) as archive:
        arrays = {name: archive[name].copy() for name in archive.files}
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_zip(tmp_path / "r.zip", members | {"dataset.npz": buffer.getvalue()})
    with pytest.raises(StoreError, match="dataset is" if message == "digest" else message):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")
    assert_nothing_in(tmp_path / "b")


@pytest.mark.parametrize(
    ("column", "words", "message"),
    [
        ("ids", [b"same"] * 36, "its ids are not unique, or empty"),
        ("ids", [b"", *(b"%d" % row for row in range(35))], "its ids are not unique, or empty"),
        ("ids", [b"x" * 100_001, *(b"%d" % row for row in range(35))], "ids of up to 100,001 bytes for 36 examples"),
        ("classes", [b"neg"], "its classes are not unique, or fewer than 2"),
        ("classes", [b"neg", b"neg"], "its classes are not unique"),
        ("splits", [b"train"] * 36, "it has a split of an unknown name"),
        ("splits", [b"test"] * 36, "it has no pool"),
        (
            "texts",
            ["ä".encode()[:1], "ä".encode()[1:], *[b"t"] * 34],
            "texts has a text that begins within a character",
        ),
    ],
)
def test_a_column_of_a_data_set_that_cannot_be_is_refused(
    packed: Path, tmp_path: Path, column: str, words: list[bytes], message: str
) -> None:
    members = members_of(packed)
    with np.load(io.BytesIO(members["dataset.npz"])) as archive:
        arrays = dict(archive)
    arrays[f"{column}.blob"], arrays[f"{column}.offsets"] = texts(words)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_zip(tmp_path / "r.zip", members | {"dataset.npz": buffer.getvalue()})
    with pytest.raises(StoreError, match=message):
        unpack_run(tmp_path / "b", tmp_path / "r.zip")
    assert_nothing_in(tmp_path / "b")


def unpacked_or_refused(data: bytes, original: Run) -> None:
    """Unpack bytes that may be damaged: either nothing is in the store, or the very run."""
    with tempfile.TemporaryDirectory() as folder:
        path, store = Path(folder) / "r.zip", Path(folder) / "b"
        path.write_bytes(data)
        try:
            run = unpack_run(store, path)
        except AlvinError:
            assert_nothing_in(store)
        else:
            assert_same(run, original)


@settings(max_examples=30)
@given(data=st.data())
def test_any_flipped_bytes_give_an_error_and_nothing_or_the_very_run(
    packed: Path, original: Run, data: st.DataObject
) -> None:
    content = bytearray(packed.read_bytes())
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=3)):
        content[place] ^= data.draw(st.integers(1, 255))
    unpacked_or_refused(bytes(content), original)


@settings(max_examples=20)
@given(data=st.data())
def test_a_file_cut_short_or_with_a_hole_gives_an_error_and_nothing(
    packed: Path, original: Run, data: st.DataObject
) -> None:
    content = packed.read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    stop = data.draw(st.integers(start + 1, len(content)))
    unpacked_or_refused(content[:start] + content[stop:], original)


NASTY = [
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1.5,
    "",
    "x",
    "\x00",
    "../x",
    "e00001",
    [],
    [[]],
    {},
    {"a": 1},
    "pos",
    "skip",
]


@settings(max_examples=30)
@given(data=st.data())
def test_any_changed_field_gives_an_error_or_a_run_that_works(packed: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["run.json", "rounds.jsonl", "proposals.jsonl", "labels.jsonl", "marks.jsonl"]))

    def change(records: list[Any]) -> None:
        place: Any = records[data.draw(st.integers(0, len(records) - 1))]
        while True:
            key = data.draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
                place[key] = data.draw(st.sampled_from(NASTY))
                return
            place = place[key]

    with tempfile.TemporaryDirectory() as folder:
        path, store = write_zip(Path(folder) / "r.zip", edited(packed, name, change)), Path(folder) / "b"
        try:
            run = unpack_run(store, path)
        except AlvinError:
            assert_nothing_in(store)
        else:
            assert everything(run)
            assert run.records()
            assert run.settings.budget >= 1
            pack_run(store, run.id, Path(folder) / "again.zip")


def test_a_failure_at_the_end_leaves_nothing(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("alvin_core.run.bundle.add_proposal", fail)
    with pytest.raises(StoreError, match="No space left on device"):
        unpack_run(tmp_path, packed)
    assert_nothing_in(tmp_path)


def test_what_a_killed_unpacking_left_is_swept_by_the_next(packed: Path, tmp_path: Path) -> None:
    leftover = tmp_path / "runs" / "unpack-0123abcd"
    (leftover / "round-0000-0123abcd").mkdir(parents=True)
    theirs = tmp_path / "runs" / "unpacked-by-hand"
    theirs.mkdir()
    run = unpack_run(tmp_path, packed)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted([run.id, "unpacked-by-hand"])


def test_others_at_work_do_not_sweep_what_is_being_unpacked(
    packed: Path, tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alvin_core.run import bundle

    save = bundle.save_arrays

    def saving(folder: Path, *arguments: Any, **keywords: Any) -> None:
        save(folder, *arguments, **keywords)
        create_run(tmp_path, fake.make_dataset(), SETTINGS)

    monkeypatch.setattr(bundle, "save_arrays", saving)
    run = unpack_run(tmp_path, packed)
    assert len(everything(run)) == 5 + 6 * N_ROUNDS
