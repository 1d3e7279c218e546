"""Single values as strings, and strings as one block of bytes."""

from __future__ import annotations

import re
from array import array

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Texts
from alvin_core.data.textfiles import ABSENT

__all__ = ["WHOLE_NUMBER", "NestedValueError", "Packed", "as_text"]

WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")  # as labels are often written; their class is named without the point


class NestedValueError(Exception):
    """A list or an object stands where one value is expected."""


def as_text(value: object) -> str:
    """Return a scalar as a string: nothing for what is missing, ``1`` for 1.0, ``true`` for True."""
    if isinstance(value, str):
        return value
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")  # what is no UTF-8 is refused as text later
    if isinstance(value, list | tuple | dict):
        raise NestedValueError
    return str(value)


class Packed:
    """Strings packed into one block of bytes as they arrive."""

    def __init__(self) -> None:
        self.blob = bytearray()
        self.offsets = array("q", [0])

    def append(self, data: bytes) -> None:
        self.blob += data
        self.offsets.append(len(self.blob))

    def __getitem__(self, row: int) -> str:
        return self.blob[self.offsets[row] : self.offsets[row + 1]].decode("utf-8")

    def keep(self, mask: NDArray[np.bool_]) -> Texts:
        """Hand the masked strings over as `Texts`, moved together in place; this object is empty afterwards."""
        offsets = np.frombuffer(self.offsets, dtype=np.int64).copy()
        edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
        size = 0
        with memoryview(self.blob) as view:
            for first, stop in edges.reshape(-1, 2).tolist():  # runs of kept rows
                begin, end = int(offsets[first]), int(offsets[stop])
                view[size : size + end - begin] = view[begin:end]
                size += end - begin
        del self.blob[size:]
        blob = np.frombuffer(self.blob, dtype=np.uint8)
        blob.flags.writeable = False
        self.blob, self.offsets = bytearray(), array("q", [0])
        kept_offsets = np.zeros(int(mask.sum()) + 1, dtype=np.int64)
        np.cumsum(np.diff(offsets)[mask], out=kept_offsets[1:])
        return Texts(blob, kept_offsets)
