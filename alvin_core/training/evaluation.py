"""The classifier over many examples, in evaluation mode or under dropout. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from alvin_core.device import halving_batches
from alvin_core.progress import ProgressEvent
from alvin_core.training.batches import Examples
from alvin_core.training.classifier import Classifier
from alvin_core.training.packing import Packer
from alvin_core.types import Float32Array, IntArray

__all__ = ["Evaluator"]

# Tokens that run together: measured on 2 cores, more is slower (the caches overflow); an accelerator wants many.
CPU_TOKENS = 2048
ACCELERATOR_TOKENS = 65536

Report = Callable[[int, str], None]
Result = TypeVar("Result")


@dataclass
class Evaluator:
    """Runs a classifier over examples, in batches of few shapes, and remembers how large they may be.

    Attributes
    ----------
    classifier : Classifier
    device : torch.device
    dtype : torch.dtype
        What the encoder's trained layers compute in; the head always uses float32.
    tokens : int
        Padded tokens in a batch; halved when the memory does not hold them.
    packer : Packer or None
        Runs the body without padding. Not used in bfloat16, whose kernels are compiled anew for every shape.
    """

    classifier: Classifier
    device: torch.device
    dtype: torch.dtype = torch.float32
    tokens: int = 0
    packer: Packer | None = None

    def __post_init__(self) -> None:
        self.tokens = self.tokens or (CPU_TOKENS if self.device.type == "cpu" else ACCELERATOR_TOKENS)
        self.packer = self.packer if self.dtype is torch.float32 else None

    def run(self, examples: Examples, *, represent: bool, report: Report) -> tuple[Float32Array, Float32Array | None]:
        """Return the logits, and the representations where asked for, in the examples' order.

        Parameters
        ----------
        examples : Examples
        represent : bool
        report : callable
            Told after each batch how many examples are done, with a note for the user or ``""``.

        Returns
        -------
        logits : float32 array of shape (n, n_classes)
        vectors : float32 array of shape (n, dim) or None
        """
        self.classifier.eval()
        output = self.classifier.head.output
        logits = np.empty((len(examples), output.out_features), dtype=np.float32)
        vectors = np.empty((len(examples), output.in_features), dtype=np.float32) if represent else None

        def forward(positions: IntArray) -> tuple[Float32Array, Float32Array | None]:
            return self._forward(examples, positions, represent=represent)

        for positions, computed in self._computed(examples, forward, report):
            logits[positions] = computed[0]
            if vectors is not None and computed[1] is not None:
                vectors[positions] = computed[1]
        return logits, vectors

    def draw(self, examples: Examples, n_draws: int, *, report: Report) -> Float32Array:
        """Return logits of several passes that drop values as in training, drawn from torch's global generator.

        Parameters
        ----------
        examples : Examples
        n_draws : int
        report : callable
            As `run` takes it.

        Returns
        -------
        float32 array of shape (n_draws, n, n_classes)
        """
        self.classifier.train()  # besides dropout, no layer of an encoder or a head acts otherwise in training
        logits = np.empty((n_draws, len(examples), self.classifier.head.output.out_features), dtype=np.float32)

        def forward(positions: IntArray) -> Float32Array:
            return self._draw(examples, positions, n_draws)

        for positions, drawn in self._computed(examples, forward, report):
            logits[:, positions] = drawn
        return logits

    def _computed(
        self, examples: Examples, forward: Callable[[IntArray], Result], report: Report
    ) -> Iterator[tuple[IntArray, Result]]:
        """Yield the positions of each batch with what was computed of it."""
        done = 0

        def halved(event: ProgressEvent) -> None:
            self.tokens = max(self.tokens // 2, 1)  # remembered: the next epoch need not run out of memory again
            report(done, event.note)

        for positions, computed in halving_batches(self._batches(examples), forward, stage="predict", progress=halved):
            yield positions, computed
            done += len(positions)
            report(done, "")

    def _batches(self, examples: Examples) -> list[IntArray]:
        """Cut the examples, widest first, into batches of about ``tokens`` tokens.

        Sizes are powers of two, so that few shapes occur: some kernels are compiled anew for every shape.
        """
        order = examples.longest_first(exactly=self.packer is not None)
        batches = []
        start = 0
        while start < len(order):
            n_rows = 1 << max(self.tokens // int(examples.widths[order[start]]), 1).bit_length() - 1
            batches.append(order[start : start + n_rows])
            start += n_rows
        return batches

    @torch.inference_mode()
    def _forward(
        self, examples: Examples, positions: IntArray, *, represent: bool
    ) -> tuple[Float32Array, Float32Array | None]:
        vectors = self._represent(examples.batch(positions))
        logits = self.classifier.head.classify(vectors)  # (n, n_classes)
        return logits.cpu().numpy(), vectors.cpu().numpy() if represent else None

    @torch.inference_mode()
    def _draw(self, examples: Examples, positions: IntArray, n_draws: int) -> Float32Array:
        batch = examples.batch(positions)
        vectors = self._represent(batch)
        drawn = [self.classifier.head.classify(vectors)]
        while len(drawn) < n_draws:
            if not examples.fixed:  # the encoder drops values too; a small head does so behind its vectors alone
                vectors = self._represent(batch)
            drawn.append(self.classifier.head.classify(vectors))
        logits: Float32Array = torch.stack(drawn).cpu().numpy()  # (n_draws, n, n_classes)
        return logits

    def _represent(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        as_dtype = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype is torch.bfloat16)
        with as_dtype, nullcontext() if self.packer is None else self.packer.packed(batch):
            pooled = self.classifier.body(batch)
        return self.classifier.head.represent(pooled.float())  # (n, dim)
