"""Which rows hold the same text: by hash, so that a million texts need 16 bytes each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alvin_core.types import IntArray

__all__ = ["Duplicates", "find_duplicates", "repeated_rows"]

Reducer = Callable[[IntArray, IntArray], IntArray]


@dataclass(frozen=True)
class Duplicates:
    """What repeated texts mean for a data set. All arrays hold rows, ascending.

    Attributes
    ----------
    repeated : int array
        Pool rows whose text another pool row, which is kept, has as well, and no evaluation split: kept is the
        first that has a label, or simply the first.
    leaked : int array
        Pool rows whose text also stands in an evaluation split.
    within_evaluation : int array
        Evaluation rows whose text stands in an earlier row of the same split.
    contradicting : int array
        Rows whose label differs from that of an earlier labeled row with the same text.
    first_of : int array of shape (n,)
        The row that stands for the text: the first with it; for a repeated row the kept one, for a leaked row the
        first evaluation row.
    labeled_first_of : int array of shape (n,)
        The first labeled row with the same text; n where there is none.
    """

    repeated: IntArray
    leaked: IntArray
    within_evaluation: IntArray
    contradicting: IntArray
    first_of: IntArray
    labeled_first_of: IntArray


def repeated_rows(hashes: bytes | bytearray) -> tuple[IntArray, IntArray]:
    """Group rows by their 128-bit hashes.

    Returns
    -------
    rows : int array of shape (n_members,)
        Every row whose hash occurs more than once; those of one hash stand together, ascending.
    starts : int array of shape (n_groups,)
        Where each group begins in ``rows``.
    """
    halves = np.frombuffer(hashes, dtype=np.uint64).reshape(-1, 2)
    if len(halves) < 2:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: rows of one hash stay ascending
    as_before = np.zeros(len(order) + 1, dtype=np.bool_)
    as_before[1:-1] = (halves[order[1:]] == halves[order[:-1]]).all(axis=1)
    is_member = as_before[:-1] | as_before[1:]
    return order[is_member], np.flatnonzero(~as_before[:-1][is_member])


def find_duplicates(
    hashes: bytes | bytearray, usable: NDArray[np.bool_], splits: IntArray, labels: IntArray
) -> Duplicates:
    """Find repeated texts and what follows from each.

    Parameters
    ----------
    hashes : bytes of length 16 * n
    usable : bool array of shape (n,)
        Rows to compare; an empty text, say, repeats nothing.
    splits : int array of shape (n,)
        0 for the pool, 1 and more for evaluation splits.
    labels : int array of shape (n,)
        Below 0 where unknown.
    """
    n = len(usable)
    rows, starts = repeated_rows(hashes)
    groups = np.zeros(len(rows), dtype=np.int64)
    groups[starts[1:]] = 1
    groups = np.cumsum(groups)
    groups, rows = groups[usable[rows]], rows[usable[rows]]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    groups = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(rows)))

    def first(mask: NDArray[np.bool_]) -> IntArray:
        """For each member, the first row of its group where the mask holds; n where there is none."""
        candidates = np.where(mask, rows, n)
        return np.minimum.reduceat(candidates, starts)[groups] if len(starts) else candidates

    in_pool = splits[rows] == 0
    first_evaluation, first_labeled = first(~in_pool), first(labels[rows] >= 0)
    labeled_pool = first(in_pool & (labels[rows] >= 0))
    kept_pool = np.where(labeled_pool < n, labeled_pool, first(in_pool))
    leaked = in_pool & (first_evaluation < n)
    repeated = in_pool & ~leaked & (rows != kept_pool)
    padded_labels = np.append(labels, -1)
    contradicting = (labels[rows] >= 0) & (labels[rows] != padded_labels[first_labeled])
    first_of = np.arange(n)
    first_of[rows] = first(np.ones(len(rows), dtype=np.bool_))
    first_of[rows[leaked]], first_of[rows[repeated]] = first_evaluation[leaked], kept_pool[repeated]
    labeled_first_of = np.full(n, n)
    labeled_first_of[rows] = first_labeled
    return Duplicates(
        np.sort(rows[repeated]),
        np.sort(rows[leaked]),
        _repeated_in_split(rows, groups, splits),
        np.sort(rows[contradicting]),
        first_of,
        labeled_first_of,
    )


def _repeated_in_split(rows: IntArray, groups: IntArray, splits: IntArray) -> IntArray:
    """Evaluation rows whose text stands in an earlier row of the same split."""
    evaluation = splits[rows] > 0
    rows, groups = rows[evaluation], groups[evaluation]
    order = np.lexsort((rows, splits[rows], groups))
    again = (np.diff(groups[order]) == 0) & (np.diff(splits[rows][order]) == 0)
    return np.sort(rows[order][1:][again])
