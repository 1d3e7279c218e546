"""UMAP's layout of a graph: freely, or held near an earlier one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alvin_core.progress import Progress, ProgressEvent
from alvin_core.projection.aligning import held_near, rms_radius
from alvin_core.projection.umap_learn import Graph, count_epochs, lay_out_graph, step
from alvin_core.types import Float32Array, FloatArray

__all__ = ["MOST_DISPLACEMENT", "lay_out", "lay_out_near", "near_enough"]

MOST_DISPLACEMENT = 0.05  # mean, in RMS radii: a jump that an eye that watches one point still follows
ROUNDING_ROOM = 0.99
# Many small steps: large ones are noise, which wears out the distance that a point may move.
HELD_EPOCHS = 100
HELD_RATE = 0.05
JITTER = 1e-5  # of the extent: equal points would stay together for ever
STAGE = "layout"


def lay_out(graph: Graph, initial: FloatArray, seed: int, progress: Progress) -> Float32Array:
    """Lay a graph out from a first idea of it.

    Parameters
    ----------
    graph : Graph
    initial : float array of shape (n, 2)
        In any unit, not all equal.
    seed : int
    progress : Progress
        Stage ``layout``, told before it and after it; may raise Cancelled.

    Returns
    -------
    float32 array of shape (n, 2)
        In UMAP's units.

    Notes
    -----
    Begun from the plane of the largest variances, not from eigenvectors of the graph: as good (Kobak & Linderman,
    2021), never fails to converge, and the map moves on from the picture that is shown until it is there.
    """
    n_epochs = count_epochs(len(initial))
    progress(ProgressEvent(STAGE, 0, n_epochs))
    jitter = np.random.default_rng(seed).normal(scale=JITTER * float(np.abs(initial).max()), size=initial.shape)
    xy = lay_out_graph(graph, initial + jitter, seed)
    progress(ProgressEvent(STAGE, n_epochs, n_epochs))
    return xy


def lay_out_near(
    graph: Graph, home: Float32Array, seed: int, progress: Progress, *, reach: float = np.inf
) -> Float32Array:
    """Lay a graph out as well as can be with points that move, in the mean, at most 0.05 RMS radii from home.

    Parameters
    ----------
    graph : Graph
    home : float32 array of shape (n, 2)
        An earlier map, about the origin, in UMAP's units.
    seed : int
    progress : Progress
        Stage ``layout``, in epochs; may raise Cancelled in each.
    reach : float
        No point ends further from the origin.

    Returns
    -------
    float32 array of shape (n, 2)
        In UMAP's units.

    Notes
    -----
    Projected gradient descent. After every epoch the map is brought to home's centre and radius, which say nothing,
    and then onto the set of maps that lie near enough (`held_near`), so the next epoch repairs what that broke.
    """
    radius = rms_radius(home)
    xy = np.ascontiguousarray(home, dtype=np.float32).copy()
    for _ in _epochs(xy, graph, seed, progress):
        centred = xy - xy.mean(axis=0)
        xy[:] = near_enough(centred * (radius / rms_radius(centred)), home, reach=reach)
    return xy


def near_enough(xy: FloatArray, home: Float32Array, *, reach: float) -> Float32Array:
    """Bring points back until they lie, in the mean, at most 0.05 RMS radii from home, and none beyond ``reach``.

    Parameters
    ----------
    xy, home : float arrays of shape (n, 2)
        Home lies within ``reach`` of the origin.
    reach : float
    """
    near = held_near(xy, home, ROUNDING_ROOM * MOST_DISPLACEMENT * rms_radius(home))
    # Towards a disc in which home lies, so no point gets further from home by it.
    lengths = np.hypot(*near.T)
    return np.asarray(near * np.minimum(1, reach / np.maximum(lengths, np.finfo(np.float32).tiny))[:, None], np.float32)


def _epochs(xy: Float32Array, graph: Graph, seed: int, progress: Progress) -> Iterator[None]:
    """Descend in place, pausing after every epoch, while the rate falls to nothing.

    An edge is used as often as its weight says, relative to the heaviest, which is used in every epoch.
    """
    edges = graph.tocoo()
    keep = edges.data >= edges.data.max() / HELD_EPOCHS  # the others would never come to be used
    heads, tails = edges.row[keep], edges.col[keep]
    periods = edges.data.max() / edges.data[keep]
    next_use = periods.copy()
    random_state = np.random.RandomState(seed)
    for epoch in range(HELD_EPOCHS):
        progress(ProgressEvent(STAGE, epoch, HELD_EPOCHS))
        due = next_use <= epoch + 1
        next_use[due] += periods[due]
        step(xy, heads[due], tails[due], HELD_RATE * (1 - epoch / HELD_EPOCHS), random_state)
        yield
    progress(ProgressEvent(STAGE, HELD_EPOCHS, HELD_EPOCHS))
