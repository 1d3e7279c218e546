"""Comparisons in a store: made, found, listed, extended, refused, and what a backend is handed."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import alvin_core as alvin
from alvin_core.data.dataset import Dataset
from alvin_core.errors import AlvinError, DataError, PoolError, RunBusyError, SettingsError, StoreError
from alvin_core.experiments import local
from alvin_core.experiments.cells import do_cell
from alvin_core.experiments.comparison import Comparison, create_comparison, list_comparisons, open_comparison
from alvin_core.experiments.exporting import comparison_values
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.run.opening import count_comparison_runs
from alvin_core.settings import RunSettings, RuntimeSettings

pytestmark = pytest.mark.usefixtures("cheap_rounds")
SETTINGS = RunSettings(budget=4, initial=8, runtime=RuntimeSettings("cpu"))
PLAN = ComparisonPlan(("margin", "random"), (0, 1), 2, SETTINGS)


@pytest.fixture
def comparison(tmp_path: Path, fake: ModuleType) -> Comparison:
    return create_comparison(tmp_path / "s", fake.make_dataset(), PLAN, source="data/reviews.csv")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A backend that does cells in this process; what it was handed."""
    handed: list[Any] = []

    def run_cells(comparison: Comparison, tasks: Any, *, workers: Any = None, progress: Any = None) -> None:
        handed.append((list(tasks), workers))
        for task in tasks:
            do_cell(comparison.store, comparison.id, task)

    monkeypatch.setattr(local, "run_cells", run_cells)
    return handed


def test_a_comparison_is_found_by_name_id_and_the_beginning_of_its_id(comparison: Comparison) -> None:
    assert comparison.name == "reviews-compare"
    for name in (comparison.name, comparison.id, comparison.id[:4]):
        found = open_comparison(comparison.store, name)
        assert (found.id, found.plan, found.source) == (comparison.id, PLAN, "data/reviews.csv")
    with pytest.raises(StoreError, match="did you mean 'reviews-compare'"):
        open_comparison(comparison.store, "review-compare")
    with pytest.raises(StoreError, match="no comparison is called 'x'; there are: reviews-compare"):
        open_comparison(comparison.store, "x")


def test_a_list_tells_how_far_comparisons_are(comparison: Comparison, fake: ModuleType, in_process: list[Any]) -> None:
    create_comparison(comparison.store, fake.make_dataset(), replace(PLAN, seeds=(7,)), name="other")
    comparison.run()
    infos = list_comparisons(comparison.store)
    assert [(one.name, one.n_cells, one.n_finished) for one in infos] == [("reviews-compare", 4, 4), ("other", 2, 0)]
    assert infos[0].to_dict() == {
        "id": comparison.id,
        "name": "reviews-compare",
        "source": "data/reviews.csv",
        "n_cells": 4,
        "n_finished": 4,
        "created_at": comparison.created_at,
    }


def test_a_name_that_is_taken_or_bad_is_refused_and_nothing_is_stored(comparison: Comparison, fake: ModuleType) -> None:
    with pytest.raises(StoreError, match="'reviews-compare' already; go on with it with --resume, or choose another"):
        create_comparison(comparison.store, fake.make_dataset(), PLAN, source="reviews.csv")
    with pytest.raises(StoreError, match="cannot name a comparison"):
        create_comparison(comparison.store, fake.make_dataset(), PLAN, name="a b")
    assert len(list_comparisons(comparison.store)) == 1


def without_labels(dataset: Dataset, rows: list[int]) -> Dataset:
    labels = dataset.labels.copy()
    labels[rows] = -1
    return replace(dataset, labels=labels)


def test_data_that_cannot_be_compared_on_is_refused_before_anything_is_made(tmp_path: Path, fake: ModuleType) -> None:
    dataset = fake.make_dataset()  # 60 in the pool

    def refused(error: type[AlvinError], match: str, data: Dataset, plan: ComparisonPlan) -> None:
        with pytest.raises(error, match=match):
            create_comparison(tmp_path / "s", data, plan)
        assert not (tmp_path / "s").exists()

    refused(DataError, "3 of 60 pool examples have no label", without_labels(dataset, [1, 5, 9]), PLAN)
    refused(DataError, "1 examples to evaluate on have no label", without_labels(dataset, [60]), PLAN)
    refused(PoolError, "8 and 14 rounds of 4 need 64 .* there are 60: enough for 13", dataset, replace(PLAN, rounds=14))
    refused(SettingsError, "no strategy is called 'rando'", dataset, replace(PLAN, strategies=("rando",)))
    known = PLAN.settings.with_value("groups.rule", "known")
    refused(SettingsError, "needs attributes", replace(dataset, attributes=None), replace(PLAN, settings=known))
    create_comparison(tmp_path / "s", dataset, replace(PLAN, rounds=13))


def test_a_backend_is_handed_what_is_not_finished_with_the_threads_of_each_cell(
    comparison: Comparison, in_process: list[Any]
) -> None:
    todo = comparison._tasks()
    do_cell(comparison.store, comparison.id, todo[0])
    do_cell(comparison.store, comparison.id, replace(todo[1], rounds=0))
    comparison.run(workers=3)
    tasks, workers = in_process[0]
    assert workers == 3
    assert [task.key for task in tasks] == [task.key for task in todo[1:]]
    assert [task.run is None for task in tasks] == [False, True, True]
    assert [(task.rounds, task.settings.runtime.threads) for task in tasks] == [(2, 1)] * 3
    assert all(state.finished for state in comparison.states())
    comparison.run()
    assert in_process[1] == ([], None)


def test_what_was_measured_so_far_can_be_read_at_any_time(comparison: Comparison, in_process: list[Any]) -> None:
    with pytest.raises(SettingsError, match="no finished round"):
        comparison.results()
    do_cell(comparison.store, comparison.id, comparison._tasks()[1])
    part = comparison.results()
    assert (part.arms, part.seeds) == (("margin", "random"), (0, 1))
    at = part.measures.index("accuracy:test")
    assert np.isfinite(part.values[at]).tolist() == [[[False] * 3, [False] * 3], [[True] * 3, [False] * 3]]
    comparison.run()
    whole = comparison.results()
    assert np.isfinite(whole.values[at]).all()
    assert whole.n_labeled.tolist() == [8, 12, 16]
    by_hand = [[[one.metrics["test"]["accuracy"] for one in records] for _, records in comparison.records()]]
    assert whole.values[at].swapaxes(0, 1).reshape(-1, 3).tolist() == by_hand[0]


def test_rounds_that_a_person_added_to_a_cells_run_are_not_counted(
    comparison: Comparison, in_process: list[Any]
) -> None:
    comparison.run()
    before = comparison.results()
    alvin.open_run(comparison.store, str(comparison.states()[0].run)).step()
    assert comparison.states()[0].n_rounds == 4
    assert np.array_equal(comparison.results().values, before.values, equal_nan=True)


def test_an_extended_comparison_keeps_its_cells_and_does_the_rest(
    comparison: Comparison, in_process: list[Any]
) -> None:
    comparison.run()
    runs = {state.cell.key: state.run for state in comparison.states()}
    longer = replace(PLAN, seeds=(0, 1, 2), rounds=3)
    assert comparison.extend(longer) == ("seeds 2", "rounds 3")
    reopened = open_comparison(comparison.store, comparison.name)
    assert reopened.plan == comparison.plan == longer
    assert [state.finished for state in reopened.states()] == [False] * 6
    reopened.run()
    assert {state.cell.key: state.run for state in reopened.states()}.items() >= runs.items()
    assert all(state.finished for state in reopened.states())
    assert reopened.extend(longer) == ()
    with pytest.raises(SettingsError, match="it has the seeds 1, 2 as well"):
        reopened.extend(replace(longer, seeds=(0,)))
    with pytest.raises(PoolError, match="enough for 13 rounds"):
        reopened.extend(replace(longer, rounds=20))
    assert reopened.plan == longer


def test_what_another_process_added_to_the_plan_is_not_lost(comparison: Comparison, in_process: list[Any]) -> None:
    other = open_comparison(comparison.store, comparison.id)
    assert other.extend(replace(PLAN, seeds=(0, 1, 5))) == ("seeds 5",)
    with pytest.raises(SettingsError, match="it has the seeds 5 as well"):
        comparison.extend(replace(PLAN, seeds=(0, 1, 7)))
    assert open_comparison(comparison.store, comparison.id).plan.seeds == (0, 1, 5)
    open_comparison(comparison.store, comparison.id).extend(replace(PLAN, seeds=(0, 1, 5), rounds=3))
    comparison.run()
    assert [task.rounds for task in in_process[0][0]] == [3] * 6


def test_only_one_process_at_a_time_runs_a_comparison(comparison: Comparison, in_process: list[Any]) -> None:
    with comparison._lock(), pytest.raises(RunBusyError, match="the comparison 'reviews-compare' is in use"):
        open_comparison(comparison.store, comparison.id).run()
    comparison.run()


def test_a_backend_that_is_unknown_or_not_installed_is_refused_with_a_remedy(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="no backend is called 'slurm'; choose one of: local, ray"):
        comparison.run(backend="slurm")  # type: ignore[arg-type]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'alvin-studio\[cluster\]'"):
        comparison.run(backend="ray")
    with pytest.raises(SettingsError, match="workers = 0 is out of range"):
        comparison.run(workers=0)


def test_a_discarded_comparison_leaves_its_runs(comparison: Comparison, in_process: list[Any]) -> None:
    comparison.run()
    assert comparison.discard() == 0
    assert list_comparisons(comparison.store) == ()
    assert len(alvin.list_runs(comparison.store, of_comparisons=False)) == 4
    for late in (comparison.run, comparison.discard, lambda: comparison.extend(replace(PLAN, rounds=3))):
        with pytest.raises(StoreError, match="no comparison with the id"):
            late()


def test_a_discarded_comparison_can_have_its_runs_put_in_the_trash(
    comparison: Comparison, in_process: list[Any], fake: ModuleType
) -> None:
    comparison.run()
    alvin.create_run(comparison.store, fake.make_dataset(), SETTINGS, name="own")
    run = comparison.states()[3].run
    with alvin.open_run(comparison.store, str(run))._handle.lock(), pytest.raises(RunBusyError):
        comparison.discard(trash_runs=True)
    assert comparison.info().n_finished == 1  # those before it are in the trash, and the comparison is there
    assert comparison.discard(trash_runs=True) == 1
    assert [one.name for one in alvin.list_runs(comparison.store)] == ["own"]
    assert len(alvin.list_trash(comparison.store)) == 4
    restored = alvin.restore_run(comparison.store, str(run))
    assert restored.id in {one.id for one in alvin.list_runs(comparison.store, of_comparisons=False)}


def test_runs_of_comparisons_can_be_left_out_of_lists(
    comparison: Comparison, in_process: list[Any], fake: ModuleType
) -> None:
    comparison.run()
    alvin.create_run(comparison.store, fake.make_dataset(), SETTINGS, name="own")
    assert len(alvin.list_runs(comparison.store)) == 5
    assert [one.name for one in alvin.list_runs(comparison.store, of_comparisons=False)] == ["own"]
    assert count_comparison_runs(comparison.store) == 4
    alvin.trash_run(comparison.store, str(comparison.states()[0].run))
    assert count_comparison_runs(comparison.store) == 3


def test_labels_given_by_hand_to_a_cells_run_cut_what_is_compared_and_are_named(
    comparison: Comparison, in_process: list[Any]
) -> None:
    comparison.run()
    run = alvin.open_run(comparison.store, str(comparison.states()[2].run))
    examples = run.examples(2, oracle=True)
    proposed = set(run.pending()["id"])
    free = examples[(examples["split"] == "pool") & ~examples["labeled"] & ~examples["id"].isin(proposed)].iloc[0]
    run.submit({free["id"]: free["oracle_label"]})
    comparison.extend(replace(PLAN, rounds=3))
    comparison.run()
    results = comparison.results()
    assert results.n_labeled.tolist() == [8, 12, 16]
    assert results.notes == (
        "only rounds 0 to 2 are compared: the runs of 'reviews-compare' have 20 or 21 labels in round 3 "
        "(margin seed 1 with 21)",
    )


def test_values_for_a_file_hold_ids_dates_and_seconds_in_timings_alone(
    comparison: Comparison, in_process: list[Any], tmp_path: Path, fake: ModuleType
) -> None:
    from alvin_core.experiments.report import summarize_comparison

    comparison.run()
    twin = create_comparison(tmp_path / "twin", fake.make_dataset(), PLAN, source="data/reviews.csv")
    twin.run()
    values, others = (comparison_values(one, summarize_comparison(one.results())) for one in (comparison, twin))
    timings, other_timings = values.pop("timings"), others.pop("timings")
    assert values == others
    assert timings != other_timings
    assert [(cell["arm"], cell["seed"]) for cell in values["cells"]] == [
        ("margin", 0),
        ("random", 0),
        ("margin", 1),
        ("random", 1),
    ]
    assert [one["n_labeled"] for one in values["cells"][0]["records"]] == [8, 12, 16]
    assert values["warnings"] == ["a warning"]
    assert [cell["run"] for cell in timings["cells"]] == [state.run for state in comparison.states()]
    assert timings["cells"][0]["rounds"][0]["seconds"] == {"train": 0.1}
