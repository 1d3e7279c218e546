"""Features of examples that came one by one after a data set was encoded, behind those of the data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from alvin_core.encoding.features import Features
from alvin_core.encoding.tokens import TokenCounts
from alvin_core.types import Float32Array, IntArray

if TYPE_CHECKING:
    import torch

__all__ = ["JoinedFeatures"]


class JoinedFeatures(Features):
    """Features of a data set, and after its last row those of single examples; nothing of either is copied.

    Parameters
    ----------
    first : Features
        Of the data set.
    singles : sequence of Features
        Of one example each, by the same encoder at the same depth.
    pad_id : int
        Fills ``input_ids`` behind a text's end.

    Notes
    -----
    Each example is encoded by itself, so that what it becomes does not depend on what was added beside it or later:
    a round computed again reads the same numbers.
    """

    def __init__(self, first: Features, singles: Sequence[Features], *, pad_id: int = 0) -> None:
        everything = [first, *singles]
        counts = TokenCounts(
            np.concatenate([one.counts.full for one in everything]),
            np.concatenate([one.counts.kept for one in everything]),
        )
        super().__init__(first.dim, np.concatenate([one.lengths for one in everything]), counts)
        self.encode_seconds, self.n_encoded = first.encode_seconds, first.n_encoded
        self.from_cache = first.from_cache
        self._first, self._singles, self._pad_id = first, list(singles), pad_id

    def batch(self, rows: IntArray, device: torch.device) -> dict[str, torch.Tensor]:
        rows = np.asarray(rows)
        n_first = len(self._first)
        if not len(rows) or rows.max() < n_first:
            return self._first.batch(rows, device)
        of_first = np.flatnonzero(rows < n_first)
        parts = [(of_first, self._first.batch(rows[of_first], device))] if len(of_first) else []
        for place in np.flatnonzero(rows >= n_first):
            single = self._singles[int(rows[place]) - n_first]
            parts.append((np.asarray([place]), single.batch(np.zeros(1, dtype=np.int64), device)))
        names = parts[0][1]
        return {name: self._together(name, [(at, part[name]) for at, part in parts], len(rows)) for name in names}

    def _together(self, name: str, parts: list[tuple[IntArray, torch.Tensor]], n_rows: int) -> torch.Tensor:
        """Lay tensors of shape (n_part, width, …) into one of shape (n_rows, widest, …), padded on the right."""
        import torch

        like = parts[0][1]
        shape = [n_rows, *like.shape[1:]]
        if len(shape) > 1 and name != "vectors":
            shape[1] = max(part.shape[1] for _, part in parts)
        whole = torch.full(shape, self._pad_id if name == "input_ids" else 0, dtype=like.dtype, device=like.device)
        for at, part in parts:
            chosen = torch.from_numpy(at).to(like.device)
            if part.shape[1:] == whole.shape[1:]:
                whole[chosen] = part
            else:
                whole[chosen, : part.shape[1]] = part
        return whole

    def vectors(self) -> Float32Array | None:
        vectors = self._first.vectors()
        if vectors is None:
            return None
        return np.concatenate([vectors, *(self._vector(one) for one in self._singles)])

    @staticmethod
    def _vector(single: Features) -> Float32Array:
        vector = single.vectors()
        assert vector is not None  # of the same depth
        return vector
