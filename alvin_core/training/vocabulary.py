"""Training the word vectors of the labeled set alone, with the result of training all. Needs torch.

Fine-tuning has a gradient for the words that occur in the labeled set: a few hundred to a few thousand of a
vocabulary of 30,000 or more. Of a small encoder the vocabulary is half of all weights, and a plain training clears,
adds up, measures and steps through all of them, many times in each step. A word without a gradient has zero moments in
AdamW, so its vector is only drawn to zero, by one factor for all such words. That factor is kept as one more row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from alvin_core.training.batches import Examples

__all__ = ["OccurringWords", "occurring_words_only"]


class OccurringWords(nn.Module):
    """Looks up the vectors of some words of a vocabulary, by their ids in the whole vocabulary.

    Parameters
    ----------
    words : nn.Embedding
        The whole vocabulary.
    ids : int64 tensor of shape (n_ids,)
        Words that will be looked up; they may repeat. Any other word must not be, but for padding.

    Attributes
    ----------
    weight : nn.Parameter of shape (n_occurring + 1, dim)
        The vectors of padding and of the words that occur, by id, and a row of ones that no word looks up: what a
        training makes of it, it would have made of every number of a word that does not occur.
    """

    occurring: Tensor
    places: Tensor

    def __init__(self, words: nn.Embedding, ids: Tensor) -> None:
        super().__init__()
        if words.padding_idx is not None:  # Longformer and BigBird pad further by themselves, to whole windows
            ids = torch.cat([ids.flatten(), ids.new_tensor([words.padding_idx])])
        occurring = torch.unique(ids)  # sorted
        places = torch.full((words.num_embeddings,), -1, dtype=torch.int64, device=ids.device)
        places[occurring] = torch.arange(len(occurring), device=ids.device)
        self.register_buffer("occurring", occurring)
        self.register_buffer("places", places)
        rows = words.weight.detach()[occurring]
        self.weight = nn.Parameter(torch.cat([rows, torch.ones_like(rows[:1])]))
        # The padding token's vector has no gradient, as before.
        self.padding_idx = None if words.padding_idx is None else int(places[words.padding_idx])

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(self.places[ids], self.weight, self.padding_idx)

    @torch.no_grad()
    def write_into(self, words: nn.Embedding) -> None:
        """Put the vectors into the vocabulary that they were taken from, and do to the others what was done to ones."""
        words.weight.mul_(self.weight[-1])
        words.weight[self.occurring] = self.weight[:-1]


@contextmanager
def occurring_words_only(model: nn.Module, examples: Examples) -> Iterator[None]:
    """Train a model within this context as if it had no words but those of the examples; it has all again afterwards.

    Parameters
    ----------
    model : nn.Module
        With the vocabulary somewhere within. One that reads no token ids, or changes vectors as it looks them up, is
        left as it is.
    examples : Examples
        All that the model will read in this context.
    """
    place = _vocabulary(model)
    # In one batch, so that it is padded if any batch ever is: the padding token is one of the words.
    ids = examples.batch(np.arange(len(examples))).get("input_ids") if place else None
    if place is None or ids is None:
        yield
        return
    holder, name, words = place
    occurring = OccurringWords(words, ids)
    setattr(holder, name, occurring)
    try:
        yield
        occurring.write_into(words)
    finally:
        setattr(holder, name, words)


def _vocabulary(model: nn.Module) -> tuple[nn.Module, str, nn.Embedding] | None:
    """Return the module that holds the trained word vectors, under which name, and they themselves; None without."""
    whole: Any = next((module for module in model.modules() if hasattr(module, "get_input_embeddings")), None)
    if whole is None:
        return None
    try:
        words = whole.get_input_embeddings()
    except NotImplementedError:  # so transformers says that it does not know where they are
        return None
    if type(words) is not nn.Embedding or not words.weight.requires_grad:
        return None
    if words.max_norm is not None or words.scale_grad_by_freq or words.sparse:
        return None
    modules = list(model.modules())
    holders = [(module, name) for module in modules for name, child in module.named_children() if child is words]
    users = [module for module in modules for weight in module.parameters(recurse=False) if weight is words.weight]
    if len(holders) != 1 or len(users) != 1:  # the vectors are used elsewhere as well
        return None
    return (*holders[0], words)
