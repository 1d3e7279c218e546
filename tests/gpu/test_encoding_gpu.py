"""Encoding on an accelerator against the CPU, with the packaged encoder. Skips where there is no accelerator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan, plan_device
from alvin_core.encoding.features import compute_features, embed
from alvin_core.encoding.models import packaged_folder
from alvin_core.encoding.transformer import load_encoder
from alvin_core.progress import ProgressEvent
from alvin_core.settings import EncoderSettings, RuntimeSettings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        reason="no accelerator: torch finds neither CUDA nor MPS here",
    ),
    pytest.mark.skipif(packaged_folder() is None, reason="the extra 'offline' is not installed"),
]

SETTINGS = EncoderSettings()
CPU = DevicePlan("cpu", 2, "float32", "CPU, 2 threads")
WORDS = ["a", "film", "good", "bad", "long", "story", "actor", "never", "very", "dull"]


def accelerator(dtype: str) -> DevicePlan:
    return plan_device(RuntimeSettings(inference_dtype=dtype))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def texts() -> Texts:
    rng = np.random.default_rng(0)
    return Texts.pack(" ".join(rng.choice(WORDS, rng.integers(1, 60))) for _ in range(300))


@pytest.fixture(scope="module")
def on_cpu(texts: Texts) -> np.ndarray:
    return embed(load_encoder(SETTINGS, CPU), texts, None, settings=SETTINGS, plan=CPU, cache_dir=None)


def test_vectors_in_float32_are_those_of_the_cpu(texts: Texts, on_cpu: np.ndarray) -> None:
    plan = accelerator("float32")
    vectors = embed(load_encoder(SETTINGS, plan), texts, None, settings=SETTINGS, plan=plan, cache_dir=None)
    assert np.abs(vectors - on_cpu).max() < 1e-3 * np.abs(on_cpu).max()


def test_vectors_in_bfloat16_point_where_those_of_the_cpu_do(texts: Texts, on_cpu: np.ndarray) -> None:
    plan = accelerator("auto")
    if plan.inference_dtype != "bfloat16":
        pytest.skip(f"{plan.name} does not work in bfloat16")
    vectors = embed(load_encoder(SETTINGS, plan), texts, None, settings=SETTINGS, plan=plan, cache_dir=None)
    cosine = (vectors * on_cpu).sum(axis=1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(on_cpu, axis=1)
    assert cosine.min() > 0.995


@pytest.mark.parametrize("depth", [2, "all"])
def test_bodies_on_the_device_give_the_vectors_of_the_cpu(texts: Texts, on_cpu: np.ndarray, depth: int | str) -> None:
    plan = accelerator("float32")
    encoder = load_encoder(SETTINGS, plan)
    features = compute_features(
        encoder,
        texts,
        None,
        trainable_layers=depth,  # type: ignore[arg-type]
        settings=SETTINGS,
        plan=plan,
        cache_dir=None,
    )
    batch = features.batch(np.arange(64), torch.device(plan.device))
    assert all(tensor.device.type == plan.kind for tensor in batch.values())
    body = encoder.body(depth)  # type: ignore[arg-type]
    with torch.inference_mode():
        vectors = body(batch).cpu().numpy()
    assert np.abs(vectors - on_cpu[:64]).max() < 5e-3 * np.abs(on_cpu).max()
    body.train()
    body(batch).square().sum().backward()
    assert all(parameter.grad is not None for parameter in body.parameters())


def test_each_device_has_its_own_cache_entry(texts: Texts, tmp_path: Path) -> None:
    for plan in (CPU, accelerator("float32")):
        embed(load_encoder(SETTINGS, plan), texts, None, settings=SETTINGS, plan=plan, cache_dir=tmp_path)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device, whose memory can be limited")
def test_really_running_out_of_memory_halves_the_batch_and_goes_on() -> None:
    plan = accelerator("float32")
    long = Texts.pack([" ".join(WORDS * 26)] * 512)
    encoder = load_encoder(SETTINGS, plan)
    total = torch.cuda.get_device_properties(plan.device).total_memory
    events: list[ProgressEvent] = []
    torch.cuda.empty_cache()
    try:
        # Room for the weights and a small batch, not for 128 texts of 256 tokens.
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 150 * 2**20) / total)
        vectors = embed(encoder, long, None, settings=SETTINGS, plan=plan, cache_dir=None, progress=events.append)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any(event.note.startswith("out of memory with") for event in events)
    assert np.isfinite(vectors).all()
    assert np.abs(vectors - vectors[0]).max() < 1e-4
