"""What the model says of examples: shown once a person has said it, never before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from alvin_core import MapColumns

__all__ = ["Opinion", "Opinions"]


@dataclass(frozen=True)
class Opinion:
    """What the model said of an example, to be shown once a person has said it.

    Attributes
    ----------
    round_no : int
    predicted : str
    confidence : float
    rank : int or None
        Place under the run's strategy, from 1; None where it was not ranked.
    n_ranked : int
    """

    round_no: int
    predicted: str
    confidence: float
    rank: int | None
    n_ranked: int


class Opinions:
    """A round's predictions of the pool, looked up by example.

    Parameters
    ----------
    columns : MapColumns
    round_no : int
    strategy : str
        Whose ranking counts.
    """

    def __init__(self, columns: MapColumns, round_no: int, strategy: str) -> None:
        self._round_no = round_no
        self._classes = columns.classes
        self._predicted, self._confidence = columns.predicted, columns.confidence
        self._entropy = columns.entropy
        self._ranks = columns.ranks.get(strategy, np.zeros(0, dtype=np.int32))
        self._n_ranked = int(np.count_nonzero(self._ranks))
        self._ids = columns.ids
        self._index_of = {example_id: index for index, example_id in enumerate(columns.ids.tolist())}

    def of(self, example_id: str) -> Opinion | None:
        """Return the round's opinion of a pool example; None of any other."""
        index = self._index_of.get(example_id)
        if index is None:
            return None
        rank = int(self._ranks[index]) if len(self._ranks) else 0
        return Opinion(
            round_no=self._round_no,
            predicted=self._classes[int(self._predicted[index])],
            confidence=float(self._confidence[index]),
            rank=rank or None,
            n_ranked=self._n_ranked,
        )

    def most_uncertain(self, labeled: Iterable[str], most: int) -> list[str]:
        """Return unlabeled examples by the entropy of their prediction, highest first; ties in the pool's order."""
        without = set(labeled)
        order = np.argsort(-self._entropy, kind="stable")
        found: list[str] = []
        for example_id in self._ids[order].tolist():
            if len(found) == most:
                break
            if example_id not in without:
                found.append(example_id)
        return found
