from pathlib import Path
from types import ModuleType

import pytest

from alvin_core.errors import RunBusyError, RunNotFoundError, StoreError
from alvin_core.run import create_run, delete_run, list_runs, open_run
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=5, initial=10)


def test_a_run_is_found_by_name_by_id_and_by_the_beginning_of_its_id(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="first")
    create_run(tmp_path, fake.make_dataset(), SETTINGS, name="second")
    for word in ("first", run.id, run.id[:7]):
        assert open_run(tmp_path, word).id == run.id


def test_a_name_that_is_not_there_gets_close_ones(tmp_path: Path, fake: ModuleType) -> None:
    create_run(tmp_path, fake.make_dataset(), SETTINGS, name="reviews-alvin")
    with pytest.raises(RunNotFoundError, match="no run is called 'review-alvin'; did you mean 'reviews-alvin'"):
        open_run(tmp_path, "review-alvin")
    with pytest.raises(RunNotFoundError, match="there are: reviews-alvin"):
        open_run(tmp_path, "zzz")
    with pytest.raises(RunNotFoundError):
        open_run(tmp_path, "")


def test_a_beginning_that_two_ids_share_is_refused(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in ("ab000001", "ab000002"):
        monkeypatch.setattr("alvin_core.run.creating.new_run_id", lambda run_id=run_id: run_id)
        create_run(tmp_path, fake.make_dataset(), SETTINGS)
    with pytest.raises(RunNotFoundError, match=r"several runs begin with 'ab00': ab000001 \(run-alvin\), ab000002"):
        open_run(tmp_path, "ab00")


def test_less_than_four_characters_of_an_id_name_no_run(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="first")
    assert open_run(tmp_path, run.id[:4]).name == "first"
    with pytest.raises(RunNotFoundError, match=f"no run is called '{run.id[:3]}'"):
        delete_run(tmp_path, run.id[:3])


def test_a_source_whose_name_is_not_unicode_is_kept_readable(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, source="bad\udcff.csv")
    assert open_run(tmp_path, run.id).source == "bad?.csv"


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    for look in (lambda: open_run(tmp_path / "s", "r"), lambda: list_runs(tmp_path / "s")):
        with pytest.raises(StoreError, match="there is no store at"):
            look()
    assert not (tmp_path / "s").exists()


def test_runs_are_listed_with_their_state(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="oracle", source="reviews")
    create_run(tmp_path, fake.make_dataset(labeled=0.0), SETTINGS, name="person")
    run.step()
    run.fork(0, strategy="entropy", name="fork")
    first, second, third = list_runs(tmp_path)
    assert (first.name, first.state, first.n_rounds, first.n_labeled, first.source) == (
        "oracle",
        "ready",
        1,
        10,
        "reviews",
    )
    assert (second.name, second.state, second.n_labeled) == ("person", "waiting", 0)
    assert (third.strategy, third.parent) == ("entropy", (run.id, 0))


@pytest.mark.parametrize("name", ["", "../out", "a/b", "a b", ".hidden", "-flag", "ä", "x" * 65, "a\n", "a\\b", ".."])
def test_names_that_are_no_names_are_refused(tmp_path: Path, fake: ModuleType, name: str) -> None:
    with pytest.raises(StoreError, match=r"cannot name a run|at most 64"):
        create_run(tmp_path / "s", fake.make_dataset(), SETTINGS, name=name)
    assert not (tmp_path / "s").exists()


def test_a_taken_name_is_refused_and_a_default_one_counts_on(tmp_path: Path, fake: ModuleType) -> None:
    dataset = fake.make_dataset()
    create_run(tmp_path, dataset, SETTINGS, name="mine")
    with pytest.raises(StoreError, match="there is a run called 'mine' already"):
        create_run(tmp_path, dataset, SETTINGS, name="mine")
    names = [create_run(tmp_path, dataset, SETTINGS, source="my data/rév iews.v1.csv").name for _ in range(3)]
    assert names == ["r-v-iews-alvin", "r-v-iews-alvin-2", "r-v-iews-alvin-3"]
    assert create_run(tmp_path, dataset, SETTINGS, source="x" * 300).name == "x" * 40 + "-alvin"


def test_a_deleted_run_is_gone_and_says_so(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    run.step()
    delete_run(tmp_path, "r")
    assert list_runs(tmp_path) == []
    for use in (run.step, run.labels, run.records, lambda: run.submit({}), lambda: run.record(0), lambda: run.state):
        with pytest.raises(RunNotFoundError, match="'r' has been deleted"):
            use()


def test_a_run_at_work_is_not_deleted(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    with run._handle.lock(), pytest.raises(RunBusyError, match="run 'r' is in use"):
        delete_run(tmp_path, "r")
    assert len(list_runs(tmp_path)) == 1


def test_a_data_set_is_stored_once_and_kept_while_a_run_needs_it(tmp_path: Path, fake: ModuleType) -> None:
    for name in ("a", "b"):
        create_run(tmp_path, fake.make_dataset(), SETTINGS, name=name)
    assert len(list((tmp_path / "datasets").iterdir())) == 1
    delete_run(tmp_path, "a")
    assert open_run(tmp_path, "b").dataset.digest() == fake.make_dataset().digest()


def test_a_store_in_a_used_folder_touches_nothing_of_others(tmp_path: Path, fake: ModuleType) -> None:
    theirs = [tmp_path / "runs" / "Jan01_host" / "events", tmp_path / "datasets" / "mine.csv"]
    for path in theirs:
        path.parent.mkdir(parents=True)
        path.write_text("precious")
    create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r").step()
    delete_run(tmp_path, "r")
    assert [path.read_text() for path in theirs] == ["precious", "precious"]


def test_what_a_killed_process_left_is_swept(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS)
    run.step()
    leftovers = [
        tmp_path / "runs" / run.id / "round-0001-0123abcd.part",
        tmp_path / "runs" / run.id / "round-0001-0123abcd",
        tmp_path / "runs" / "01234567",
    ]
    for path in leftovers:
        path.mkdir()
    orphan = tmp_path / "datasets" / f"{'0' * 64}.npz.part"
    orphan.write_bytes(b"half")
    run.step()
    run.fork(0)
    assert not any(path.exists() for path in [*leftovers, orphan])
    assert run.examples(1)["labeled"].sum() == 15
