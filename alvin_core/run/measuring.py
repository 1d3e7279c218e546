"""True distances in a round's space, by numpy alone: exact, and fast enough to answer a click.

A process that only looks at a run has neither numba nor torch, so it cannot ask `alvin_core.neighbors`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.run.archive import VECTORS
from alvin_core.run.handle import RunHandle
from alvin_core.store.arrays import load_array
from alvin_core.store.tables import RoundRow
from alvin_core.types import Anchors, BoolArray, Float32Array, FloatArray, IdArray, IntArray

__all__ = ["RoundSpace", "anchor_distances", "nearest_places", "round_anchors", "round_space"]

UNIT_ROUNDOFF = 2.0**-24  # of float32
NUMBERS_AT_ONCE = 262_144  # coordinates measured at once: they stay in a processor's cache
PAIRS_AT_ONCE = 4096


@dataclass(frozen=True)
class RoundSpace:
    """The representations of a stored round, memory-mapped.

    Attributes
    ----------
    vectors : float32 array of shape (n_vectors, dim)
        Of labeled and pool examples.
    rows : int array of shape (n_vectors,)
        Their rows in the data set, ascending. A *place* is a position in it.
    ids : array of shape (n_vectors,)
    is_open : bool array of shape (n_vectors,)
        Whether the example was unlabeled when the round began: what anchors are searched among.
    """

    vectors: Float32Array
    rows: IntArray
    ids: IdArray
    is_open: BoolArray

    def __post_init__(self) -> None:
        if not len(self.vectors) == len(self.rows) == len(self.ids) == len(self.is_open):
            raise ValueError(
                f"RoundSpace: {len(self.vectors)} vectors, {len(self.rows)} rows, {len(self.ids)} ids and "
                f"{len(self.is_open)} is_open must be of one length"
            )

    def places_of(self, rows: IntArray) -> IntArray:
        """Return the places of some rows of the data set, all of which must have a vector."""
        places = np.searchsorted(self.rows, rows)
        if not np.array_equal(self.rows[np.minimum(places, len(self.rows) - 1)], rows):
            raise ValueError("RoundSpace: some rows have no vector in this round")
        return places


def round_space(handle: RunHandle, stored: RoundRow, arrays: dict[str, NDArray[Any]]) -> RoundSpace:
    """Open the space of a stored round."""
    rows = arrays["vector_rows"]
    is_open = np.ones(len(handle.dataset), dtype=bool)
    is_open[arrays["labeled_rows"]] = False
    vectors = load_array(handle.folder / stored.folder, VECTORS)
    return RoundSpace(vectors, rows, handle.dataset.ids[rows], is_open[rows])


def round_anchors(space: RoundSpace, arrays: dict[str, NDArray[Any]], anchor_rows: IntArray | None = None) -> Anchors:
    """Return a stored round's anchors, or some of them, with only those parents that occur; none where it has none."""
    nothing = np.empty(0, dtype=np.int32)
    first, second, weights, classes = (
        arrays.get(name, empty) if anchor_rows is None else arrays.get(name, empty)[anchor_rows]
        for name, empty in (
            ("anchor_minority_rows", nothing),
            ("anchor_majority_rows", nothing),
            ("anchor_weights", nothing.astype(np.float32)),
            ("anchor_classes", nothing),
        )
    )
    parent_rows, numbers = np.unique(np.concatenate([first, second]), return_inverse=True)
    places = space.places_of(parent_rows)
    return Anchors(
        parent_vectors=np.asarray(space.vectors[places]),
        parent_ids=space.ids[places],
        minority_rows=numbers[: len(first)],
        majority_rows=numbers[len(first) :],
        weights=weights,
        classes=classes,
    )


def nearest_places(
    space: RoundSpace, points: FloatArray, k: int, *, among: BoolArray
) -> list[tuple[IntArray, NDArray[np.float64]]]:
    """Find the k nearest of some examples to each point, exactly.

    Parameters
    ----------
    space : RoundSpace
    points : float array of shape (n_points, dim)
    k : int
        At least 1.
    among : bool array of shape (n_vectors,)
        The places to search.

    Returns
    -------
    list of (places, distances)
        For each point, both of shape (min(k, number searched),), nearest first; of equal distances the lower id.

    Notes
    -----
    Distances are first taken in float32, by differences, so that their errors are relative: none but those within the
    error of the k-th nearest can be among the k, and these alone are measured in float64.
    """
    searched = np.flatnonzero(among)
    k = min(k, len(searched))
    found: list[tuple[IntArray, NDArray[np.float64]]] = []
    for point, squares in zip(points, _rough_squares(space.vectors, points), strict=True):
        if k == 0:
            found.append((searched, np.empty(0)))
            continue
        rough = squares[searched]
        near = searched[rough <= _bound(float(np.partition(rough, k - 1)[k - 1]), point)]
        distances = _distances(space.vectors, near, point)
        order = np.lexsort((space.ids[near], distances))[:k]
        found.append((near[order], distances[order]))
    return found


def anchor_distances(anchors: Anchors, point: FloatArray) -> NDArray[np.float64]:
    """Measure the distance from a point to every anchor, of shape (n_anchors,).

    Notes
    -----
    An anchor lies on the segment between its parents a and b, so its squared distance is
    ``w |a - x|² + (1 - w) |b - x|² - w (1 - w) |a - b|²``: only parents and pairs are measured.
    """
    parents = anchors.parent_vectors.astype(np.float64)
    to_parents = np.square(parents - point).sum(axis=1)
    first, second = anchors.minority_rows.astype(np.int64), anchors.majority_rows.astype(np.int64)
    pairs, pair_of = np.unique(first * max(len(parents), 1) + second, return_inverse=True)
    between = np.empty(len(pairs))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        ones, others = np.divmod(pairs[start : start + PAIRS_AT_ONCE], len(parents))
        between[start : start + PAIRS_AT_ONCE] = np.square(parents[ones] - parents[others]).sum(axis=1)
    weights = anchors.weights.astype(np.float64)
    rest = 1.0 - weights
    squares = weights * to_parents[first] + rest * to_parents[second] - weights * rest * between[pair_of]
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _rough_squares(vectors: Float32Array, points: FloatArray) -> NDArray[np.float32]:
    """Return squared distances in float32, of shape (n_points, n_vectors); the vectors are read once."""
    near_points = np.asarray(points, dtype=np.float32)
    n, dim = vectors.shape
    squares = np.empty((len(near_points), n), dtype=np.float32)
    step = max(1, NUMBERS_AT_ONCE // dim)
    room = np.empty((step, dim), dtype=np.float32)
    with np.errstate(over="ignore"):  # what overflows is infinitely far, here and in the bound, so it is measured again
        for start in range(0, n, step):
            block = vectors[start : start + step]
            for squares_of, point in zip(squares, near_points, strict=True):
                differences = np.subtract(block, point, out=room[: len(block)])
                np.einsum("nd,nd->n", differences, differences, out=squares_of[start : start + step])
    return squares


def _bound(kth: float, point: FloatArray) -> float:
    """Return what the float32 square of none of the k nearest can exceed, given the k-th lowest of them."""
    relative = 2 * (len(point) + 8) * UNIT_ROUNDOFF
    # The point itself is rounded to float32, which moves it: once for the k-th nearest, once for the others.
    shift = 2 * UNIT_ROUNDOFF * float(np.linalg.norm(np.asarray(point, dtype=np.float64)))
    smallest = len(point) * 2.0**-124  # below this float32 rounds absolutely, not relatively
    furthest = math.sqrt(kth) * (1 + relative) + shift
    return furthest * furthest * (1 + relative) + smallest


def _distances(vectors: Float32Array, places: IntArray, point: FloatArray) -> NDArray[np.float64]:
    distances = np.empty(len(places))
    step = max(1, NUMBERS_AT_ONCE // vectors.shape[1])
    for start in range(0, len(places), step):
        differences = vectors[places[start : start + step]] - np.asarray(point, dtype=np.float64)
        distances[start : start + step] = np.sqrt(np.einsum("nd,nd->n", differences, differences))
    return distances
