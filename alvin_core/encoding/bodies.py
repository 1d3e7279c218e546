"""The part of an encoder that is trained: torch modules from a batch of features to pooled vectors.

Imports torch at once, so it is imported late itself.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch
from torch import nn

from alvin_core.encoding.splitting import cut_top, run_top

__all__ = ["FrozenBody", "TopLayersBody", "WholeBody", "pool"]

Pooling = Literal["mean", "cls"]


def pool(last: torch.Tensor, attention_mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Reduce last states of shape (n, n_tokens, dim) to float32 vectors of shape (n, dim)."""
    last = last.float()  # means over hundreds of tokens lose digits in bfloat16
    if pooling == "cls":
        return last[:, 0]
    weights = attention_mask.unsqueeze(-1).to(last.dtype)  # (n, n_tokens, 1)
    return (last * weights).sum(dim=1) / weights.sum(dim=1)


class FrozenBody(nn.Module):
    """Depth 0: the vectors are cached, nothing is left to compute."""

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return batch["vectors"]


class TopLayersBody(nn.Module):
    """Depth n: the top layers on the cached states of the layers below."""

    def __init__(self, model: nn.Module, layers: nn.ModuleList, n_top: int, pooling: Pooling) -> None:
        super().__init__()
        self.top, kept = cut_top(model, layers, n_top)
        self.pooling: Pooling = pooling
        kept.requires_grad_(True)
        self._entrance = (kept[0],)  # in a tuple, so that torch does not register the layer a second time

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        last = run_top(self.top, self._entrance[0], batch["states"], batch["attention_mask"])
        return pool(last, batch["attention_mask"], self.pooling)


class WholeBody(nn.Module):
    """Depth "all": the whole encoder, from token ids."""

    def __init__(self, model: nn.Module, pooling: Pooling) -> None:
        super().__init__()
        self.model: Any = copy.deepcopy(model).requires_grad_(True)
        self.pooling: Pooling = pooling

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return pool(self.model(**batch).last_hidden_state, batch["attention_mask"], self.pooling)
