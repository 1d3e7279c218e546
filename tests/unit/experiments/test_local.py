"""The local backend: the same results as in one process, whatever happens to its own.

Three tests have real models; the others have real worker processes whose rounds cost nothing.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from alvin_core.errors import AlvinError, Cancelled, EncoderError
from alvin_core.experiments import local
from alvin_core.experiments.cells import do_cell
from alvin_core.experiments.comparison import Comparison, create_comparison
from alvin_core.experiments.crew import Crew
from alvin_core.experiments.local import run_cells
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.values import CELLS, ROUNDS
from alvin_core.progress import ProgressEvent
from alvin_core.run import list_runs, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")


@pytest.fixture
def plan(tiny_encoder: Path) -> ComparisonPlan:
    encoder = EncoderSettings(str(tiny_encoder))
    settings = RunSettings(budget=4, initial=8, encoder=encoder, runtime=RuntimeSettings("cpu"))
    return ComparisonPlan(("entropy", "random"), (0, 1), 1, settings)


@pytest.fixture
def _cheap_workers(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    command = (sys.executable, str(Path(__file__).with_name("cheap_cell_worker.py")))
    monkeypatch.setattr(local, "Crew", partial(Crew, command=command))
    monkeypatch.setattr(Engine, "compute", fake.compute)


def workers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "cell_worker" in " ".join(one.cmdline())]


def found(comparison: Comparison) -> list[Any]:
    return [
        (state.cell.key, [(one.metrics, one.selection, one.groups) for one in records])
        for state, records in comparison.records()
    ]


def test_the_results_are_those_of_one_process(tmp_path: Path, fake: ModuleType, plan: ComparisonPlan) -> None:
    comparison, twin = (create_comparison(tmp_path / name, fake.make_dataset(), plan) for name in ("s", "twin"))
    comparison.run(workers=1)
    assert workers() == []
    for task in twin._tasks():
        do_cell(twin.store, twin.id, task)
    assert found(comparison) == found(twin)
    assert [len(records) for _, records in found(comparison)] == [2] * 4


def test_a_killed_worker_is_replaced_and_its_cell_finished_once(
    tmp_path: Path, fake: ModuleType, plan: ComparisonPlan
) -> None:
    comparison = create_comparison(tmp_path / "s", fake.make_dataset(), plan)
    events: list[ProgressEvent] = []
    killed: list[int] = []

    def kill_one(event: ProgressEvent) -> None:
        events.append(event)
        if event.stage == CELLS and "round" in event.note and not killed:
            victim = workers()[-1]
            victim.kill()
            killed.append(victim.pid)

    comparison.run(workers=2, progress=kill_one)
    assert killed
    assert workers() == []
    notes = {event.note for event in events if event.stage == CELLS and not event.total}
    assert len([note for note in notes if "its process was killed" in note]) == 1
    assert {state.n_rounds for state in comparison.states()} == {2}
    assert len(list_runs(comparison.store)) == len(comparison.states())
    counts = [(event.done, event.total) for event in events if event.stage == CELLS and event.total]
    assert counts == sorted(counts)
    assert counts[-1] == (4, 4)
    rounds = [(event.done, event.total) for event in events if event.stage == ROUNDS]
    assert rounds == sorted(rounds)
    assert rounds[-1] == (8, 8)


@pytest.mark.usefixtures("_cheap_workers")
def test_cancelling_ends_the_workers_and_going_on_finishes(
    tmp_path: Path, fake: ModuleType, plan: ComparisonPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = create_comparison(tmp_path / "s", fake.make_dataset(), replace(plan, seeds=(0,)))

    def stop(event: ProgressEvent) -> None:
        if event.stage == CELLS and event.total:
            raise Cancelled("stop")

    command = (*local.Crew.keywords["command"], "--hang")  # after its first round
    with monkeypatch.context() as hanging:
        hanging.setattr(local, "Crew", partial(Crew, command=command))
        with pytest.raises(Cancelled):
            comparison.run(workers=1, progress=stop)
    assert workers() == []
    comparison.run(workers=1)
    assert all(state.finished for state in comparison.states())
    assert len(list_runs(comparison.store)) == len(comparison.states())


def test_an_encoder_that_is_not_there_is_told_at_once(tmp_path: Path, fake: ModuleType, plan: ComparisonPlan) -> None:
    lost = plan.settings.with_value("encoder.name", str(tmp_path / "nothing"))
    comparison = create_comparison(tmp_path / "s", fake.make_dataset(), replace(plan, settings=lost))
    with pytest.raises(EncoderError, match="nothing"):
        comparison.run(workers=1)
    assert list_runs(comparison.store) == []


@pytest.mark.usefixtures("_cheap_workers")
def test_a_cell_that_fails_is_named_and_stops_no_other(tmp_path: Path, fake: ModuleType, plan: ComparisonPlan) -> None:
    comparison = create_comparison(tmp_path / "s", fake.make_dataset(), replace(plan, seeds=(0,)))
    entropy, random = comparison._tasks()
    run = do_cell(comparison.store, comparison.id, replace(entropy, rounds=0))
    with open_run(comparison.store, run)._handle.lock(), pytest.raises(AlvinError) as error:
        run_cells(comparison, [entropy, random], workers=1)
    assert str(error.value).startswith(
        "1 of 2 cells failed, the others are finished and kept: entropy seed 0: run 'run-compare-entropy-s0' is "
        "in use by process"
    )
    assert [state.finished for state in comparison.states()] == [False, True]
