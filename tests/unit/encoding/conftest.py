"""Tiny random encoders of several families, each a folder as `save_pretrained` leaves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    BertTokenizerFast,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
)

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan, plan_device
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.errors import DeviceError
from alvin_core.settings import EncoderSettings, RuntimeSettings

PAD = 1  # not 0, so that RoBERTa's positions, which count from the padding token, are tried in earnest
LETTERS = "abcdefghijklmnopqrstuvwxyz"
N_TOKENS = 5 + 2 * len(LETTERS)
SIZES = {"vocab_size": N_TOKENS, "pad_token_id": PAD}
BERT_SIZES = {
    **SIZES,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
CONFIGS: dict[str, Callable[[], Any]] = {
    "bert": lambda: BertConfig(**BERT_SIZES),
    "roberta": lambda: RobertaConfig(**BERT_SIZES, type_vocab_size=1),
    "electra": lambda: ElectraConfig(**BERT_SIZES, embedding_size=8),
    "mpnet": lambda: MPNetConfig(**BERT_SIZES),
    "albert": lambda: AlbertConfig(**BERT_SIZES, embedding_size=8),
    "distilbert": lambda: DistilBertConfig(
        **SIZES, dim=16, n_layers=3, n_heads=2, hidden_dim=32, max_position_embeddings=64
    ),
    "modernbert": lambda: ModernBertConfig(
        **BERT_SIZES, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3, local_attention=4
    ),
}
CPU = DevicePlan("cpu", 1, "float32", "CPU, 1 thread")


def save_encoder(folder: Path, family: str = "bert", seed: int = 0) -> Path:
    """Write a tiny encoder whose weights are large enough for its layers to matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModel.from_config(CONFIGS[family]())
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    words = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {word: place for place, word in enumerate(words)}
    BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    return folder


def random_texts(n: int, seed: int = 0, longest: int = 40) -> list[str]:
    """Distinct texts of one-letter words, so that a text of m words has m + 2 tokens."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(list(LETTERS), rng.integers(1, longest + 1))) for _ in range(n)]


@pytest.fixture(scope="session")
def save_tiny() -> Callable[..., Path]:
    return save_encoder


@pytest.fixture(scope="session")
def make_texts() -> Callable[..., list[str]]:
    return random_texts


@pytest.fixture(scope="session")
def plan() -> DevicePlan:
    return CPU


@pytest.fixture(scope="session")
def has_int16() -> bool:
    """Whether this machine multiplies 16-bit whole numbers."""
    try:
        plan_device(RuntimeSettings(device="cpu", inference_dtype="int16"))
    except DeviceError:
        return False
    return True


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            made[family] = save_encoder(tmp_path_factory.mktemp(family), family)
        return made[family]

    return get


@pytest.fixture
def settings(encoder_folder: Callable[[str], Path]) -> EncoderSettings:
    return EncoderSettings(name=str(encoder_folder("bert")), max_length=64)


@pytest.fixture
def encoder(settings: EncoderSettings) -> Encoder:
    return load_encoder(settings, CPU)


@pytest.fixture
def texts() -> Texts:
    return Texts.pack(random_texts(50))
