"""How far two maps of the same examples lie apart, and how to bring one nearer to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.types import Float32Array, FloatArray, check_lengths

__all__ = ["align", "displacement", "held_near", "rms_radius"]


def rms_radius(xy: NDArray[Any]) -> float:
    """Return the root of the mean squared distance of points from their centroid."""
    centred = xy - xy.mean(axis=0, dtype=np.float64)
    return float(np.sqrt(np.square(centred).sum(axis=1).mean()))


def displacement(xy: FloatArray, before: FloatArray) -> float:
    """Return the mean distance between each point's two places, in units of the earlier map's RMS radius.

    Parameters
    ----------
    xy, before : float arrays of shape (n, 2)
        The same examples in the same order.
    """
    check_lengths("displacement", xy=xy, before=before)
    radius = rms_radius(before)
    moved = float(np.hypot(*(xy.astype(np.float64) - before).T).mean())
    if radius == 0:
        return 0.0 if moved == 0 else float("inf")
    return moved / radius


def align(xy: FloatArray, before: FloatArray) -> Float32Array:
    """Turn, mirror, scale and shift a map, as a whole, to lie nearest to an earlier one with the same RMS radius.

    Notes
    -----
    Orthogonal Procrustes (Schönemann, 1966). The scale makes the radii equal instead of the squares least: the
    least-squares scale shrinks a map the more, the less it resembles the other.
    """
    centre = before.mean(axis=0, dtype=np.float64)
    centred = xy - xy.mean(axis=0, dtype=np.float64)
    left, _, right = np.linalg.svd(centred.T @ (before - centre))
    radius = rms_radius(xy)
    scale = rms_radius(before) / radius if radius else 1.0
    return np.asarray(scale * centred @ (left @ right) + centre, dtype=np.float32)


def held_near(xy: FloatArray, home: FloatArray, most: float) -> Float32Array:
    """Bring points back until their mean distance from home is at most so much, and change them as little as can be.

    Points that moved least are put back, those that moved furthest keep most of their way: the Euclidean projection
    onto the set of maps with that mean distance. Shrinking all ways alike moves more, and keeps fewer neighbours.

    Notes
    -----
    The projection onto the ball of the mixed norm L1,2: the lengths are projected onto the simplex
    (Duchi et al., 2008, figure 1).
    """
    ways = xy.astype(np.float64) - home
    lengths = np.hypot(*ways.T)
    total = most * len(lengths)
    if lengths.sum() <= total:
        return xy.astype(np.float32)
    ordered = np.sort(lengths)[::-1]
    thresholds = (np.cumsum(ordered) - total) / np.arange(1, len(ordered) + 1)
    threshold = thresholds[np.flatnonzero(ordered >= thresholds)[-1]]
    shares = np.maximum(0, lengths - threshold) / np.where(lengths > 0, lengths, 1)
    return np.asarray(home + ways * shares[:, None], dtype=np.float32)
