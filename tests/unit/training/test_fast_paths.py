"""A whole training, packed and on the words that occur, against one that is neither."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from alvin_core.device import DevicePlan
from alvin_core.encoding.bodies import TopLayersBody, WholeBody
from alvin_core.encoding.splitting import capture_states, find_layers
from alvin_core.progress import silent
from alvin_core.settings import TrainingSettings
from alvin_core.training import fitting, trainer
from alvin_core.training.batches import Examples
from alvin_core.training.trainer import train

N_WORDS, N_LABELED, DIM = 400, 30, 32
PLAN = DevicePlan(device="cpu", threads=1, inference_dtype="float32", name="CPU")
SETTINGS = TrainingSettings(
    epochs=3, learning_rate=1e-3, head_learning_rate=1e-2, batch_size=8, dropout=0.0, weight_decay=0.1
)


class TinyEncoder:
    """BERT with made-up weights and without dropout."""

    name, dim, n_layers = "tiny", DIM, 3

    def __init__(self) -> None:
        from transformers import BertConfig, BertModel

        config = BertConfig(
            vocab_size=N_WORDS,
            hidden_size=DIM,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=32,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.model = BertModel(config).eval().requires_grad_(False)
        self.bodies: list[torch.nn.Module] = []

    def body(self, trainable_layers):
        layers = find_layers(self.model)
        if trainable_layers == "all":
            self.bodies.append(WholeBody(self.model, "mean").eval())
        else:
            self.bodies.append(TopLayersBody(self.model, layers, trainable_layers, "mean").eval())
        return self.bodies[-1]


class TinyFeatures:
    """Texts of 2 to 25 words, as token ids or as the states below the top layers."""

    dim = DIM

    def __init__(self, encoder: TinyEncoder, depth) -> None:
        rng = np.random.default_rng(1)
        self.texts = [rng.integers(5, N_WORDS // 2, rng.integers(2, 26)) for _ in range(60)]
        self.lengths = np.asarray([len(text) for text in self.texts])
        self._encoder, self._depth = encoder, depth

    def __len__(self) -> int:
        return len(self.texts)

    def batch(self, rows, device):
        width = max(self.lengths[rows])
        ids = np.stack([np.pad(self.texts[row], (0, width - self.lengths[row])) for row in rows])
        mask = (np.arange(width) < self.lengths[rows][:, None]).astype(np.int64)
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if self._depth == "all":
            return inputs
        layers = find_layers(self._encoder.model)
        with torch.no_grad():
            states = capture_states(self._encoder.model, layers[len(layers) - self._depth], inputs)
        return {"states": states, "attention_mask": inputs["attention_mask"]}


def fit(depth, progress=silent):
    encoder = TinyEncoder()
    rows = np.arange(N_LABELED)
    settings = replace(SETTINGS, trainable_layers=depth)
    features = TinyFeatures(encoder, depth)
    return encoder, train(encoder, features, rows, rows % 2, 2, rows, settings, seed=4, plan=PLAN, progress=progress)


@pytest.mark.parametrize("depth", [1, 2, "all"])
def test_the_fast_paths_change_a_training_by_rounding_alone(depth, monkeypatch):
    encoder, fast = fit(depth)
    monkeypatch.setattr(fitting, "packer_of", lambda body, batch: None)
    monkeypatch.setattr(trainer, "occurring_words_only", lambda body, examples: nullcontext())
    plain_encoder, plain = fit(depth)
    np.testing.assert_allclose(fast.losses, plain.losses, atol=1e-4)
    np.testing.assert_allclose(fast.dynamics.gold_prob, plain.dynamics.gold_prob, atol=1e-3)
    everything = np.arange(60)
    np.testing.assert_allclose(fast.predict(everything).probs, plain.predict(everything).probs, atol=1e-3)
    found, expected = (dict(one.bodies[-1].named_parameters()) for one in (encoder, plain_encoder))
    assert found.keys() == expected.keys()
    for name, weight in found.items():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=2e-3, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize("depth", [2, "all"])
def test_each_weight_has_one_gradient_a_step_and_words_that_do_not_occur_have_none(depth, monkeypatch):
    passes, sizes = [], []
    backward = fitting.Fit._backward
    monkeypatch.setattr(
        fitting.Fit, "_backward", lambda self, part, n_batch: passes.append(len(part)) or backward(self, part, n_batch)
    )
    handle = register_optimizer_step_pre_hook(
        lambda optimizer, args, kwargs: sizes.append(
            max(w.shape[0] for g in optimizer.param_groups for w in g["params"])
        )
    )
    try:
        fit(depth)
    finally:
        handle.remove()
    assert passes == [8, 8, 8, 6] * 3  # whatever their lengths
    assert max(sizes) < N_WORDS


def test_one_seed_gives_the_same_bits_when_packed():
    (_, first), (_, second) = fit("all"), fit("all")
    everything = np.arange(60)
    assert np.array_equal(first.dynamics.gold_prob, second.dynamics.gold_prob)
    assert np.array_equal(first.predict(everything).vectors, second.predict(everything).vectors)


def test_an_encoder_that_cannot_be_packed_is_trained_on_padded_batches_and_that_is_said(monkeypatch):
    monkeypatch.setattr(fitting, "packer_of", lambda body, batch: None)
    notes: list[str] = []
    fit(1, lambda event: notes.append(event.note))
    assert [note for note in notes if note] == [fitting.PADDED]
    notes.clear()
    monkeypatch.undo()
    fit(1, lambda event: notes.append(event.note))
    assert not any(notes)


def test_packing_is_tried_on_several_texts_even_where_one_is_labeled(monkeypatch):
    tried = []
    whole = fitting.packer_of
    monkeypatch.setattr(
        fitting, "packer_of", lambda body, batch: tried.append(len(batch["attention_mask"])) or whole(body, batch)
    )
    encoder, rows = TinyEncoder(), np.arange(1)
    settings = replace(SETTINGS, trainable_layers=1)
    train(encoder, TinyFeatures(encoder, 1), rows, rows, 2, rows, settings, seed=4, plan=PLAN)
    assert tried == [3]


@pytest.mark.parametrize("depth", [2, "all"])
def test_texts_are_predicted_packed_as_they_would_be_padded(depth):
    _, model = fit(depth)
    evaluator = model._evaluator
    assert evaluator.packer is not None
    examples = Examples(model._features, np.arange(60)[::-1].copy(), torch.device("cpu"), fixed=False)
    seen: list[int] = []
    stack = next(one for one in model.classifier.body.modules() if isinstance(one, torch.nn.ModuleList))
    handle = stack[0].intermediate.dense.register_forward_pre_hook(
        lambda module, args: seen.append(args[0].shape[:-1].numel())
    )
    found = evaluator.run(examples, represent=True, report=lambda done, note: None)
    handle.remove()
    assert sum(seen) == examples.lengths.sum()  # no padding
    padded = replace(evaluator, packer=None).run(examples, represent=True, report=lambda done, note: None)
    for one, other in zip(found, padded, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_under_dropout_a_packed_model_draws_about_what_a_padded_one_does():
    _, model = fit("all")
    for module in model.classifier.body.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.1
        elif type(module).__name__ == "BertSelfAttention":
            module.dropout.p = 0.1
    padded = replace(model, _evaluator=replace(model._evaluator, packer=None))
    rows = np.arange(20)
    found, expected = (one.draw(rows, 400, seed=0) for one in (model, padded))
    again = model.draw(rows, 400, seed=0)
    assert np.array_equal(found, again)
    spread = expected.std(axis=0).max()
    assert spread > 0.01
    assert np.abs(found.mean(axis=0) - expected.mean(axis=0)).max() < 6 * spread / np.sqrt(400)
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.35)


def test_bfloat16_which_compiles_for_each_shape_is_not_packed():
    _, model = fit(1)
    assert replace(model._evaluator, dtype=torch.bfloat16).packer is None
