"""UMAP's layout of a graph: freely, or held near an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from alvin_core.errors import SettingsError
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.projection.aligning import held_near, rms_radius
from alvin_core.projection.graph import Graph
from alvin_core.types import Float32Array, FloatArray

__all__ = ["MOST_DISPLACEMENT", "lay_out", "lay_out_near"]

MOST_DISPLACEMENT = 0.05  # mean, in RMS radii: a jump that an eye that watches one point still follows
ROUNDING_ROOM = 0.99
FREE_EPOCHS, FREE_EPOCHS_LARGE, LARGE = 500, 200, 10_000  # as umap-learn does
FREE_RATE = 1.0
# Many small steps: large ones are noise, which wears out the distance that a point may move.
HELD_EPOCHS = 100
HELD_RATE = 0.05
INITIAL_EXTENT = 10.0  # UMAP's units
JITTER = 1e-4  # of a unit: equal points would stay together for ever
STAGE = "layout"


def lay_out(graph: Graph, initial: FloatArray, seed: int, progress: Progress) -> Float32Array:
    """Lay a graph out from a first idea of it.

    Parameters
    ----------
    graph : Graph
    initial : float array of shape (n, 2)
        In any unit, about the origin.
    seed : int
    progress : Progress
        Stage ``layout``, in epochs; may raise Cancelled in each.

    Returns
    -------
    float32 array of shape (n, 2)
        In UMAP's units.

    Notes
    -----
    Begun from the plane of the largest variances, not from eigenvectors of the graph: as good (Kobak & Linderman,
    2021), never fails to converge, and the map moves on from the picture that is shown until it is there.
    """
    extent = float(np.abs(initial).max())
    xy = initial * (INITIAL_EXTENT / extent if extent else 1.0)
    xy = np.ascontiguousarray(xy + np.random.default_rng(seed).normal(scale=JITTER, size=xy.shape), dtype=np.float32)
    n_epochs = FREE_EPOCHS if len(xy) <= LARGE else FREE_EPOCHS_LARGE
    for _ in _epochs(xy, graph, n_epochs, FREE_RATE, seed, progress):
        pass
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
        As in `lay_out`.
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
    for _ in _epochs(xy, graph, HELD_EPOCHS, HELD_RATE, seed, progress):
        centred = xy - xy.mean(axis=0)
        near = held_near(centred * (radius / rms_radius(centred)), home, ROUNDING_ROOM * MOST_DISPLACEMENT * radius)
        # Towards a disc in which home lies, so no point gets further from home by it.
        lengths = np.hypot(*near.T)
        xy[:] = near * np.minimum(1, reach / np.maximum(lengths, np.finfo(np.float32).tiny))[:, None]
    return xy


def _epochs(
    xy: Float32Array, graph: Graph, n_epochs: int, rate: float, seed: int, progress: Progress
) -> Iterator[None]:
    """Descend in place, pausing after every epoch, while the rate falls to nothing."""
    run_epoch = _kernel()
    weights = graph.weights
    keep = weights >= weights.max() / n_epochs  # the others would never come to be used
    heads, tails = graph.heads[keep], graph.tails[keep]
    periods = weights.max() / weights[keep]
    due, due_negative = periods.copy(), periods / np.float32(5)
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    for epoch in range(n_epochs):
        progress(ProgressEvent(STAGE, epoch, n_epochs))
        now = np.float32(rate * (1 - epoch / n_epochs))
        run_epoch(xy, heads, tails, periods, due, due_negative, state, epoch, now)
        yield
    progress(ProgressEvent(STAGE, n_epochs, n_epochs))


def _kernel() -> Callable[..., None]:
    try:
        from alvin_core.projection.layout_kernel import run_epoch
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise SettingsError(
            "UMAP needs numba, which is not installed; `pip install numba`, or use method 'pca'"
        ) from error
    kernel: Callable[..., None] = run_epoch
    return kernel
