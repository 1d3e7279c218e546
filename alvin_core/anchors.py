"""Groups + representations -> anchors: artificial points between two labeled examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alvin_core.errors import SettingsError
from alvin_core.groups import class_rows
from alvin_core.settings import AlvinSettings, Pairing
from alvin_core.types import Anchors, BoolArray, IntArray

__all__ = ["MAX_ANCHORS", "count_anchors", "make_anchors"]

# Ten million anchors with ten neighbors each take about 1 GB; beyond, memory would end without a word.
MAX_ANCHORS = 10_000_000

RowArray = NDArray[np.int64]
ClassPairs = tuple[int, RowArray, RowArray]  # class, first parents' candidates, second parents' candidates


def make_anchors(
    vectors: ArrayLike,
    ids: ArrayLike,
    classes: ArrayLike,
    is_minority: ArrayLike,
    *,
    alpha: float = 2.0,
    n_anchors: int = 15,
    max_pairs: int | None = None,
    pairing: Pairing = "minority-majority",
    rng: np.random.Generator,
) -> Anchors:
    """Interpolate between minority and majority examples of each class.

    Parameters
    ----------
    vectors : array_like of float, shape (n_labeled, dim)
        Representations of the labeled examples.
    ids : array_like, shape (n_labeled,)
    classes : array_like of int, shape (n_labeled,)
    is_minority : array_like of bool, shape (n_labeled,)
    alpha : float
        Both parameters of the Beta distribution of the weight; larger is nearer the midpoint.
    n_anchors : int
        Anchors for each pair, K.
    max_pairs : int, optional
        Draw this many pairs of each class without replacement when it has more; None takes all.
    pairing : {"minority-majority", "minority-minority", "majority-majority", "across-classes", "no-interpolation"}
        The first is ALVIN; the others are ablations. ``across-classes`` takes the second parent from the majority of
        the other classes; ``no-interpolation`` makes each minority example one anchor, itself (weight 1).
    rng : numpy.random.Generator

    Returns
    -------
    Anchors
        Empty when no class has a pair. The vectors of anchors are computed only when asked for.

    Raises
    ------
    SettingsError
        For a parameter out of range, vectors that are not finite, lengths that differ, or over ten million anchors.

    Notes
    -----
    Korakakis et al. (2024): ``anchor = w z_i + (1 - w) z_j`` with i a minority and j a majority example of one class,
    ``w ~ Beta(alpha, alpha)``. ``alpha``, K and ``max_pairs`` have defaults of this project.
    """
    AlvinSettings(alpha=alpha, n_anchors=n_anchors, max_pairs=max_pairs, pairing=pairing)  # raises when out of range
    parents, parent_ids, labels, minority = _checked(vectors, ids, classes, is_minority)
    per_pair = _per_pair(pairing, n_anchors)
    blocks = list(_PAIRINGS[pairing](labels, minority))
    counts = [_n_pairs(block, pairing, max_pairs) for block in blocks]
    total = sum(counts) * per_pair
    if total > MAX_ANCHORS:
        raise SettingsError(
            f"{sum(counts):,} pairs with {per_pair} anchors each make {total:,} anchors, above the limit of "
            f"{MAX_ANCHORS:,}; set alvin.max_pairs to at most {max(MAX_ANCHORS // (per_pair * len(blocks)), 1):,} "
            "or lower alvin.n_anchors"
        )
    firsts, seconds, anchor_classes = [], [], []
    for (class_, first, second), n_pairs in zip(blocks, counts, strict=True):
        pair_first, pair_second = _draw_pairs(first, second, n_pairs, pairing, rng)
        firsts.append(np.repeat(pair_first, per_pair))
        seconds.append(np.repeat(pair_second, per_pair))
        anchor_classes.append(np.full(n_pairs * per_pair, class_, dtype=np.int64))
    weights = np.ones(total) if pairing == "no-interpolation" else rng.beta(alpha, alpha, size=total)
    empty = np.empty(0, dtype=np.int64)
    return Anchors(
        parent_vectors=parents,
        parent_ids=parent_ids,
        minority_rows=np.concatenate([empty, *firsts]),
        majority_rows=np.concatenate([empty, *seconds]),
        weights=weights.astype(np.float32),
        classes=np.concatenate([empty, *anchor_classes]),
    )


def count_anchors(
    classes: IntArray, is_minority: BoolArray, *, n_anchors: int, max_pairs: int | None, pairing: Pairing
) -> int:
    """Return how many anchors `make_anchors` would make of its arguments of the same names."""
    blocks = _PAIRINGS[pairing](classes, is_minority)
    return _per_pair(pairing, n_anchors) * sum(_n_pairs(block, pairing, max_pairs) for block in blocks)


def _per_pair(pairing: Pairing, n_anchors: int) -> int:
    return 1 if pairing == "no-interpolation" else n_anchors  # a point has no second place on its segment


def _checked(
    vectors: ArrayLike, ids: ArrayLike, classes: ArrayLike, is_minority: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.generic], IntArray, BoolArray]:
    parents = np.ascontiguousarray(vectors, dtype=np.float32)
    parent_ids = np.asarray(ids)
    labels = class_rows(classes)
    minority = np.asarray(is_minority, dtype=bool)
    if parents.ndim != 2 or not len(parents) == len(parent_ids) == len(labels) == len(minority):
        raise SettingsError(
            f"vectors {parents.shape}, ids {parent_ids.shape}, classes {labels.shape} and is_minority {minority.shape} "
            "do not fit: they must be (n_labeled, dim) and three times (n_labeled,)"
        )
    if not np.isfinite(parents).all():
        raise SettingsError("the labeled examples' vectors hold NaN or infinity; check the encoder and the training")
    return parents, parent_ids, labels, minority


def _each_class(classes: IntArray, first: BoolArray, second: BoolArray) -> Iterator[ClassPairs]:
    for class_ in np.unique(classes):
        of_class = classes == class_
        yield int(class_), np.flatnonzero(of_class & first), np.flatnonzero(of_class & second)


def _minority_majority(classes: IntArray, minority: BoolArray) -> Iterator[ClassPairs]:
    return _each_class(classes, minority, ~minority)


def _minority_minority(classes: IntArray, minority: BoolArray) -> Iterator[ClassPairs]:
    return _each_class(classes, minority, minority)


def _majority_majority(classes: IntArray, minority: BoolArray) -> Iterator[ClassPairs]:
    return _each_class(classes, ~minority, ~minority)


def _across_classes(classes: IntArray, minority: BoolArray) -> Iterator[ClassPairs]:
    for class_ in np.unique(classes):
        of_class = classes == class_
        yield int(class_), np.flatnonzero(of_class & minority), np.flatnonzero(~of_class & ~minority)


_PAIRINGS: dict[str, Callable[[IntArray, BoolArray], Iterator[ClassPairs]]] = {
    "minority-majority": _minority_majority,
    "minority-minority": _minority_minority,
    "majority-majority": _majority_majority,
    "across-classes": _across_classes,
    "no-interpolation": _minority_minority,  # the same examples; `_draw_pairs` pairs each with itself
}
_WITHIN_ONE_SET = ("minority-minority", "majority-majority")


def _n_pairs(block: ClassPairs, pairing: Pairing, max_pairs: int | None) -> int:
    _, first, second = block
    if pairing == "no-interpolation":
        n_pairs = len(first)
    elif pairing in _WITHIN_ONE_SET:
        n_pairs = len(first) * (len(first) - 1) // 2  # each unordered pair once: the Beta is symmetric
    else:
        n_pairs = len(first) * len(second)
    return n_pairs if max_pairs is None else min(n_pairs, max_pairs)


def _draw_pairs(
    first: RowArray, second: RowArray, n_pairs: int, pairing: Pairing, rng: np.random.Generator
) -> tuple[RowArray, RowArray]:
    """Return the rows of both parents of ``n_pairs`` distinct pairs, in a fixed order."""
    within = pairing in _WITHIN_ONE_SET
    if pairing == "no-interpolation":
        numbers = _some_of(len(first), n_pairs, rng)
        return first[numbers], first[numbers]
    n_all = len(first) * (len(first) - 1) // 2 if within else len(first) * len(second)
    numbers = _some_of(n_all, n_pairs, rng)
    if within:
        below, above = _unordered_pair(numbers)
        return first[below], second[above]
    return first[numbers // max(len(second), 1)], second[numbers % max(len(second), 1)]


def _some_of(n: int, n_drawn: int, rng: np.random.Generator) -> RowArray:
    if n_drawn == n:
        return np.arange(n, dtype=np.int64)
    return np.sort(rng.choice(n, size=n_drawn, replace=False, shuffle=False)).astype(np.int64)


def _unordered_pair(numbers: RowArray) -> tuple[RowArray, RowArray]:
    """Number 0, 1, 2, 3 … -> pairs (0, 1), (0, 2), (1, 2), (0, 3) …, with no list of all pairs."""
    above = ((1 + np.sqrt(1 + 8 * numbers.astype(np.float64))) / 2).astype(np.int64)
    # The square root may be off by one in the last bit; integers put it right.
    above -= above * (above - 1) // 2 > numbers
    above += (above + 1) * above // 2 <= numbers
    return numbers - above * (above - 1) // 2, above
