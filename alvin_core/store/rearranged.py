"""An array in another order of its rows, made block by block while it is written: never as a whole in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.types import IntArray

__all__ = ["MappedArray", "Rearranged", "blocks_of"]

BLOCK_BYTES = 2**24


@dataclass(frozen=True)
class Rearranged:
    """The rows of an array in another order.

    Attributes
    ----------
    values : array of shape (n, ...)
    rows : int array of shape (n_rows,)
        Row ``i`` is ``values[rows[i]]``.
    """

    values: NDArray[Any]
    rows: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.values.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    def __getitem__(self, part: slice) -> NDArray[Any]:
        """Return some rows, as an array."""
        taken: NDArray[Any] = self.values[self.rows[part]]
        return taken


MappedArray = NDArray[Any] | Rearranged
"""What is written to a file of its own, to be memory-mapped."""


def blocks_of(array: MappedArray) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield stretches of rows, of some megabytes each, with the rows themselves, which lie together."""
    row_bytes = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64)))
    step = max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, len(array), step):
        part = slice(start, start + step)
        yield part, np.ascontiguousarray(array[part])
