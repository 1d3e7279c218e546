"""What becomes of opinions and leases when a run is stepped, forked, packed, trashed, backed up or verified."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import select

from alvin_core.annotation_settings import AnnotationSettings
from alvin_core.errors import SettingsError, StoreError
from alvin_core.run import Run, create_run, delete_run, open_run
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.trash import restore_run, trash_run
from alvin_core.settings import RunSettings
from alvin_core.store.database import open_store
from alvin_core.store.runs import OF_A_RUN
from alvin_core.store.tables import JobRow, LeaseRow, OpinionRow, RunRow, Table
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.restoring import restore_store
from alvin_core.upkeep.verifying import verify_store

SETTINGS = replace(RunSettings(budget=3, initial=4), annotation=AnnotationSettings(overlap=2))
Change = Callable[[list[dict[str, Any]]], object]


def label_all(run: Run, *names: str) -> None:
    for name in names:
        asked = run.queue(name)
        run.submit({one: ("neg", "pos")[place % 2] for place, one in enumerate(asked)}, annotator=name)


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    """Two rounds; of the second's proposal one example is labeled, one has one opinion, and one is held."""
    made = create_run(tmp_path / "a", fake.make_dataset(labeled=0.0), SETTINGS, name="r")
    label_all(made, "ada", "ben")
    made.step()
    label_all(made, "ada", "ben")
    made.step()
    first, second, _ = made.queue()
    made.submit({first: "pos", second: "pos"}, annotator="ada")
    made.submit({first: "pos"}, annotator="cleo")
    made.take("dan")
    return made


def opinions(run: Run) -> list[list[str]]:
    found: list[list[str]] = run.opinions()[["id", "label", "annotator", "time"]].to_numpy().tolist()
    return found


def leases(folder: Path) -> int:
    with open_store(folder).read() as session:
        return len(list(session.scalars(select(LeaseRow))))


def test_rounds_train_on_majorities_and_replay_as_without_opinions(run: Run) -> None:
    assert [record.n_labeled for record in run.records()] == [4, 7]
    assert all(one.same for one in run.replay())
    assert len(run.opinions()) == 2 * (4 + 3) + 3


def test_a_fork_at_an_earlier_round_has_the_opinions_of_its_labels_and_no_later_one(run: Run) -> None:
    fork = run.fork(1)
    assert set(fork.labels()["id"]) == {one for one, *_ in opinions(fork)}
    assert opinions(fork) == opinions(run)[: len(opinions(fork))]
    assert len(opinions(fork)) == 2 * (4 + 3)  # round 1 had read those of round 0's proposal
    assert all(one.held_by == () for one in fork.queue_state().examples)
    assert fork.step().n_labeled == 7


def test_a_fork_of_what_is_pending_goes_on_with_the_opinions_given_so_far(run: Run) -> None:
    fork = run.fork(2)
    assert opinions(fork) == opinions(run)
    second = run.queue("cleo")[0]
    assert fork.submit({second: "pos"}, annotator="cleo").n_new == 1
    assert second not in set(run.labels()["id"])
    assert verify_store(run._handle.store.path).findings == []


@pytest.mark.parametrize(
    "changes",
    [{"annotation.overlap": 3}, {"annotation.overlap_share": 0.0}, {"annotation.overlap_share": 0.4, "seed": 5}],
)
def test_a_fork_cannot_ask_another_number_of_people_of_what_some_have_annotated(
    run: Run, changes: dict[str, object]
) -> None:
    with pytest.raises(SettingsError, match="1 proposed example has some of the opinions asked for"):
        run.fork(2, changes=changes)
    label_all(run.fork(1, changes=changes), "ada", "ben", "cleo")


def test_a_packed_run_comes_out_with_its_opinions_and_without_leases(run: Run, tmp_path: Path) -> None:
    path = pack_run(tmp_path / "a", "r", tmp_path / "r.zip")
    unpacked = unpack_run(tmp_path / "b", path)
    assert opinions(unpacked) == opinions(run)
    assert unpacked.history().equals(run.history())
    assert leases(tmp_path / "b") == 0
    assert unpacked.agreement() == run.agreement()
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("manifest.json"))["version"] == 3
    assert verify_store(tmp_path / "b").findings == []


def test_a_run_without_opinions_is_packed_as_older_programs_read_it(tmp_path: Path, fake: ModuleType) -> None:
    create_run(tmp_path / "a", fake.make_dataset(), RunSettings(budget=3, initial=4), name="r")
    with zipfile.ZipFile(pack_run(tmp_path / "a", "r", tmp_path / "r.zip")) as archive:
        assert json.loads(archive.read("manifest.json"))["version"] == 1
        assert "opinions.jsonl" not in archive.namelist()


def rewritten(path: Path, change: Change, version: int = 3) -> Path:
    """Write a packed run again with its opinions changed, and the manifest true to it."""
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    head = json.loads(members.pop("manifest.json")) | {"version": version}
    records = [json.loads(line) for line in members["opinions.jsonl"].decode().splitlines()]
    change(records)
    members["opinions.jsonl"] = "".join(json.dumps(one) + "\n" for one in records).encode()
    head["members"] = {one: {"bytes": len(data), "sha256": sha256(data).hexdigest()} for one, data in members.items()}
    target = path.with_name("changed.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, data in {**members, "manifest.json": json.dumps(head).encode()}.items():
            archive.writestr(one, data)
    return target


BAD_OPINIONS: dict[str, tuple[Change, str]] = {
    "round": (lambda all_: all_[0].update(round_no=1), "round_no is of no proposal with this example_id"),
    "gap": (lambda all_: all_.pop(2), "seq is not the next"),
    "stranger": (lambda all_: all_[0].update(example_id="nobody"), "round_no is of no proposal with this example_id"),
    "class": (lambda all_: all_[0].update(label="maybe"), "label is no class"),
    "kind": (lambda all_: all_[0].update(action="guess"), "action is none"),
    "twice": (lambda all_: all_[1].update(example_id=all_[0]["example_id"]), "has an opinion already"),
    "undo of nothing": (lambda all_: all_[0].update(action="undo"), "none to take back"),
    "label to come": (lambda all_: all_[-1].update(label_seq=10**6), "label_seq goes back, or is of no label"),
    "label before": (lambda all_: all_[-1].update(label_seq=0), "label_seq goes back, or is of no label"),
    "nobody": (lambda all_: all_[0].update(by=""), "by is no name"),
    "name": (lambda all_: all_[0].update(annotator="\x00"), "annotator"),
    "type": (lambda all_: all_[0].update(label_seq="1"), "label_seq is '1'"),
}


@pytest.mark.parametrize("name", sorted(BAD_OPINIONS))
def test_opinions_that_cannot_be_are_refused_and_nothing_is_added(run: Run, tmp_path: Path, name: str) -> None:
    change, message = BAD_OPINIONS[name]
    path = rewritten(pack_run(tmp_path / "a", "r", tmp_path / "r.zip"), change)
    with pytest.raises(StoreError, match=message):
        unpack_run(tmp_path / "b", path)
    assert not (tmp_path / "b" / "alvin.db").exists()


def test_opinions_in_a_file_of_a_version_that_had_none_are_refused(run: Run, tmp_path: Path) -> None:
    path = rewritten(pack_run(tmp_path / "a", "r", tmp_path / "r.zip"), lambda _: None, version=2)
    with pytest.raises(StoreError, match=r"opinions\.jsonl: is there, and a packed run of version 2 has none"):
        unpack_run(tmp_path / "b", path)


def test_a_backup_keeps_opinions_and_leaves_leases_behind(run: Run, tmp_path: Path) -> None:
    backup_store(tmp_path / "a", tmp_path / "a.tar")
    assert restore_store(tmp_path / "a.tar", tmp_path / "b").findings == []
    restored = open_run(tmp_path / "b", "r")
    assert opinions(restored) == opinions(run)
    assert (leases(tmp_path / "a"), leases(tmp_path / "b")) == (1, 0)
    assert restored.take("eve") == (run.queue()[0],)  # which dan holds in the other


def test_a_run_back_from_the_trash_has_its_opinions(run: Run, tmp_path: Path) -> None:
    before = opinions(run)
    trash_run(tmp_path / "a", "r")
    assert opinions(restore_run(tmp_path / "a", "r")) == before


def test_a_deleted_run_leaves_no_row(run: Run, tmp_path: Path) -> None:
    delete_run(tmp_path / "a", "r")
    with open_store(tmp_path / "a").read() as session:
        assert [table.__name__ for table in OF_A_RUN if session.scalars(select(table)).first()] == []


def test_no_table_of_a_run_is_forgotten_when_it_is_deleted() -> None:
    of_runs = {one.class_ for one in Table.registry.mappers if "run_id" in one.columns}
    assert of_runs - {JobRow} == set(OF_A_RUN)
    assert RunRow not in OF_A_RUN


DAMAGES = {
    "a lost one": ("DELETE FROM opinions WHERE seq = 2", "opinions: number 2 is missing"),
    "a second one": ("UPDATE opinions SET annotator = 'ada' WHERE seq = 5", "is a second opinion of 'ada'"),
    "a class": ("UPDATE opinions SET label = 'maybe' WHERE seq = 1", "event 1 has the class 'maybe'"),
    "a stranger": ("UPDATE opinions SET example_id = 'nobody' WHERE seq = 1", "1 of no example of the data"),
    "an undo": ("UPDATE opinions SET action = 'undo' WHERE seq = 1", "takes back an opinion on"),
    "a kind": ("UPDATE opinions SET action = 'guess' WHERE seq = 1", "event 1 is of the unknown kind 'guess'"),
    "a round": ("UPDATE opinions SET round_no = 7 WHERE seq = 1", "which round 7 did not propose"),
    "the future": ("UPDATE opinions SET label_seq = 99 WHERE seq = 3", "event 3 follows label event 99, not of 0 to 8"),
}


@pytest.mark.parametrize("name", sorted(DAMAGES))
def test_verify_finds_opinions_that_were_lost_or_changed(run: Run, tmp_path: Path, name: str) -> None:
    assert verify_store(tmp_path / "a").findings == []
    damage, message = DAMAGES[name]
    with closing(sqlite3.connect(tmp_path / "a" / "alvin.db")) as connection, connection:
        connection.execute(damage)
    found = verify_store(tmp_path / "a")
    assert not found.sound
    assert any(message in str(one) for one in found.findings), [str(one) for one in found.findings]


def test_runs_recorded_before_there_were_such_settings_open_go_on_and_replay(tmp_path: Path, fake: ModuleType) -> None:
    made = create_run(tmp_path, fake.make_dataset(), RunSettings(budget=3, initial=6), name="r")
    made.step()
    with closing(sqlite3.connect(tmp_path / "alvin.db")) as connection, connection:
        for table in ("runs", "rounds"):
            connection.execute(f"UPDATE {table} SET settings = json_remove(settings, '$.annotation')")
        connection.execute("DROP TABLE opinions")
        connection.execute("DROP TABLE leases")
        connection.execute("UPDATE meta SET value = '4' WHERE key = 'schema_version'")
    old = open_run(tmp_path, "r")
    assert old.settings == RunSettings(budget=3, initial=6)
    assert [one.same for one in old.replay()] == [True]
    assert old.step().round == 1
    assert old.take("ada") == tuple(old.queue()[:1])
    with open_store(tmp_path).read() as session:
        assert list(session.scalars(select(OpinionRow))) == []


def test_settings_of_sharing_go_to_toml_and_back(tmp_path: Path) -> None:
    text = SETTINGS.to_toml()
    assert "[annotation]\noverlap = 2\noverlap_share = 1.0\n" in text
    (tmp_path / "s.toml").write_text(text)
    assert RunSettings.from_toml(tmp_path / "s.toml") == SETTINGS
    with pytest.raises(SettingsError, match=r"annotation.overlap = 0 is out of range: it must be between 1 and 100"):
        RunSettings().with_value("annotation.overlap", 0)
    with pytest.raises(SettingsError, match=r"annotation.overlap_share = 1.5"):
        RunSettings().with_value("annotation.overlap_share", 1.5)
