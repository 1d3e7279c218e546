"""Added examples in a packed run: they come out as they went in, and what is no added example is refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from alvin_core.errors import StoreError, StoreVersionError
from alvin_core.run import Run, bundle_reading, create_run, list_runs
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=3, initial=6)
Change = Callable[[list[dict[str, Any]]], object]


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    made = create_run(tmp_path / "a", fake.make_dataset(24, 6, pairs=True), SETTINGS, name="r")
    made.step()
    made.add_example(("text 98", "second 98"), "pos", parent_id="e00003", attribute="long", annotator="Ada")
    made.step()
    made.add_example(("text 99", "second 99"), "neg", parent_id="edit-0001")
    made.undo("edit-0001", "Bob")
    made.note("edit-0002", "made of the first", "Bob")
    made.step()
    return made


@pytest.fixture
def packed(run: Run, tmp_path: Path) -> Path:
    return pack_run(tmp_path / "a", "r", tmp_path / "r.zip")


def manifest_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return manifest


def rewritten(path: Path, name: str, change: Change, **manifest: object) -> Path:
    """Write a packed run again with one log changed, and the manifest true to it."""
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    head = json.loads(members.pop("manifest.json")) | manifest
    records = [json.loads(line) for line in members[name].decode().splitlines()]
    change(records)
    members[name] = "".join(json.dumps(one) + "\n" for one in records).encode()
    head["members"] = {one: {"bytes": len(data), "sha256": sha256(data).hexdigest()} for one, data in members.items()}
    target = path.with_name("changed.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, data in {**members, "manifest.json": json.dumps(head).encode()}.items():
            archive.writestr(one, data)
    return target


def test_added_examples_come_out_as_they_went_in(run: Run, packed: Path, tmp_path: Path) -> None:
    twin = unpack_run(tmp_path / "b", packed)
    for name in ("added", "labels", "marks", "history"):
        pd.testing.assert_frame_equal(getattr(twin, name)(), getattr(run, name)())
    for round_no in range(3):
        pd.testing.assert_frame_equal(twin.examples(round_no), run.examples(round_no))
        assert twin.vectors(round_no)[0].tolist() == run.vectors(round_no)[0].tolist()
    assert [one.same for one in twin.replay()] == [True] * 3
    for one in (run, twin):
        assert one.add_example(("text 97", "second 97"), "pos") == "edit-0003"
        one.step()
    pd.testing.assert_frame_equal(twin.examples(3), run.examples(3))


def test_an_older_program_is_told_and_reads_runs_without_added_examples(
    packed: Path, tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_run(tmp_path / "a", fake.make_dataset(24, 6), SETTINGS, name="plain")
    plain = pack_run(tmp_path / "a", "plain", tmp_path / "plain.zip")
    assert (manifest_of(plain)["version"], manifest_of(packed)["version"]) == (1, 2)
    assert "added.jsonl" not in manifest_of(plain)["members"]
    monkeypatch.setattr(bundle_reading, "FORMAT_VERSION", 1)
    assert unpack_run(tmp_path / "b", plain).added().empty
    with pytest.raises(StoreVersionError, match="has the format version 2, this ALVIN Studio reads 1; upgrade it"):
        unpack_run(tmp_path / "b", packed)


CHANGED: dict[str, tuple[str, Change, str]] = {
    "one lost": ("added.jsonl", lambda r: r.pop(), "labels.jsonl, line .*example_id is 'edit-0002'"),
    "one more": (
        "added.jsonl",
        lambda r: r.append(r[1] | {"number": 2, "example_id": "edit-0003"}),
        "the added example 'edit-0003' has no label",
    ),
    "numbers": ("added.jsonl", lambda r: r[0].update(number=1), "line 1: number is not the next"),
    "order": ("added.jsonl", lambda r: r[1].update(number=True), "number is True"),
    "id of another": ("added.jsonl", lambda r: r[1].update(example_id="edit-0001"), "or is taken"),
    "id of the data": ("added.jsonl", lambda r: r[0].update(example_id="e00003"), "or is taken"),
    "no id": ("added.jsonl", lambda r: r[0].update(example_id="../x"), "or is taken"),
    "parent": ("added.jsonl", lambda r: r[0].update(parent_id="evil"), "parent_id is none of this run's"),
    "parent to be evaluated on": ("added.jsonl", lambda r: r[0].update(parent_id="e00026"), "parent_id is none"),
    "parent that comes later": ("added.jsonl", lambda r: r[0].update(parent_id="edit-0002"), "parent_id is none"),
    "empty text": ("added.jsonl", lambda r: r[0].update(text=" "), "is empty"),
    "NUL": ("added.jsonl", lambda r: r[0].update(second_text="a\0"), r"holds U\+0000"),
    "one text": ("added.jsonl", lambda r: r[0].update(second_text=None), "has 2 texts, given: 1"),
    "attribute": ("added.jsonl", lambda r: r[0].update(attribute="a\nb"), "the attribute .* is refused"),
    "annotator": ("added.jsonl", lambda r: r[0].update(annotator=""), "must be a name of 1 to 200"),
    "time": ("added.jsonl", lambda r: r[0].update(created_at="now"), "no time with its zone"),
    "field": ("added.jsonl", lambda r: r[0].update(evil=1), "is no record of number, example_id"),
    "source": ("labels.jsonl", lambda r: r[6].update(source="person"), "source is 'person'"),
    "source of others": ("labels.jsonl", lambda r: r[0].update(source="counterfactual"), "source is 'counterfactual'"),
    "a label after it was taken back": (
        "labels.jsonl",
        lambda r: r.append(r[6] | {"seq": len(r) + 1}),
        "'edit-0001' was not the next to be added",
    ),
    "proposed": ("proposals.jsonl", lambda r: r[0].update(example_id="edit-0001"), "example_id is 'edit-0001'"),
    "came later": ("rounds.jsonl", lambda r: r[1].update(last_seq=9, n_labeled=9), "probs has the shape|labeled_rows"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_is_no_added_example_is_refused(packed: Path, tmp_path: Path, case: str) -> None:
    name, change, message = CHANGED[case]
    with pytest.raises(StoreError, match=message) as caught:
        unpack_run(tmp_path / "b", rewritten(packed, name, change))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "b" / "alvin.db").exists() or list_runs(tmp_path / "b") == []


def test_added_examples_in_a_file_of_the_first_version_are_refused(packed: Path, tmp_path: Path) -> None:
    changed = rewritten(packed, "added.jsonl", lambda records: None, version=1)
    with pytest.raises(StoreError, match="a packed run of version 1 has none"):
        unpack_run(tmp_path / "b", changed)
