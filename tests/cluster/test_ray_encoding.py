from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("ray", reason="the cluster's tests need the extra `cluster`")

import psutil
import ray

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.device import plan_device
from alvin_core.encoding import encode
from alvin_core.encoding.cache import read_entry
from alvin_core.encoding.features import compute_features
from alvin_core.encoding.transformer import load_encoder
from alvin_core.errors import Cancelled
from alvin_core.experiments.ray_encoding import ShardEncoder, encode_on_ray
from alvin_core.experiments.ray_nodes import describe_home
from alvin_core.progress import ProgressEvent, silent
from alvin_core.settings import RunSettings

from .conftest import ray_processes

N_TEXTS = 2500  # of 3 to 27 tokens: some twenty batches in six shards and more


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    # Here alone, not on the nodes: what a node makes of a shard must not depend on how large shards are.
    monkeypatch.setattr(encode, "_SHARD_TOKENS", 5000)


def make_dataset(fake: ModuleType, *, pairs: bool = False) -> Dataset:
    texts = Texts.pack(f"text {row} " + "with a comma " * (row * 7 % 9) for row in range(N_TEXTS))
    return replace(fake.make_dataset(N_TEXTS - 100, 100, pairs=pairs), texts=texts)


def encode_here(dataset: Dataset, settings: RunSettings, cache: Path, progress: Callable[[ProgressEvent], None]) -> int:
    plan = plan_device(settings.runtime)
    features = compute_features(
        load_encoder(settings.encoder, plan),
        dataset.texts,
        dataset.second_texts,
        trainable_layers=settings.training.trainable_layers,
        settings=settings.encoder,
        plan=plan,
        cache_dir=cache,
        progress=progress,
    )
    return features.n_encoded


def entries_of(cache: Path) -> dict[str, dict[str, bytes]]:
    return {
        folder.name: {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        for folder in sorted(cache.iterdir())
        if folder.is_dir()
    }


@pytest.mark.usefixtures("cluster")
def test_the_cluster_writes_the_very_states_of_pairs_that_one_machine_writes(
    tmp_path: Path, fake: ModuleType, base: RunSettings
) -> None:
    dataset = make_dataset(fake, pairs=True)
    settings, events = base.with_value("training.trainable_layers", 1), list[ProgressEvent]()
    entries = encode_on_ray(dataset, settings, tmp_path / "ray", events.append)
    assert encode_here(dataset, settings, tmp_path / "here", silent) == N_TEXTS
    expected = entries_of(tmp_path / "here")
    assert entries_of(tmp_path / "ray") == expected
    assert len(expected) == len(entries) == 1
    for key, entry in entries.items():
        assert entry.values.tobytes() == expected[key]["values.bin"]
    counts = [event.done for event in events if event.stage == "encode"]
    assert counts[0] == 0
    assert counts[-1] == N_TEXTS
    assert len(set(counts)) > 5  # shard by shard
    ready = [event.note for event in events if "an encoder is ready" in event.note]
    assert 1 <= len(ready) <= 2  # once in each actor, whatever the number of shards
    # What lies in the cache is not encoded a second time, here or there.
    assert encode_here(dataset, settings, tmp_path / "ray", silent) == 0
    events.clear()
    assert encode_on_ray(dataset, settings, tmp_path / "ray", events.append).keys() == entries.keys()
    assert events == []


@pytest.mark.usefixtures("cluster")
def test_vectors_that_were_begun_here_go_on_there_and_end_here_with_the_same_bytes_and_no_actor_left(
    tmp_path: Path, fake: ModuleType, base: RunSettings
) -> None:
    dataset = make_dataset(fake)

    def stop_here(event: ProgressEvent) -> None:
        if event.stage == "encode" and event.done >= 1200:
            raise Cancelled

    with pytest.raises(Cancelled):
        encode_here(dataset, base, tmp_path / "ray", stop_here)
    events: list[ProgressEvent] = []

    def stop_there(event: ProgressEvent) -> None:
        events.append(event)
        if "is ready" in event.note:
            raise Cancelled

    with pytest.raises(Cancelled):
        encode_on_ray(dataset, base, tmp_path / "ray", stop_there)
    counts = [event.done for event in events if event.stage == "encode"]
    assert 0 < counts[0] < counts[-1] < N_TEXTS
    # Actors that stayed would keep the cluster's two CPUs.
    free = ray.remote(lambda: True).options(num_cpus=2)
    assert ray.get(free.remote(), timeout=120)
    assert not psutil.wait_procs(ray_processes("ray::MapWorker"), timeout=60)[1]
    assert encode_here(dataset, base, tmp_path / "here", silent) == N_TEXTS
    assert 0 < encode_here(dataset, base, tmp_path / "ray", silent) < N_TEXTS - counts[0]
    assert entries_of(tmp_path / "ray") == entries_of(tmp_path / "here")


def test_a_pair_read_apart_makes_two_entries_and_little_work_is_done_at_once(
    tmp_path: Path, fake: ModuleType, base: RunSettings, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "_SHARD_TOKENS", 10**6)
    dataset, events = fake.make_dataset(20, 5, pairs=True), list[ProgressEvent]()
    entries = encode_on_ray(dataset, base, tmp_path / "ray", events.append)
    assert encode_here(dataset, base, tmp_path / "here", silent) == 50
    assert entries_of(tmp_path / "ray") == entries_of(tmp_path / "here")
    assert len(entries) == 2
    assert not any(event.note for event in events)
    everything = replace(base, space="encoder").with_value("training.trainable_layers", "all")
    assert encode_on_ray(dataset, everything, tmp_path / "ray").keys() == entries.keys()
    assert encode_on_ray(dataset, replace(everything, space="model"), tmp_path / "ray") == {}
    for key in entries:
        assert read_entry(tmp_path / "ray", key) is not None


def test_an_actor_tells_of_an_error_as_a_value(tmp_path: Path, base: RunSettings) -> None:
    row = {"number": 4, "ids": b"", "types": b"", "lengths": b""}
    home = describe_home("cpu", "float32")
    answer = ShardEncoder(base, home, "another", None)(row)
    assert (answer["number"], answer["error"], answer["values"]) == (4, "EncoderError", b"")
    assert "other weights" in answer["note"]
    missing = base.with_value("encoder.name", str(tmp_path / "nowhere"))
    assert "no such folder" in ShardEncoder(missing, home, "another", None)(row)["note"]
    encoder = load_encoder(base.encoder, plan_device(base.runtime))
    tokens = np.asarray([2, 6, 3], dtype=np.int32)
    whole = {**row, "ids": tokens.tobytes(), "lengths": np.asarray([3], dtype=np.int32).tobytes()}
    answer = ShardEncoder(base, home, encoder.fingerprint, None)(whole)
    assert answer["error"] == ""
    assert len(answer["values"]) == 4 * encoder.dim
