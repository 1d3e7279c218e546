"""A data set in memory: texts packed into bytes, labels as class indices, splits by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import DataError
from alvin_core.types import IdArray, IntArray, check_lengths

__all__ = ["ADDED", "Dataset", "Texts"]

UNLABELED = -1
ADDED = "added"  # the split of examples that a person wrote: trained on, never selected and never evaluated on
PACKED_AT_ONCE = 65_536  # texts of a stream that are held as strings
WIDEST_PLAIN = 128  # characters


@dataclass(frozen=True)
class Texts:
    """A column of texts as one block of UTF-8 bytes: a million short texts take little more than their file.

    Attributes
    ----------
    blob : uint8 array of shape (n_bytes,)
    offsets : int64 array of shape (n_texts + 1,)
        Text ``i`` is ``blob[offsets[i]:offsets[i + 1]]``.
    """

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def pack(cls, texts: Iterable[str]) -> Texts:
        """Pack strings; the iterable is read once, so it may be a stream."""
        packed = bytearray()
        lengths: list[int] = [0]
        stream = iter(texts)
        while part := [text.encode("utf-8") for text in islice(stream, PACKED_AT_ONCE)]:
            packed += b"".join(part)
            lengths += map(len, part)
        return cls(np.frombuffer(bytes(packed), dtype=np.uint8), np.cumsum(lengths, dtype=np.int64))

    @classmethod
    def of_strings(cls, strings: NDArray[np.str_]) -> Texts:
        """Pack an array of strings, such as a column of ids: as `pack` does, without a Python string for each."""
        width = strings.dtype.itemsize // 4
        if strings.dtype.kind != "U" or not strings.dtype.isnative or not width or not len(strings):
            return cls.pack(strings.tolist())
        parts, lengths = [], []
        for start in range(0, len(strings), PACKED_AT_ONCE):
            block = np.ascontiguousarray(strings[start : start + PACKED_AT_ONCE])
            table = block.view(np.uint32).reshape(-1, width)
            is_filled = table != 0
            # numpy fills strings up with nulls. Of ASCII each character is a byte; a null within a string is rare.
            if table.max() >= 128 or (is_filled[:, 1:] & ~is_filled[:, :-1]).any():
                return cls.pack(strings.tolist())
            parts.append(table[is_filled].astype(np.uint8))
            lengths.append(is_filled.sum(axis=1))
        return cls(np.concatenate(parts), np.concatenate([[0], np.cumsum(np.concatenate(lengths), dtype=np.int64)]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        if row < 0 or row >= len(self):
            raise IndexError(f"text {row} of {len(self)}")
        return self.blob[self.offsets[row] : self.offsets[row + 1]].tobytes().decode("utf-8")

    def __iter__(self) -> Iterator[str]:
        content = self.blob.tobytes()  # slices of bytes are made several times faster than those of arrays
        borders = self.offsets.tolist()
        return (content[start:end].decode("utf-8") for start, end in pairwise(borders))

    def to_strings(self) -> NDArray[np.str_]:
        """Return the texts as an array of strings, for columns of short ones such as ids.

        As wide as the longest: a column with one text far longer than the others would take much room.
        """
        lengths = np.diff(self.offsets)
        width = int(lengths.max(initial=0))
        is_plain = self.blob.size == 0 or (self.blob.max() < 128 and self.blob.min() > 0)
        if not 0 < width <= WIDEST_PLAIN or not is_plain:  # numpy ends a string at its last character that is not null
            return np.asarray(list(self), dtype=np.str_)
        # Of ASCII each byte is a character: all are laid into one table at once.
        table = np.zeros((len(self), width), dtype=np.uint32)
        table[np.arange(width) < lengths[:, None]] = self.blob[self.offsets[0] : self.offsets[-1]]
        return table.view(f"<U{width}").ravel()

    def take(self, rows: Iterable[int] | IntArray) -> list[str]:
        """Return the texts at ``rows``, in their order."""
        return [self[int(row)] for row in rows]

    def digest(self) -> str:
        """Return the SHA-256 of the texts and their borders."""
        sha = hashlib.sha256(np.ascontiguousarray(self.offsets).tobytes())
        sha.update(np.ascontiguousarray(self.blob).data)
        return sha.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """Examples with what is known of them. All arrays run side by side, one entry an example.

    Attributes
    ----------
    ids : str array of shape (n,)
    texts : Texts
        The text, or the first text of a pair.
    second_texts : Texts or None
        The second text of each pair; None where examples are single texts.
    labels : int array of shape (n,)
        Rows of ``classes``; -1 where no label is known.
    classes : tuple of str
        Class names, sorted.
    splits : str array of shape (n,)
        ``pool``, ``test`` or ``ood:<name>``; ``added`` of examples that a person wrote to a run, after all others.
    attributes : str array of shape (n,) or None
        The known attribute (the shortcut's value) of each example; ``""`` where unknown.
    warnings : tuple of str
        What reading changed or noticed, for the user.
    """

    ids: IdArray
    texts: Texts
    labels: IntArray
    classes: tuple[str, ...]
    splits: NDArray[np.str_]
    second_texts: Texts | None = None
    attributes: NDArray[np.str_] | None = None
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        check_lengths("Dataset", ids=self.ids, texts=self.texts.offsets[1:], labels=self.labels, splits=self.splits)
        if self.second_texts is not None:
            check_lengths("Dataset", ids=self.ids, second_texts=self.second_texts.offsets[1:])
        if self.attributes is not None:
            check_lengths("Dataset", ids=self.ids, attributes=self.attributes)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_pairs(self) -> bool:
        return self.second_texts is not None

    @property
    def evaluation_splits(self) -> tuple[str, ...]:
        """Names of the splits to evaluate on: ``test`` first, then each ``ood:<name>`` in sorted order."""
        names = set(np.unique(self.splits).tolist()) - {"pool", ADDED}
        return tuple(sorted(names, key=lambda name: (name != "test", name)))

    def rows_of(self, split: str) -> NDArray[np.int64]:
        """Rows of a split, ascending.

        Raises
        ------
        DataError
            When the data set has no such split.
        """
        rows = np.flatnonzero(self.splits == split)
        if not len(rows):
            known = ", ".join(sorted(np.unique(self.splits).tolist()))
            raise DataError(f"no split {split!r}; the data set has: {known}")
        return rows

    def text_of(self, row: int) -> str | tuple[str, str]:
        """Return one example's text, or its pair of texts."""
        return self.texts[row] if self.second_texts is None else (self.texts[row], self.second_texts[row])

    def digest(self) -> str:
        """Return the SHA-256 of everything a run depends on."""
        sha = hashlib.sha256()
        columns: Sequence[NDArray[np.str_] | None] = (
            np.asarray(self.ids, dtype=np.str_),
            np.asarray(self.classes, dtype=np.str_),
            self.splits,
            self.attributes,
        )
        for column in columns:
            # Packed as texts, so that the width numpy chose for its strings does not change the hash.
            sha.update(b"-" if column is None else Texts.of_strings(column).digest().encode())
        for texts in (self.texts, self.second_texts):
            sha.update(b"-" if texts is None else texts.digest().encode())
        sha.update(np.asarray(self.labels, dtype=np.int64).tobytes())
        return sha.hexdigest()
