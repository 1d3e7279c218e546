"""Runs whose rounds are trained on a tiny encoder, and the models of their rounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alvin_core.run import Run, create_run
from alvin_core.run.engine import Engine
from alvin_core.run.models import RoundModel, make_model
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings, TrainingSettings

MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def make_run(tiny_encoder: Path) -> MakeRun:
    """Trains rounds 0 to ``rounds`` of a data set; settings are dotted names with ``__`` for the dot."""

    def make(store: Path, dataset: Any, rounds: int = 1, **changes: Any) -> Run:
        settings = RunSettings(
            budget=4,
            initial=12,
            encoder=EncoderSettings(name=str(tiny_encoder), max_length=32),
            training=TrainingSettings(epochs=4, hidden=8),
            runtime=RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
        ).with_values({name.replace("__", "."): value for name, value in changes.items()})
        run = create_run(store, dataset, settings)
        list(run.run_rounds(rounds))
        return run

    return make


@pytest.fixture(scope="session")
def model_of() -> Callable[[Run, int], RoundModel]:
    """Makes the model of a run's round again."""

    def make(run: Run, round_no: int) -> RoundModel:
        handle = run._handle
        return make_model(handle, Engine(handle.stored_dataset, handle.store.cache), round_no)

    return make
