import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from alvin_core.errors import SettingsError, StoreError
from alvin_core.run import Run, create_run, delete_run, open_run
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store import database, locks
from alvin_core.store.arrays import save_arrays
from alvin_core.store.linking import link_folder

SETTINGS = RunSettings(budget=5, initial=10)


@pytest.fixture
def parent(tmp_path: Path, fake: ModuleType) -> Run:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="parent")
    list(run.run_rounds(3))
    return run


def test_a_fork_shares_the_past_and_trains_its_own_future(parent: Run) -> None:
    child = parent.fork(2, strategy="entropy")
    assert child.name == "parent-at2-entropy"
    assert child.parent == (parent.id, 2)
    assert child.n_rounds == 2
    pd.testing.assert_frame_equal(child.labels(), parent.labels().iloc[:20])
    for round_no in (0, 1):
        pd.testing.assert_frame_equal(child.examples(round_no), parent.examples(round_no))
    record = child.step()
    assert (record.round, record.strategy, record.n_labeled) == (2, "entropy", 20)
    assert [one.strategy for one in child.records()] == ["alvin", "alvin", "entropy"]
    assert child.selection(2)["id"].tolist() != parent.selection(2)["id"].tolist()
    assert parent.n_rounds == 4


def test_a_fork_with_nothing_changed_is_the_same_run_again(parent: Run) -> None:
    child = parent.fork(1, name="twin")
    list(child.run_rounds(3))
    pd.testing.assert_frame_equal(child.labels().drop(columns="time"), parent.labels().drop(columns="time"))
    assert child.selection(3)["id"].tolist() == parent.selection(3)["id"].tolist()


@pytest.mark.parametrize("at", [0, 4])
def test_a_fork_can_be_at_either_end(parent: Run, at: int) -> None:
    child = parent.fork(at, changes={"alvin.alpha": 0.5})
    assert child.settings.alvin.alpha == 0.5
    assert child.step().n_labeled == 10 + 5 * at


@pytest.mark.parametrize("at", [-1, 5])
def test_a_fork_elsewhere_is_refused(parent: Run, at: int) -> None:
    with pytest.raises(StoreError, match=f"at round {at}; from 0 to 4"):
        parent.fork(at)


def test_a_name_that_is_taken_is_refused_before_anything_is_copied(
    parent: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[object] = []
    monkeypatch.setattr("alvin_core.run.forking.link_folder", lambda *folders: copied.append(folders))
    with pytest.raises(StoreError, match="a run called 'parent' already; choose another name"):
        parent.fork(2, name="parent")
    assert copied == []


def test_what_the_shared_labels_depend_on_cannot_change(parent: Run) -> None:
    with pytest.raises(SettingsError, match="'initial' cannot change"):
        parent.fork(1, changes={"initial": 20})
    with pytest.raises(SettingsError, match="'annotator' cannot change"):
        parent.fork(1, changes={"annotator": "person"})
    with pytest.raises(SettingsError, match="did you mean 'entropy'"):
        parent.fork(1, strategy="entropi")
    with pytest.raises(StoreError, match="a run called 'parent' already"):
        parent.fork(1, name="parent")


@pytest.mark.parametrize("kind", ["fork", "unpack"])
def test_what_took_long_to_copy_is_not_thrown_away_because_others_are_busy(
    parent: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    packed = pack_run(tmp_path, "parent", tmp_path / "parent.zip")
    copied, busy, real = list[Path](), list[int](), locks._try_lock

    def copy(source: Path, target: Path) -> None:
        copied.append(target)
        link_folder(source, target)

    def save(folder: Path, *arguments: Any, **keywords: Any) -> None:
        copied.append(folder)
        save_arrays(folder, *arguments, **keywords)

    def busy_at_first(descriptor: int) -> bool:
        if copied and len(busy) < 2:
            busy.append(descriptor)
            return False
        return real(descriptor)

    monkeypatch.setattr("alvin_core.run.forking.link_folder", copy)
    monkeypatch.setattr("alvin_core.run.bundle.save_arrays", save)
    monkeypatch.setattr(locks, "_try_lock", busy_at_first)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    run = parent.fork(2, name="child") if kind == "fork" else unpack_run(tmp_path, packed, name="child")
    assert len(busy) == 2
    assert open_run(tmp_path, "child").n_rounds == len(copied) == run.n_rounds


def test_a_fork_and_its_parent_can_be_deleted_one_without_the_other(tmp_path: Path, parent: Run) -> None:
    child, other = parent.fork(2, name="child"), parent.fork(2, name="other")
    before = child.examples(1)
    delete_run(tmp_path, "other")
    assert parent.examples(1).shape == before.shape
    delete_run(tmp_path, "parent")
    pd.testing.assert_frame_equal(open_run(tmp_path, "child").examples(1), before)
    ids, vectors = child.vectors(1)
    assert vectors.shape == (len(ids), 4)
    child.step()
    delete_run(tmp_path, "child")
    for folder in ("runs", "datasets"):
        assert list((tmp_path / folder).iterdir()) == []
    assert other.parent == (parent.id, 2)


def test_a_disk_without_hard_links_gets_copies(parent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "no hard links here")

    monkeypatch.setattr("os.link", refuse)
    child = parent.fork(2)
    pd.testing.assert_frame_equal(child.examples(1), parent.examples(1))


def test_a_fork_of_a_waiting_run_waits_with_the_labels_it_has(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(labeled=0.0), SETTINGS)
    ids = run.pending()["id"].tolist()
    run.submit({one: "pos" if place % 2 else "neg" for place, one in enumerate(ids)})
    run.step()
    run.submit({run.pending()["id"].iloc[0]: "pos"})
    at_end, earlier = run.fork(1), run.fork(0)
    assert (at_end.state, len(at_end.pending())) == ("waiting", 4)
    assert (earlier.state, len(earlier.labels())) == ("ready", 10)


def test_replay_selects_the_same_in_every_round(parent: Run) -> None:
    child = parent.fork(2, strategy="entropy")
    list(child.run_rounds(3))
    n_events = len(child.labels())
    replayed = child.replay()
    assert [(one.round_no, one.same, one.n_different, one.note) for one in replayed] == [
        (round_no, True, 0, "") for round_no in range(4)
    ]
    assert (child.n_rounds, len(child.labels())) == (4, n_events)


def test_replay_counts_what_differs_and_says_what_changed(
    parent: Run, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(
        engine: Engine, rows: object, classes: object, no: int, settings: RunSettings, progress: object
    ) -> object:
        result, _ = fake.compute(engine, rows, classes, no, settings.with_value("seed", 9), progress)
        return result, {"device": "cuda"}

    monkeypatch.setattr(Engine, "compute", changed)
    replayed = parent.replay()
    assert not replayed[1].same
    assert 1 <= replayed[1].n_different <= 5
    assert replayed[1].note == "changed since: device fake -> cuda"


def test_a_lost_folder_of_arrays_is_reported_and_names_the_file(parent: Run, tmp_path: Path) -> None:
    shutil.rmtree(next((tmp_path / "runs" / parent.id).glob("round-0001-*")))
    with pytest.raises(StoreError, match=r"cannot read .*round-0001-.*arrays\.npz"):
        parent.examples(1)
    assert len(parent.examples(0)) == 72


def test_a_fork_of_a_fork_outlives_both(parent: Run, tmp_path: Path) -> None:
    child = parent.fork(3, strategy="random", name="child")
    child.step()
    grandchild = child.fork(2, strategy="entropy", name="grandchild")
    grandchild.step()
    expected = grandchild.examples(1)
    for name in ("parent", "child"):
        delete_run(tmp_path, name)
    pd.testing.assert_frame_equal(grandchild.examples(1), expected)
    grandchild.step()
    assert [one.same for one in grandchild.replay()] == [True] * 4
