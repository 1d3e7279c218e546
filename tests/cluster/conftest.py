"""A real Ray cluster of this machine with two workers, for all tests of this folder; nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("ray", reason="the cluster's tests need the extra `cluster`")

import psutil

from alvin_core.experiments.comparison import Comparison, create_comparison
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.ray_cluster import join_cluster
from alvin_core.run.opening import open_run
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings, TrainingSettings

ROUNDS = 3
DEPTHS = (0, 1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """The cluster that `join_cluster` starts; later calls in this process find it there and leave it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        with join_cluster(2):
            started = ray_processes("")
            assert started
            yield
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not [process.pid for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def ray_processes(title: str) -> list[psutil.Process]:
    """Processes of the cluster that this process started, whose title begins so."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if line.startswith(title) and ("ray::" in line or "raylet" in line or "gcs_server" in line):
            found.append(process)
    return found


@pytest.fixture(scope="session")
def base(tiny_encoder: Path) -> RunSettings:
    return RunSettings(
        budget=4,
        initial=8,
        encoder=EncoderSettings(name=str(tiny_encoder), max_length=32),
        training=TrainingSettings(epochs=2, hidden=8),
        runtime=RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
    )


@pytest.fixture(scope="session")
def plan(base: RunSettings) -> ComparisonPlan:
    """Four cells: two strategies at two training depths, one seed."""
    return ComparisonPlan(
        strategies=("alvin", "random"),
        seeds=(3,),
        rounds=ROUNDS,
        settings=base,
        vary=(("training.trainable_layers", DEPTHS),),
    )


@pytest.fixture
def make(tmp_path: Path, fake: ModuleType, plan: ComparisonPlan) -> Callable[[], Comparison]:
    return lambda: create_comparison(tmp_path / "store", fake.make_dataset(40, 10), plan, name="pair")


@pytest.fixture(scope="session")
def by_local_backend(
    tmp_path_factory: pytest.TempPathFactory, fake: ModuleType, plan: ComparisonPlan
) -> dict[str, list[dict[str, Any]]]:
    """All that the local backend finds, which every test here compares with."""
    store = tmp_path_factory.mktemp("local")
    comparison = create_comparison(store, fake.make_dataset(40, 10), plan, name="pair")
    comparison.run(backend="local", workers=2)
    return everything(comparison)


def everything(comparison: Comparison, keys: Sequence[str] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Each array and figure of each round of each cell, or of some, but for times."""
    found = {}
    for state in comparison.states():
        if keys is not None and state.cell.key not in keys:
            continue
        assert state.finished
        assert state.run is not None
        run = open_run(comparison.store, state.run)
        found[state.cell.key] = [
            {
                "arrays": {**run._handle.round(record.round)[1], "vectors": run.vectors(record.round)[1]},
                "ids": run.vectors(record.round)[0],
                "figures": [record.n_labeled, record.metrics, record.groups, record.anchors, record.selection],
                "n_encoded": record.encoding["n_encoded"],
                "settings": run.settings,
                "warnings": record.warnings,
            }
            for record in run.records()
        ]
    return found
