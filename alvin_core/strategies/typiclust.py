"""TypiClust: the most typical examples of clusters that have no labeled one yet."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from alvin_core.neighbors.points import nearest_to_points
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.settings import TypiclustSettings
from alvin_core.strategies.clustering import find_clusters, kmeans_steps, unit_vectors
from alvin_core.strategies.pool import Pool
from alvin_core.strategies.ranking import in_order
from alvin_core.strategies.registry import strategy
from alvin_core.types import BoolArray, Float32Array, IntArray, Selection

__all__ = ["MIN_CLUSTER_SIZE", "most_typical", "typiclust"]

MIN_CLUSTER_SIZE = 5  # [paper: of a smaller cluster no member is typical]


def _work(pool: Pool, params: TypiclustSettings) -> int:
    assert pool.vectors is not None
    assert pool.labeled is not None
    assert pool.settings is not None
    n = len(pool) + len(pool.labeled.ids)
    dim: int = pool.vectors.shape[1]
    n_clusters = min(len(pool.labeled.ids) + pool.settings.budget, params.max_clusters, n)
    n_visited = min(pool.settings.budget, n_clusters)
    size = 2 * n // n_clusters  # the largest clusters are visited
    typicality = n_visited * (size * dim * (size // 2 + 50) + 10_000_000)
    return kmeans_steps(n, dim, n_clusters) + typicality


@strategy(
    "typiclust",
    needs={"vectors", "labeled"},
    cite="Hacohen, Dekel & Weinshall (2022)",
    settings="typiclust",
    work=_work,
)
def typiclust(pool: Pool, budget: int, params: TypiclustSettings, rng: np.random.Generator) -> Selection:
    """Select the most typical example of each of the largest clusters without labeled examples.

    Parameters
    ----------
    pool : Pool
        With ``vectors`` (n_pool, dim) and a labeled set.
    budget : int
    params : TypiclustSettings
    rng : numpy.random.Generator
        Decides where k-means starts.

    Returns
    -------
    Selection
        Scores count down from the budget, and only what was selected is ranked.

    Raises
    ------
    DataError
        When vectors are not finite.
    SettingsError
        When scikit-learn is not installed.

    Notes
    -----
    Hacohen, Dekel & Weinshall (2022, Algorithm 1 and its details). Labeled set and pool together are clustered into
    ``min(n_labeled + budget, max_clusters)`` clusters, of vectors at length 1 as in their public code
    (``features.py`` of avihu111/TypiClust); then see `most_typical`. Differs: k-means runs to its end for any number
    of clusters, where their code takes mini-batches above 50 to save time. Examples are clustered in the order of
    ids, so neither the pool's order nor the number of threads matters.

    Needs 330 MB beside a pool of 100,000 × 384 (measured): all vectors at length 1, and k-means's copy of them. Blocks
    of the distances within one cluster take up to 600 MB where tens of thousands fall into it.
    """
    labeled = pool.labeled
    assert labeled is not None  # the registry checked what the strategy needs
    assert pool.vectors is not None
    by_id = np.argsort(pool.ids, kind="stable")
    n_labeled = len(labeled.ids)
    vectors = np.empty((n_labeled + len(pool), pool.vectors.shape[1]), dtype=np.float32)
    vectors[:n_labeled] = unit_vectors(labeled.vectors, np.argsort(labeled.ids, kind="stable"))
    vectors[n_labeled:] = unit_vectors(pool.vectors, by_id)
    n_clusters = min(n_labeled + budget, params.max_clusters)
    clusters = find_clusters(vectors, n_clusters, rng, progress=pool.progress, note="typiclust")
    places = most_typical(
        vectors,
        clusters.labels,
        np.arange(len(vectors)) < n_labeled,
        budget,
        n_neighbors=params.n_neighbors,
        device=pool.device,
        progress=pool.progress,
    )
    rows = by_id[places - n_labeled]
    return in_order(pool, rows, np.arange(budget, 0.0, -1.0))


def most_typical(
    vectors: Float32Array,
    labels: IntArray,
    is_labeled: BoolArray,
    budget: int,
    *,
    n_neighbors: int,
    device: str = "cpu",
    progress: Progress = silent,
) -> IntArray:
    """Take the most typical unlabeled examples of clusters, those with the fewest labeled ones first.

    Parameters
    ----------
    vectors : float32 array of shape (n, dim)
    labels : int array of shape (n,)
        The cluster of each example.
    is_labeled : bool array of shape (n,)
        At least ``budget`` are not.
    budget : int
    n_neighbors : int

    Returns
    -------
    int array of shape (budget,)
        Rows, none twice.

    Notes
    -----
    Each pick is from the cluster with the fewest examples that are labeled or picked before; of several such, from the
    largest. Clusters of fewer than 5 examples come only when the others are used up. Typicality is the inverse of the
    mean distance to the nearest ``n_neighbors`` others of the cluster, or to all others where there are fewer; ties go
    by row. Differs from the authors' code: that takes the clusters in turn, leaves out those of 5 as well, and within
    a cluster does not count labeled examples as neighbors, and of the rest half at most.
    """
    state = _Clusters.of(labels, is_labeled)
    queues: dict[int, list[int]] = {}
    picks = np.empty(budget, dtype=np.int64)
    for place in range(budget):
        progress(ProgressEvent("select", place, budget, "typiclust"))
        cluster = state.next()
        if cluster not in queues:
            members = state.members(cluster)
            ranked = members[_by_typicality(vectors[members], n_neighbors, device, progress)]
            queues[cluster] = ranked[~is_labeled[ranked]][::-1].tolist()
        picks[place] = queues[cluster].pop()
        state.n_covered[cluster] += 1
    return picks


@dataclass
class _Clusters:
    """Who is in which cluster, and how many of each are labeled or picked."""

    by_cluster: IntArray  # (n,): rows, those of one cluster together, ascending
    sizes: IntArray  # (n_clusters,)
    n_covered: IntArray  # (n_clusters,)
    ends: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.ends = np.cumsum(self.sizes)

    @classmethod
    def of(cls, labels: IntArray, is_labeled: BoolArray) -> _Clusters:
        sizes = np.bincount(labels)
        covered = np.bincount(labels[is_labeled], minlength=len(sizes))
        return cls(np.argsort(labels, kind="stable"), sizes, covered)

    def members(self, cluster: int) -> IntArray:
        return self.by_cluster[self.ends[cluster] - self.sizes[cluster] : self.ends[cluster]]

    def next(self) -> int:
        """Choose the cluster that the next pick is from."""
        is_used_up = self.n_covered == self.sizes
        order = np.lexsort((-self.sizes, self.n_covered, self.sizes < MIN_CLUSTER_SIZE, is_used_up))
        return int(order[0])


def _by_typicality(members: Float32Array, n_neighbors: int, device: str, progress: Progress) -> IntArray:
    """Order the members of a cluster, most typical first."""
    k = min(n_neighbors, len(members) - 1)
    if k < 1:
        return np.arange(len(members))
    # Each member is among its own nearest, at distance 0: the sum over k + 1 is the sum over k others.
    _, distances = nearest_to_points(members, members, k=k + 1, device=device, progress=progress)
    return np.argsort(distances.sum(axis=1) / k, kind="stable")
