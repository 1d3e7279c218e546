"""Training with a real, tiny encoder, on every device this machine has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan
from alvin_core.encoding.features import Features, compute_features
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.errors import DeviceError, SettingsError
from alvin_core.progress import silent
from alvin_core.settings import EncoderSettings, TrainingSettings
from alvin_core.training.trainer import TrainedModel, train

LETTERS = "abcdefghij"
N_LABELED = 48


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("bert"), dropout=0.1)


@pytest.fixture(scope="module")
def still_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("still"), dropout=0.0)


def save_bert(folder: Path, dropout: float) -> Path:
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(
            BertConfig(
                vocab_size=len(words),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=64,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
            )
        )
    model.save_pretrained(folder)
    BertTokenizerFast(vocab={word: place for place, word in enumerate(words)}).save_pretrained(folder)
    return folder


def is_there(device: str) -> bool:
    return {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[device]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu), pytest.param("mps", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    if not is_there(request.param):
        pytest.skip(f"no {request.param} device on this machine")
    return str(request.param)


@pytest.fixture(params=[0, 1, "all"])
def depth(request: pytest.FixtureRequest) -> int | str:
    return request.param


@dataclass
class Task:
    """Texts of one-letter words; the first class uses early letters more often, the second late ones."""

    encoder: Encoder
    features: Features
    classes: np.ndarray
    plan: DevicePlan
    depth: int | str

    def fit(self, *, dropout: float = 0.1, progress=silent) -> TrainedModel:
        rows = np.arange(N_LABELED)
        settings = TrainingSettings(
            trainable_layers=self.depth,
            epochs=8,
            learning_rate=1e-3,
            head_learning_rate=1e-2,
            batch_size=8,
            hidden=16,
            dropout=dropout,
        )
        return train(
            self.encoder,
            self.features,
            rows,
            self.classes[rows],
            2,
            rows,
            settings,
            seed=1,
            plan=self.plan,
            progress=progress,
        )


def make_task(folder: Path, device: str, depth: int | str, dtype: str = "float32") -> Task:
    rng = np.random.default_rng(2)
    classes = rng.integers(0, 2, 128)
    early = np.linspace(0.19, 0.01, 10)
    chances = [early / early.sum(), early[::-1] / early.sum()]
    texts = Texts.pack(" ".join(rng.choice(list(LETTERS), rng.integers(4, 25), p=chances[label])) for label in classes)
    plan = DevicePlan(device, 1, dtype, device)
    settings = EncoderSettings(name=str(folder), max_length=64)
    encoder = load_encoder(settings, plan)
    features = compute_features(
        encoder, texts, None, trainable_layers=depth, settings=settings, plan=plan, cache_dir=None
    )
    return Task(encoder, features, classes, plan, depth)


def test_a_real_encoder_learns_the_task(encoder_folder, device, depth):
    task = make_task(encoder_folder, device, depth)
    unseen = np.arange(N_LABELED, 128)
    predictions = task.fit().predict(unseen)
    assert (predictions.classes == task.classes[unseen]).mean() > 0.85
    assert np.allclose(predictions.probs.sum(axis=1), 1, atol=1e-6)


def test_one_seed_gives_the_same_bits_on_one_machine(encoder_folder, device, depth):
    task = make_task(encoder_folder, device, depth)
    first, second = task.fit(), task.fit()
    assert np.array_equal(first.dynamics.gold_prob, second.dynamics.gold_prob)
    assert np.array_equal(first.predict(np.arange(128)).vectors, second.predict(np.arange(128)).vectors)


def test_training_leaves_the_devices_random_numbers_alone(encoder_folder, device):
    task = make_task(encoder_folder, device, 1)
    torch.manual_seed(4)
    expected = torch.rand(3, device=device)
    torch.manual_seed(4)
    task.fit()
    assert torch.equal(torch.rand(3, device=device), expected)


def test_training_leaves_the_strictness_of_torch_as_it_was(encoder_folder, device):
    before = torch.are_deterministic_algorithms_enabled()
    make_task(encoder_folder, device, 1).fit()
    assert torch.are_deterministic_algorithms_enabled() == before


@pytest.mark.gpu
def test_an_accelerator_agrees_with_the_cpu_where_nothing_is_dropped(still_encoder_folder, device, depth):
    if device == "cpu":
        pytest.skip("the CPU is what an accelerator is compared with")
    rows = np.arange(128)
    ours, theirs = (make_task(still_encoder_folder, place, depth).fit(dropout=0.0) for place in (device, "cpu"))
    assert np.abs(ours.predict(rows).probs - theirs.predict(rows).probs).mean() < 0.01
    assert (ours.dynamics.correct == theirs.dynamics.correct).mean() > 0.97


def test_bfloat16_predictions_agree_with_float32_in_nearly_all_classes(encoder_folder, device):
    if device == "mps":
        pytest.skip("bfloat16 inference is not offered on mps")
    rows = np.arange(128)
    full, half = (make_task(encoder_folder, device, 1, dtype).fit().predict(rows) for dtype in ("float32", "bfloat16"))
    assert (full.classes == half.classes).mean() > 0.95


def test_a_full_memory_halves_the_batch_and_the_training_says_so(encoder_folder, device, monkeypatch):
    task, notes = make_task(encoder_folder, device, 1), []
    monkeypatch.setattr(task.features, "batch", too_little_for(3, task.features.batch))
    model = task.fit(progress=lambda event: notes.append(event.note))
    assert any("gradients added up to the same step" in note for note in notes)
    assert model.dynamics.correct[-1].mean() > 0.9


def test_a_memory_that_holds_no_example_is_an_error_with_a_remedy(encoder_folder, device, monkeypatch):
    task = make_task(encoder_folder, device, 1)
    monkeypatch.setattr(task.features, "batch", too_little_for(0, task.features.batch))
    with pytest.raises(DeviceError, match=r"lower encoder\.max_length|train fewer layers"):
        task.fit()


def too_little_for(limit, batch):
    """Pretend that the device's memory holds only so many examples."""

    def draw(rows, device):
        if len(rows) > limit:
            raise torch.OutOfMemoryError("out of memory (pretended)")
        return batch(rows, device)

    return draw


def test_more_layers_than_the_encoder_has_are_refused(encoder_folder):
    task = make_task(encoder_folder, "cpu", 1)
    task.depth = 3
    with pytest.raises(SettingsError, match="3"):
        task.fit()
