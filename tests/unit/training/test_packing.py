"""Packed tokens against padded batches, of real architectures with made-up weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from alvin_core.encoding.bodies import TopLayersBody, WholeBody
from alvin_core.encoding.splitting import capture_states, find_layers
from alvin_core.training import packing
from alvin_core.training.packing import packer_of

LENGTHS = (12, 3, 3, 3, 7, 1)
SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}


def make_model(name: str, dropout: float = 0.1, **options: int) -> torch.nn.Module:
    import transformers

    sizes = {**SIZES, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout, "pad_token_id": 1}
    if name == "GPT2":
        sizes |= {"bos_token_id": 2, "eos_token_id": 3}
    if name in ("Electra", "Albert"):
        sizes["embedding_size"] = 32
    if name == "RemBert":
        sizes |= {"input_embedding_size": 32, "output_embedding_size": 32}
    if name == "DistilBert":
        sizes = {"vocab_size": 50, "dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64, "pad_token_id": 1}
    if name == "ModernBert":
        sizes |= {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    config = getattr(transformers, f"{name}Config")(**sizes, **options)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(transformers, f"{name}Model")(config).eval()


def make_batch(lengths=LENGTHS) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    ids, mask = np.full((len(lengths), max(lengths)), 1), np.zeros((len(lengths), max(lengths)), dtype=np.int64)
    for row, length in enumerate(lengths):
        ids[row, :length], mask[row, :length] = rng.integers(4, 50, length), 1
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}


def make_top(model: torch.nn.Module, n_top: int) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    layers, batch = find_layers(model), make_batch()
    with torch.no_grad():
        states = capture_states(model, layers[len(layers) - n_top], batch)
    body = TopLayersBody(model, layers, n_top, "mean").eval()
    return body, {"states": states, "attention_mask": batch["attention_mask"]}


def gradients_of(body: torch.nn.Module, vectors: torch.Tensor) -> dict[str, torch.Tensor]:
    body.zero_grad()
    (vectors * torch.linspace(-1, 1, vectors.numel(), dtype=vectors.dtype).view_as(vectors)).sum().backward()
    return {name: weight.grad for name, weight in body.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("name", ["Bert", "Roberta", "XLMRoberta", "Electra", "Albert", "DistilBert", "Ernie"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_packed_vectors_and_gradients_are_those_of_padded_batches(name, pooling):
    body, batch = WholeBody(make_model(name).double(), pooling).eval(), make_batch()
    packer = packer_of(body, batch)
    assert packer is not None
    padded = body(batch)
    expected = gradients_of(body, padded)
    with packer.packed(batch):
        packed = body(batch)
    found = gradients_of(body, packed)
    # Pooling works in float32 whatever the model is in.
    torch.testing.assert_close(packed, padded, rtol=0, atol=1e-5)
    assert found.keys() == expected.keys()
    for weight, gradient in found.items():
        torch.testing.assert_close(gradient, expected[weight], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_top", [1, 2, 3])
def test_top_layers_on_cached_states_run_packed(n_top):
    body, batch = make_top(make_model("Bert"), n_top)
    packer = packer_of(body, batch)
    assert packer is not None
    expected = gradients_of(body, body(batch))
    with packer.packed(batch):
        found = gradients_of(body, body(batch))
    assert len(found) == len(expected) == 16 * n_top
    for weight, gradient in found.items():
        torch.testing.assert_close(gradient, expected[weight], rtol=1e-3, atol=1e-4)


def test_no_padding_reaches_the_layers():
    body, batch = make_top(make_model("Bert"), 2)
    seen = []
    for module in body.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[:-1].numel()))
    packer = packer_of(body, batch)
    seen.clear()
    with packer.packed(batch):
        body(batch)
    inside = [n_tokens for n_tokens in seen if n_tokens != len(LENGTHS)]  # but for BERT's own pooler
    assert len(inside) == 2 * 6
    assert set(inside) == {sum(LENGTHS)}


@pytest.mark.parametrize("name", ["MPNet", "ModernBert", "DebertaV2", "NomicBert", "GPT2"])
def test_a_model_whose_attention_is_not_plain_is_left_padded(name):
    assert packer_of(WholeBody(make_model(name), "mean").eval(), make_batch()) is None


def test_positions_made_for_the_padded_width_are_refused_even_where_all_texts_are_of_one_length():
    assert packer_of(WholeBody(make_model("NomicBert"), "mean").eval(), make_batch((5, 5, 5))) is None


@pytest.mark.parametrize("name", ["MegatronBert", "RemBert", "IBert"])
def test_a_model_that_attends_to_the_whole_row_is_refused_even_where_all_texts_are_equal(name):
    batch = {key: tensor[:1].repeat(3, 1) for key, tensor in make_batch((12, 12)).items()}
    assert packer_of(WholeBody(make_model(name), "mean").eval(), batch) is None


def test_a_stack_that_runs_its_first_layer_twice_is_refused_even_where_all_texts_are_of_one_length():
    body = WholeBody(make_model("Albert", num_hidden_groups=2), "mean").eval()
    assert packer_of(body, make_batch((12, 12, 12))) is None


def test_texts_of_one_token_are_left_padded():
    assert packer_of(WholeBody(make_model("Bert"), "mean").eval(), make_batch((1, 1, 1))) is None


def test_a_text_without_tokens_takes_no_place_in_the_row():
    mask = torch.tensor([[1, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]])
    layout = packing._Layout.of(mask)
    assert layout.groups == [(1, 2), (1, 2), (1, 1)]
    states = torch.arange(24.0).view(4, 3, 2)
    row = layout.pack(states)
    assert row.shape == (1, 5, 2)
    assert torch.equal(layout.unpack(row), states * mask[..., None])


def test_a_body_without_layers_or_without_a_mask_is_left_as_it_is():
    assert packer_of(torch.nn.Linear(2, 2), make_batch()) is None
    assert packer_of(torch.nn.ModuleList([torch.nn.Linear(2, 2)]), {"vectors": torch.zeros(1, 2)}) is None


def test_a_packing_that_changes_the_vectors_is_refused(monkeypatch):
    body, batch = WholeBody(make_model("Bert"), "mean").eval(), make_batch()
    monkeypatch.setattr(packing._Layout, "unpack", lambda self, row: torch.zeros(*self.shape, row.shape[-1]))
    assert packer_of(body, batch) is None


def test_running_out_of_memory_while_packing_is_not_taken_for_a_model_that_does_not_suit(monkeypatch):
    def no_room(self, states):
        raise torch.OutOfMemoryError("out of memory (pretended)")

    monkeypatch.setattr(packing._Layout, "pack", no_room)
    with pytest.raises(torch.OutOfMemoryError):
        packer_of(WholeBody(make_model("Bert"), "mean").eval(), make_batch())


def test_after_packing_a_body_is_as_before_even_after_an_error():
    body, batch = WholeBody(make_model("Bert"), "mean").eval(), make_batch()
    before = body(batch)
    packer = packer_of(body, batch)
    with pytest.raises(ZeroDivisionError), packer.packed(batch):
        raise ZeroDivisionError
    assert torch.equal(body(batch), before)
    assert not any("forward" in module.__dict__ for module in body.modules())
    assert {module.config._attn_implementation for module in body.modules() if hasattr(module, "config")} == {"sdpa"}


def test_dropout_acts_within_attention_when_packed():
    body = WholeBody(make_model("Bert", dropout=0.0), "mean").eval()
    batch = make_batch()
    packer = packer_of(body, batch)
    for module in body.modules():
        if type(module).__name__ == "BertSelfAttention":
            module.dropout.p = 0.5
    body.train()
    with torch.random.fork_rng(), packer.packed(batch):
        torch.manual_seed(0)
        first, second = body(batch), body(batch)
    assert not torch.allclose(first, second, atol=1e-3)
