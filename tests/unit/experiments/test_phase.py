"""Where a strategy helps: what was measured at every point of a plane, judged together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alvin_core.errors import Cancelled, SettingsError
from alvin_core.experiments import local
from alvin_core.experiments.cells import CellTask, do_cell
from alvin_core.experiments.comparison import Comparison, list_comparisons
from alvin_core.experiments.phase import MEASURES, PhasePlan, diagram_of, phase_markdown, sweep_phase
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.results import ComparisonResults
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.statistics import paired_differences

SEEDS = (0, 1, 2, 3, 4)
N_LABELED = np.array([100, 150, 250])
GAINS = {(0.6, 0.0): 0.05, (0.9, 0.0): -0.05, (0.6, 0.3): 0.0, (0.9, 0.3): 0.0}


def make_plan(**changes: object) -> PhasePlan:
    comparison = ComparisonPlan(("alvin", "entropy"), SEEDS, 2)
    return PhasePlan(comparison, **{"strengths": (0.6, 0.9), "ambiguities": (0.0, 0.3), **changes})  # type: ignore[arg-type]


def make_results(gain: float, *, seeds: tuple[int, ...] = SEEDS, notes: tuple[str, ...] = ()) -> ComparisonResults:
    """Entropy's curve is 0.6, 0.7, 0.7 in all seeds; ALVIN's is higher by the gain, give or take a thousandth."""
    rng = np.random.default_rng(3)
    values = np.empty((2, 2, len(seeds), 3))
    values[:, 1] = [0.6, 0.7, 0.7]
    values[:, 0] = values[:, 1] + gain + 0.001 * rng.standard_normal((2, len(seeds), 1))
    return ComparisonResults(
        "c",
        "made up",
        ("alvin", "entropy"),
        seeds,
        N_LABELED,
        MEASURES,
        values,
        (),
        np.empty((0, 2, len(seeds), 3)),
        notes,
    )


def test_points_are_differences_of_areas_corrected_for_all_points_and_measures() -> None:
    plan = make_plan()
    results = {point: make_results(GAINS[point]) for point in plan.points}
    diagram = diagram_of(plan, results)
    assert diagram.arms == ("alvin",)
    assert len(diagram.points) == 2 * 4
    # By hand: the trapezoids of entropy's curve are 50 · 0.65 and 100 · 0.7, over 150 labels.
    area = (50 * 0.65 + 100 * 0.7) / 150
    rows = []
    for point in diagram.points:
        assert point.reference_area == pytest.approx(area)
        values = results[point.strength, point.ambiguity].values[MEASURES.index(point.measure)]
        rows.append(values[0].mean(axis=1) - values[1].mean(axis=1))  # a constant gain is the same in every mean
    for point, expected in zip(diagram.points, paired_differences(np.array(rows)), strict=True):
        assert point.difference.mean == pytest.approx(expected.mean)
        assert point.difference.p_corrected == pytest.approx(expected.p_corrected)
        assert point.difference.n_comparisons == 8


def test_the_diagram_tells_where_it_is_ahead_where_behind_and_where_nothing_can_be_told() -> None:
    plan = make_plan()
    diagram = diagram_of(plan, {point: make_results(GAINS[point]) for point in plan.points})
    verdicts = {point: diagram.at("alvin", MEASURES[0], *point).difference.verdict for point in plan.points}
    assert verdicts == {
        (0.6, 0.0): "better",
        (0.9, 0.0): "worse",
        (0.6, 0.3): "no measurable difference",
        (0.9, 0.3): "no measurable difference",
    }
    with pytest.raises(KeyError):
        diagram.at("alvin", MEASURES[0], 0.7, 0.0)


def test_markdown_has_strengths_across_and_ambiguities_down() -> None:
    plan = make_plan(measures=MEASURES[:1])
    text = phase_markdown(diagram_of(plan, {point: make_results(GAINS[point]) for point in plan.points}))
    head, rule, first, second = text.splitlines()[2:6]
    assert head == "| ambiguity \\ strength | 0.6 | 0.9 |"
    assert rule == "|---|--:|--:|"
    assert first.startswith("| 0 | ▲ +5.")
    assert "| ▼ −5." in first
    assert second.startswith("| 0.3 | = ")
    assert "Holm's correction for 4 comparisons" in text


def test_seeds_that_are_missing_at_a_point_are_left_out_there_and_said() -> None:
    plan = make_plan()
    results = {point: make_results(GAINS[point]) for point in plan.points}
    results[0.9, 0.3] = make_results(0.0, seeds=(0,), notes=("alvin: 4 of 5 seeds are not finished",))
    diagram = diagram_of(plan, results)
    point = diagram.at("alvin", MEASURES[1], 0.9, 0.3)
    assert (point.difference.n, point.difference.verdict) == (1, "too few seeds")
    assert diagram.notes == ("strength 0.9, ambiguity 0.3: alvin: 4 of 5 seeds are not finished",)
    assert "? " in phase_markdown(diagram)


def test_plain_values_are_json_and_what_is_not_known_is_null() -> None:
    plan = make_plan()
    results = {point: make_results(GAINS[point]) for point in plan.points}
    results[0.6, 0.0] = make_results(0.05, seeds=(0,))
    found = json.loads(json.dumps(diagram_of(plan, results).to_dict(), allow_nan=False))
    assert [point["difference"]["n"] for point in found["points"][:2]] == [1, 5]
    assert found["points"][0]["difference"]["low"] is None
    assert json.loads(json.dumps(plan.to_dict()))["comparison"] == plan.comparison.to_dict()


def test_one_seed_has_a_difference_without_ends_in_the_table() -> None:
    plan = make_plan(strengths=(0.6,), ambiguities=(0.0,), measures=MEASURES[:1])
    diagram = diagram_of(plan, {(0.6, 0.0): make_results(0.05, seeds=(0,))})
    text = phase_markdown(diagram)
    assert text.splitlines()[4] == f"| 0 | ? {100 * diagram.points[0].difference.mean:+.1f} |"
    assert "nan" not in text


@pytest.fixture
def done(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cells are done in this process, at no cost; the keys of those that were."""
    keys: list[str] = []

    def run_cells(comparison: Comparison, tasks: Sequence[CellTask], *, workers: object, progress: Progress) -> None:
        for task in tasks:
            progress(ProgressEvent("cells", len(keys), 8))
            do_cell(comparison.store, comparison.id, task)
            keys.append(f"{comparison.name} {task.key}")

    monkeypatch.setattr(Engine, "compute", fake.compute)
    monkeypatch.setattr(local, "run_cells", run_cells)
    return keys


def small_plan(**changes: object) -> PhasePlan:
    comparison = ComparisonPlan(("alvin", "entropy"), (0, 1), 1, RunSettings(initial=8, budget=4))
    small = {"strengths": (0.6, 0.9), "ambiguities": (0.0,), "measures": ("accuracy:test",), "n_test": 12, "n_ood": 12}
    return PhasePlan(comparison, n_pool=24, **{**small, **changes})  # type: ignore[arg-type]


def test_a_sweep_that_is_stopped_goes_on_where_it_was_and_repeats_no_cell(tmp_path: Path, done: list[str]) -> None:
    plan = small_plan()

    def stop(event: ProgressEvent) -> None:
        if event.stage == "cells" and event.done == 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        sweep_phase(tmp_path / "s", plan, progress=stop)
    first = list(done)
    assert len(first) == 5
    points: list[tuple[int, int, str]] = []

    def listen(event: ProgressEvent) -> None:
        if event.stage == "points":
            points.append((event.done, event.total, event.note))

    diagram = sweep_phase(tmp_path / "s", plan, progress=listen)
    assert points == [(0, 2, "strength 0.6, ambiguity 0"), (1, 2, "strength 0.9, ambiguity 0"), (2, 2, "")]
    assert len(done) == len(set(done)) == 8
    assert [one.name for one in list_comparisons(tmp_path / "s")] == ["phase-0.6-0", "phase-0.9-0"]
    assert diagram == sweep_phase(tmp_path / "whole", plan)
    assert sweep_phase(tmp_path / "s", plan) == diagram
    assert len(done) == 16  # those of the other store; none was repeated in the first
    more = replace(plan, comparison=replace(plan.comparison, seeds=(0, 1, 2)))
    assert sweep_phase(tmp_path / "s", more).points[0].difference.n == 3
    assert len(done) == 20


def test_a_sweep_of_other_data_under_the_same_name_is_refused(tmp_path: Path, done: list[str]) -> None:
    sweep_phase(tmp_path / "s", small_plan())
    with pytest.raises(SettingsError, match=r"'phase-0.6-0' is of other data: .* choose another name"):
        sweep_phase(tmp_path / "s", small_plan(data_seed=3))
    assert len(done) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strengths": ()}, r"strengths = \[\] must name at least one value"),
        ({"ambiguities": (0.1, 0.1)}, "each once"),
        ({"strengths": (1.5,)}, "strength = 1.5"),
        ({"task": "weather"}, "task = 'weather' is unknown"),
        ({"reference": "random"}, "reference = 'random' must be one of at least two arms; there are: alvin, entropy"),
    ],
)
def test_a_plan_that_cannot_be_swept_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_plan(**changes)
