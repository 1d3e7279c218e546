"""Where ALVIN wins, ties and loses in the world: cells on disk, judged together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alvin_core.classroom.phase import sweep_world
from alvin_core.classroom.phase_plan import WorldPhasePlan, read_phase
from alvin_core.classroom.settings import WorldSettings
from alvin_core.classroom.world import World, make_world
from alvin_core.errors import Cancelled, SettingsError, StoreError
from alvin_core.progress import ProgressEvent
from alvin_core.statistics import paired_differences

PLAN = WorldPhasePlan(
    strengths=(0.6, 0.9), ambiguities=(0.0, 0.2), seeds=(0, 1, 2, 3), rounds=2, world=WorldSettings(n_test=40)
)
# ALVIN's worst group minus entropy's, at every round, but for what a seed adds.
GAINS = {(0.6, 0.0): 0.2, (0.9, 0.0): -0.2, (0.6, 0.2): 0.0, (0.9, 0.2): 0.001}


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, float, int, str, int]]]:
    """Rounds whose worst group is known by heart: 0.5, 0.6, 0.4 of entropy."""
    calls: list[tuple[float, float, int, str, int]] = []

    def run_round(self: World, strategy: str, labeled_rows: Any, round_no: int) -> Any:
        at = self.settings
        calls.append((at.strength, at.ambiguity, at.seed, strategy, round_no))
        worst = (0.5, 0.6, 0.4)[round_no]
        if strategy == "alvin":
            gain = GAINS[at.strength, at.ambiguity]
            worst += gain + 0.01 * (at.seed - 1.5) * (gain != 0)
        metrics = {
            "test": {"accuracy": 0.9},
            "ood:balanced": {"accuracy": worst + 0.1, "worst_group_accuracy": worst},
        }
        pool_rows = np.setdiff1d(self.dataset.rows_of("pool"), labeled_rows)
        selection = SimpleNamespace(rows=np.arange(at.budget))
        return SimpleNamespace(metrics=metrics, pool_rows=pool_rows, selection=selection), None

    monkeypatch.setattr(World, "run_round", run_round)
    return calls  # type: ignore[return-value]


def test_each_point_is_judged_by_paired_differences_of_the_mean_over_the_curve(tmp_path: Path, made_up: Any) -> None:
    told = sweep_world(tmp_path, PLAN)
    points = {(one["strength"], one["ambiguity"]): one for one in told["points"]}
    verdicts = {at: one["verdict"] for at, one in points.items()}
    assert verdicts == {(0.6, 0.0): "alvin", (0.9, 0.0): "entropy", (0.6, 0.2): "tie", (0.9, 0.2): "tie"}
    assert list(points) == [(0.6, 0.0), (0.9, 0.0), (0.6, 0.2), (0.9, 0.2)]  # strengths fastest
    # By trapezoids over equal steps, entropy's curve is (0.5 / 2 + 0.6 + 0.4 / 2) / 2 = 0.525.
    assert points[0.6, 0.0]["means"] == pytest.approx({"alvin": 0.725, "entropy": 0.525})
    assert points[0.6, 0.0]["mean"] == pytest.approx(0.2)
    differences = 0.001 + 0.01 * (np.arange(4) - 1.5)
    noisy = points[0.9, 0.2]
    alone = paired_differences(differences[None])[0]
    assert (noisy["mean"], noisy["low"], noisy["high"]) == pytest.approx((alone.mean, alone.low, alone.high))
    assert noisy["n"] == 4
    assert noisy["detectable"] > 0.01
    assert noisy["words"].startswith("no measurable difference between alvin and entropy in the worst group's accuracy")
    assert told["n_comparisons"] == 4
    assert told["measure"] == "worst_group"
    assert told["plan"] == PLAN.to_dict()
    json.dumps(told, allow_nan=False)


def test_another_measure_reads_the_same_cells(tmp_path: Path, made_up: list[Any]) -> None:
    sweep_world(tmp_path, PLAN)
    made_up.clear()
    told = sweep_world(tmp_path, replace(PLAN, measure="balanced_accuracy"))
    assert not made_up
    assert told["points"][0]["means"] == pytest.approx({"alvin": 0.825, "entropy": 0.625})


def test_a_stopped_sweep_goes_on_and_computes_nothing_twice(tmp_path: Path, made_up: list[Any]) -> None:
    seen: list[ProgressEvent] = []

    def until_five(event: ProgressEvent) -> None:
        seen.append(event)
        if event.done == 5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        sweep_world(tmp_path, PLAN, until_five)
    assert {(event.stage, event.total) for event in seen} == {("worlds", 32)}
    assert seen[0].note == "strength 0.6, ambiguity 0, seed 0, alvin"
    assert len(made_up) == 5 * 3
    assert read_phase(tmp_path, PLAN) is None
    told = sweep_world(tmp_path, PLAN, seen.append)
    assert len(made_up) == len(set(made_up)) == 32 * 3
    assert (seen[-1].done, seen[-1].total) == (32, 32)
    assert read_phase(tmp_path, PLAN) == told


def test_a_sweep_can_be_stopped_between_two_rounds_and_begins_that_cell_anew(
    tmp_path: Path, made_up: list[Any]
) -> None:
    n_told = 0

    def at_the_third(event: ProgressEvent) -> None:
        nonlocal n_told
        n_told += 1
        if n_told == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        sweep_world(tmp_path, PLAN, at_the_third)
    assert not list(tmp_path.rglob("*.json"))
    sweep_world(tmp_path, PLAN)
    assert len(set(made_up)) == 32 * 3


def test_a_larger_plan_computes_only_what_is_new(tmp_path: Path, made_up: list[Any]) -> None:
    sweep_world(tmp_path, replace(PLAN, seeds=(0, 1)))
    made_up.clear()
    sweep_world(tmp_path, PLAN)
    assert {call[2] for call in made_up} == {2, 3}


def test_a_damaged_cell_is_computed_again(tmp_path: Path, made_up: list[Any]) -> None:
    told = sweep_world(tmp_path, PLAN)
    cut, other = sorted((tmp_path / "cells").iterdir())[:2]
    cut.write_text(cut.read_text()[:40])
    other.write_text('{"key": "of another world"}')
    made_up.clear()
    assert sweep_world(tmp_path, PLAN) == told
    assert len(made_up) == 2 * 3


def test_the_world_s_own_strength_ambiguity_and_seed_do_not_name_the_plan() -> None:
    same = replace(PLAN, world=WorldSettings(n_test=40, strength=0.7, ambiguity=0.4, seed=9))
    assert same.digest == PLAN.digest
    assert replace(PLAN, world=WorldSettings(n_test=40, budget=5)).digest != PLAN.digest
    assert replace(PLAN, strengths=(0.6, 1)).digest == replace(PLAN, strengths=(0.6, 1.0)).digest


def test_cells_are_the_world_s_own_rounds(tmp_path: Path) -> None:
    plan = WorldPhasePlan((0.9,), (0.0,), (0, 1), 1, WorldSettings(n_test=40), ("entropy", "random"))
    told = sweep_world(tmp_path, plan)
    means = []
    for seed in (0, 1):
        world = make_world(WorldSettings(n_test=40, seed=seed))
        first, _ = world.run_round("entropy", world.initial_rows, 0)
        rows = np.concatenate([world.initial_rows, first.pool_rows[first.selection.rows]])
        second, _ = world.run_round("entropy", rows, 1)
        worst = [one.metrics["ood:balanced"]["worst_group_accuracy"] for one in (first, second)]
        means.append(np.mean(worst))
    assert told["points"][0]["means"]["entropy"] == pytest.approx(np.mean(means))


def test_an_unknown_strategy_and_a_folder_that_cannot_be_written_are_told(tmp_path: Path, made_up: Any) -> None:
    with pytest.raises(SettingsError, match="luck"):
        sweep_world(tmp_path, replace(PLAN, strategies=("luck", "entropy")))
    taken = tmp_path / "file"
    taken.write_text("in the way")
    with pytest.raises(StoreError, match="could not write"):
        sweep_world(taken, PLAN)
