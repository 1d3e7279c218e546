"""Comparisons with a strategy that selects from a slice: here, and on another machine."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.errors import SettingsError
from alvin_core.experiments.cells import CellTask, do_cell, receive_cell
from alvin_core.experiments.comparison import create_comparison
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.ray_cell import CellError, CellWork, compute_cell
from alvin_core.experiments.ray_nodes import describe_home
from alvin_core.run import create_run, open_run
from alvin_core.run.engine import Engine
from alvin_core.run.slice_packing import named_slices
from alvin_core.run.slice_rules import SliceRule
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=4, initial=8).with_value("counter_shortcut.slice", "long")
PLAN = ComparisonPlan(("counter-shortcut", "random"), (0,), 1, SETTINGS)
RULE = SliceRule("filter", ("attribute=long",), "pos")

Seen = list[tuple[str, list[int], int | None]]


@pytest.fixture
def seen(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What each computed round was handed as its slice: strategy, rows, the class that the shortcut says."""
    found: Seen = []

    def compute(engine: Engine, rows: Any, classes: Any, round_no: int, settings: Any, progress: Any) -> Any:
        assert engine.slices is not None
        part, _ = engine.slices.named(settings, engine.dataset)
        assert part is not None
        found.append((settings.strategy, np.flatnonzero(part.is_member).tolist(), part.shortcut_class))
        return fake.compute(engine, rows, classes, round_no, settings, progress)

    monkeypatch.setattr(Engine, "compute", compute)
    return found


@pytest.fixture
def store(tmp_path: Path, fake: ModuleType) -> Path:
    """A store with a run, and a slice of its data: every third row, which is the attribute ``long``."""
    create_run(tmp_path / "s", fake.make_dataset(), RunSettings(budget=4, initial=8), name="r").save_slice("long", RULE)
    return tmp_path / "s"


def test_a_comparison_that_names_an_unknown_slice_is_refused_before_it_is_there(
    tmp_path: Path, fake: ModuleType
) -> None:
    with pytest.raises(SettingsError, match=r"counter_shortcut\.slice = 'long': this data has no slice"):
        create_comparison(tmp_path, fake.make_dataset(), PLAN, name="c")
    plain = ComparisonPlan(("random",), (0,), 1, RunSettings(budget=4, initial=8))
    assert create_comparison(tmp_path, fake.make_dataset(), plain, name="c").info().n_cells == 1


def test_every_cell_selects_from_the_slice_of_the_store(store: Path, fake: ModuleType, seen: Seen) -> None:
    comparison = create_comparison(store, fake.make_dataset(), PLAN, name="c")
    for task in comparison._tasks():
        do_cell(store, comparison.id, task)
    expected = list(range(0, 72, 3))
    assert seen == [(name, expected, 1) for name in ("counter-shortcut", "random") for _ in range(2)]
    assert all(state.finished for state in comparison.states())


def test_a_cell_on_another_machine_brings_its_slice_along_and_home(
    store: Path, tmp_path: Path, fake: ModuleType, seen: Seen
) -> None:
    dataset = fake.make_dataset()
    comparison = create_comparison(store, dataset, PLAN, name="c")
    task: CellTask = comparison._tasks()[0]
    slices = named_slices(store, comparison.digest, task.settings)
    assert [one["name"] for one in slices] == ["long"]
    settings = task.settings.with_values({"runtime.device": "cpu", "runtime.inference_dtype": "float32"})
    home = describe_home("cpu", "float32")
    work = CellWork("far", "", settings, 1, comparison.digest, home, slices=slices)
    *rounds, packed = compute_cell(work, dataset, None, {})
    assert rounds == [0, 1, 2]
    assert isinstance(packed, np.ndarray)
    assert [rows for _, rows, _ in seen] == [list(range(0, 72, 3))] * 2
    packed.tofile(tmp_path / "r.zip")
    receive_cell(store, comparison.id, task.key, tmp_path / "r.zip")
    assert [info.name for info in open_run(store, "r").slices()] == ["long"]
    assert comparison.states()[0].finished


def test_without_its_slice_a_cell_elsewhere_cannot_be_begun(fake: ModuleType) -> None:
    settings = SETTINGS.with_value("strategy", "counter-shortcut")
    settings = settings.with_values({"runtime.device": "cpu", "runtime.inference_dtype": "float32"})
    home = describe_home("cpu", "float32")
    work = CellWork("far", "", settings, 1, fake.make_dataset().digest(), home)
    [last] = compute_cell(work, fake.make_dataset(), None, {})
    assert isinstance(last, CellError)
    assert "'long': this data has no slice of that name" in last.text
