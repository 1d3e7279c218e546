"""What umap-learn does for a map: the graph of the space, the free layout, and single epochs of a held one.

No other module touches umap-learn. It is imported when a map is made, because that takes two seconds and compiling
its loops many more. Its functions are used rather than its class: one graph serves both layouts, and the neighbours are
found without its own search, whose compilation takes longer than the maps of a run.
"""

from __future__ import annotations

import importlib
import threading
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError
from alvin_core.types import Float32Array, FloatArray, IntArray

__all__ = ["Graph", "check_installed", "count_epochs", "fuzzy_graph", "lay_out_graph", "step"]

Graph = Any
"""A sparse matrix of scipy, of shape (n, n): symmetric, with weights in (0, 1]."""

SPREAD, MIN_DIST = 1.0, 0.1  # UMAP's defaults, as are the next two
REPULSION = 1.0
N_PUSHED = 5  # random points pushed away for each edge pulled together
EPOCHS, EPOCHS_LARGE, LARGE = 500, 200, 10_000  # as umap-learn does
RATE = 1.0

# The loops of umap-learn that a map runs, and where they are.
MODULES = ("umap.umap_", "umap.layouts")
LOOPS = ("smooth_knn_dist", "compute_membership_strengths", "_nb_optimize_layout_euclidean_single_epoch")

_kept: set[str] = set()
_one_at_a_time = threading.Lock()  # one of numba's threading layers ends the process when two threads enter it


def check_installed() -> None:
    """Import umap-learn, or say how to get it.

    Raises
    ------
    SettingsError
        When it cannot be imported.
    """
    _module("umap.umap_")


def fuzzy_graph(rows: IntArray, distances: FloatArray) -> Graph:
    """Weigh each example's neighbours by their distance beyond the nearest, and join both directions.

    Parameters
    ----------
    rows, distances : arrays of shape (n, k)
        Each example's nearest others, nearest first.

    Notes
    -----
    McInnes et al. (2018), section 3.1, with local connectivity 1.
    """
    n, k = rows.shape
    with_own = np.hstack([np.arange(n)[:, None], rows]).astype(np.int32)  # UMAP counts an example among its neighbours
    measured = np.hstack([np.zeros((n, 1)), distances]).astype(np.float32)
    with _one_at_a_time:
        graph, _, _ = _module("umap.umap_").fuzzy_simplicial_set(
            X=np.empty((n, 0)),  # asked for its length alone
            n_neighbors=k + 1,
            random_state=None,
            metric="euclidean",
            knn_indices=with_own,
            knn_dists=measured,
        )
    return graph


def count_epochs(n: int) -> int:
    """Return in how many epochs n points are laid out freely."""
    return EPOCHS if n <= LARGE else EPOCHS_LARGE


def lay_out_graph(graph: Graph, initial: FloatArray, seed: int) -> Float32Array:
    """Lay a graph out from initial places, all of them different, and return places of shape (n, 2)."""
    a, b = _curve()
    umap = _module("umap.umap_")
    xy, _ = umap.simplicial_set_embedding(
        data=None,  # asked for where there are no initial places
        graph=graph,
        n_components=2,
        initial_alpha=RATE,
        a=a,
        b=b,
        gamma=REPULSION,
        negative_sample_rate=N_PUSHED,
        n_epochs=count_epochs(len(initial)),
        init=initial,
        random_state=np.random.RandomState(seed),
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,  # the same map each time
    )
    return np.asarray(xy, dtype=np.float32)


def step(
    xy: Float32Array,
    heads: NDArray[np.int32],
    tails: NDArray[np.int32],
    rate: float,
    random_state: np.random.RandomState,
) -> None:
    """Pull the ends of given edges together once, and push random points away from their heads, in place."""
    a, b = _curve()
    limits = np.iinfo(np.int32)
    _module("umap.layouts").optimize_layout_euclidean(
        xy,
        xy,
        heads,
        tails,
        n_epochs=2,  # an edge that is due in every epoch is first due in the second, which has the whole rate
        n_vertices=len(xy),
        epochs_per_sample=np.ones(len(heads)),
        a=a,
        b=b,
        rng_state=random_state.randint(limits.min, limits.max, 3).astype(np.int64),
        gamma=REPULSION,
        initial_alpha=rate,
        negative_sample_rate=N_PUSHED + 1,  # of which the second epoch leaves the first out
        parallel=False,
        move_other=True,
    )


def _curve() -> tuple[float, float]:
    a, b = _module("umap.umap_").find_ab_params(SPREAD, MIN_DIST)
    return a, b


def _module(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # it says that TensorFlow is missing, which no map needs
            module = importlib.import_module(name)
    except ImportError as error:
        raise SettingsError(
            f"UMAP needs umap-learn, which cannot be imported ({error}); "
            "`pip install \"alvin-studio[dashboard]\"`, or use the method 'pca'"
        ) from error
    for one in MODULES:  # all before the first loop runs: they call each other
        _keep_compiled(importlib.import_module(one))
    return module


def _keep_compiled(module: Any) -> None:
    """Keep a module's machine code on disk, as numba does if asked, so that one process alone compiles it.

    umap-learn leaves that to its users. A loop of another name in another version of it is compiled in each process, as
    all are where nothing may be written.
    """
    if module.__name__ in _kept:
        return
    _kept.add(module.__name__)
    for loop in LOOPS:
        compiled: Any = getattr(module, loop, None)
        if hasattr(compiled, "enable_caching"):
            with suppress(RuntimeError):  # numba found no folder that it may write to
                compiled.enable_caching()
