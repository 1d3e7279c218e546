"""The classifier over many examples, in evaluation mode or under dropout. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from alvin_core.device import halving_batches
from alvin_core.progress import ProgressEvent
from alvin_core.training.batches import Examples
from alvin_core.training.classifier import Classifier
from alvin_core.types import Float32Array, IntArray

__all__ = ["Evaluator"]

# Tokens that run together: measured on 2 cores, more is slower (the caches overflow); an accelerator wants many.
CPU_TOKENS = 2048
ACCELERATOR_TOKENS = 65536


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
    """

    classifier: Classifier
    device: torch.device
    dtype: torch.dtype = torch.float32
    tokens: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.tokens or (CPU_TOKENS if self.device.type == "cpu" else ACCELERATOR_TOKENS)

    def run(
        self, examples: Examples, *, represent: bool, report: Callable[[int, str], None], dropout: bool = False
    ) -> tuple[Float32Array, Float32Array | None]:
        """Return the logits, and the representations where asked for, in the examples' order.

        Parameters
        ----------
        examples : Examples
        represent : bool
        report : callable
            Told after each batch how many examples are done, with a note for the user or ``""``.
        dropout : bool
            Drop values as in training, drawn from torch's global generator.

        Returns
        -------
        logits : float32 array of shape (n, n_classes)
        vectors : float32 array of shape (n, dim) or None
        """
        self.classifier.train(dropout)  # besides dropout, no layer of an encoder or a head acts otherwise in training
        output = self.classifier.head.output
        logits = np.empty((len(examples), output.out_features), dtype=np.float32)
        vectors = np.empty((len(examples), output.in_features), dtype=np.float32) if represent else None
        done = 0

        def halved(event: ProgressEvent) -> None:
            self.tokens = max(self.tokens // 2, 1)  # remembered: the next epoch need not run out of memory again
            report(done, event.note)

        def forward(positions: IntArray) -> tuple[Float32Array, Float32Array | None]:
            return self._forward(examples, positions, represent=represent)

        for positions, computed in halving_batches(self._batches(examples), forward, stage="predict", progress=halved):
            logits[positions] = computed[0]
            if vectors is not None and computed[1] is not None:
                vectors[positions] = computed[1]
            done += len(positions)
            report(done, "")
        return logits, vectors

    def _batches(self, examples: Examples) -> list[IntArray]:
        """Cut the examples, widest first, into batches of about ``tokens`` tokens.

        Sizes are powers of two, so that few shapes occur: some kernels are compiled anew for every shape.
        """
        order = examples.longest_first()
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
        head = self.classifier.head
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            pooled = self.classifier.body(examples.batch(positions))
        vectors = head.represent(pooled.float())  # (n, dim)
        logits = head.classify(vectors)  # (n, n_classes)
        return logits.cpu().numpy(), vectors.cpu().numpy() if represent else None
