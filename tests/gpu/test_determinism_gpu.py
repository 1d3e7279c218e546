"""A round on an accelerator, twice: what docs/reproducibility.md promises there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from alvin_core.data.planted import make_planted
from alvin_core.device import plan_device
from alvin_core.run import create_run
from alvin_core.settings import RunSettings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no cuda device on this machine"),
]


@pytest.mark.parametrize("depth", [0, 1, "all"])
def test_a_run_again_on_one_gpu_selects_the_same_and_is_the_same_to_the_bit(
    tmp_path: Path, make_tiny_bert: Callable[[Sequence[str]], Path], depth: int | str
) -> None:
    dataset = make_planted("reviews", strength=0.8, n_pool=80, n_test=20, n_ood=20, seed=1)
    encoder = make_tiny_bert(sorted({word for text in dataset.texts for word in text.lower().split()}))
    settings = RunSettings(budget=5, initial=16).with_values(
        {
            "encoder.name": str(encoder),
            "runtime.device": "cuda",
            "runtime.inference_dtype": "float32",
            "training.trainable_layers": depth,
            "training.epochs": 3,
        }
    )
    assert plan_device(settings.runtime).kind == "cuda"
    run = create_run(tmp_path, dataset, settings, name="first")
    list(run.run_rounds(1))
    assert "cuda" in run.recorded_environment()["environment"]["libraries"]
    for one in run.replay():
        assert one.same
        assert one.divergence is not None
        assert one.divergence.identical, one.divergence.lines()


def test_a_gpu_selects_nearly_what_a_cpu_does_where_nothing_is_dropped(
    tmp_path: Path, make_tiny_bert: Callable[[Sequence[str]], Path]
) -> None:
    dataset = make_planted("reviews", strength=0.8, n_pool=80, n_test=20, n_ood=20, seed=1)
    encoder = make_tiny_bert(sorted({word for text in dataset.texts for word in text.lower().split()}))
    base = RunSettings(budget=10, initial=16).with_values({"encoder.name": str(encoder), "training.dropout": 0.0})
    picks = []
    for device in ("cpu", "cuda"):
        runtime = replace(base.runtime, device=device, inference_dtype="float32")
        run = create_run(tmp_path, dataset, replace(base, runtime=runtime), name=device)
        run.step()
        picks.append(run.selection(0)["id"].to_numpy())
    assert len(np.intersect1d(*picks)) >= 8
