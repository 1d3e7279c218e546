"""Coreset, BERT-KM and TypiClust against public implementations on the same arrays."""

from __future__ import annotations

import numpy as np
import pytest

from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool, bert_km, coreset, get_strategy, typiclust
from alvin_core.types import Groups

N_POOL, N_LABELED, DIM = 600, 25, 24
STRATEGIES = {"coreset": coreset, "bert-km": bert_km, "typiclust": typiclust}


def made_vectors(n: int, seed: int) -> np.ndarray:
    """Overlapping clusters with a decaying spectrum, as sentence embeddings have."""
    rng = np.random.default_rng(seed)
    spread = np.arange(1, DIM + 1) ** -0.5
    centers = rng.normal(size=(20, DIM)) * spread
    return ((centers[rng.integers(0, 20, n)] + 0.7 * rng.normal(size=(n, DIM))) * spread).astype(np.float32)


def made_pool(seed: int = 0, n_pool: int = N_POOL) -> Pool:
    vectors = made_vectors(n_pool + N_LABELED, seed)
    classes = np.arange(N_LABELED) % 2
    none = np.zeros(N_LABELED, dtype=bool)
    labeled = LabeledSet(
        ids=np.arange(n_pool, n_pool + N_LABELED),
        classes=classes,
        vectors=vectors[n_pool:],
        groups=Groups(none, classes, "forgetting", none),
        probs=np.full((N_LABELED, 2), 0.5),
    )
    return Pool(ids=np.arange(n_pool), vectors=vectors[:n_pool], labeled=labeled)


def all_vectors(pool: Pool) -> np.ndarray:
    """The pool's vectors and then the labeled ones, in float64."""
    assert pool.vectors is not None
    assert pool.labeled is not None
    return np.concatenate([pool.vectors, pool.labeled.vectors]).astype(np.float64)


def partial_labels(pool: Pool) -> np.ndarray:
    """NaN for each example of the pool, and a class for each labeled one: what scikit-activeml reads."""
    assert pool.labeled is not None
    return np.concatenate([np.full(len(pool), np.nan), pool.labeled.classes])


def select(name: str, pool: Pool, budget: int, seed: int = 0) -> np.ndarray:
    assert STRATEGIES[name]
    return get_strategy(name).select(pool, budget, RunSettings(), np.random.default_rng(seed)).rows


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_coreset_takes_what_small_text_takes(seed: int) -> None:
    theirs = pytest.importorskip("small_text.query_strategies.coresets")
    pool = made_pool(seed)
    # small-text takes the places of new centers for places in the whole array: right where the pool stands first.
    rows = theirs.greedy_coreset(
        all_vectors(pool),
        np.arange(N_POOL),
        np.arange(N_POOL, N_POOL + N_LABELED),
        40,
        distance_metric="euclidean",
    )
    np.testing.assert_array_equal(select("coreset", pool, 40), rows)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_coreset_takes_what_scikit_activeml_takes(seed: int) -> None:
    theirs = pytest.importorskip("skactiveml.pool")
    pool = made_pool(seed)
    rows, distances = theirs.CoreSet(random_state=0).query(
        all_vectors(pool), partial_labels(pool), batch_size=40, return_utilities=True
    )
    np.testing.assert_array_equal(select("coreset", pool, 40), rows)
    scores = get_strategy("coreset").select(pool, 40, RunSettings(), np.random.default_rng(0)).scores
    np.testing.assert_allclose(scores, np.nanmax(distances, axis=1), rtol=1e-5)


def coverage(unit: np.ndarray, rows: np.ndarray) -> float:
    """Mean squared distance of the pool to its nearest pick."""
    from scipy.spatial.distance import cdist

    return float(cdist(unit, unit[rows], "sqeuclidean").min(axis=1).mean())


def test_bert_km_leaves_the_pool_as_near_to_its_picks_as_small_text_does() -> None:
    strategies = pytest.importorskip("small_text.query_strategies.strategies")
    n_seeds, budget = 20, 25
    pool = made_pool(3, n_pool=1500)
    assert pool.vectors is not None
    unit = pool.vectors / np.linalg.norm(pool.vectors, axis=1, keepdims=True)
    nothing = np.empty(0, dtype=np.int64)
    ours, theirs = [], []
    for seed in range(n_seeds):
        np.random.seed(seed)  # noqa: NPY002  (small-text draws from numpy's global state)
        rows = strategies.EmbeddingKMeans().sample(
            None, None, np.arange(len(pool)), nothing, nothing, budget, pool.vectors
        )
        theirs.append(coverage(unit, rows))
        ours.append(coverage(unit, select("bert-km", pool, budget, seed)))
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.01)


def test_from_the_same_centroids_bert_km_takes_what_small_text_takes() -> None:
    strategies = pytest.importorskip("small_text.query_strategies.strategies")
    from alvin_core.strategies.clustering import find_clusters, unit_vectors

    unit = unit_vectors(made_vectors(400, 5), np.arange(400))
    clusters = find_clusters(unit, 30, np.random.default_rng(0))
    rows = strategies.EmbeddingKMeans._get_nearest_to_centers(clusters.centroids, unit)
    assert len(set(rows.tolist())) == 30  # no two centroids want the same one, or the order would matter
    assert set(bert_km.nearest_to_centroids(unit, clusters, 30).tolist()) == set(rows.tolist())


class FixedClusters:
    """Stands in for a cluster algorithm of scikit-learn and gives clusters that are known already."""

    def __init__(self, n_clusters: int, labels: np.ndarray) -> None:
        self.labels = labels

    def fit_predict(self, vectors: np.ndarray) -> np.ndarray:
        assert len(vectors) == len(self.labels)
        return self.labels


@pytest.mark.parametrize(("seed", "k"), [(0, 4), (1, 4), (2, 9)])
def test_from_the_same_clusters_typiclust_takes_what_scikit_activeml_takes(seed: int, k: int) -> None:
    theirs = pytest.importorskip("skactiveml.pool")
    from sklearn.cluster import KMeans

    pool = made_pool(seed)
    vectors = all_vectors(pool)
    is_labeled = np.arange(len(vectors)) >= N_POOL
    labels = KMeans(45, n_init=1, random_state=seed).fit_predict(vectors)
    sizes = np.bincount(labels)
    sizes[labels[is_labeled]] = 0
    # One pick from each cluster without labeled examples. Where there are more picks scikit-activeml draws them.
    n_uncovered = int((sizes >= typiclust.MIN_CLUSTER_SIZE).sum())
    assert 5 <= n_uncovered < 40
    entry = theirs.TypiClust(random_state=0, cluster_algo=FixedClusters, cluster_algo_dict={"labels": labels}, k=k)
    rows = entry.query(vectors, partial_labels(pool), batch_size=40)[:n_uncovered]
    found = typiclust.most_typical(vectors.astype(np.float32), labels, is_labeled, n_uncovered, n_neighbors=k)
    np.testing.assert_array_equal(sizes[labels[found]], sizes[labels[rows]])  # of clusters of one size it draws
    assert set(found.tolist()) == set(rows.tolist())
