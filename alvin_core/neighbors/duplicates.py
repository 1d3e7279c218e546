"""Pool examples with the very same vector are searched once.

Short texts that differ only in what the tokenizer drops, or a hidden layer that has gone silent, give
groups of equal vectors. Searching one of each keeps ties from filling an anchor's list with copies of one
point, which would have to be searched wider and wider until the group is exhausted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import DataError
from alvin_core.types import Float32Array, FloatArray, IdArray, IntArray

__all__ = ["Distinct", "find_distinct"]

HASHED_COLUMNS = 16  # enough to tell real vectors apart; what collides is compared in full
ROWS_AT_ONCE = 4096
LINKS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Distinct:
    """The distinct vectors of a pool, by ascending id, and who shares them.

    A *position* counts distinct vectors; a row counts pool examples.

    Attributes
    ----------
    rows : int32 array of shape (n_distinct,)
        For each distinct vector the pool row of its lowest id; ascending in the id.
    sizes : int array of shape (n_distinct,) or None
        How many examples share the vector; None where no two do.
    starts, members
        Examples at position p: ``members[starts[p] : starts[p] + sizes[p]]``, by ascending id.
    id_ranks : int array of shape (n_pool,)
        Place of each pool row in the order of ids.
    """

    rows: NDArray[np.int32]
    sizes: IntArray | None = None
    starts: IntArray | None = None
    members: IntArray | None = None
    id_ranks: IntArray | None = None

    def expand(self, positions: IntArray, distances: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
        """Turn neighbors among distinct vectors into k neighbors among pool rows, ties by id.

        Parameters
        ----------
        positions, distances : arrays of shape (n_anchors, min(k, n_distinct))
            Nearest first, equal distances by position.
        k : int
        """
        if self.sizes is None:
            return self.rows[positions], distances
        n_anchors, n_kept = positions.shape
        rows = np.empty((n_anchors, k), dtype=np.int32)
        lengths = np.empty((n_anchors, k))
        step = max(1, LINKS_AT_ONCE // (n_kept * k))
        for start in range(0, n_anchors, step):
            part = slice(start, start + step)
            rows[part], lengths[part] = self._expand_part(positions[part], distances[part], k)
        return rows, lengths

    def _expand_part(self, positions: IntArray, distances: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
        assert self.sizes is not None
        assert self.starts is not None
        assert self.members is not None
        assert self.id_ranks is not None
        sizes = np.minimum(self.sizes[positions], k).ravel()  # no more than k of a group can be among the k
        link = np.repeat(np.arange(len(sizes)), sizes)
        within = np.arange(len(link)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = self.members[self.starts[positions.ravel()[link]] + within]
        anchors = link // positions.shape[1]
        lengths = distances.ravel()[link]
        order = np.lexsort((self.id_ranks[rows], lengths, anchors))
        firsts = np.searchsorted(anchors, np.arange(len(positions)))
        kept = order[firsts[:, None] + np.arange(k)]  # (n_anchors, k); each anchor has at least k links
        return rows[kept].astype(np.int32), lengths[kept]


def find_distinct(vectors: Float32Array, ids: IdArray) -> Distinct:
    """Order the pool by id and find the examples that share a vector.

    Raises
    ------
    DataError
        When an id occurs twice, or ids cannot be ordered.
    """
    by_id = _order_of(ids)
    keys = _hashes(vectors)[by_id]
    by_key = np.argsort(keys, kind="stable")  # equal keys stay in the order of their ids
    rows = by_id[by_key]
    repeats = np.zeros(len(rows), dtype=bool)  # equal to the row before it
    suspects = np.flatnonzero(keys[by_key[1:]] == keys[by_key[:-1]]) + 1
    for start in range(0, len(suspects), ROWS_AT_ONCE):
        part = suspects[start : start + ROWS_AT_ONCE]
        repeats[part] = (vectors[rows[part]] == vectors[rows[part - 1]]).all(axis=1)
    if not repeats.any():
        return Distinct(by_id.astype(np.int32))
    leaders = np.flatnonzero(~repeats)
    leaders = leaders[np.argsort(by_key[leaders])]  # by id
    ends = np.append(np.flatnonzero(~repeats), len(rows))
    sizes = ends[np.searchsorted(ends, leaders) + 1] - leaders
    id_ranks = np.empty(len(by_id), dtype=np.int64)
    id_ranks[by_id] = np.arange(len(by_id))
    return Distinct(rows[leaders].astype(np.int32), sizes, leaders, rows, id_ranks)


def _order_of(ids: IdArray) -> IntArray:
    """Return the rows by ascending id."""
    try:
        if np.all(ids[:-1] < ids[1:]):
            return np.arange(len(ids))
        by_id = np.argsort(ids, kind="stable")
    except TypeError as error:
        raise DataError(f"pool_ids cannot be ordered ({error}); use all strings or all integers") from error
    repeated = np.flatnonzero(ids[by_id[1:]] == ids[by_id[:-1]])
    if len(repeated):
        raise DataError(f"pool_ids: {ids[by_id[repeated[0]]]!r} occurs more than once; give every example its own id")
    return by_id


def _hashes(vectors: Float32Array) -> NDArray[np.uint64]:
    """Return one number for each vector, from some of its columns; equal vectors have equal numbers."""
    n_columns = min(HASHED_COLUMNS, vectors.shape[1])
    columns = np.linspace(0, vectors.shape[1] - 1, n_columns).astype(np.intp)
    # Adding zero makes -0.0 equal to 0.0 in its bits as well.
    bits = np.ascontiguousarray(vectors[:, columns] + np.float32(0)).view(np.uint32).astype(np.uint64)
    hashes = np.zeros(len(vectors), dtype=np.uint64)
    for column in bits.T:
        hashes = (hashes ^ column) * np.uint64(0x9E3779B97F4A7C15)  # wraps around, as it should
        hashes ^= hashes >> np.uint64(29)
    return hashes
