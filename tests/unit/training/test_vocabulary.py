"""Training the words that occur, against training all words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from alvin_core.training.batches import Examples
from alvin_core.training.vocabulary import OccurringWords, occurring_words_only

N_WORDS, DIM = 30, 6


class Tokens:
    """Features of token ids, padded with 1."""

    dim = DIM

    def __init__(self, texts: list[list[int]]) -> None:
        self.texts = texts
        self.lengths = np.asarray([len(text) for text in texts])

    def __len__(self) -> int:
        return len(self.texts)

    def batch(self, rows, device):
        width = max(len(self.texts[row]) for row in rows)
        ids = [self.texts[row] + [1] * (width - len(self.texts[row])) for row in rows]
        return {"input_ids": torch.tensor(ids, device=device)}


class Reader(nn.Module):
    """A vocabulary and a linear map, with transformers' way to ask for the vocabulary."""

    def __init__(self, **options) -> None:
        super().__init__()
        start = torch.Generator().manual_seed(0)
        self.words = nn.Embedding(N_WORDS, DIM, padding_idx=1, **options)
        self.output = nn.Linear(DIM, 1)
        with torch.no_grad():
            self.words.weight.normal_(generator=start)
            self.output.weight.normal_(generator=start)
            self.output.bias.zero_()

    def get_input_embeddings(self):
        return self.words

    def forward(self, batch):
        return self.output(self.words(batch["input_ids"]).mean(dim=1))


def make_examples() -> Examples:
    features = Tokens([[3, 4, 4, 9], [9, 20], [29], [4, 3, 20, 7, 5]])
    return Examples(features, np.arange(4), torch.device("cpu"), fixed=False)


def train(model: Reader, examples: Examples, n_steps: int = 40) -> None:
    """AdamW with decay, a rate that changes, clipping, and an example at a time."""
    optimizer = torch.optim.AdamW([{"params": list(model.parameters()), "weight_decay": 0.3}], lr=0.01)
    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = 0.05 * (n_steps - step) / n_steps
        optimizer.zero_grad()
        model(examples.batch(np.asarray([step % 4]))).square().sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_all_words_end_where_training_all_of_them_would_have_put_them(dtype):
    all_words, occurring = Reader().to(dtype), Reader().to(dtype)
    examples = make_examples()
    start = all_words.words.weight.detach().clone()
    train(all_words, examples)
    with occurring_words_only(occurring, examples):
        assert sum(weight.numel() for weight in occurring.parameters()) == (8 + 1 + 1) * DIM + 1
        train(occurring, examples)
    tolerance = 1e-13 if dtype is torch.float64 else 1e-5
    torch.testing.assert_close(occurring.words.weight, all_words.words.weight, rtol=0, atol=tolerance)
    torch.testing.assert_close(occurring.output.weight, all_words.output.weight, rtol=0, atol=tolerance)
    assert (all_words.words.weight - start).abs().amax(dim=1).min() > 1e-3  # each word has moved, seen or not


def test_within_the_context_words_are_looked_up_as_before_and_after_it_the_vocabulary_is_whole():
    model, examples = Reader(), make_examples()
    words, before = model.words, model(examples.batch(np.arange(4)))
    with occurring_words_only(model, examples):
        assert isinstance(model.words, OccurringWords)
        assert torch.equal(model(examples.batch(np.arange(4))), before)
    assert model.words is words
    torch.testing.assert_close(model(examples.batch(np.arange(4))), before)
    assert [name for name, _ in model.named_parameters()] == ["words.weight", "output.weight", "output.bias"]


def test_padding_has_no_gradient_as_before():
    model, examples = Reader(), make_examples()
    with occurring_words_only(model, examples):
        model(examples.batch(np.arange(4))).sum().backward()
        gradients = model.words.weight.grad
        assert gradients[0].abs().max() == 0  # word 1, the lowest of those that occur
        assert gradients[-1].abs().max() == 0  # the row that stands for all others
        assert (gradients[1:-1].abs().amax(dim=1) > 0).all()


def test_a_training_that_breaks_off_leaves_the_vocabulary_whole():
    model = Reader()
    words, weight = model.words, model.words.weight.detach().clone()
    with pytest.raises(ZeroDivisionError), occurring_words_only(model, make_examples()):
        raise ZeroDivisionError
    assert model.words is words
    assert torch.equal(model.words.weight, weight)


class WholeWindows(Reader):
    """Pads what it reads to a multiple of 4 words, as Longformer does."""

    def forward(self, batch):
        ids = batch["input_ids"]
        return super().forward({"input_ids": nn.functional.pad(ids, (0, -ids.shape[1] % 4), value=1)})


def test_a_model_that_pads_by_itself_finds_padding_where_all_texts_are_of_one_length():
    all_words, occurring = WholeWindows(), WholeWindows()
    texts = [[3, 4, 4], [9, 20, 7], [29, 3, 5], [4, 3, 20]]
    examples = Examples(Tokens(texts), np.arange(4), torch.device("cpu"), fixed=False)
    train(all_words, examples)
    with occurring_words_only(occurring, examples):
        train(occurring, examples)
    torch.testing.assert_close(occurring.words.weight, all_words.words.weight, rtol=0, atol=1e-5)


class Tied(Reader):
    def __init__(self) -> None:
        super().__init__()
        self.again = nn.Linear(DIM, N_WORDS, bias=False)
        self.again.weight = self.words.weight


class Unknown(Reader):
    def get_input_embeddings(self):
        raise NotImplementedError


class Scaled(nn.Embedding):
    pass


def frozen() -> Reader:
    model = Reader()
    model.words.requires_grad_(False)
    return model


def scaled() -> Reader:
    model = Reader()
    model.words = Scaled(N_WORDS, DIM)
    return model


@pytest.mark.parametrize(
    "make",
    [Tied, Unknown, frozen, scaled, lambda: Reader(max_norm=1.0), lambda: Reader(sparse=True), lambda: nn.Linear(2, 2)],
    ids=["tied", "unknown", "frozen", "a kind of its own", "max_norm", "sparse", "no vocabulary"],
)
def test_a_vocabulary_that_is_more_than_a_table_is_trained_as_a_whole(make):
    model = make()
    before = list(model.modules())
    with occurring_words_only(model, make_examples()):
        assert list(model.modules()) == before


def test_examples_without_token_ids_leave_the_model_as_it_is():
    class Vectors(Tokens):
        def batch(self, rows, device):
            return {"vectors": torch.zeros(len(rows), DIM, device=device)}

    model = Reader()
    words = model.words
    examples = Examples(Vectors([[1], [2]]), np.arange(2), torch.device("cpu"), fixed=False)
    with occurring_words_only(model, examples):
        assert model.words is words
