"""Features of a data set with single examples behind it: row by row what each would be by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from alvin_core.data.dataset import Texts
from alvin_core.device import plan_device
from alvin_core.encoding.features import Features, compute_features
from alvin_core.encoding.joined import JoinedFeatures
from alvin_core.encoding.transformer import Depth, Encoder, load_encoder
from alvin_core.settings import EncoderSettings, RuntimeSettings

CPU = torch.device("cpu")
FIRST = ["text 1", "text 2, with a comma", "text " * 20, "second 4", "a text 5"]
ADDED = ["text " * 40, "comma", "text 7, with a second text"]

Compute = Callable[..., Features]


@pytest.fixture(scope="module")
def loaded(tiny_encoder: Path) -> tuple[Encoder, Compute]:
    settings = EncoderSettings(name=str(tiny_encoder), max_length=64)
    plan = plan_device(RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"))
    encoder = load_encoder(settings, plan)

    def compute(texts: list[str], depth: Depth, seconds: list[str] | None = None) -> Features:
        second = None if seconds is None else Texts.pack(seconds)
        return compute_features(
            encoder, Texts.pack(texts), second, trainable_layers=depth, settings=settings, plan=plan, cache_dir=None
        )

    return encoder, compute


def joined(loaded: tuple[Encoder, Compute], depth: Depth, *, pairs: bool = False) -> tuple[JoinedFeatures, Features]:
    """The joined features, and those of all texts read together."""
    encoder, compute = loaded

    def seconds(texts: list[str]) -> list[str] | None:
        return [text[::-1].replace("t", "text ") for text in texts] if pairs else None

    singles = [compute([text], depth, seconds([text])) for text in ADDED]
    found = JoinedFeatures(compute(FIRST, depth, seconds(FIRST)), singles, pad_id=encoder.reader.pad_id)
    return found, compute([*FIRST, *ADDED], depth, seconds([*FIRST, *ADDED]))


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("depth", [0, 1, "all"])
def test_joined_features_are_those_of_all_texts(loaded: tuple[Encoder, Compute], depth: Depth, pairs: bool) -> None:
    found, together = joined(loaded, depth, pairs=pairs)
    assert len(found) == 8
    assert found.dim == together.dim
    assert found.lengths.tolist() == together.lengths.tolist()
    assert found.counts.full.tolist() == together.counts.full.tolist()
    for rows in ([6, 0, 5, 3], [1, 2], [7], [0, 6], [5, 6, 7], [4, 6]):
        expected, batch = (one.batch(np.asarray(rows), CPU) for one in (together, found))
        assert batch.keys() == expected.keys()
        for name, tensor in expected.items():
            assert batch[name].dtype == tensor.dtype
            assert batch[name].shape == tensor.shape
            torch.testing.assert_close(batch[name], tensor, atol=2e-3 if depth == 1 else 1e-5, rtol=0)


def test_vectors_are_joined_and_deeper_ones_have_none(loaded: tuple[Encoder, Compute]) -> None:
    found, together = joined(loaded, 0)
    vectors, expected = found.vectors(), together.vectors()
    assert vectors is not None
    assert expected is not None
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert joined(loaded, 1)[0].vectors() is None


def test_a_batch_of_the_data_set_alone_is_its_own(loaded: tuple[Encoder, Compute]) -> None:
    encoder, compute = loaded
    first = compute(FIRST, 1)
    found = JoinedFeatures(first, [compute([ADDED[0]], 1)], pad_id=encoder.reader.pad_id)
    rows = np.asarray([3, 0])
    for name, tensor in first.batch(rows, CPU).items():
        assert torch.equal(found.batch(rows, CPU)[name], tensor)
