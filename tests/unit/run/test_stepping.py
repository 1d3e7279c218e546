import dataclasses
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alvin_core.errors import AnnotationNeeded, Cancelled, DataError, PoolError, RunBusyError, SettingsError, StoreError
from alvin_core.progress import ProgressEvent
from alvin_core.run import Run, create_run, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=5, initial=10)


def labels_of(run: Run) -> list[tuple[str, str]]:
    frame = run.labels()
    return list(zip(frame["id"], frame["label"], strict=True))


def test_a_created_run_has_its_initial_set_and_no_round(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path / "s", fake.make_dataset(), SETTINGS, source="data/reviews.csv")
    assert (run.name, run.n_rounds, run.state, run.parent) == ("reviews-alvin", 0, "ready", None)
    labels = run.labels()
    assert len(labels) == 10
    assert set(labels["round"]) == {0}
    assert set(labels["source"]) == {"initial"}
    assert labels["label"].value_counts().to_dict() == {"neg": 5, "pos": 5}


def test_run_rounds_annotates_n_times_and_trains_n_plus_one_rounds(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS)
    records = list(run.run_rounds(3))
    assert [record.round for record in records] == [0, 1, 2, 3]
    assert [record.n_labeled for record in records] == [10, 15, 20, 25]
    assert len(run.labels()) == 25
    assert run.selection(3)["id"].isin(run.labels()["id"]).sum() == 0


def test_each_proposal_is_what_the_next_round_was_taught(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS)
    list(run.run_rounds(2))
    labels = run.labels()
    for round_no in (0, 1):
        selected = run.selection(round_no)["id"].tolist()
        assert labels.loc[labels["round"] == round_no + 1, "id"].tolist() == selected


def test_an_interrupted_run_goes_on_to_the_same_end(tmp_path: Path, fake: ModuleType) -> None:
    whole = create_run(tmp_path / "a", fake.make_dataset(), SETTINGS)
    list(whole.run_rounds(4))
    run = create_run(tmp_path / "b", fake.make_dataset(), SETTINGS)
    next(run.run_rounds(4))
    again = open_run(tmp_path / "b", run.name)
    assert [record.round for record in again.run_rounds(4)] == [1, 2, 3, 4]
    assert list(again.run_rounds(4)) == []
    assert labels_of(again) == labels_of(whole)
    assert again.selection(4)["id"].tolist() == whole.selection(4)["id"].tolist()


def test_the_same_seed_draws_the_same_initial_set_and_another_seed_another(tmp_path: Path, fake: ModuleType) -> None:
    dataset = fake.make_dataset()
    first = create_run(tmp_path, dataset, SETTINGS)
    second = create_run(tmp_path, dataset, SETTINGS.with_value("strategy", "entropy"))
    third = create_run(tmp_path, dataset, SETTINGS.with_value("seed", 1))
    assert labels_of(first) == labels_of(second) != labels_of(third)
    assert [first.name, second.name, third.name] == ["run-alvin", "run-entropy", "run-alvin-2"]


def test_the_last_round_takes_what_is_left_and_then_nothing_is(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(18), SETTINGS)
    records = list(run.run_rounds(2))
    assert [len(run.selection(round_no)) for round_no in range(3)] == [5, 3, 0]
    assert records[-1].n_labeled == 18
    with pytest.raises(PoolError, match=r"all 18 pool examples .* are labeled"):
        run.step()
    assert run.n_rounds == 3


def test_more_rounds_than_the_pool_has_are_refused_before_any_work(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(18), SETTINGS)
    with pytest.raises(PoolError, match=r"rounds = 3 is too many: .* 8 examples left .* used up after 2"):
        run.run_rounds(3)
    assert run.n_rounds == 0
    for reached in range(3):
        list(run.run_rounds(reached))
        with pytest.raises(PoolError, match="used up after 2"):
            run.run_rounds(3)
    assert list(run.run_rounds(2)) == []


def test_a_label_taken_back_after_the_pool_was_used_up_makes_room_for_more_rounds(
    tmp_path: Path, fake: ModuleType
) -> None:
    run = create_run(tmp_path, fake.make_dataset(18), SETTINGS)
    list(run.run_rounds(2))
    run.undo(run.labels()["id"].iloc[0])
    assert [record.round for record in run.run_rounds(4)] == [3, 4]
    with pytest.raises(PoolError, match="used up after 4"):
        run.run_rounds(5)


def test_negative_rounds_are_refused(tmp_path: Path, fake: ModuleType) -> None:
    with pytest.raises(SettingsError, match="rounds = -1"):
        create_run(tmp_path, fake.make_dataset(), SETTINGS).run_rounds(-1)


@pytest.mark.parametrize("initial", [18, 19, 100])
def test_an_initial_set_that_takes_the_whole_pool_is_refused(tmp_path: Path, fake: ModuleType, initial: int) -> None:
    settings = SETTINGS.with_value("initial", initial)
    with pytest.raises(PoolError, match=f"initial = {initial} .* the pool has 18 .* at most 17"):
        create_run(tmp_path, fake.make_dataset(18), settings)
    with pytest.raises(PoolError, match=f"initial = {initial} .* at most 17"):
        create_run(tmp_path, fake.make_dataset(18, labeled=0.0), settings)


def test_an_unknown_strategy_is_refused_when_the_run_is_made(tmp_path: Path, fake: ModuleType) -> None:
    with pytest.raises(SettingsError, match="did you mean 'entropy'"):
        create_run(tmp_path / "s", fake.make_dataset(), SETTINGS.with_value("strategy", "entropi"))
    assert not (tmp_path / "s").exists()


def test_a_rule_that_needs_attributes_is_refused_before_anything_is_encoded(tmp_path: Path, fake: ModuleType) -> None:
    plain = dataclasses.replace(fake.make_dataset(), attributes=None)
    known = SETTINGS.with_value("groups.rule", "known")
    with pytest.raises(SettingsError, match="'known' needs attributes"):
        create_run(tmp_path, plain, known)
    with pytest.raises(SettingsError, match="'known' needs attributes"):
        create_run(tmp_path, plain, SETTINGS).fork(0, changes={"groups.rule": "known"})


def test_an_oracle_without_labels_is_refused(tmp_path: Path, fake: ModuleType) -> None:
    with pytest.raises(SettingsError, match="15 of 60 have none"):
        create_run(tmp_path, fake.make_dataset(labeled=0.75), SETTINGS.with_value("annotator", "oracle"))


def test_one_class_is_refused(tmp_path: Path, fake: ModuleType) -> None:
    dataset = fake.make_dataset()
    one = dataclasses.replace(dataset, labels=np.zeros(len(dataset), dtype=int), classes=("pos",))
    with pytest.raises(DataError, match="at least 2"):
        create_run(tmp_path, one, SETTINGS)


def test_records_are_ready_for_json_and_what_is_not_finite_is_null(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    record = run.step()
    assert record == run.record(0) == run.records()[0]
    text = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert (text["run"], text["round"], text["n_labeled"]) == ("r", 0, 10)
    assert text["metrics"]["test"]["macro_f1"] is None
    assert text["groups"]["n_minority"] == 1
    assert text["warnings"] == ["a warning"]


def test_a_round_that_is_not_there_is_named(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    with pytest.raises(StoreError, match="'r' has no round 0: it has none yet"):
        run.record(0)
    run.step()
    with pytest.raises(StoreError, match="no round 4: it has rounds 0 to 0"):
        run.examples(4)


def test_a_run_that_is_being_stepped_is_busy_and_takes_labels_all_the_same(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS)
    run.step()
    free = run.examples(0)
    free = free.loc[(free["split"] == "pool") & ~free["labeled"] & ~free["selected"], "id"].iloc[0]

    def compute_meanwhile(engine: Engine, *arguments: object) -> object:
        other = open_run(tmp_path, run.id)
        with pytest.raises(RunBusyError, match="'run-alvin' is in use by another part of this process"):
            other.step()
        assert other.submit({free: "pos"}).n_outside == 1
        return fake.compute(engine, *arguments)

    monkeypatch.setattr(Engine, "compute", compute_meanwhile)
    assert run.step().n_labeled == 15
    labels = run.labels().set_index("id")
    assert labels.loc[free, "round"] == 2, "the label came too late for round 1"
    assert not run.examples(1).set_index("id").loc[free, "labeled"]
    monkeypatch.setattr(Engine, "compute", fake.compute)
    if free in run.selection(1)["id"].tolist():
        assert run.step().n_labeled == 20
    else:
        assert run.step().n_labeled == 21


def test_cancelled_work_keeps_what_was_finished(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS)
    run.step()

    def cancelled(engine: Engine, rows: object, classes: object, no: int, settings: object, progress: object) -> None:
        assert callable(progress)
        progress(ProgressEvent("train", 0, 1))

    def stop(event: ProgressEvent) -> None:
        raise Cancelled(event.stage)

    monkeypatch.setattr(Engine, "compute", cancelled)
    with pytest.raises(Cancelled, match="train"):
        run.step(stop)
    assert run.n_rounds == 1
    assert len(run.labels()) == 15, "the oracle's answers were on disk before training began"
    monkeypatch.setattr(Engine, "compute", fake.compute)
    assert run.step().n_labeled == 15


def test_labels_of_one_class_are_not_trained_on(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(labeled=0.0), SETTINGS, name="r")
    run.submit(dict.fromkeys(run.pending()["id"], "pos"))
    assert run.state == "waiting"
    with pytest.raises(AnnotationNeeded, match="only the class 'pos'"):
        run.step()
    outside = run.dataset.ids[~np.isin(run.dataset.ids, run.labels()["id"])][0]
    run.submit({str(outside): "neg"})
    assert run.step().n_labeled == 11


def test_a_run_records_what_it_was_computed_with(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS, source="reviews")
    reopened = open_run(tmp_path, run.name)
    assert reopened.settings == SETTINGS
    assert reopened.source == "reviews"
    assert reopened.dataset.digest() == fake.make_dataset().digest()
    assert reopened.environment["packages"]["numpy"] == np.__version__
    assert {"python", "platform"} <= reopened.environment.keys()
