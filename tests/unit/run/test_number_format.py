"""A run goes on in the number format that it began with, whatever 'auto' takes by then."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from alvin_core import device
from alvin_core.encoding import transformer
from alvin_core.errors import DeviceError
from alvin_core.run import Run, create_run, open_run
from alvin_core.run.number_format import in_recorded_format
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings, TrainingSettings

CPU = RunSettings(runtime=RuntimeSettings(device="cpu", threads=1))


def begin(folder: Path, fake: ModuleType, encoder: Path, depth: int) -> Run:
    settings = RunSettings(
        budget=4,
        initial=8,
        encoder=EncoderSettings(name=str(encoder), max_length=32),
        training=TrainingSettings(epochs=2, hidden=8, trainable_layers=depth),
        runtime=CPU.runtime,
    )
    run = create_run(folder, fake.make_dataset(24, 6), settings)
    list(run.run_rounds(1))
    return run


@pytest.fixture
def no_int16(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine on which 'auto' takes float32, until the patch is undone."""
    try:
        device.plan_device(RuntimeSettings(device="cpu", inference_dtype="int16"))
    except DeviceError:
        pytest.skip("no AVX2, or no numba")
    monkeypatch.setattr(device, "_cpu_flags", set)
    return monkeypatch


@pytest.mark.usefixtures("real_engine")
@pytest.mark.parametrize("depth", [0, 1])
def test_a_run_from_before_goes_on_and_is_replayed_in_float32(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path, no_int16: pytest.MonkeyPatch, depth: int
) -> None:
    run = begin(tmp_path, fake, tiny_encoder, depth)
    no_int16.setattr(device, "_cpu_flags", lambda: {"avx2"})
    assert device.plan_device(CPU.runtime).inference_dtype == "int16"
    again = open_run(tmp_path, run.id)
    again.step()
    assert [(one.same, one.note) for one in again.replay()] == [(True, "")] * 3
    assert cached_formats(tmp_path) == {"float32"}
    fresh = begin(tmp_path, fake, tiny_encoder, depth)
    assert cached_formats(tmp_path) == {"float32", "int16"}
    assert [(one.same, one.note) for one in fresh.replay()] == [(True, "")] * 2


@pytest.mark.usefixtures("real_engine")
def test_an_encoder_is_loaded_once_where_auto_takes_what_was_recorded(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    real = transformer.load_encoder
    monkeypatch.setattr(transformer, "load_encoder", lambda *given: loaded.append(given) or real(*given))
    begin(tmp_path, fake, tiny_encoder, 0).step()
    assert len(loaded) == 1


def cached_formats(store: Path) -> set[str]:
    records = (store / "cache").glob("*/meta.json")
    return {json.loads(record.read_text())["parts"]["inference_dtype"] for record in records}


def test_a_format_that_settings_name_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_cpu_flags", lambda: {"avx2"})
    named = CPU.with_value("runtime.inference_dtype", "int16")
    assert in_recorded_format(named, {"inference_dtype": "float32", "device": "cpu"}) is named
    kept = in_recorded_format(CPU, {"inference_dtype": "float32", "device": "cpu"})
    assert kept == CPU.with_value("runtime.inference_dtype", "float32")


@pytest.mark.parametrize(
    "environment",
    [
        None,
        {},
        {"inference_dtype": "float32"},
        {"inference_dtype": "float32", "device": "cuda"},
        {"inference_dtype": "bfloat16", "device": "cpu"},
        {"inference_dtype": "int16", "device": "cpu"},
    ],
)
def test_a_format_of_another_device_or_that_is_not_here_is_not_taken(
    environment: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_cpu_flags", set)  # no AVX2
    assert in_recorded_format(CPU, environment) is CPU
