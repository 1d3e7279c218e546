"""One run's round, read once for a comparison side by side: what it trained on, ranked and selected, and how far apart.

By numpy alone, so that a process that only looks can ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import UNLABELED
from alvin_core.run.archive import rankings_of
from alvin_core.run.frames import places_in
from alvin_core.run.handle import RunHandle
from alvin_core.run.held import held_classes
from alvin_core.run.measuring import RoundSpace, round_space
from alvin_core.settings import RunSettings
from alvin_core.strategies.ranking import entropy_of
from alvin_core.types import IdArray, IntArray

if TYPE_CHECKING:
    from alvin_core.run.run import Run
    from alvin_core.store.tables import RoundRow

__all__ = ["SideRound", "mean_nearest", "mean_pairwise", "spread_of"]

Array = NDArray[np.float64]
DISTANCES_AT_ONCE = 2_000_000
NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class SideRound:
    """A stored round of one run, with what a comparison asks of it.

    Attributes
    ----------
    run : Run
    stored : RoundRow
    arrays : dict of str to array
        The round's packed arrays.
    """

    run: Run
    stored: RoundRow
    arrays: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, run: Run, round_no: int) -> SideRound:
        """Read a round; raise `StoreError` when the run has none of this number."""
        stored, arrays = run._handle.round(round_no)
        return cls(run, stored, arrays)

    @property
    def handle(self) -> RunHandle:
        return self.run._handle

    @cached_property
    def settings(self) -> RunSettings:
        """Those the round was computed with: after a fork they can differ from the run's."""
        return RunSettings.from_dict(self.stored.settings)

    @property
    def selected(self) -> IntArray:
        """Rows in the data set, best first, of shape (n_selected,)."""
        return self.arrays["selected_rows"]

    @property
    def labeled(self) -> IntArray:
        """Rows in the data set, of shape (n_labeled,)."""
        return self.arrays["labeled_rows"]

    @property
    def probs(self) -> NDArray[np.float32]:
        """Of every example of the data set, of shape (n, n_classes)."""
        return self.arrays["probs"]

    @cached_property
    def rankings(self) -> dict[str, IntArray]:
        """Strategy -> the rows that it ranked, best first; the round's own first."""
        return dict(rankings_of(self.arrays))

    @cached_property
    def places(self) -> dict[str, NDArray[np.int64]]:
        """Strategy -> each example's place, from 1; 0 where it was not ranked; of shape (n,)."""
        n = len(self.handle.dataset)
        return {name: places_in(n, rows) for name, rows in self.rankings.items()}

    @cached_property
    def is_labeled(self) -> NDArray[np.bool_]:
        """Whether the round trained on each example, of shape (n,)."""
        found = np.zeros(len(self.handle.dataset), dtype=bool)
        found[self.labeled] = True
        return found

    @cached_property
    def held(self) -> NDArray[np.int16]:
        """The class that the round trained on of every example, of shape (n,); -1 where there was none."""
        return held_classes(self.handle, self.stored.last_seq)[0]

    @cached_property
    def space(self) -> RoundSpace:
        return round_space(self.handle, self.stored, self.arrays)

    def vectors_of(self, rows: IntArray) -> Array:
        """Return the representations of those examples that have one in the round, of shape (n_known, dim)."""
        known = np.intersect1d(rows, self.space.rows)
        return np.asarray(self.space.vectors[self.space.places_of(known)], dtype=np.float64)

    def ids_of(self, rows: IntArray) -> IdArray:
        """Return the ids of examples: a row that was added to one run is another example in the next."""
        return self.handle.dataset.ids[rows]

    def confidence_of(self, rows: IntArray) -> Array:
        """Return the largest probability of each, of shape (n_rows,)."""
        return np.asarray(self.probs[rows].max(axis=1, initial=0), dtype=np.float64)

    def entropy_of(self, rows: IntArray) -> Array:
        """Return the entropy of each in nats, of shape (n_rows,)."""
        return np.asarray(entropy_of(self.probs[rows]), dtype=np.float64)

    def text_of(self, row: int) -> tuple[str, ...]:
        """Return the text of an example, or both of a pair."""
        text = self.handle.dataset.text_of(row)
        return (text,) if isinstance(text, str) else tuple(text)

    def shares(self, codes: IntArray, rows: IntArray) -> tuple[dict[str, float], dict[str, float]]:
        """Return the shares of classes and of groups among some examples, whose classes are given."""
        from alvin_core.metrics import group_names, share_of

        dataset = self.handle.dataset
        known = codes != UNLABELED
        codes, rows = codes[known], rows[known]
        classes = share_of([dataset.classes[code] for code in codes.tolist()])
        if dataset.attributes is None:
            return classes, {}
        return classes, share_of(group_names(codes, dataset.classes, dataset.attributes[rows]).tolist())


def mean_nearest(points: Array, others: Array) -> float | None:
    """Return the mean Euclidean distance from each point to its nearest of the others; None where there are none.

    Parameters
    ----------
    points : float64 array of shape (n, dim)
    others : float64 array of shape (m, dim)
    """
    if not len(points) or not len(others):
        return None
    nearest = [squares.min(axis=1) for squares in _squares(points, others)]
    return float(np.sqrt(np.concatenate(nearest)).mean())


def mean_pairwise(points: Array) -> float | None:
    """Return the mean Euclidean distance between two different points; None where there are fewer than two.

    Parameters
    ----------
    points : float64 array of shape (n, dim)
    """
    n = len(points)
    if n < 2:
        return None
    total = sum(float(np.sqrt(squares).sum()) for squares in _squares(points, points))
    return total / (n * (n - 1))  # the distance of each point to itself is 0


def spread_of(vectors: NDArray[np.float32]) -> float | None:
    """Return the root of the mean squared distance between two different vectors; None where there are fewer than two.

    Parameters
    ----------
    vectors : float32 array of shape (n, dim)

    Notes
    -----
    The mean squared distance is twice the total variance, so one pass over the vectors tells it exactly.
    """
    n = len(vectors)
    if n < 2:
        return None
    centre = np.mean(vectors, axis=0, dtype=np.float64)
    step = max(1, NUMBERS_AT_ONCE // max(vectors.shape[1], 1))
    total = sum(float(np.square(vectors[at : at + step] - centre).sum()) for at in range(0, n, step))
    return float(np.sqrt(2 * total / (n - 1)))


def _squares(points: Array, others: Array) -> Sequence[Array]:
    """Return squared distances in blocks of rows, each of shape (n_block, m)."""
    centre = others.mean(axis=0)
    a, b = points - centre, others - centre  # cancellation costs least near the origin
    sizes = np.square(b).sum(axis=1)
    step = max(1, DISTANCES_AT_ONCE // len(b))
    blocks = []
    for at in range(0, len(a), step):
        block = a[at : at + step]
        squares = np.square(block).sum(axis=1)[:, None] + sizes - 2 * (block @ b.T)
        if points is others:
            np.fill_diagonal(squares[:, at:], 0)  # exactly, whatever rounding left of it
        blocks.append(np.maximum(squares, 0))
    return blocks
