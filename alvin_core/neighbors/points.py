"""The vectors nearest to points: the search around anchors, for what is no anchor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from alvin_core.neighbors import nearest_in_pool
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.types import Anchors, Float32Array, FloatArray, IntArray

__all__ = ["nearest_to_points"]

POINTS_AT_ONCE = 8192


def nearest_to_points(
    points: Float32Array, vectors: Float32Array, *, k: int, device: str = "cpu", progress: Progress = silent
) -> tuple[IntArray, FloatArray]:
    """Find the k vectors nearest to each point, exactly; see `nearest_in_pool`.

    Parameters
    ----------
    points : float32 array of shape (n_points, dim)
        Searched a block at a time: memory does not grow with them.
    vectors : float32 array of shape (n, dim)
        Of two at the same distance the one of the lower row comes first.
    k : int
        At most n.
    progress : Progress
        Told of the stage ``retrieve``, in points.

    Returns
    -------
    rows, distances : arrays of shape (n_points, k)
        Nearest first; the distances in float64.
    """
    rows, distances = np.empty((len(points), k), dtype=np.int32), np.empty((len(points), k))
    for start in range(0, len(points), POINTS_AT_ONCE):

        def report(event: ProgressEvent, start: int = start) -> None:
            progress(replace(event, done=start + event.done, total=len(points)))

        block = points[start : start + POINTS_AT_ONCE]
        own = np.arange(len(block))
        whole = np.ones(len(block), dtype=np.float32)  # an anchor that is all of one parent is a point
        anchors = Anchors(block, own, own, own, whole, np.zeros(len(block), dtype=np.int64))
        near = nearest_in_pool(vectors, np.arange(len(vectors)), anchors, k=k, device=device, progress=report)
        rows[start : start + len(block)], distances[start : start + len(block)] = near.rows, near.distances
    return rows, distances
