"""The k nearest pool examples of every anchor: one contract, several ways to compute it.

==============  ==========  ============================================================================
backend         exact       how
==============  ==========  ============================================================================
``segments``    yes         distances to the anchors from distances to their parents, compiled by numba
``torch``       yes         the same on any device that torch knows: cpu, cuda, mps
``faiss-flat``  yes         faiss's brute force over the anchors' vectors
``faiss-hnsw``  no          faiss's navigable graph: some true neighbors are missed
==============  ==========  ============================================================================

``auto`` takes ``segments`` on the processor where numba is installed, and ``torch`` everywhere else.

The exact backends search in float32, keep a few more than k, measure those in float64, and prove from a
bound on the rounding that nothing nearer was left out; an anchor for which the proof fails (near ties) is
searched again, wider. So they agree with a brute force in float64 to its last digits, ties included.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

import numpy as np

from alvin_core.errors import SettingsError
from alvin_core.neighbors.candidates import candidates_of
from alvin_core.neighbors.checking import check_device, check_ids, check_k, checked_anchors, checked_pool
from alvin_core.progress import Progress, silent
from alvin_core.types import Anchors, FloatArray, IdArray, IntArray, Neighbors

if TYPE_CHECKING:
    from alvin_core.neighbors.space import SearchSpace

__all__ = ["BACKENDS", "candidates_of", "nearest_in_pool"]


class Backend(Protocol):
    """Finds positions and distances, both of shape (n_anchors, k), of each anchor's nearest in the space."""

    def __call__(
        self, space: SearchSpace, k: int, *, device: str, progress: Progress
    ) -> tuple[IntArray, FloatArray]: ...


# name -> (module that is imported when first used, its function, library it needs, how to get that)
BACKENDS = {
    "segments": ("alvin_core.neighbors.segments", "nearest", "numba", "pip install numba"),
    "torch": ("alvin_core.neighbors.torch_exact", "nearest", "torch", "pip install torch"),
    "faiss-flat": ("alvin_core.neighbors.faiss_index", "nearest_flat", "faiss", "pip install faiss-cpu"),
    "faiss-hnsw": ("alvin_core.neighbors.faiss_index", "nearest_hnsw", "faiss", "pip install faiss-cpu"),
}


def nearest_in_pool(
    pool_vectors: FloatArray,
    pool_ids: IdArray,
    anchors: Anchors,
    *,
    k: int = 10,
    backend: str = "auto",
    device: str = "cpu",
    progress: Progress = silent,
) -> Neighbors:
    """Find the k nearest pool examples of every anchor, by Euclidean distance.

    Parameters
    ----------
    pool_vectors : float array of shape (n_pool, dim)
        Representations of the pool; read as float32.
    pool_ids : array of shape (n_pool,)
        No two alike; ties are broken by them.
    anchors : Anchors
        ``n_anchors`` points between pairs of the ``parent_vectors``, of shape (n_parents, dim).
    k : int
        Neighbors of each anchor, between 1 and n_pool.
    backend : str
        ``auto``, ``segments``, ``torch``, ``faiss-flat`` or ``faiss-hnsw``; the last one is approximate.
    device : str
        Where ``torch`` works: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; the other backends use the processor.
    progress : Progress
        Told of the stage ``retrieve``, in anchors.

    Returns
    -------
    Neighbors
        ``rows`` (int32) and ``distances`` (float64), both of shape (n_anchors, k), nearest first; of two
        examples at the same distance the one with the lower id comes first.

    Raises
    ------
    DataError
        On vectors that are not finite, shapes that do not fit, parents that do not exist, repeated ids.
    PoolError
        When k is greater than n_pool.
    SettingsError
        On an unknown backend, a k below 1, or a library that is not installed.
    DeviceError
        When the device is not there, or its memory is too small.

    Notes
    -----
    The retrieval step of Korakakis et al. (2024). Differs: ties broken by id, so that a seed gives one answer.
    """
    name = _choose(backend, check_device(device))
    pool = checked_pool(pool_vectors)
    ids = check_ids(pool_ids, len(pool))
    points = checked_anchors(anchors, dim=pool.shape[1])
    check_k(k, len(pool))
    if len(anchors) == 0:
        return Neighbors(np.empty((0, k), np.int32), np.empty((0, k)), ids, anchors)
    search = _load(name)

    from alvin_core.neighbors.duplicates import find_distinct
    from alvin_core.neighbors.space import SearchSpace

    distinct = find_distinct(pool, ids)
    space = SearchSpace.around(pool, distinct.rows, points)
    positions, distances = search(space, min(k, len(distinct.rows)), device=device, progress=progress)
    rows, distances = distinct.expand(positions, distances, k)
    return Neighbors(rows, distances, ids, anchors)


def _choose(backend: str, device_type: str) -> str:
    """Return the backend's name, with ``auto`` resolved."""
    if backend in BACKENDS:
        return backend
    if backend != "auto":
        raise SettingsError(f"backend = {backend!r} is unknown; choose one of: auto, {', '.join(BACKENDS)}")
    if device_type != "cpu":
        return "torch"
    from alvin_core.device import has_numba

    return "segments" if has_numba() else "torch"


def _load(name: str) -> Backend:
    """Import the backend's module and return its function."""
    module, function, library, remedy = BACKENDS[name]
    try:
        importlib.import_module(library)
    except ImportError as error:
        raise SettingsError(
            f"backend = {name!r} needs {library}, which cannot be imported ({error}): "
            f"{remedy}, or choose another backend"
        ) from error
    found: Backend = getattr(importlib.import_module(module), function)
    return found
