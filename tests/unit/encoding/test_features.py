from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan
from alvin_core.encoding import encode
from alvin_core.encoding.features import Features, StateFeatures, VectorFeatures, compute_features, embed
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.errors import Cancelled, DeviceError, EncoderError, SettingsError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.settings import EncoderSettings

CPU = torch.device("cpu")
Compute = Callable[..., Features]


@pytest.fixture
def compute(encoder: Encoder, settings: EncoderSettings) -> Compute:
    def run(
        texts: Texts,
        depth: int | str,
        cache_dir: Path | None = None,
        progress: Progress = silent,
        second_texts: Texts | None = None,
    ) -> Features:
        return compute_features(
            encoder,
            texts,
            second_texts,
            trainable_layers=depth,  # type: ignore[arg-type]
            settings=settings,
            plan=encoder.plan,
            cache_dir=cache_dir,
            progress=progress,
        )

    return run


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 100 tokens and shards of 200, so that fifty texts are several of each."""
    monkeypatch.setattr(encode, "_BATCH_TOKENS", {"cpu": 100})
    monkeypatch.setattr(encode, "_SHARD_TOKENS", 200)


def everything(features: Features) -> list[np.ndarray]:
    """What the features hold of each example alone, without padding."""
    if isinstance(features, VectorFeatures):
        return list(features.vectors())
    batch = features.batch(np.arange(len(features)), CPU)
    states, mask = batch["states"].numpy(), batch["attention_mask"].numpy() == 1
    return [one[kept] for one, kept in zip(states, mask, strict=True)]


def test_vectors_are_the_mean_of_each_text_encoded_by_itself(compute: Compute, encoder: Encoder, texts: Texts) -> None:
    features = compute(texts, 0)
    assert features.lengths.tolist() == [1] * len(texts)
    assert features.dim == encoder.dim
    vectors = features.vectors()
    assert vectors is not None
    assert vectors.dtype == np.float32
    body = encoder.body("all")
    for row, text in enumerate(texts):
        ids = torch.tensor([encoder.reader.tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            alone = body({"input_ids": ids, "attention_mask": torch.ones_like(ids)})[0]
        assert np.abs(vectors[row] - alone.numpy()).max() < 1e-5


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.usefixtures("small_shards")
def test_neither_batches_nor_padding_nor_the_order_of_texts_change_the_result(
    compute: Compute, encoder: Encoder, texts: Texts, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = everything(compute(texts, depth))
    order = np.random.default_rng(0).permutation(len(texts))
    monkeypatch.setattr(encode, "_BATCH_TOKENS", {"cpu": 5000})
    monkeypatch.setattr(encoder, "multiple", 16)
    shuffled = everything(compute(Texts.pack(texts.take(order)), depth))
    # States are stored in half precision: a difference in the last bit of float32 may round to its next step.
    tolerance = 1e-5 if depth == 0 else 2e-3
    for place, row in enumerate(order):
        assert np.abs(shuffled[place] - expected[row]).max() <= tolerance * max(1.0, np.abs(expected[row]).max())


@pytest.mark.parametrize("depth", [0, 1, "all"])
def test_a_batch_holds_the_rows_asked_for_in_their_order(
    compute: Compute, encoder: Encoder, texts: Texts, depth: int | str
) -> None:
    features, body = compute(texts, depth), encoder.body(depth)
    rows = np.array([7, 3, 3, 49, 0])
    with torch.inference_mode():
        together = body(features.batch(rows, CPU))
        apart = torch.cat([body(features.batch(np.array([row]), CPU)) for row in rows])
    assert together.shape == (5, encoder.dim)
    assert torch.allclose(together, apart, atol=1e-5)
    assert together.dtype == torch.float32


def test_lengths_are_the_tokens_of_each_example(compute: Compute, texts: Texts) -> None:
    words = [len(text.split()) + 2 for text in texts]
    for depth in (2, "all"):
        features = compute(texts, depth)
        assert features.lengths.tolist() == words
        assert features.counts.n_cut == 0
        assert features.vectors() is None


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.usefixtures("small_shards")
def test_the_second_time_everything_comes_from_the_cache(
    compute: Compute, texts: Texts, depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = compute(texts, depth)
    first = compute(texts, depth, tmp_path)
    assert (first.from_cache, first.n_encoded) == (False, 50)
    assert first.encode_seconds > 0
    monkeypatch.setattr(Encoder, "pooled", None)  # would fail if anything were encoded
    monkeypatch.setattr(Encoder, "states", None)
    second = compute(texts, depth, tmp_path)
    assert (second.from_cache, second.n_encoded, second.encode_seconds) == (True, 0, 0)
    for once, again, memory in zip(everything(first), everything(second), everything(in_memory), strict=True):
        assert np.array_equal(once, again)
        assert np.array_equal(once, memory)
    assert np.array_equal(first.counts.full, second.counts.full)


@pytest.mark.usefixtures("small_shards")
def test_the_same_texts_give_the_same_bytes(compute: Compute, texts: Texts, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        compute(texts, 2, tmp_path / folder)
    first, second = (
        {path.relative_to(tmp_path / folder): path.read_bytes() for path in (tmp_path / folder).rglob("*.*")}
        for folder in ("first", "second")
        if (tmp_path / folder).is_dir()
    )
    assert first.keys() == second.keys()
    assert any(path.name == "values.bin" for path in first)
    assert first == second


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.usefixtures("small_shards")
def test_work_that_was_cancelled_goes_on_where_it_stopped(
    compute: Compute, texts: Texts, depth: int, tmp_path: Path
) -> None:
    def stop_half_way(event: ProgressEvent) -> None:
        if event.stage == "encode" and event.done >= 25:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        compute(texts, depth, tmp_path, stop_half_way)
    events: list[ProgressEvent] = []
    resumed = compute(texts, depth, tmp_path, events.append)
    assert 0 < resumed.n_encoded < 50
    done = [event.done for event in events if event.stage == "encode"]
    assert done[0] > 50 - resumed.n_encoded
    assert done == sorted(done)
    assert done[-1] == 50
    for kept, expected in zip(everything(resumed), everything(compute(texts, depth)), strict=True):
        assert np.array_equal(kept, expected)


KILLED = """
import os, signal, sys
from pathlib import Path
from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan
from alvin_core.encoding import encode
from alvin_core.encoding.features import compute_features
from alvin_core.encoding.transformer import load_encoder
from alvin_core.settings import EncoderSettings

encode._BATCH_TOKENS, encode._SHARD_TOKENS = {"cpu": 100}, 200
folder, cache_dir, *texts = sys.argv[1:]
settings = EncoderSettings(name=folder, max_length=64)
plan = DevicePlan("cpu", 1, "float32", "CPU, 1 thread")

def kill(event):
    if event.stage == "encode" and event.done >= 25:
        os.kill(os.getpid(), signal.SIGKILL)

compute_features(load_encoder(settings, plan), Texts.pack(texts), None, trainable_layers=2, settings=settings,
                 plan=plan, cache_dir=Path(cache_dir), progress=kill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.usefixtures("small_shards")
def test_a_killed_process_leaves_its_whole_shards_and_no_lock(
    compute: Compute, settings: EncoderSettings, texts: Texts, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, settings.name, str(tmp_path), *texts], capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = compute(texts, 2, tmp_path)
    assert 0 < resumed.n_encoded < 50
    for kept, expected in zip(everything(resumed), everything(compute(texts, 2)), strict=True):
        assert np.array_equal(kept, expected)


@pytest.mark.usefixtures("small_shards")
def test_two_at_once_do_the_work_once(compute: Compute, texts: Texts, tmp_path: Path) -> None:
    found: list[Features] = []
    started, go_on = threading.Event(), threading.Event()

    def hold(event: ProgressEvent) -> None:
        if event.stage == "encode":
            started.set()
            assert go_on.wait(30)

    def told(event: ProgressEvent) -> None:
        if event.note:
            go_on.set()

    first = threading.Thread(target=lambda: found.append(compute(texts, 0, tmp_path, hold)))
    first.start()
    assert started.wait(30)
    second = threading.Thread(target=lambda: found.append(compute(texts, 0, tmp_path, told)))
    second.start()
    first.join(30)
    second.join(30)
    assert sorted(features.n_encoded for features in found) == [0, 50]


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def test_whatever_changes_the_bytes_has_an_entry_of_its_own(
    encoder_folder: Callable[[str], Path], plan: DevicePlan, texts: Texts, tmp_path: Path, has_int16: bool
) -> None:
    base = EncoderSettings(name=str(encoder_folder("bert")), max_length=64)
    other_texts = Texts.pack([*list(texts)[:-1], "a z"])
    seconds = Texts.pack(list(texts)[::-1])
    joint = replace(base, pair_encoding="joint")
    cases: list[tuple[EncoderSettings, DevicePlan, Texts, Texts | None, int]] = [
        (base, plan, texts, None, 0),
        (replace(base, pooling="cls"), plan, texts, None, 0),
        (replace(base, max_length=32), plan, texts, None, 0),
        (base, replace(plan, inference_dtype="bfloat16"), texts, None, 0),
        (base, plan, other_texts, None, 0),
        (joint, plan, texts, seconds, 0),
        (joint, plan, seconds, texts, 0),
        (base, plan, texts, None, 1),
        (base, plan, texts, None, 2),
        (replace(base, name=str(encoder_folder("roberta"))), plan, texts, None, 0),
    ]
    if has_int16:
        cases += [(base, replace(plan, inference_dtype="int16"), texts, None, depth) for depth in (0, 1)]
    for number, (settings, where, first, second, depth) in enumerate(cases, start=1):
        for _ in range(2):
            compute_features(
                load_encoder(settings, where),
                first,
                second,
                trainable_layers=depth,
                settings=settings,
                plan=where,
                cache_dir=tmp_path,
            )
            assert len(entries(tmp_path)) == number


def test_bfloat16_is_near_float32(encoder: Encoder, settings: EncoderSettings, texts: Texts) -> None:
    half = replace(encoder.plan, inference_dtype="bfloat16")
    exact = embed(encoder, texts, None, settings=settings, plan=encoder.plan, cache_dir=None)
    rough = embed(load_encoder(settings, half), texts, None, settings=settings, plan=half, cache_dir=None)
    assert rough.dtype == np.float32
    assert 0 < np.abs(rough - exact).max() < 0.1 * np.abs(exact).max()


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.usefixtures("small_shards")
def test_several_threads_give_the_very_numbers_of_one(
    encoder_folder: Callable[[str], Path], plan: DevicePlan, texts: Texts, depth: int, tmp_path: Path
) -> None:
    for family in ("bert", "roberta", "albert", "modernbert"):
        settings = EncoderSettings(name=str(encoder_folder(family)), max_length=64)
        if depth and family == "albert":  # its layers share weights, and cannot be split
            continue
        found = []
        for threads in (1, 4, 4, 4):
            where = replace(plan, threads=threads)
            features = compute_features(
                load_encoder(settings, where),
                texts,
                None,
                trainable_layers=depth,
                settings=settings,
                plan=where,
                cache_dir=tmp_path / str(len(found)) / family if len(found) % 2 else None,
            )
            found.append(everything(features))
        for other in found[1:]:
            assert all(np.array_equal(one, same) for one, same in zip(found[0], other, strict=True))


@pytest.mark.usefixtures("small_shards")
def test_work_on_several_threads_that_was_cancelled_goes_on_where_it_stopped(
    encoder: Encoder, settings: EncoderSettings, texts: Texts, tmp_path: Path
) -> None:
    def stop_late(event: ProgressEvent) -> None:
        if event.stage == "encode" and event.done > 25:
            raise Cancelled("enough")

    encoder.plan = replace(encoder.plan, threads=3)
    common = {"trainable_layers": 2, "settings": settings, "plan": encoder.plan}
    with pytest.raises(Cancelled):
        compute_features(encoder, texts, None, cache_dir=tmp_path, progress=stop_late, **common)
    rest = compute_features(encoder, texts, None, cache_dir=tmp_path, **common)
    assert 0 < rest.n_encoded < len(texts)
    whole = compute_features(encoder, texts, None, cache_dir=None, **common)
    assert all(np.array_equal(one, same) for one, same in zip(everything(rest), everything(whole), strict=True))


@pytest.mark.usefixtures("small_shards")
def test_bfloat16_runs_few_shapes_also_two_batches_at_once_as_on_a_card(
    settings: EncoderSettings, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(encoder: Encoder, inputs: dict[str, np.ndarray]) -> torch.Tensor:
        assert {one.shape for one in inputs.values()} == {inputs["input_ids"].shape}
        widths.add(inputs["input_ids"].shape[1])
        return run(encoder, inputs)

    run, widths, found = Encoder.pooled, set[int](), []
    monkeypatch.setattr(Encoder, "pooled", seen)
    for threads in (1, 2):
        plan = DevicePlan("cpu", threads, "bfloat16", "CPU")
        found.append(embed(load_encoder(settings, plan), texts, None, settings=settings, plan=plan, cache_dir=None))
    assert widths <= {16, 32, 48, 64}
    assert len(widths) > 1
    assert np.array_equal(*found)


def test_pairs_are_read_apart_where_the_encoder_is_frozen(compute: Compute, texts: Texts, tmp_path: Path) -> None:
    seconds = Texts.pack(list(texts)[::-1])
    features = compute(texts, 0, tmp_path, second_texts=seconds)
    vectors, u = features.vectors(), compute(texts, 0, tmp_path).vectors()
    assert vectors is not None
    assert u is not None
    v = u[::-1]
    assert features.dim == vectors.shape[1] == 4 * u.shape[1]
    assert np.allclose(vectors, np.hstack([u, v, np.abs(u - v), u * v]), atol=1e-5)
    rows = np.array([4, 1])
    assert np.array_equal(features.batch(rows, CPU)["vectors"].numpy(), vectors[rows])
    assert features.n_encoded == 100
    assert len(entries(tmp_path)) == 2  # one for each column, shared with single texts


def test_a_joint_pair_is_one_sequence(
    encoder: Encoder, settings: EncoderSettings, texts: Texts, make_texts: Callable[..., list[str]]
) -> None:
    seconds = Texts.pack(make_texts(50, seed=1, longest=10))
    joint = replace(settings, pair_encoding="joint")
    vectors = embed(encoder, texts, seconds, settings=joint, plan=encoder.plan, cache_dir=None)
    assert vectors.shape == (50, encoder.dim)
    inputs = encoder.reader.tokenizer(texts[3], seconds[3], return_tensors="pt")
    with torch.inference_mode():
        alone = encoder.body("all")(dict(inputs))[0].numpy()
    assert np.abs(vectors[3] - alone).max() < 1e-5


@pytest.mark.parametrize("depth", [1, "all"])
def test_pairs_read_apart_cannot_be_trained(
    encoder: Encoder, settings: EncoderSettings, texts: Texts, depth: int | str
) -> None:
    apart = replace(settings, pair_encoding="separate")
    with pytest.raises(SettingsError, match=r"'separate' needs .* = 0, not .*; use 'joint' or 'auto'"):
        compute_features(
            encoder,
            texts,
            texts,
            trainable_layers=depth,  # type: ignore[arg-type]
            settings=apart,
            plan=encoder.plan,
            cache_dir=None,
        )


def test_embeddings_are_what_depth_zero_reads_and_share_its_cache(
    compute: Compute, encoder: Encoder, settings: EncoderSettings, texts: Texts, tmp_path: Path
) -> None:
    vectors = embed(encoder, texts, None, settings=settings, plan=encoder.plan, cache_dir=tmp_path)
    features = compute(texts, 0, tmp_path)
    assert features.from_cache
    assert np.array_equal(vectors, np.asarray(features.vectors()))


def test_progress_counts_texts_to_the_end_also_over_two_columns(compute: Compute, texts: Texts) -> None:
    events: list[ProgressEvent] = []
    compute(texts, 0, progress=events.append, second_texts=texts)
    encoded = [event for event in events if event.stage == "encode"]
    assert {event.total for event in encoded} == {100}
    assert [event.done for event in encoded] == sorted(event.done for event in encoded)
    assert encoded[-1].done == 100


def test_running_out_of_memory_halves_the_batch_goes_on_and_says_so(
    compute: Compute, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = compute(texts, 0).vectors()
    run, sizes, events = Encoder.pooled, list[int](), list[ProgressEvent]()

    def too_large_once(encoder: Encoder, inputs: dict[str, np.ndarray]) -> torch.Tensor:
        sizes.append(len(inputs["input_ids"]))
        if len(sizes) == 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return run(encoder, inputs)

    monkeypatch.setattr(Encoder, "pooled", too_large_once)
    halved = compute(texts, 0, progress=events.append).vectors()
    assert expected is not None
    assert halved is not None
    assert np.abs(halved - expected).max() < 1e-5
    first, second = sizes[0], sizes[1]
    assert second == -(-first // 2)
    notes = [event.note for event in events if event.note]
    assert notes == [f"out of memory with {first} examples at once; going on with {second}"]


def test_a_device_too_small_for_one_text_is_an_error(
    compute: Compute, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(encoder: Encoder, inputs: dict[str, np.ndarray]) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Encoder, "pooled", too_large)
    with pytest.raises(DeviceError, match="even for one example"):
        compute(texts, 0)


@pytest.mark.parametrize("depth", [0, 2])
def test_an_encoder_that_returns_nan_is_refused(compute: Compute, encoder: Encoder, texts: Texts, depth: int) -> None:
    with torch.no_grad():
        encoder._model.embeddings.word_embeddings.weight[5:].fill_(float("nan"))
    encoder._sound_splits.add(2)
    with pytest.raises(EncoderError, match="returns numbers that are not finite"):
        compute(texts, depth)


def test_states_too_large_for_half_precision_are_refused(
    compute: Compute, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Encoder.states
    monkeypatch.setattr(Encoder, "states", lambda *args: run(*args) * 1e6)
    with pytest.raises(EncoderError, match="not finite, or above 65504"):
        compute(texts, 2)


def test_features_of_another_encoder_are_refused(encoder: Encoder, settings: EncoderSettings, texts: Texts) -> None:
    with pytest.raises(ValueError, match="pass those it was loaded with"):
        embed(encoder, texts, None, settings=replace(settings, pooling="cls"), plan=encoder.plan, cache_dir=None)


@pytest.mark.parametrize("depth", [0, 2, "all"])
def test_no_texts_at_all_are_no_features(compute: Compute, depth: int | str, tmp_path: Path) -> None:
    assert len(compute(Texts.pack([]), depth, tmp_path)) == 0


def test_states_stay_on_the_disk(compute: Compute, texts: Texts, tmp_path: Path) -> None:
    features = compute(texts, 2, tmp_path)
    assert isinstance(features, StateFeatures)
    base = features._states
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert features._states.dtype == np.float16
