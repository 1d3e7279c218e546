"""Which examples run together: sorted by length, padded to few widths, small enough for the memory. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from alvin_core.device import is_out_of_memory
from alvin_core.errors import DeviceError
from alvin_core.types import IntArray

if TYPE_CHECKING:
    from torch import Tensor

    from alvin_core.encoding.features import Features

__all__ = ["PADDING", "Examples", "by_width", "memory_errors"]

PADDING = 16  # tokens; the encoder's features pad to multiples of it


class Examples:
    """Some examples of a data set, drawn as batches on one device.

    Parameters
    ----------
    features : Features
    rows : int array of shape (n,)
        The examples' rows in ``features``; a *position* below is an index into these.
    device : torch.device
    fixed : bool
        Whether each example is one fixed vector (a frozen encoder), so that length does not matter.
    held : bool
        Keep all examples on the device as one block, for the many passes of a training over few examples.
    """

    def __init__(
        self, features: Features, rows: IntArray, device: torch.device, *, fixed: bool, held: bool = False
    ) -> None:
        self.fixed = fixed
        self._features = features
        self._rows = rows
        self._device = device
        self._block = features.batch(rows, device) if held else None
        self.lengths: IntArray = np.ones(len(rows), dtype=np.int64) if fixed else np.asarray(features.lengths)[rows]
        self.widths: IntArray = self.lengths if fixed else -(-self.lengths // PADDING) * PADDING

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: IntArray) -> dict[str, Tensor]:
        """Return the inputs of the examples at ``positions``; every tensor's first axis follows them."""
        if self._block is None:
            return self._features.batch(self._rows[positions], self._device)
        chosen = torch.from_numpy(positions).to(self._device)
        return {name: tensor.index_select(0, chosen) for name, tensor in self._block.items()}

    def longest_first(self, *, exactly: bool = False) -> IntArray:
        """Return all positions, the widest first: what does not fit in memory shows at once, not at the end.

        Parameters
        ----------
        exactly : bool
            Order by tokens, not by padded width, so that texts of one length are neighbours.
        """
        return np.argsort(-(self.lengths if exactly else self.widths), kind="stable")


def by_width(positions: IntArray, widths: IntArray, at_most: int, *, split: bool) -> Iterator[IntArray]:
    """Cut one training batch into parts that run one after the other and add up to the same step.

    Parameters
    ----------
    positions : int array of shape (n,)
    widths : int array of shape (n_examples,)
        The padded length of every example, indexed by position.
    at_most : int
        Examples in a part.
    split : bool
        Whether examples of different widths run apart. That saves the padding, which on a processor costs more
        than the parts do; an accelerator would rather have one large batch.
    """
    if split:
        ordered = positions[np.argsort(widths[positions], kind="stable")]
        borders = np.flatnonzero(np.diff(widths[ordered])) + 1
        parts = np.split(ordered, borders)
    else:
        parts = [positions]
    for part in parts:
        for start in range(0, len(part), at_most):
            yield part[start : start + at_most]


@contextmanager
def memory_errors(device: torch.device) -> Iterator[None]:
    """Turn an allocation that failed even for one example into an error that says what to do.

    Raises
    ------
    DeviceError
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"the memory of {device} does not hold even one example; train fewer layers (training.trainable_layers), "
            "read fewer tokens (encoder.max_length), or use runtime.device = 'cpu'"
        ) from error
