"""Maps of very many examples: some of them are laid out, and each of the others is put beside its nearest of those."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from alvin_core.progress import Progress, ProgressEvent
from alvin_core.projection.searching import nearest_rows
from alvin_core.types import Float32Array, FloatArray, IntArray

__all__ = ["LAID_OUT_UP_TO", "N_LANDMARKS", "landmark_rows", "nearest_landmarks", "placed_among"]

LAID_OUT_UP_TO = 50_000  # examples; of more, landmarks
N_LANDMARKS = 20_000  # so many that each has few others beside it, so few that their neighbours are found exactly
N_NEAREST = 10
LEAN = 0.2  # of the way from the nearest landmark to the barycentre of the nearest ones
STAGE = "places"


def landmark_rows(n: int, seed: int) -> IntArray:
    """Return which of n examples are laid out: all of up to 50,000, else 20,000 drawn at random, ascending."""
    if n <= LAID_OUT_UP_TO:
        return np.arange(n)
    # A stream of its own: from the bare seed, all examples that a map is judged by could be landmarks.
    rng = np.random.default_rng([seed, crc32(b"landmarks")])
    return np.sort(rng.choice(n, size=N_LANDMARKS, replace=False))


def nearest_landmarks(
    vectors: Float32Array, rows: IntArray, progress: Progress
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Find the nearest landmarks of every example that is none.

    Parameters
    ----------
    vectors : float32 array of shape (n, dim)
    rows : int array of shape (n_landmarks,)
        The landmarks, ascending.
    progress : Progress
        Stage ``places``, in examples; may raise Cancelled.

    Returns
    -------
    nearest, distances : int32 and float64 arrays of shape (n - n_landmarks, 10)
        Positions in ``rows``, nearest first; exact, and any of those that are equally far.
    """
    others = _others(len(vectors), rows)
    progress(ProgressEvent(STAGE, 0, len(others)))
    return nearest_rows(
        vectors[rows],
        vectors[others],
        min(N_NEAREST, len(rows)),
        report=lambda done: progress(ProgressEvent(STAGE, done, len(others))),
    )


def placed_among(xy: Float32Array, rows: IntArray, nearest: NDArray[np.int32], distances: FloatArray) -> Float32Array:
    """Return the places of all examples, given those of the landmarks.

    Parameters
    ----------
    xy : float32 array of shape (n_landmarks, 2)
    rows : int array of shape (n_landmarks,)
    nearest, distances : arrays of shape (n - n_landmarks, k)
        As `nearest_landmarks` returns them.

    Returns
    -------
    float32 array of shape (n, 2)

    Notes
    -----
    An example lies beside its nearest landmark, a fifth of the way towards the barycentre of its 10 nearest, weighed by
    inverse distance. The barycentre itself keeps fewer neighbours: in many dimensions all distances are alike, so it
    draws everything towards the middle of clusters. On the landmark itself, points would hide each other.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(distances[:, :1] > 0, distances[:, :1] / distances, distances == 0)
    weights /= weights.sum(axis=1, keepdims=True)
    middle = np.einsum("mk,mkd->md", weights, xy[nearest])
    places = np.empty((len(rows) + len(nearest), 2), dtype=np.float32)
    places[rows] = xy
    places[_others(len(places), rows)] = xy[nearest[:, 0]] + LEAN * (middle - xy[nearest[:, 0]])
    return places


def _others(n: int, rows: IntArray) -> IntArray:
    is_other = np.ones(n, dtype=bool)
    is_other[rows] = False
    return np.flatnonzero(is_other)
