"""One example in one stored round: what the round stored of it, and, where it stored nothing, measured anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import ADDED, UNLABELED
from alvin_core.run.archive import rankings_of
from alvin_core.run.handle import RunHandle
from alvin_core.run.held import held_classes
from alvin_core.run.measuring import RoundSpace, anchor_distances, nearest_places, round_anchors, round_space
from alvin_core.run.reasons import Facts
from alvin_core.settings import RunSettings
from alvin_core.store.added import AddedExample
from alvin_core.store.tables import RoundRow
from alvin_core.types import IntArray

__all__ = ["AnchorReason", "Case"]

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class AnchorReason:
    """An anchor near an example: a point between two labeled examples.

    Attributes
    ----------
    anchor : int
        Row in `Run.anchors`.
    class_ : str
        Class of the minority parent.
    distance : float
        From the anchor to the example, in the round's representation space.
    minority_id, majority_id : str
        Both parents. Named for ALVIN's own pairing; in an ablation they are simply the first and the second parent,
        and what they are in truth is in the next fields. Where both are one example, the anchor is that example.
    minority_role, majority_role : {"minority", "majority"}
        The group that the round inferred for each.
    minority_label, majority_label : str
        The label of each that the round trained on.
    minority_text, majority_text : str
        Two texts of a pair are joined by `` | ``.
    weight : float
        Of the first parent, in [0, 1]; the second has the rest.
    reach : float
        Distance from the anchor to the furthest example that it retrieved: its k-th nearest.
    retrieved : bool
        Whether it retrieved the example.
    """

    anchor: int
    class_: str
    distance: float
    minority_id: str
    majority_id: str
    minority_role: str
    majority_role: str
    minority_label: str
    majority_label: str
    minority_text: str
    majority_text: str
    weight: float
    reach: float
    retrieved: bool


@dataclass(frozen=True)
class Case:
    """One example in one stored round."""

    handle: RunHandle
    stored: RoundRow
    arrays: Arrays
    row: int
    space: RoundSpace
    ranks: dict[str, tuple[int, int]]
    classes: NDArray[np.int16]
    """Class of every example that the round trained on, of shape (n,); -1 of all others."""
    classes_now: NDArray[np.int16]

    @classmethod
    def of(cls, handle: RunHandle, stored: RoundRow, arrays: Arrays, row: int) -> Case:
        classes, classes_now = held_classes(handle, stored.last_seq, None)
        ranks = {name: (_place(ranking, row), len(ranking)) for name, ranking in rankings_of(arrays).items()}
        return cls(handle, stored, arrays, row, round_space(handle, stored, arrays), ranks, classes, classes_now)

    @property
    def split(self) -> str:
        return str(self.handle.dataset.splits[self.row])

    @property
    def written(self) -> AddedExample | None:
        """The example as a person wrote it; None of those that the data set holds."""
        number = self.row - len(self.handle.stored_dataset)
        return None if number < 0 else self.handle.added[number]

    @property
    def is_labeled(self) -> bool:
        return bool((self.arrays["labeled_rows"] == self.row).any())

    @property
    def is_selected(self) -> bool:
        return self.row in self.arrays["selected_rows"]

    @property
    def own_rank(self) -> tuple[int, int]:
        return next(iter(self.ranks.values()), (0, 0))

    @property
    def has_anchors(self) -> bool:
        return len(self.arrays.get("anchor_weights", ())) > 0

    @property
    def k(self) -> int | None:
        """Neighbors that each anchor really retrieved: the setting, doubled as often as the budget asked for."""
        if not self.has_anchors:
            return None
        recorded = self.stored.summary.get("anchors", {}).get("k")
        if recorded is not None:
            return int(recorded)
        # Each anchor retrieved k, so the links of all candidates together are k for each anchor.
        return int(self.arrays["candidate_n_anchors"].sum()) // len(self.arrays["anchor_weights"])

    @property
    def n_retrieving(self) -> int:
        at = _place(self.arrays.get("candidate_rows", np.empty(0)), self.row)
        return int(self.arrays["candidate_n_anchors"][at - 1]) if at else 0

    def label_of(self, row: int) -> str | None:
        return self._name(row, self.classes)

    def label_now(self) -> str | None:
        return self._name(self.row, self.classes_now)

    def _name(self, row: int, held: NDArray[np.int16]) -> str | None:
        dataset = self.handle.dataset
        class_ = int(held[row] if dataset.splits[row] in ("pool", ADDED) else dataset.labels[row])
        return None if class_ == UNLABELED else dataset.classes[class_]

    def is_minority(self, row: int) -> bool:
        at = int(np.flatnonzero(self.arrays["labeled_rows"] == row)[0])
        return bool(self.arrays["is_minority"][at])

    def anchors(self, n: int) -> tuple[AnchorReason, ...]:
        """Return the nearest anchors, nearest first."""
        k = self.k
        if n == 0 or k is None or self.split != "pool" or self.is_labeled:
            return ()
        rows, distances = self._stored_links(n) if self.is_selected else self._measured(n)
        points = _exact(self.space, self.arrays, rows)
        found = nearest_places(self.space, points, k, among=self.space.is_open)
        reasons = [
            self._reason(int(anchor), float(distance), self.space.rows[places], float(reaches[-1]))
            for anchor, distance, (places, reaches) in zip(rows, distances, found, strict=True)
        ]
        return tuple(reasons)

    def _stored_links(self, n: int) -> tuple[IntArray, NDArray[np.float64]]:
        """Return the anchors that retrieved a selected example and their distances, as the round found them."""
        place = int(np.flatnonzero(self.arrays["selected_rows"] == self.row)[0])
        links = np.flatnonzero(self.arrays["link_places"] == place)[:n]
        return self.arrays["link_anchors"][links], self.arrays["link_distances"][links]

    def _measured(self, n: int) -> tuple[IntArray, NDArray[np.float64]]:
        """Return the nearest of all anchors and their distances; one that retrieved the example is among them."""
        point = self._point()
        everything = anchor_distances(round_anchors(self.space, self.arrays), point)
        n = min(n, len(everything))
        rows = np.argpartition(everything, n - 1)[:n]
        if self.n_retrieving:
            at = _place(self.arrays["candidate_rows"], self.row) - 1
            retrieving = int(np.abs(everything - self.arrays["candidate_nearest"][at]).argmin())
            if retrieving not in rows:
                rows[everything[rows].argmax()] = retrieving
        distances = np.sqrt(np.square(_exact(self.space, self.arrays, rows) - point).sum(axis=1))
        order = np.lexsort((rows, distances))
        return rows[order], distances[order]

    def _point(self) -> NDArray[np.float64]:
        [place] = self.space.places_of(np.asarray([self.row]))
        return np.asarray(self.space.vectors[int(place)], dtype=np.float64)

    def _reason(self, anchor: int, distance: float, retrieved_rows: IntArray, reach: float) -> AnchorReason:
        arrays, dataset = self.arrays, self.handle.dataset
        first, second = (int(arrays[f"anchor_{name}_rows"][anchor]) for name in ("minority", "majority"))
        return AnchorReason(
            anchor=anchor,
            class_=dataset.classes[int(arrays["anchor_classes"][anchor])],
            distance=distance,
            minority_id=str(dataset.ids[first]),
            majority_id=str(dataset.ids[second]),
            minority_role=self._role(first),
            majority_role=self._role(second),
            minority_label=self.label_of(first) or "",
            majority_label=self.label_of(second) or "",
            minority_text=self._text(first),
            majority_text=self._text(second),
            weight=float(arrays["anchor_weights"][anchor]),
            reach=reach,
            # What the round stored goes before what is measured now: its search may have been an approximate one.
            retrieved=self.is_selected or (self.n_retrieving > 0 and self.row in retrieved_rows),
        )

    def _role(self, row: int) -> str:
        return "minority" if self.is_minority(row) else "majority"

    def _text(self, row: int) -> str:
        text = self.handle.dataset.text_of(row)
        return text if isinstance(text, str) else " | ".join(text)

    def facts(self, settings: RunSettings, nearest: AnchorReason | None) -> Facts:
        """Gather what the sentence is made of."""
        classes = self.handle.dataset.classes
        is_parent = np.zeros(0, dtype=bool)
        if self.has_anchors:
            is_parent = (self.arrays["anchor_minority_rows"] == self.row) | (
                self.arrays["anchor_majority_rows"] == self.row
            )
        links: IntArray = np.empty(0, dtype=np.int32)
        if self.is_selected and self.has_anchors:
            links, _ = self._stored_links(len(self.arrays["link_anchors"]))
        of_class = np.bincount(self.arrays["anchor_classes"][links], minlength=len(classes)) if len(links) else ()
        place, n_ranked = self.own_rank
        return Facts(
            split=self.split,
            strategy=settings.strategy,
            rank=settings.alvin.rank,
            pairing=settings.alvin.pairing,
            is_approximate=settings.alvin.backend == "faiss-hnsw",
            budget=settings.budget,
            place=place,
            n_ranked=n_ranked,
            is_selected=self.is_selected,
            n_selected=len(self.arrays["selected_rows"]),
            label=self.label_of(self.row) if self.is_labeled else None,
            is_minority=self.is_minority(self.row) if self.is_labeled else None,
            n_anchors=len(is_parent),
            n_as_parent=int(is_parent.sum()),
            n_retrieving=self.n_retrieving,
            retrieving_classes={classes[at]: int(count) for at, count in enumerate(of_class) if count},
            k=self.k,
            nearest=None if nearest is None else (nearest.distance, nearest.reach),
            written_by="" if self.written is None else self.written.annotator,
            made_of="" if self.written is None else self.written.parent_id,
        )


def _exact(space: RoundSpace, arrays: Arrays, anchor_rows: IntArray) -> NDArray[np.float64]:
    """Return the vectors of some anchors in float64, as the search took them, of shape (n, dim)."""
    anchors = round_anchors(space, arrays, anchor_rows)
    weights = anchors.weights.astype(np.float64)[:, None]
    first = anchors.parent_vectors[anchors.minority_rows]
    second = anchors.parent_vectors[anchors.majority_rows]
    vectors: NDArray[np.float64] = weights * first + (1.0 - weights) * second
    return vectors


def _place(ranking: NDArray[Any], row: int) -> int:
    """Return a row's place in an array, from 1; 0 where it is not in it."""
    found = np.flatnonzero(ranking == row)
    return int(found[0]) + 1 if len(found) else 0
