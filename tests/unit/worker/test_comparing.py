"""A comparison as a job: what may be asked for, what it becomes in the queue, and that it is carried out."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.errors import Cancelled, RunNotFoundError, SettingsError, StoreError
from alvin_core.experiments import local
from alvin_core.experiments.comparison import open_comparison
from alvin_core.experiments.crew import Crew
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.progress import ProgressEvent
from alvin_core.run import Run, create_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings, RuntimeSettings
from alvin_core.worker import Job, enqueue_job, list_jobs
from alvin_core.worker.work import Desk, Request, do_job

CELLS = Path(__file__).parents[1] / "experiments" / "cheap_cell_worker.py"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the workers of these tests end by POSIX signals")


class Heard:
    """What a job told; it stops at a stage where it is asked to."""

    def __init__(self, stop_at: str = "") -> None:
        self.events: list[ProgressEvent] = []
        self.results: list[dict[str, Any]] = []
        self.time_left: Any = None
        self.place = ""
        self._stop_at = stop_at

    def __call__(self, event: ProgressEvent) -> None:
        self.events.append(event)
        if self._stop_at and event.stage == self._stop_at and event.done:
            raise Cancelled("enough")

    def finished(self, result: dict[str, Any]) -> None:
        self.results.append(dict(result))


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    settings = RunSettings(budget=4, initial=8, seed=7, runtime=RuntimeSettings("cpu"))
    return create_run(tmp_path / "store", fake.make_dataset(), settings, name="made-up", source="made-up.csv")


@pytest.fixture
def _cheap_rounds(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "Crew", partial(Crew, command=(sys.executable, str(CELLS))))
    monkeypatch.setattr(Engine, "compute", fake.compute)


def ask(asked: Run, **params: Any) -> Job:
    given = {"run": asked.name, "strategies": ["alvin", "entropy"], "seeds": 2, "rounds": 1, **params}
    return enqueue_job(asked._handle.store.path, "compare", params=given)


def carry_out(run: Run, job: Job, heard: Heard) -> dict[str, Any]:
    return do_job(Desk(run._handle.store.path), Request(job.id, job.kind, job.run_id, job.params), heard)


def test_the_queue_keeps_the_whole_plan_on_the_runs_own_data_with_its_settings(run: Run) -> None:
    job = ask(run, settings={"alvin": {"alpha": 0.5}})
    plan = ComparisonPlan.from_dict(job.params["plan"])
    assert plan.strategies == ("alvin", "entropy")
    assert plan.seeds == (0, 1)
    assert (plan.settings.budget, plan.settings.initial, plan.settings.alvin.alpha) == (4, 8, 0.5)
    assert plan.settings.runtime.beside == "entropy"
    assert job.params["dataset"] == run._handle.row.dataset
    assert (job.params["name"], job.params["path"], job.run_id) == ("made-up-compare", None, None)
    assert ask(run, settings={"alvin": {"alpha": 0.5}}).id == job.id  # the very same is asked for once


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"path": "reviews"}, "needs one of comparison, run, path; run, path was given"),
        ({"run": None}, "needs one of comparison, run, path; none was given"),
        ({"strategies": "alvin"}, "must be a list of names"),
        ({"strategies": ["alvim"]}, "alvim"),
        ({"seeds": 0}, "seeds = 0"),
        ({"seeds": [1, 1]}, "1 is named twice"),
        ({"seeds": "all"}, "must be a number of seeds"),
        ({"seeds": 10**12}, "at most 1000"),
        ({"rounds": 0}, "rounds = 0 is out of range"),
        ({"rounds": True}, "whole number from 1 to 1000"),
        ({"settings": [1]}, "must be a table of settings"),
        ({"settings": {"budget": 0}}, "budget"),
        ({"settings": {"buget": 5}}, "buget"),
        ({"vary": ["alpha"]}, "must be a list of a setting's name"),
        ({"strategy": "alvin"}, "has no parameter 'strategy'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_it_is_in_the_queue(
    run: Run, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        ask(run, **params)
    assert list_jobs(run._handle.store.path) == []


def test_a_run_or_a_comparison_that_is_not_there_is_told_of(run: Run) -> None:
    with pytest.raises(RunNotFoundError, match="made-up"):
        ask(run, run="made-down")
    with pytest.raises(StoreError, match="no comparison is called"):
        ask(run, run=None, comparison="made-up-compare")


@pytest.mark.usefixtures("_cheap_rounds")
def test_a_comparison_is_carried_out_counted_in_rounds_and_can_be_grown(run: Run) -> None:
    heard = Heard()
    result = carry_out(run, ask(run), heard)
    assert result == {
        "comparison": "made-up-compare",
        "comparison_id": open_comparison(run._handle.store.path, "made-up-compare").id,
        "notes": [],
        "n_cells": 4,
        "n_finished": 4,
    }
    assert heard.results[0]["n_finished"] == 0  # the page can open it before the first run is finished
    told = [event for event in heard.events if event.stage == "compare"]
    assert (told[-1].done, told[-1].total, told[-1].note) == (8, 8, "4 of 4 runs finished")
    assert not {"cells", "cell rounds"} & {event.stage for event in heard.events}
    second = ask(run, run=None, comparison="made-up-compare", strategies=None, seeds=[2], rounds=1)
    assert carry_out(run, second, Heard())["n_finished"] == 6
    third = ask(run)  # what is asked for anew gets a name of its own
    assert third.params["name"] == "made-up-compare-2"
    assert ask(run, rounds=2).params["name"] == "made-up-compare-3"  # the one before it waits in the queue
    with pytest.raises(StoreError, match="there is a comparison 'made-up-compare' already"):
        ask(run, name="made-up-compare")


@pytest.mark.usefixtures("_cheap_rounds")
def test_a_comparison_that_was_stopped_goes_on_where_it_was(run: Run) -> None:
    job = ask(run)
    with pytest.raises(Cancelled):
        carry_out(run, job, Heard(stop_at="compare"))
    comparison = open_comparison(run._handle.store.path, "made-up-compare")
    n_before = sum(state.n_rounds for state in comparison.states())
    assert 0 < n_before <= 8
    assert carry_out(run, job, Heard())["n_finished"] == 4
    grown = ask(run, run=None, comparison="made-up-compare", strategies=None, seeds=None, rounds=1)
    assert carry_out(run, grown, Heard())["n_cells"] == 4


def test_asking_for_a_comparison_loads_nothing_that_does_the_work(run: Run) -> None:
    code = (
        "import sys\nfrom alvin_core import enqueue_job\n"
        "enqueue_job(sys.argv[1], 'compare', params={'run': 'made-up', 'strategies': ['alvin', 'random']})\n"
        "print([name for name in ('torch', 'faiss', 'umap', 'numba', 'transformers') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(run._handle.store.path)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "[]"
