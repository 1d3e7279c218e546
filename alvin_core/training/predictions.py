"""What a trained classifier says of examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alvin_core.types import Float32Array, FloatArray, IntArray, check_lengths

__all__ = ["Predictions", "softmax"]


@dataclass(frozen=True)
class Predictions:
    """Class probabilities of examples, and the representations that they were read from.

    Attributes
    ----------
    probs : float32 array of shape (n_rows, n_classes)
        Finite; each row sums to 1.
    vectors : float32 array of shape (n_rows, dim) or None
        What the classifier's last layer reads; None where it was not asked for.
    """

    probs: Float32Array
    vectors: Float32Array | None = None

    def __post_init__(self) -> None:
        if self.probs.ndim != 2:
            raise ValueError(f"Predictions: probs {self.probs.shape} must be (n_rows, n_classes)")
        if self.vectors is not None:
            check_lengths("Predictions", probs=self.probs, vectors=self.vectors)

    def __len__(self) -> int:
        return len(self.probs)

    @property
    def classes(self) -> IntArray:
        """The likeliest class of each example, of shape (n_rows,); ties go to the first class."""
        return np.asarray(self.probs.argmax(axis=1))

    @property
    def confidence(self) -> Float32Array:
        """The probability of the likeliest class, of shape (n_rows,)."""
        return np.asarray(self.probs.max(axis=1))


def softmax(logits: FloatArray) -> NDArray[np.float64]:
    """Turn logits of shape (n, n_classes) into probabilities, in float64 so that rows sum to 1 whatever their size."""
    shifted = np.asarray(logits, dtype=np.float64)
    powers = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
