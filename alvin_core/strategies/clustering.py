"""k-means over vectors: what strategies that spread their picks share."""

from __future__ import annotations

import importlib
import math
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from alvin_core.errors import SettingsError
from alvin_core.neighbors.checking import checked_pool
from alvin_core.neighbors.duplicates import Distinct, find_distinct
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.types import Float32Array, FloatArray, IntArray, check_lengths

__all__ = ["Clustering", "find_clusters", "kmeans_steps", "unit_vectors"]

MAX_ITERATIONS = 100
ITERATIONS_AT_ONCE = 10  # between two looks at whether to stop
PRODUCTS_AT_ONCE = 50_000_000_000  # or fewer iterations than that, so that a stop is heard within seconds
WORTHWHILE = 1e-4  # iterations go on while each lowers the objective by this share
SEEDING_ROWS = 3_000  # k-means++ draws its starting points from a sample of this size, or
SEEDING_ROWS_EACH = 10  # of so many for each cluster, where that is more
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Clustering:
    """Clusters of vectors.

    Attributes
    ----------
    centroids : float32 array of shape (n_clusters, dim)
    labels : int array of shape (n,)
        The cluster of each vector.
    inertia : float
        Sum of the squared distances of the vectors to the centroid of their cluster.
    """

    centroids: Float32Array
    labels: IntArray
    inertia: float

    @property
    def sizes(self) -> IntArray:
        """How many vectors each cluster has, of shape (n_clusters,)."""
        return np.bincount(self.labels, minlength=len(self.centroids))


def unit_vectors(vectors: Float32Array, rows: IntArray) -> Float32Array:
    """Scale some vectors to length 1; a vector of zeros stays one.

    Parameters
    ----------
    vectors : float32 array of shape (n, dim)
    rows : int array of shape (n_rows,)

    Returns
    -------
    float32 array of shape (n_rows, dim)
        The vectors of these rows, in their order.

    Raises
    ------
    DataError
        When vectors are not finite.
    """
    checked = checked_pool(vectors)
    scaled = np.empty((len(rows), checked.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        block = checked[rows[part]].astype(np.float64)
        lengths = np.sqrt(np.einsum("nd,nd->n", block, block))
        scaled[part] = block / np.where(lengths > 0, lengths, 1.0)[:, None]
    return scaled


def find_clusters(
    vectors: Float32Array,
    n_clusters: int,
    rng: np.random.Generator,
    *,
    progress: Progress = silent,
    note: str = "",
) -> Clustering:
    """Find clusters of least inertia by k-means.

    Parameters
    ----------
    vectors : float32 array of shape (n, dim)
    n_clusters : int
        How many to find; there are as many as distinct vectors where those are fewer.
    rng : numpy.random.Generator
    progress : Progress
        Told of the stage ``select``, in iterations, with ``note``; may raise to stop.

    Raises
    ------
    DataError
        When vectors are not finite.
    SettingsError
        When scikit-learn is not installed.

    Notes
    -----
    Lloyd's iterations of scikit-learn from one k-means++ start (Arthur & Vassilvitskii 2007), some iterations at a
    time, until they lower the objective by less than 0.01 % each. Equal vectors are one vector of a greater weight,
    so none of the clusters is empty for their sake. One thread does it all: with several, scikit-learn adds up the
    centroids in whatever order threads finish, and equal seeds would not give equal clusters.

    Memory: one copy of the vectors (150 MB for 100,000 × 384), and the sample that the start is drawn from in
    float64 (15 MB for 500 clusters). A stop is heard after the start is drawn, and then every few iterations: with
    500 clusters of 100,000 × 384 each of these takes some seconds.
    """
    checked = checked_pool(vectors)
    distinct = find_distinct(checked, np.arange(len(checked)))
    points = checked if distinct.sizes is None else checked[distinct.rows]
    weights = None if distinct.sizes is None else distinct.sizes.astype(np.float32)
    n_found = min(n_clusters, len(points))
    cluster = _sklearn_cluster()
    with threadpool_limits(1), warnings.catch_warnings():
        # Said where a cluster has lost its last vector: the strategies cope with clusters of any size.
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        progress(ProgressEvent("select", 0, MAX_ITERATIONS, note))
        start = _seed(cluster, points, weights, n_found, rng)
        fitted = _iterate(cluster, points, weights, start, progress, note)
    centroids = np.asarray(fitted.cluster_centers_, dtype=np.float32)
    return Clustering(centroids, _expand(distinct, np.asarray(fitted.labels_)), float(fitted.inertia_))


def kmeans_steps(n: int, dim: int, n_clusters: int) -> int:
    """About how many elementary steps `find_clusters` takes; see `Strategy.steps`."""
    found = max(1, min(n_clusters, n))
    seeding = min(n, max(SEEDING_ROWS, SEEDING_ROWS_EACH * found)) * (2 + int(math.log(found)))
    # Some 20 iterations are usual: products of matrices, which are fast, and a few slower passes over the vectors.
    return dim * (2 * found * seeding + n * (10 * found + 600))


def _sklearn_cluster() -> ModuleType:
    try:
        return importlib.import_module("sklearn.cluster")
    except ImportError as error:
        raise SettingsError(
            f"k-means needs scikit-learn, which cannot be imported ({error}): pip install scikit-learn, "
            "or choose another strategy"
        ) from error


def _seed(
    cluster: ModuleType,
    points: Float32Array,
    weights: Float32Array | None,
    n_clusters: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw starting points by k-means++, of shape (n_clusters, dim)."""
    n_rows = max(SEEDING_ROWS, SEEDING_ROWS_EACH * n_clusters)
    if n_rows < len(points):
        rows = np.sort(rng.choice(len(points), n_rows, replace=False))
        points, weights = points[rows], None if weights is None else weights[rows]
    # In float64 scikit-learn multiplies at once; float32 it would convert anew for every centroid.
    start, _ = cluster.kmeans_plusplus(
        points.astype(np.float64), n_clusters, sample_weight=weights, random_state=_seed_of(rng)
    )
    return np.asarray(start, dtype=np.float32)


def _iterate(
    cluster: ModuleType,
    points: Float32Array,
    weights: Float32Array | None,
    start: FloatArray,
    progress: Progress,
    note: str,
) -> Any:
    """Move the centroids until it is no longer worth it; returns the fitted `sklearn.cluster.KMeans`."""
    n_at_once = PRODUCTS_AT_ONCE // max(1, points.size * len(start))
    n_at_once = min(max(2, n_at_once), ITERATIONS_AT_ONCE)
    inertia, n_done = np.inf, 0
    while True:
        # tol=0: stops of its own accord only when nothing changes cluster any more.
        fitted = cluster.KMeans(len(start), init=start, n_init=1, max_iter=n_at_once, tol=0.0, random_state=0)
        fitted.fit(points, sample_weight=weights)
        n_done += n_at_once
        progress(ProgressEvent("select", min(n_done, MAX_ITERATIONS), MAX_ITERATIONS, note))
        settled = fitted.n_iter_ < n_at_once or fitted.inertia_ >= inertia * (1 - WORTHWHILE * n_at_once)
        if settled or n_done >= MAX_ITERATIONS:
            return fitted
        start, inertia = fitted.cluster_centers_, fitted.inertia_


def _seed_of(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _expand(distinct: Distinct, labels: IntArray) -> NDArray[np.int64]:
    """From the clusters of distinct vectors to those of all."""
    if distinct.sizes is None:
        return labels.astype(np.int64)
    assert distinct.starts is not None
    assert distinct.members is not None
    check_lengths("clusters", labels=labels, sizes=distinct.sizes)
    within = np.arange(distinct.sizes.sum()) - np.repeat(np.cumsum(distinct.sizes) - distinct.sizes, distinct.sizes)
    expanded = np.empty(len(distinct.members), dtype=np.int64)
    expanded[distinct.members[np.repeat(distinct.starts, distinct.sizes) + within]] = np.repeat(labels, distinct.sizes)
    return expanded
