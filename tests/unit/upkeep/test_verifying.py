from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.errors import Cancelled, StoreError
from alvin_core.experiments.comparison import create_comparison
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.progress import ProgressEvent
from alvin_core.run import create_run, delete_run, open_run
from alvin_core.run.slice_rules import SliceRule
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings, TrainingSettings
from alvin_core.store.database import open_store
from alvin_core.store.datasets import ANEW
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.files import check_files
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.verifying import verify_store

SETTINGS = RunSettings(budget=4, initial=8)


@pytest.fixture
def store(tmp_path: Path, fake: ModuleType) -> Path:
    """Two runs of three rounds each, one a fork with an undo, a mark, an added example and a slice."""
    folder = tmp_path / "store"
    first = create_run(folder, fake.make_dataset(), SETTINGS, name="first")
    list(first.run_rounds(2))
    fork = first.fork(2, name="fork")
    held = set(fork.labels()["id"])
    proposed = [one for one in fork.examples(1)["id"].tolist() if one not in held][:4]
    fork.submit(dict.fromkeys(proposed, "pos"), annotator="Ada")
    fork.undo(proposed[:1], annotator="Ada")
    fork.flag(proposed[0], annotator="Ada")
    fork.add_example(("a new text",), "neg", parent_id=proposed[1], annotator="Ada")
    fork.step()
    fork.save_slice("some", SliceRule("ids", tuple(proposed)))
    return folder


def of_kind(report: StoreReport, kind: str) -> list[str]:
    return [str(one) for one in report.findings if one.kind == kind]


def execute(store: Path, *statements: str) -> None:
    with sqlite3.connect(store / "alvin.db") as connection:
        for statement in statements:
            connection.execute(statement)


def newest_round(store: Path, name: str = "first") -> Path:
    run = open_run(store, name)
    return next(iter(sorted((store / "runs" / run.id).glob("round-0002-*"))))


def test_a_store_at_rest_is_sound_and_everything_in_it_was_looked_at(store: Path) -> None:
    report = verify_store(store)
    assert report.findings == []
    assert report.sound
    assert (report.n_runs, report.n_rounds) == (2, 6)
    assert report.n_labels > 20
    assert report.to_dict()["sound"] is True
    assert verify_store(store, thorough=False).findings == []


def test_progress_counts_runs_and_can_stop_it(store: Path) -> None:
    events: list[ProgressEvent] = []
    verify_store(store, progress=events.append)
    assert {event.stage for event in events} == {"verify"}
    assert [(event.done, event.total) for event in events] == [(0, 2), (1, 2), (2, 2)]

    def stop(event: ProgressEvent) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        verify_store(store, progress=stop)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM labels WHERE seq = 3", "number 3 is missing"),
        ("UPDATE labels SET example_id = 'stranger' WHERE seq = 2", "such as 'stranger'"),
        ("UPDATE labels SET label = 'maybe' WHERE seq = 2", "'maybe', which the data has not"),
        ("UPDATE labels SET action = 'undo' WHERE seq = 2", "takes back a label"),
        ("UPDATE labels SET action = 'sing' WHERE seq = 2", "unknown kind 'sing'"),
        ("UPDATE labels SET example_id = (SELECT example_id FROM labels WHERE seq = 1) WHERE seq = 2", "had a label"),
        ("DELETE FROM rounds WHERE round_no = 1", "number 1 is missing"),
        ("UPDATE rounds SET last_seq = 900 WHERE round_no = 2", "up to 900"),
        ("UPDATE rounds SET n_labeled = n_labeled + 1", "are there"),
        ("DELETE FROM proposals WHERE rank = 0", "name other examples"),
        ("UPDATE proposals SET example_id = 'nobody' WHERE rank = 0", "such as 'nobody'"),
        ("DELETE FROM added_examples", "not each has the one label"),
        ("UPDATE marks SET seq = 7", "number 1 is missing"),
        ("UPDATE slices SET members = x'00'", "not of its data set"),
        ("UPDATE rounds SET folder = 'round-0000-00000000' WHERE round_no = 0", "cannot read"),
        ("DELETE FROM runs WHERE name = 'fork'", "belong to no run"),
    ],
)
def test_a_record_that_was_lost_or_changed_is_damage_with_a_remedy(store: Path, statement: str, expected: str) -> None:
    execute(store, statement)
    report = verify_store(store)
    assert not report.sound
    assert any(expected in one for one in of_kind(report, "damage")), of_kind(report, "damage")
    assert all(one.remedy for one in report.findings)


@pytest.mark.parametrize("table", ["runs", "rounds"])
def test_a_record_that_is_no_json_is_damage_and_no_fault(store: Path, table: str) -> None:
    execute(store, f"UPDATE {table} SET settings = '{{'")
    assert any("cannot be read" in one for one in of_kind(verify_store(store), "damage"))
    with pytest.raises(StoreError, match="alvin verify"):
        backup_store(store, store.parent / "a.tar")


def test_a_run_that_is_deleted_while_it_is_looked_at_is_not_lost(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*arguments: Any, **options: Any) -> list[int]:
        if arguments[0].run.name == "first":
            delete_run(store, "first")
        return check_files(*arguments, **options)

    monkeypatch.setattr("alvin_core.upkeep.verifying.check_files", check)
    assert of_kind(verify_store(store), "damage") == []


def test_a_run_without_leftovers_is_not_locked(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever steps a run does not wait for its lock, and would fail."""
    monkeypatch.setattr("alvin_core.upkeep.verifying.if_idle", lambda *_: pytest.fail("it was locked"))
    assert verify_store(store).findings == []


def test_the_data_of_a_comparison_without_runs_is_looked_at(store: Path, fake: ModuleType) -> None:
    plan = ComparisonPlan(("random",), seeds=(0,), rounds=1, settings=SETTINGS)
    create_comparison(store, fake.make_dataset(40), plan, name="begun")
    digest = fake.make_dataset(40).digest()
    assert verify_store(store).findings == []
    (store / "datasets" / f"{digest}.npz").unlink()
    assert any("comparison 'begun'" in one and "alvin discard" in one for one in of_kind(verify_store(store), "damage"))


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["vectors.npy", "arrays.npz"])
@pytest.mark.parametrize("place", [-3, 200])
def test_one_changed_byte_of_a_rounds_arrays_is_found(store: Path, name: str, place: int) -> None:
    flip(newest_round(store) / name, place)
    report = verify_store(store)
    assert any("run 'first', round 2" in one and "has changed" in one for one in of_kind(report, "damage"))


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-8])])
def test_a_missing_or_cut_file_is_found_without_reading_every_byte(store: Path, change: Callable[[Path], None]) -> None:
    change(newest_round(store) / "vectors.npy")
    report = verify_store(store, thorough=False)
    assert [one.subject for one in report.findings] == ["run 'first', round 2"]


def test_arrays_of_an_older_version_have_no_sums_and_are_checked_for_what_they_say(store: Path) -> None:
    folder = newest_round(store)
    (folder / "sums.json").unlink()
    assert verify_store(store).sound
    (folder / "vectors.npy").write_bytes((folder / "vectors.npy").read_bytes()[:-8])
    assert not verify_store(store).sound


def test_a_lost_or_changed_data_set_is_said_for_each_run_of_it(store: Path) -> None:
    file = next((store / "datasets").glob("*.npz"))
    flip(file, -200)
    damage = of_kind(verify_store(store), "damage")
    assert sum("its data set" in one for one in damage) == 2


def test_what_killed_processes_left_is_a_leftover_and_goes_with_a_repair(store: Path) -> None:
    run = open_run(store, "first")
    folder = store / "runs" / run.id
    left = [
        folder / "round-0003-0123abcd.part",
        folder / "round-0003-0123abcd",
        store / "runs" / "89abcdef",
        store / "datasets" / ("0" * 64 + ".npz"),
        store / "locks" / "89abcdef.lock",
        store / "runs" / "unpack-0123abcd",
        newest_round(store) / "map-model-0123abcd.new.part",
    ]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x") if path.suffix in (".npz", ".lock") or "map" in path.name else path.mkdir()
    mine = store / "runs" / "notes of mine.txt"
    mine.write_text("keep")
    report = verify_store(store)
    assert report.sound
    assert report.count("leftover") == len(left)
    done, after = repair_store(store)
    assert len(done) == len(left)
    assert after.findings == []
    assert not any(path.exists() for path in left)
    assert mine.read_text() == "keep"


def test_a_repair_says_of_what_it_could_not_remove_that_it_stays(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_folder, cached = newest_round(store).parent, store / "cache" / ("0" * 64)
    open_, open_map = run_folder / "round-0009-0123abcd", newest_round(store) / "map-model.npz"
    data = store / "datasets" / ("0" * 64 + ".npz")
    goes = store / "runs" / "89abcdef"
    for folder in (open_, goes, cached):
        folder.mkdir(parents=True)
    for path in (open_map, data):
        path.write_text("x")
    rmtree, unlink = shutil.rmtree, Path.unlink

    def keep_tree(path: Path, *arguments: Any, **keywords: Any) -> None:
        if path not in (open_, cached):  # as Windows does while somebody has a file of it open
            rmtree(path, *arguments, **keywords)

    def keep_file(path: Path, *arguments: Any, **keywords: Any) -> None:
        if path in (open_map, data):
            raise PermissionError(13, "Permission denied")
        unlink(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", keep_tree)
        patch.setattr(Path, "unlink", keep_file)
        done, after = repair_store(store)
    assert sorted(done) == sorted(
        [
            f"{open_map.relative_to(store)}, a damaged map, stays: it could not be removed",
            f"{open_.relative_to(store)}, of no round, stays: it could not be removed",
            f"{data.relative_to(store)}, of no run, stays: it could not be removed",
            f"the encoding {'0' * 12}… is damaged, and could not be removed",
            "removed runs/89abcdef, of no run",
        ]
    )
    assert len(after.findings) == 4
    assert repair_store(store)[1].findings == []


def test_what_is_being_unpacked_is_no_leftover(store: Path) -> None:
    staged = store / "runs" / "unpack-0123abcd"
    staged.mkdir()
    with open_store(store).database.lock("unpack", subject="unpacking"):
        assert repair_store(store)[1].findings == []
        assert staged.exists()
    assert verify_store(store).count("leftover") == 1


def test_a_run_at_work_is_no_leftover_and_is_not_mended(store: Path) -> None:
    run = open_run(store, "first")
    left = store / "runs" / run.id / "round-0003-0123abcd.part"
    left.mkdir()
    with run._handle.lock():
        report = verify_store(store)
        assert [(one.kind, one.subject) for one in report.findings] == [("note", "run 'first'")]
        assert repair_store(store)[0] == []
        assert left.exists()


def test_damaged_maps_and_encodings_are_removed_because_they_are_made_anew(store: Path) -> None:
    entry = store / "cache" / ("a" * 64)
    entry.mkdir()
    (entry / "meta.json").write_text("{")
    path = newest_round(store) / "map-model.npz"
    path.write_bytes(b"PK no map")
    report = verify_store(store)
    assert report.count("damage") == 2
    assert all(one.mendable for one in report.findings)
    done, after = repair_store(store)
    assert len(done) == 2
    assert after.findings == []


def test_a_damaged_index_is_rebuilt(store: Path) -> None:
    with sqlite3.connect(store / "alvin.db") as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE INDEX labels_of_an_example ON labels (example_id, run_id)' "
            "WHERE name = 'labels_of_an_example'"
        )
    report = verify_store(store)
    assert any(one.subject == "database" and one.mendable for one in report.findings), report.findings
    done, after = repair_store(store)
    assert done == ["rebuilt the indices of the database"]
    assert after.findings == []


@pytest.mark.usefixtures("real_engine")
def test_damaged_rounds_are_trained_again_and_are_what_they_were(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path
) -> None:
    store = tmp_path / "store"
    settings = RunSettings(
        budget=4,
        initial=8,
        encoder=EncoderSettings(name=str(tiny_encoder), max_length=32),
        training=TrainingSettings(epochs=2, hidden=8),
        runtime=RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
    )
    run = create_run(store, fake.make_dataset(24, 6), settings, name="real")
    list(run.run_rounds(2))
    before = run.selection(1), run.vectors(1)[1].copy(), run.records()
    folder = next((store / "runs" / run.id).glob("round-0001-*"))
    shutil.rmtree(folder)
    assert not verify_store(store).sound
    done, after = repair_store(store)
    assert (done, after.sound) == ([], False)
    done, after = repair_store(store, retrain=True)
    assert done == ["trained round 1 of the run 'real' again: it selects what it selected"]
    assert after.findings == []
    again = open_run(store, "real")
    assert again.selection(1).equals(before[0])
    assert (again.vectors(1)[1] == before[1]).all()
    assert again.records() == before[2]


def test_a_round_that_selects_otherwise_when_trained_again_stays_damaged(store: Path) -> None:
    execute(store, "UPDATE proposals SET example_id = 'e00059' WHERE rank = 0 AND round_no = 2")
    damaged = newest_round(store)
    flip(damaged / "arrays.npz", 200)
    done, after = repair_store(store, retrain=True)
    assert any("stays damaged" in one and "other examples than were proposed" in one for one in done)
    assert not after.sound
    assert damaged.exists()


@pytest.mark.parametrize("what", ["data", "records"])
def test_a_run_that_cannot_be_trained_again_keeps_no_other_from_it(store: Path, fake: ModuleType, what: str) -> None:
    create_run(store, fake.make_dataset(40), SETTINGS, name="second").step()
    shutil.rmtree(next((store / "runs" / open_run(store, "second").id).glob("round-0000-*")))
    if what == "data":
        (store / "datasets" / f"{fake.make_dataset().digest()}.npz").unlink()
    else:
        execute(store, "UPDATE labels SET example_id = 'stranger' WHERE seq = 2 AND run_id IN "
                "(SELECT id FROM runs WHERE name = 'first')")  # fmt: skip
        shutil.rmtree(newest_round(store))
    done, _ = repair_store(store, retrain=True)
    assert any("'first' stay" in one for one in done)
    assert "trained round 0 of the run 'second' again: it selects what it selected" in done


@pytest.mark.parametrize("how", ["flipped", "cut", "lost"])
def test_a_damaged_data_set_is_written_anew_by_a_run_on_the_same_data(
    store: Path, fake: ModuleType, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = store / "datasets" / f"{fake.make_dataset().digest()}.npz"
    if how == "flipped":
        flip(path, path.stat().st_size // 2)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.unlink()
    found = verify_store(store).findings
    assert found
    assert {one.remedy for one in found} == {ANEW}
    with pytest.raises(StoreError, match="start a run on the same data again"):
        open_run(store, "first").step()
    create_run(store, fake.make_dataset(), SETTINGS, name="again")
    assert verify_store(store).findings == []
    assert ("is written anew" in caplog.text) is (how != "lost")


def test_no_arrays_are_set_aside_while_a_backup_takes_its_snapshot(store: Path) -> None:
    from alvin_core.upkeep.mending import _set_aside

    with open_store(store).lock():
        thread = threading.Thread(target=_set_aside, args=(open_store(store), open_run(store, "first").id, "round-x"))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join()


def test_a_round_that_predicts_otherwise_when_trained_again_stays_damaged_though_it_selects_the_same(
    store: Path,
) -> None:
    execute(store, "UPDATE rounds SET metrics = json_set(metrics, '$.test.accuracy', 0.125) WHERE round_no = 2")
    damaged = newest_round(store)
    flip(damaged / "arrays.npz", 200)
    done, after = repair_store(store, retrain=True)
    assert any("stays damaged" in one and "on 'test', not of 0.125" in one for one in done), done
    assert not after.sound
    assert damaged.exists()


def test_where_there_is_no_store_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        verify_store(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_database_that_is_none_is_told_as_such(store: Path) -> None:
    open_store(store)
    (store / "alvin.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="damaged"):
        verify_store(store)


@pytest.mark.parametrize("name", ["/dev/zero", "../../alvin.db", ""])
def test_sums_that_name_files_elsewhere_are_not_followed(store: Path, name: str) -> None:
    (newest_round(store) / "sums.json").write_text(json.dumps({name: [0, 0]}))
    assert any("which is no file of it" in one for one in of_kind(verify_store(store), "damage"))
