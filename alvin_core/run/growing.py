"""The data set of a run as it grows: the stored one, and after its last row what people added to the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import ADDED, Dataset, Texts
from alvin_core.store.added import AddedExample

__all__ = ["GrowingDataset", "RowsOfIds", "extend_dataset", "first_rows"]

FEW = 10_000  # ids that are looked up by a pass over all of a data set's: a table of a million takes longer and 150 MB
LOOKED_UP_AT_ONCE = 65_536

ReadAdded = Callable[[int], Sequence[AddedExample]]
"""Returns the added examples from a number on."""


class GrowingDataset:
    """A run's data set, which only ever grows at its end; may be used from any thread.

    Parameters
    ----------
    stored : Dataset
    read : callable
        Asks the store for what was added.

    Notes
    -----
    What was read stays as it is until `look`: between two looks all calls answer alike. A row never moves, so what an
    older look found holds in a newer one.
    """

    def __init__(self, stored: Dataset, read: ReadAdded) -> None:
        self._stored, self._read = stored, read
        self._turn = RLock()
        self._added: tuple[AddedExample, ...] = ()
        self._now = stored
        self.row_of_id = RowsOfIds(stored, self.look)
        self.look()

    @property
    def now(self) -> Dataset:
        """The data set as of the last look."""
        return self._now

    @property
    def added(self) -> tuple[AddedExample, ...]:
        """What was added, as of the last look."""
        return self._added

    def look(self) -> Dataset:
        """Ask the store whether anything was added, and return the data set as it is now."""
        with self._turn:
            new = self._read(len(self._added))
            if new:
                added = (*self._added, *new)
                self._now = extend_dataset(self._stored, added)
                self.row_of_id.extend([one.id for one in new])
                self._added = added
            return self._now

    def first(self, n_rows: int) -> Dataset:
        """Return the data set as it was when it had so many rows; the stored one itself where that is all."""
        if n_rows == len(self._stored):
            return self._stored
        now = self._now if n_rows <= len(self._now) else self.look()
        return first_rows(now, n_rows)


class RowsOfIds(Mapping[str, int]):
    """Row in the data set of every example; what is asked for and not known is looked for in the store first."""

    def __init__(self, stored: Dataset, look: Callable[[], object]) -> None:
        self._stored, self._look = stored, look
        self._added: list[str] = []

    def extend(self, ids: Sequence[str]) -> None:
        """Take in the ids of new rows at the end."""
        known = vars(self).get("_rows")
        for example_id in ids:
            self._added.append(example_id)
            if known is not None:
                known[example_id] = len(self) - 1

    def __getitem__(self, example_id: str) -> int:
        row = self._rows.get(example_id)
        if row is None:
            self._look()
            row = self._rows[example_id]
        return row

    def rows_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of some examples, in their order; of a few, without a table of all.

        Raises
        ------
        KeyError
            When there is no such example.
        """
        if ids and len(ids) <= FEW and "_rows" not in vars(self):
            rows = self._find(ids)
            if (rows >= 0).all():
                return rows
        return np.fromiter((self[one] for one in ids), dtype=np.int64, count=len(ids))

    def _find(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Look every stored id up among the asked ones; -1 for what people added, or is not there."""
        asked, place_of = np.unique(np.asarray(ids, dtype=np.str_), return_inverse=True)
        rows = np.full(len(asked), -1, dtype=np.int64)
        for start in range(0, len(self._stored), LOOKED_UP_AT_ONCE):
            block = self._stored.ids[start : start + LOOKED_UP_AT_ONCE]
            places = np.minimum(np.searchsorted(asked, block), len(asked) - 1)
            found = np.flatnonzero(asked[places] == block)
            rows[places[found]] = start + found
        return rows[place_of]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._stored.ids.tolist(), *self._added])

    def __len__(self) -> int:
        return len(self._stored) + len(self._added)

    @cached_property
    def _rows(self) -> dict[str, int]:
        # Late: of a million examples it takes a while, and many tasks never name one.
        return {example_id: row for row, example_id in enumerate(self)}


def extend_dataset(stored: Dataset, added: Sequence[AddedExample]) -> Dataset:
    """Return a data set with added examples after its last row, in the split ``added``.

    Raises
    ------
    ValueError
        When one has another number of texts than the data set, or an unknown class: the store holds no such.
    """
    if any(len(one.texts) != 1 + stored.is_pairs for one in added):
        raise ValueError("extend_dataset: an added example has another number of texts than those of the data set")
    seconds = None
    if stored.second_texts is not None:
        seconds = _longer(stored.second_texts, [one.texts[1] for one in added])
    return replace(
        stored,
        ids=_joined(stored.ids, [one.id for one in added]),
        texts=_longer(stored.texts, [one.texts[0] for one in added]),
        labels=np.append(stored.labels, [stored.classes.index(one.label) for one in added]),
        splits=_joined(stored.splits, [ADDED] * len(added)),
        second_texts=seconds,
        attributes=None if stored.attributes is None else _joined(stored.attributes, [one.attribute for one in added]),
    )


def first_rows(dataset: Dataset, n: int) -> Dataset:
    """Return the first rows of a data set; nothing is copied."""
    return replace(
        dataset,
        ids=dataset.ids[:n],
        texts=_first_texts(dataset.texts, n),
        labels=dataset.labels[:n],
        splits=dataset.splits[:n],
        second_texts=None if dataset.second_texts is None else _first_texts(dataset.second_texts, n),
        attributes=None if dataset.attributes is None else dataset.attributes[:n],
    )


def _joined(column: NDArray[np.str_], more: Sequence[str]) -> NDArray[np.str_]:
    return np.concatenate([column, np.asarray(more, dtype=np.str_)])


def _longer(texts: Texts, more: Sequence[str]) -> Texts:
    new = Texts.pack(more)
    return Texts(
        np.concatenate([texts.blob[: texts.offsets[-1]], new.blob]),
        np.concatenate([texts.offsets, texts.offsets[-1] + new.offsets[1:]]),
    )


def _first_texts(texts: Texts, n: int) -> Texts:
    return Texts(texts.blob[: texts.offsets[n]], texts.offsets[: n + 1])
