"""``alvin phase``, with real models of a tiny encoder, within the test's own process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alvin_core.experiments import local
from alvin_core.experiments.cells import CellTask, do_cell
from alvin_core.experiments.comparison import Comparison, list_comparisons
from alvin_core.experiments.values import CELLS
from alvin_core.progress import Progress, ProgressEvent

PLANNED = ("--strengths", "0.9", "--ambiguities", "0", "--pool", "40", "--seeds", "2", "--rounds", "1")
SMALL = ("--initial", "12", "--budget", "4", "--threads", "1", "--device", "cpu")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cells are done in this process; the keys of those that were."""
    keys: list[str] = []

    def run_cells(comparison: Comparison, tasks: Sequence[CellTask], *, workers: Any, progress: Progress) -> None:
        for task in tasks:
            progress(ProgressEvent(CELLS, len(keys), 8))
            do_cell(comparison.store, comparison.id, task)
            keys.append(task.key)

    monkeypatch.setattr(local, "run_cells", run_cells)
    return keys


def test_a_sweep_over_varied_settings_is_a_table_for_each_arm_and_measure_and_goes_on(
    alvin: Any, encoder: Path, done: list[str], tmp_path: Path
) -> None:
    arguments = ("phase", *PLANNED, *SMALL, "--encoder", encoder, "--vary", "rule=forgetting,known", "--json")
    answer = alvin(*arguments, "figures.json")
    assert answer.code == 0
    titles = [line for line in answer.lines if line.startswith("**")]
    assert titles == [
        f"**alvin rule={rule} − entropy, {measure} on ood:balanced**"
        for rule in ("forgetting", "known")
        for measure in ("accuracy", "worst-group accuracy")
    ]
    assert sum(line.startswith("| 0 | ") for line in answer.lines) == 4
    told = [line for line in answer.err.splitlines() if "cells done" not in line]  # said where it takes long
    assert told == [
        "reviews: alvin rule=forgetting, alvin rule=known, entropy at 1 point × 2 seeds = 6 cells",
        "point 1 of 1: strength 0.9, ambiguity 0",
    ]
    values = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert values["plan"]["n_pool"] == 40
    assert [point["difference"]["n"] for point in values["points"]] == [2] * 4
    assert len(done) == len(set(done)) == 6
    assert [(one.name, one.n_finished) for one in list_comparisons(tmp_path / "alvin-store")] == [("phase-0.9-0", 6)]
    again = alvin(*arguments, "-", "--quiet")
    assert (json.loads(again.out), again.err) == (values, "")
    assert len(done) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--strengths", "strong"), "--strengths 'strong' is no list of numbers; write it like --strengths 0.6,0.8"),
        (("--ambiguities", "1.5"), "ambiguity = 1.5"),
        (("--task", "weather"), "task = 'weather' is unknown"),
        (("--strategies", "entropy"), "reference = 'entropy' must be one of at least two arms"),
        (("--backend", "slurm"), "no backend is called 'slurm'; choose one of: local, ray"),
        (("--json", "nowhere/out.json"), "cannot write 'nowhere/out.json': name a file in a folder that is there"),
        (("--vary", "budget=1,2"), "budget cannot vary within a comparison"),
        (("--seeds", "0"), "--seeds '0' is neither a number of seeds"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    alvin: Any, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = alvin("phase", *arguments, "--store", tmp_path / "s")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert not (tmp_path / "s").exists()


def test_stopping_says_how_to_go_on(alvin: Any, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(local, "run_cells", interrupted)
    answer = alvin("phase", *PLANNED, *SMALL, "--encoder", encoder)
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.splitlines()[-1] == "alvin: stopped; what is finished is kept: the same command goes on"
