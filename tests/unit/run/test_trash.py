"""The trash: out of sight, whole, and back as it was."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from types import ModuleType

import pandas as pd
import pytest

from alvin_core.errors import RunBusyError, RunNotFoundError, SettingsError, StoreError
from alvin_core.run import Run, create_run, delete_run, list_runs, open_run
from alvin_core.run.trash import list_trash, purge_trash, restore_run, trash_run
from alvin_core.settings import RunSettings
from alvin_core.store.database import open_store
from alvin_core.store.labels import now
from alvin_core.store.tables import JobRow, TrashRow

SETTINGS = RunSettings(budget=5, initial=10)


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    made = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    list(made.run_rounds(1))
    return made


def names(store: Path) -> list[str]:
    return [one.name for one in list_runs(store)]


def test_a_trashed_run_is_in_no_list_and_cannot_be_opened(run: Run, tmp_path: Path) -> None:
    run.fork(1, name="fork")
    trash_run(tmp_path, run.id)
    assert names(tmp_path) == ["fork"]
    assert [(one.name, one.n_rounds, one.n_labeled) for one in list_trash(tmp_path)] == [("r", 2, 15)]
    for word in ("r", run.id, run.id[:6]):
        with pytest.raises(RunNotFoundError, match="'r' is in the trash; bring it back with `alvin restore r`"):
            open_run(tmp_path, word)
    with pytest.raises(RunNotFoundError, match="in the trash"):
        trash_run(tmp_path, "r")
    with pytest.raises(RunNotFoundError, match="in the trash"):
        delete_run(tmp_path, "r")


def test_a_run_that_was_open_when_it_was_trashed_does_nothing_more(run: Run, tmp_path: Path) -> None:
    example_id = run.labels()["id"].iloc[0]
    trash_run(tmp_path, "r")
    uses = (run.step, run.records, run.labels, run.history, lambda: run.fork(0), lambda: run.flag(example_id))
    for use in (*uses, lambda: run.undo(example_id), lambda: run.submit({example_id: "pos"})):
        with pytest.raises(RunNotFoundError, match="in the trash"):
            use()


def test_a_restored_run_is_as_it_was(run: Run, tmp_path: Path) -> None:
    run.flag(run.labels()["id"].iloc[0])
    expected = run.examples(1), run.labels(), run.history()
    trash_run(tmp_path, "r")
    restored = restore_run(tmp_path, "r")
    assert (restored.name, restored.id, restored.created_at) == ("r", run.id, run.created_at)
    for found, frame in zip((restored.examples(1), restored.labels(), restored.history()), expected, strict=True):
        pd.testing.assert_frame_equal(found, frame)
    assert (names(tmp_path), list_trash(tmp_path)) == (["r"], [])
    assert restored.step().round == 2
    with pytest.raises(RunNotFoundError, match="no run called 'r' is in the trash; there are: none"):
        restore_run(tmp_path, "r")


def test_a_trashed_run_keeps_its_name(run: Run, tmp_path: Path, fake: ModuleType) -> None:
    trash_run(tmp_path, "r")
    with pytest.raises(StoreError, match="a run called 'r' is in the trash; choose another name, bring it back with"):
        create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    default = create_run(tmp_path, fake.make_dataset(), SETTINGS, source="r.csv").name
    trash_run(tmp_path, default)
    assert create_run(tmp_path, fake.make_dataset(), SETTINGS, source="r.csv").name == f"{default}-2"


def test_what_others_do_leaves_the_data_of_a_trashed_run(run: Run, tmp_path: Path, fake: ModuleType) -> None:
    expected = run.examples(0)
    trash_run(tmp_path, "r")
    other = create_run(tmp_path, fake.make_dataset(80), SETTINGS, name="other")
    other.fork(0)
    delete_run(tmp_path, "other")
    pd.testing.assert_frame_equal(restore_run(tmp_path, "r").examples(0), expected)


def test_a_run_at_work_is_not_trashed(run: Run, tmp_path: Path) -> None:
    with run._handle.lock(), pytest.raises(RunBusyError, match="run 'r' is in use"):
        trash_run(tmp_path, "r")
    assert names(tmp_path) == ["r"]


@pytest.mark.parametrize(("state", "refused"), [("queued", True), ("running", True), ("done", False)])
def test_a_run_with_an_active_job_is_not_trashed(run: Run, tmp_path: Path, state: str, refused: bool) -> None:
    with open_store(tmp_path).write() as session:
        session.add(JobRow(id=7, kind="project", run_id=run.id, params={}, state=state, created_at=now()))
    if not refused:
        trash_run(tmp_path, "r")
        assert names(tmp_path) == []
        return
    with pytest.raises(RunBusyError, match=f"the run 'r' has the {state} job 7 .project.; wait until it is done, or"):
        trash_run(tmp_path, "r")
    assert names(tmp_path) == ["r"]


def test_purging_deletes_for_good_and_counts(run: Run, tmp_path: Path, fake: ModuleType) -> None:
    create_run(tmp_path, fake.make_dataset(80), SETTINGS, name="s")
    for name in ("r", "s"):
        trash_run(tmp_path, name)
    assert [one.name for one in list_trash(tmp_path)] == ["s", "r"]
    assert purge_trash(tmp_path) == 2
    assert purge_trash(tmp_path) == 0
    assert (list_trash(tmp_path), list((tmp_path / "datasets").iterdir())) == ([], [])
    assert list((tmp_path / "runs").iterdir()) == []
    with pytest.raises(RunNotFoundError):
        restore_run(tmp_path, "r")
    create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")


def test_one_run_alone_is_purged(run: Run, tmp_path: Path, fake: ModuleType) -> None:
    create_run(tmp_path, fake.make_dataset(), SETTINGS, name="s")
    with pytest.raises(RunNotFoundError, match="no run called 'r' is in the trash; there are: none"):
        purge_trash(tmp_path, run="r")
    for name in ("r", "s"):
        trash_run(tmp_path, name)
    assert purge_trash(tmp_path, older_than_days=1, run="r") == 0
    assert purge_trash(tmp_path, run="r") == 1
    assert [one.name for one in list_trash(tmp_path)] == ["s"]
    assert restore_run(tmp_path, "s").name == "s"


def test_purging_spares_what_was_deleted_lately(run: Run, tmp_path: Path, fake: ModuleType) -> None:
    create_run(tmp_path, fake.make_dataset(), SETTINGS, name="old")
    for name in ("r", "old"):
        trash_run(tmp_path, name)
    ids = {one.name: one.id for one in list_trash(tmp_path)}
    with open_store(tmp_path).write() as session:
        trashed = session.get_one(TrashRow, ids["old"])
        trashed.deleted_at = (datetime.now(UTC) - timedelta(days=8)).isoformat(timespec="microseconds")
    assert purge_trash(tmp_path, older_than_days=10_000_000) == 0
    assert purge_trash(tmp_path, older_than_days=7) == 1
    assert [one.name for one in list_trash(tmp_path)] == ["r"]


@pytest.mark.parametrize("days", [-1, float("nan"), float("inf"), 10**12])
def test_a_number_of_days_that_is_none_deletes_nothing(run: Run, tmp_path: Path, days: float) -> None:
    trash_run(tmp_path, "r")
    with pytest.raises(SettingsError, match=r"older_than_days = .* is out of range: it must be at least 0"):
        purge_trash(tmp_path, older_than_days=days)
    assert len(list_trash(tmp_path)) == 1


def test_of_restoring_and_purging_at_once_one_wins_and_nothing_is_half_done(run: Run, tmp_path: Path) -> None:
    trash_run(tmp_path, "r")
    start = Barrier(3)

    def restore() -> str:
        start.wait()
        try:
            return restore_run(tmp_path, "r").name
        except RunNotFoundError:
            return "gone"

    def purge() -> int:
        start.wait()
        return purge_trash(tmp_path)

    with ThreadPoolExecutor(3) as pool:  # the store's lock keeps threads apart as it does processes
        restored = [pool.submit(restore) for _ in range(2)]
        n_purged = pool.submit(purge).result()
    assert sorted(one.result() for one in restored) == (["gone", "gone"] if n_purged else ["gone", "r"])
    assert names(tmp_path) == ([] if n_purged else ["r"])
    assert list_trash(tmp_path) == []
    if not n_purged:
        assert len(open_run(tmp_path, "r").examples(1)) == 72
