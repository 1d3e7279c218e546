"""Cells: one run each, whatever is killed, done twice, received twice, thrown away or deleted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.errors import Cancelled, RunBusyError, StoreError
from alvin_core.experiments.cells import CellTask, do_cell, receive_cell, with_threads
from alvin_core.experiments.comparison import Comparison, create_comparison, open_comparison
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.progress import ProgressEvent
from alvin_core.run import create_run, delete_run, list_runs, open_run
from alvin_core.run.bundle import pack_run
from alvin_core.run.engine import Engine
from alvin_core.run.trash import purge_trash, restore_run, trash_run
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings

SETTINGS = RunSettings(budget=4, initial=8)
PLAN = ComparisonPlan(("margin", "random"), (0, 1), 2, SETTINGS)
KEYS = ["margin-s0", "random-s0", "margin-s1", "random-s1"]
Make = Callable[[str], Comparison]


@pytest.fixture(autouse=True)
def _cheap_rounds(request: pytest.FixtureRequest, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    if "tiny_encoder" not in request.fixturenames:
        monkeypatch.setattr(Engine, "compute", fake.compute)


@pytest.fixture
def make(tmp_path: Path, fake: ModuleType) -> Make:
    def make_one(store: str) -> Comparison:
        return create_comparison(tmp_path / store, fake.make_dataset(), PLAN, name="c")

    return make_one


def tasks(comparison: Comparison) -> list[CellTask]:
    return comparison._tasks()


def finish(comparison: Comparison) -> None:
    for task in tasks(comparison):
        do_cell(comparison.store, comparison.id, task)


def contents(comparison: Comparison) -> dict[str, Any]:
    """What a comparison found, without what may differ: ids, dates, seconds."""
    return {
        state.cell.key: [(one.round, one.n_labeled, one.metrics, one.selection) for one in records]
        for state, records in comparison.records()
    }


def test_each_cell_is_one_run_with_the_rounds_and_settings_of_the_plan(make: Make) -> None:
    comparison = make("s")
    assert [state.cell.key for state in comparison.states() if state.run is None] == KEYS
    finish(comparison)
    states = comparison.states()
    assert all(state.finished and state.n_rounds == 3 for state in states)
    assert sorted(info.id for info in list_runs(comparison.store)) == sorted(str(state.run) for state in states)
    run = open_run(comparison.store, "c-random-s1")
    assert (run.settings.strategy, run.settings.seed, run.settings.budget) == ("random", 1, 4)


def test_a_finished_cell_is_not_run_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = make("s")
    todo = tasks(comparison)
    finish(comparison)
    before = contents(comparison), list_runs(comparison.store)
    monkeypatch.setattr(Engine, "compute", None)  # whoever calls it fails
    runs = [do_cell(comparison.store, comparison.id, task) for task in todo]
    assert runs == [state.run for state in comparison.states()]
    assert (contents(comparison), list_runs(comparison.store)) == before
    assert tasks(comparison) == []


def test_a_cell_that_was_stopped_goes_on_from_its_last_whole_round(make: Make) -> None:
    comparison, whole = make("s"), make("whole")
    finish(whole)

    def stop(event: ProgressEvent) -> None:
        if event.done == 1:
            raise Cancelled("stopped")

    first = tasks(comparison)[0]
    with pytest.raises(Cancelled):
        do_cell(comparison.store, comparison.id, first, stop)
    begun = comparison.states()[0]
    assert (begun.n_rounds, begun.finished) == (1, False)
    assert tasks(comparison)[0].run == begun.run
    seen: list[int] = []
    do_cell(comparison.store, comparison.id, first, lambda event: seen.append(event.done))
    assert seen == [1, 2, 3]
    finish(comparison)
    assert contents(comparison) == contents(whole)
    assert len(list_runs(comparison.store)) == len(KEYS)


@pytest.mark.parametrize("begun", [True, False])
def test_all_strategies_of_a_seed_begin_with_the_same_labels_and_seeds_do_not(make: Make, begun: bool) -> None:
    comparison = make("s")
    if begun:
        finish(comparison)
    else:
        for task in tasks(comparison):
            do_cell(comparison.store, comparison.id, replace(task, rounds=0))
    initial = {}
    for state in comparison.states():
        labels = open_run(comparison.store, str(state.run)).labels()
        initial[state.cell.key] = sorted(labels[labels["source"] == "initial"]["id"])
    assert initial["margin-s0"] == initial["random-s0"]
    assert initial["margin-s1"] == initial["random-s1"]
    assert initial["margin-s0"] != initial["margin-s1"]


def test_all_strategies_of_a_seed_have_one_model_in_round_0(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path
) -> None:
    settings = replace(SETTINGS, encoder=EncoderSettings(str(tiny_encoder)), runtime=RuntimeSettings("cpu", 1))
    plan = ComparisonPlan(("alvin", "entropy", "random"), (0, 1), 1, settings)
    comparison = create_comparison(tmp_path / "s", fake.make_dataset(), plan)
    finish(comparison)
    first = {(state.cell.arm, state.cell.seed): records[0].metrics for state, records in comparison.records()}
    for seed in (0, 1):
        assert first["alvin", seed] == first["entropy", seed] == first["random", seed]
    assert first["alvin", 0] != first["alvin", 1]
    picked = {state.cell.key: records[0].selection["mean_entropy"] for state, records in comparison.records()}
    assert picked["entropy-s0"] > picked["random-s0"]  # from there on they go their own ways


@pytest.mark.parametrize("gone", ["deleted", "in the trash", "in the trash and deleted"])
def test_a_cell_whose_run_is_gone_is_not_finished_and_is_done_again(make: Make, gone: str) -> None:
    comparison = make("s")
    finish(comparison)
    before = contents(comparison)
    lost = str(comparison.states()[1].run)
    delete_run(comparison.store, lost) if gone == "deleted" else trash_run(comparison.store, lost)
    if gone.endswith("and deleted"):
        purge_trash(comparison.store)
    assert [state.finished for state in comparison.states()] == [True, False, True, True]
    assert comparison.states()[1].run is None
    finish(comparison)
    assert contents(comparison) == before
    assert comparison.states()[1].run != lost
    assert len(list_runs(comparison.store)) == len(KEYS)


def test_a_run_that_comes_back_from_the_trash_is_its_cells_again_unless_that_has_another(make: Make) -> None:
    comparison = make("s")
    finish(comparison)
    first, second = (str(state.run) for state in comparison.states()[:2])
    for run in (first, second):
        trash_run(comparison.store, run)
    restore_run(comparison.store, first)
    assert comparison.states()[0].finished
    finish(comparison)
    restore_run(comparison.store, second)
    assert comparison.states()[1].run != second
    assert all(state.finished for state in comparison.states())


def test_the_data_of_a_comparison_without_runs_survives_the_sweeping_of_the_store(make: Make, fake: ModuleType) -> None:
    comparison = make("s")
    create_run(comparison.store, fake.make_dataset(30), SETTINGS, name="other")
    delete_run(comparison.store, "other")
    assert len(open_comparison(comparison.store, "c").dataset) == len(fake.make_dataset())
    comparison.discard()
    assert list((comparison.store / "datasets").iterdir()) == []


@pytest.fixture
def bundles(make: Make, tmp_path: Path) -> dict[str, Path]:
    """The first cell as it was computed elsewhere, with one round and with all, and another cell."""
    elsewhere = make("elsewhere")
    todo = tasks(elsewhere)
    packed = {}
    for name, task in (
        ("one round", replace(todo[0], rounds=0)),
        ("whole", todo[0]),
        ("other", todo[1]),
    ):
        run = do_cell(elsewhere.store, elsewhere.id, task)
        packed[name] = pack_run(elsewhere.store, run, tmp_path / f"{name}.zip")
    return packed


def test_a_received_cell_is_the_cell_and_a_second_one_is_thrown_away(make: Make, bundles: dict[str, Path]) -> None:
    comparison, whole = make("s"), make("whole")
    finish(whole)
    run = receive_cell(comparison.store, comparison.id, KEYS[0], bundles["whole"])
    assert comparison.states()[0].run == run
    assert comparison.states()[0].finished
    assert receive_cell(comparison.store, comparison.id, KEYS[0], bundles["whole"]) == run
    assert receive_cell(comparison.store, comparison.id, KEYS[0], bundles["one round"]) == run
    assert [info.id for info in list_runs(comparison.store)] == [run]
    assert [one.name for one in (comparison.store / "runs").iterdir()] == [run]
    finish(comparison)
    assert contents(comparison) == contents(whole)


def test_a_received_cell_takes_the_place_of_one_with_fewer_rounds(make: Make, bundles: dict[str, Path]) -> None:
    comparison = make("s")
    begun = receive_cell(comparison.store, comparison.id, KEYS[0], bundles["one round"])
    assert comparison.states()[0].n_rounds == 1
    assert receive_cell(comparison.store, comparison.id, KEYS[0], bundles["one round"]) == begun
    run = receive_cell(comparison.store, comparison.id, KEYS[0], bundles["whole"])
    assert run != begun
    assert comparison.states()[0].run == run
    assert [info.id for info in list_runs(comparison.store)] == [run]


def test_another_cells_run_and_an_unknown_cell_are_refused(make: Make, bundles: dict[str, Path]) -> None:
    comparison = make("s")
    with pytest.raises(StoreError, match=r"cannot be the cell 'margin-s0' .* its settings are others"):
        receive_cell(comparison.store, comparison.id, KEYS[0], bundles["other"])
    with pytest.raises(StoreError, match="no cell 'cal-s0'"):
        receive_cell(comparison.store, comparison.id, "cal-s0", bundles["other"])
    with pytest.raises(StoreError, match="no comparison with the id 'abcd1234'"):
        receive_cell(comparison.store, "abcd1234", KEYS[0], bundles["other"])
    assert list_runs(comparison.store) == []


def test_a_run_of_other_data_is_refused(make: Make, fake: ModuleType, tmp_path: Path) -> None:
    comparison = make("s")
    settings = comparison.states()[0].cell.settings
    create_run(tmp_path / "o", fake.make_dataset(50), settings, name="r")
    with pytest.raises(StoreError, match="its data are others"):
        receive_cell(comparison.store, comparison.id, KEYS[0], pack_run(tmp_path / "o", "r", tmp_path / "r.zip"))


def test_a_run_that_another_works_on_is_not_replaced(make: Make, bundles: dict[str, Path]) -> None:
    comparison = make("s")
    begun = receive_cell(comparison.store, comparison.id, KEYS[0], bundles["one round"])
    with open_run(comparison.store, begun)._handle.lock(), pytest.raises(RunBusyError):
        receive_cell(comparison.store, comparison.id, KEYS[0], bundles["whole"])
    assert comparison.states()[0].run == begun


def test_threads_that_are_given_stay_and_a_small_head_on_a_cpu_takes_one() -> None:
    given = RunSettings(runtime=RuntimeSettings("cpu", threads=3))
    assert with_threads(given) is given
    small = RunSettings(runtime=RuntimeSettings("cpu"))
    assert with_threads(small).runtime.threads == 1
    trained = with_threads(small.with_value("training.trainable_layers", 2)).runtime.threads
    from alvin_core.device import plan_device

    assert trained == plan_device(small.runtime).threads


N_KILLS = 7


@pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")
@pytest.mark.parametrize("action", ["cell", "receive"])
def test_a_cell_killed_at_any_point_leaves_no_stray_run_and_is_finished_once(
    tmp_path: Path, make: Make, bundles: dict[str, Path], action: str
) -> None:
    comparison, whole = make("s"), make("whole")
    finish(whole)
    if action == "receive":  # the harder case: there is one to be replaced
        receive_cell(comparison.store, comparison.id, KEYS[0], bundles["one round"])
    arguments = {"key": KEYS[0]} | ({"bundle": str(bundles["whole"])} if action == "receive" else {})
    command = {"action": action, "arguments": arguments, "log": str(tmp_path / "log")}
    script = Path(__file__).with_name("cell_actions.py")
    with subprocess.Popen(
        [sys.executable, str(script), "fake"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def carry_out(store: Path, **more: Any) -> int:
            print(json.dumps([command | {"store": str(store)} | more]), file=process.stdin, flush=True)
            (code,) = json.loads(process.stdout.readline())
            return int(code)

        assert carry_out(shutil.copytree(comparison.store, tmp_path / "counted"), count=True) == 0
        facts = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        n_points = next(fact["points"] for fact in facts if "points" in fact)
        for point in sorted({round(1 + place * (n_points - 1) / (N_KILLS - 1)) for place in range(N_KILLS)}):
            store = shutil.copytree(comparison.store, tmp_path / f"at{point}")
            assert carry_out(store, kill_at=point) == -9
            check_no_stray_run(store)
            assert carry_out(store) == 0
            check_no_stray_run(store)
            found = open_comparison(store, "c")
            assert contents(found)[KEYS[0]] == contents(whole)[KEYS[0]]
        process.stdin.close()


def check_no_stray_run(store: Path) -> None:
    known = [state.run for state in open_comparison(store, "c").states() if state.run is not None]
    assert [info.id for info in list_runs(store)] == known
