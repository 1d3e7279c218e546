"""A small world to train in: sentences as bags of word vectors, and an encoder of one trainable layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from alvin_core.device import DevicePlan

DIM = 12


@dataclass
class FakeFeatures:
    """Ragged token vectors, or their means where the encoder is frozen."""

    tokens: list[np.ndarray]
    fixed: bool
    dim: int = DIM

    @property
    def lengths(self) -> np.ndarray:
        return np.asarray([len(tokens) for tokens in self.tokens])

    def __len__(self) -> int:
        return len(self.tokens)

    def batch(self, rows, device):
        if self.fixed:
            vectors = np.stack([self.tokens[row].mean(axis=0) for row in rows])
            return {"vectors": torch.from_numpy(vectors).to(device)}
        width = -(-max(len(self.tokens[row]) for row in rows) // 16) * 16
        states = np.zeros((len(rows), width, DIM), dtype=np.float32)
        mask = np.zeros((len(rows), width), dtype=bool)
        for place, row in enumerate(rows):
            states[place, : len(self.tokens[row])] = self.tokens[row]
            mask[place, : len(self.tokens[row])] = True
        return {"states": torch.from_numpy(states).to(device), "mask": torch.from_numpy(mask).to(device)}


class Unchanged(torch.nn.Module):
    def forward(self, batch):
        return batch["vectors"]


class OneLayer(torch.nn.Module):
    """A frozen and a trained linear map, a norm and dropout, then the mean over real tokens."""

    def __init__(self, limit: int | None) -> None:
        super().__init__()
        start = torch.Generator().manual_seed(0)
        self.frozen = torch.nn.Linear(DIM, DIM).requires_grad_(False)
        self.trained = torch.nn.Linear(DIM, DIM)
        self.norm = torch.nn.LayerNorm(DIM)
        self.dropout = torch.nn.Dropout(0.1)
        self.limit = limit
        with torch.no_grad():
            for layer in (self.frozen, self.trained):
                layer.weight.normal_(std=0.3, generator=start)
                layer.bias.zero_()

    def forward(self, batch):
        states, mask = batch["states"], batch["mask"][..., None].float()
        if self.limit is not None and len(states) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory (pretended)")
        states = self.dropout(self.norm(self.trained(torch.tanh(self.frozen(states)))))
        return (states * mask).sum(dim=1) / mask.sum(dim=1)


@dataclass
class FakeEncoder:
    name: str = "tiny"
    dim: int = DIM
    n_layers: int = 1
    limit: int | None = None  # examples that fit in the pretended memory

    def __post_init__(self) -> None:
        self.bodies: list[torch.nn.Module] = []

    def body(self, trainable_layers):
        self.bodies.append(Unchanged() if trainable_layers == 0 else OneLayer(self.limit))
        return self.bodies[-1]


@dataclass
class World:
    """Examples of two classes whose tokens lean two ways, of 3 to 40 tokens."""

    tokens: list[np.ndarray]
    classes: np.ndarray
    plan: DevicePlan

    @property
    def ids(self) -> np.ndarray:
        return np.asarray([f"e{row}" for row in range(len(self.classes))])

    def features(self, depth) -> FakeFeatures:
        return FakeFeatures(self.tokens, fixed=depth == 0)


@pytest.fixture
def world() -> World:
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 2, size=160)
    lean = rng.normal(size=DIM)
    tokens = [
        (rng.normal(size=(rng.integers(3, 41), DIM)) + np.where(label, 0.7, -0.7) * lean).astype(np.float32)
        for label in classes
    ]
    return World(tokens, classes, DevicePlan(device="cpu", threads=1, inference_dtype="float32", name="CPU"))


@pytest.fixture
def tiny_encoder():
    """Make encoders; ``limit`` is how many examples fit in the pretended memory."""
    return FakeEncoder
