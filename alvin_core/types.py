"""The values that flow through a round: frozen, and checked for shape when made.

Two index spaces appear everywhere, and names say which: ``ids`` are stable names of examples, ``rows``
are positions in the array at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Anchors",
    "BoolArray",
    "Candidates",
    "Float32Array",
    "FloatArray",
    "Groups",
    "IdArray",
    "IntArray",
    "Neighbors",
    "Provenance",
    "Selection",
    "TrainingDynamics",
    "check_lengths",
]

IdArray = NDArray[Any]  # strings, or integers where a caller uses the functions on plain arrays
IntArray = NDArray[np.integer[Any]]
FloatArray = NDArray[np.floating[Any]]
Float32Array = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


def check_lengths(owner: str, **arrays: NDArray[Any]) -> None:
    """Raise when arrays that run side by side differ in length.

    Raises
    ------
    ValueError
        Naming every array with its length: these are mistakes in code, not in a user's data.
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name}={length}" for name, length in lengths.items())
        raise ValueError(f"{owner}: arrays of one length expected, found {found}")


@dataclass(frozen=True)
class TrainingDynamics:
    """What training did to each labeled example, epoch by epoch.

    Attributes
    ----------
    ids : array of shape (n_labeled,)
    correct : bool array of shape (n_epochs, n_labeled)
        Whether the example was predicted right after the epoch, in evaluation mode.
    gold_prob : float array of shape (n_epochs, n_labeled)
        The probability given to the example's own class, in [0, 1].

    Notes
    -----
    Confidence and variability as in Swayamdipta et al. (2020, section 2).
    """

    ids: IdArray
    correct: BoolArray
    gold_prob: FloatArray

    def __post_init__(self) -> None:
        if self.correct.shape != self.gold_prob.shape or self.correct.ndim != 2:
            raise ValueError(
                f"TrainingDynamics: correct {self.correct.shape} and gold_prob {self.gold_prob.shape} "
                "must both be (n_epochs, n_labeled)"
            )
        check_lengths("TrainingDynamics", ids=self.ids, correct=self.correct.T)

    @property
    def confidence(self) -> FloatArray:
        """Mean gold probability over the epochs, of shape (n_labeled,)."""
        return np.asarray(self.gold_prob.mean(axis=0, dtype=np.float64))

    @property
    def variability(self) -> FloatArray:
        """Standard deviation of the gold probability over the epochs, of shape (n_labeled,)."""
        return np.asarray(self.gold_prob.std(axis=0, dtype=np.float64))

    @property
    def n_forgotten(self) -> IntArray:
        """How often each example went from right to wrong between epochs, of shape (n_labeled,)."""
        return np.asarray((self.correct[:-1] & ~self.correct[1:]).sum(axis=0))


@dataclass(frozen=True)
class Groups:
    """Which labeled examples are under-represented in their class.

    Attributes
    ----------
    is_minority : bool array of shape (n_labeled,)
    classes : int array of shape (n_labeled,)
    rule : str
        The rule that decided: ``forgetting``, ``confidence``, ``variability`` or ``known``.
    filled : bool array of shape (n_labeled,)
        Minority examples that the rule did not find and the fill-up added.
    filled_classes : tuple of int
        Classes in which the rule found too few, so that low-confidence examples filled them up.
    filled_share : float
        Share of all minority examples that the fill-up added, in [0, 1]; above one half the fill-up,
        not the rule, *is* the method.
    """

    is_minority: BoolArray
    classes: IntArray
    rule: str
    filled: BoolArray
    filled_classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_lengths("Groups", is_minority=self.is_minority, classes=self.classes, filled=self.filled)

    @property
    def filled_share(self) -> float:
        n_minority = int(self.is_minority.sum())
        return float(self.filled.sum()) / n_minority if n_minority else 0.0


@dataclass(frozen=True)
class Anchors:
    """Artificial points between two labeled examples; the vectors are computed only when asked for.

    (In AnchorAL, Lesci & Vlachos 2024, an "anchor" is a labeled instance; here it is an interpolated point.)

    Attributes
    ----------
    parent_vectors : float32 array of shape (n_parents, dim)
        Representations of the labeled examples that parents are rows of.
    parent_ids : array of shape (n_parents,)
    minority_rows, majority_rows : int array of shape (n_anchors,)
        Rows of the two parents in ``parent_vectors``. Named for ALVIN's own pairing; in an ablation they
        are simply the first and the second parent.
    weights : float32 array of shape (n_anchors,)
        Weight of the minority parent, in [0, 1].
    classes : int array of shape (n_anchors,)
        Class of the minority parent (of both, unless the pairing crosses classes).

    Notes
    -----
    Korakakis et al. (2024): ``anchor = w z_minority + (1 - w) z_majority``, ``w ~ Beta(alpha, alpha)``.
    """

    parent_vectors: Float32Array
    parent_ids: IdArray
    minority_rows: IntArray
    majority_rows: IntArray
    weights: Float32Array
    classes: IntArray

    def __post_init__(self) -> None:
        check_lengths("Anchors", parent_vectors=self.parent_vectors, parent_ids=self.parent_ids)
        check_lengths(
            "Anchors",
            minority_rows=self.minority_rows,
            majority_rows=self.majority_rows,
            weights=self.weights,
            classes=self.classes,
        )

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def minority_ids(self) -> IdArray:
        return self.parent_ids[self.minority_rows]

    @property
    def majority_ids(self) -> IdArray:
        return self.parent_ids[self.majority_rows]

    @property
    def vectors(self) -> Float32Array:
        """All anchors' vectors, of shape (n_anchors, dim): computed anew at each call."""
        return self.vectors_of(slice(None))

    def vectors_of(self, rows: slice | IntArray) -> Float32Array:
        """Compute the vectors of some anchors, of shape (n_rows, dim)."""
        weights = self.weights[rows, None]
        first = self.parent_vectors[self.minority_rows[rows]]
        second = self.parent_vectors[self.majority_rows[rows]]
        return np.asarray(weights * first + (np.float32(1) - weights) * second, dtype=np.float32)


@dataclass(frozen=True)
class Neighbors:
    """The nearest pool examples of each anchor, nearest first.

    Attributes
    ----------
    rows : int array of shape (n_anchors, k)
        Rows in the pool.
    distances : float array of shape (n_anchors, k)
        Euclidean distances, ascending in each row.
    pool_ids : array of shape (n_pool,)
    anchors : Anchors
    """

    rows: IntArray
    distances: FloatArray
    pool_ids: IdArray
    anchors: Anchors

    def __post_init__(self) -> None:
        if self.rows.shape != self.distances.shape or self.rows.ndim != 2:
            raise ValueError(
                f"Neighbors: rows {self.rows.shape} and distances {self.distances.shape} must both be (n_anchors, k)"
            )
        check_lengths("Neighbors", rows=self.rows, anchors=self.anchors.weights)

    @property
    def ids(self) -> IdArray:
        """Ids of the neighbors, of shape (n_anchors, k)."""
        return self.pool_ids[self.rows]

    @property
    def k(self) -> int:
        return int(self.rows.shape[1])


@dataclass(frozen=True)
class Provenance:
    """Why each selected example was selected: one link for each anchor that retrieved it.

    Attributes
    ----------
    ids : array of shape (n_links,)
        The selected example; links of one example stand together, nearest anchor first.
    anchor_rows : int array of shape (n_links,)
        Rows in the round's anchors, which hold parents and weight.
    distances : float array of shape (n_links,)
        Euclidean distance from the example to the anchor.
    """

    ids: IdArray
    anchor_rows: IntArray
    distances: FloatArray

    def __post_init__(self) -> None:
        check_lengths("Provenance", ids=self.ids, anchor_rows=self.anchor_rows, distances=self.distances)


@dataclass(frozen=True)
class Candidates:
    """Every pool example that at least one anchor retrieved.

    Attributes
    ----------
    rows : int array of shape (n_candidates,)
        Rows in the pool, ascending.
    n_anchors : int array of shape (n_candidates,)
        How many anchors retrieved the example.
    nearest : float array of shape (n_candidates,)
        Euclidean distance to the nearest of them.
    """

    rows: IntArray
    n_anchors: IntArray
    nearest: FloatArray

    def __post_init__(self) -> None:
        check_lengths("Candidates", rows=self.rows, n_anchors=self.n_anchors, nearest=self.nearest)


@dataclass(frozen=True)
class Selection:
    """What a strategy takes for annotation, and everything it ranked to get there.

    Attributes
    ----------
    ids, rows, scores : array of shape (budget,)
        The selected examples, best first: ids, rows in the pool, scores (higher is taken sooner).
    ranking : int array of shape (n_ranked,)
        Rows in the pool of all that was ranked, best first; starts with ``rows``.
    provenance : Provenance or None
        ALVIN's anchors behind each selected example; None for strategies without anchors.
    candidates : Candidates or None
    anchors : Anchors or None
    k : int or None
        The number of neighbors for each anchor that was really used.
    warnings : tuple of str
        What a user must be told, such as a fallback that was taken.
    n_considered : int
        How many examples it was chosen from, where these are more than were ranked.
    """

    ids: IdArray
    rows: IntArray
    scores: FloatArray
    ranking: IntArray
    provenance: Provenance | None = None
    candidates: Candidates | None = None
    anchors: Anchors | None = None
    k: int | None = None
    warnings: tuple[str, ...] = field(default=())
    n_considered: int = 0

    def __post_init__(self) -> None:
        check_lengths("Selection", ids=self.ids, rows=self.rows, scores=self.scores)
        if len(self.ranking) < len(self.rows):
            raise ValueError(f"Selection: {len(self.ranking)} ranked, but {len(self.rows)} selected")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_candidates(self) -> int:
        """How many examples the selection was chosen from."""
        return max(len(self.ranking), self.n_considered)
