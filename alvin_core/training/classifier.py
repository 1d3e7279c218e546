"""The network of a round: an encoder's body and a head. Needs torch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = ["Classifier", "LinearHead", "SmallHead", "parameter_groups"]


class LinearHead(nn.Module):
    """Dropout and a linear layer on the encoder's output, which is itself the representation."""

    def __init__(self, dim: int, n_classes: int, dropout: float, generator: torch.Generator) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = _linear(dim, n_classes, generator)

    def represent(self, pooled: Tensor) -> Tensor:
        return pooled

    def classify(self, vectors: Tensor) -> Tensor:
        logits: Tensor = self.output(self.dropout(vectors))
        return logits


class SmallHead(nn.Module):
    """A multilayer perceptron on fixed vectors; its hidden layer is the representation.

    The vectors are first moved and scaled as a whole, with one centre and one scale taken from the labeled set:
    pooled embeddings of one encoder are ten times smaller than another's and far from the origin, and one
    learning rate must suit them all. One scale for all dimensions keeps the encoder's geometry.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self, labeled: Tensor, n_classes: int, *, hidden: int, dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        centre = labeled.mean(dim=0)
        spread = float((labeled - centre).square().mean().sqrt())
        self.register_buffer("centre", centre)
        self.register_buffer("scale", torch.tensor(1.0 / spread if spread > 1e-6 else 1.0, device=labeled.device))
        self.hidden = _linear(labeled.shape[1], hidden, generator)
        self.dropout = nn.Dropout(dropout)
        self.output = _linear(hidden, n_classes, generator)

    def represent(self, pooled: Tensor) -> Tensor:
        # tanh rather than ReLU or GELU: on few labels it was the most accurate of the three, and it flipped most.
        return torch.tanh(self.hidden((pooled - self.centre) * self.scale))

    def classify(self, vectors: Tensor) -> Tensor:
        logits: Tensor = self.output(self.dropout(vectors))
        return logits


class Classifier(nn.Module):
    """Encoder and head: a batch in, logits of shape (n, n_classes) out."""

    def __init__(self, body: nn.Module, head: LinearHead | SmallHead) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def represent(self, batch: dict[str, Tensor]) -> Tensor:
        """Return what the last layer reads, of shape (n, dim), in float32 whatever the encoder computes in."""
        pooled: Tensor = self.body(batch)
        return self.head.represent(pooled.float())

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.head.classify(self.represent(batch))


def parameter_groups(
    classifier: Classifier, *, learning_rate: float, head_learning_rate: float, weight_decay: float
) -> list[dict[str, object]]:
    """Return AdamW's groups: encoder and head at their own rates, biases and norms (one axis) without decay."""
    groups: list[dict[str, object]] = []
    for module, rate in ((classifier.body, learning_rate), (classifier.head, head_learning_rate)):
        for decays in (True, False):
            weights = [weight for weight in _trained(module) if (weight.ndim > 1) is decays]
            if weights:
                groups.append({"params": weights, "lr": rate, "weight_decay": weight_decay if decays else 0.0})
    return groups


def _trained(module: nn.Module) -> Iterator[nn.Parameter]:
    return (weight for weight in module.parameters() if weight.requires_grad)


def _linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Linear:
    """Make a linear layer with torch's usual uniform start, drawn from ``generator`` on the CPU."""
    layer = nn.Linear(n_in, n_out)
    bound = 1.0 / math.sqrt(n_in)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.zero_()
    return layer
