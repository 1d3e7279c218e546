"""BERT-KM and the clusters it is made of: hand-made clusters, duplicates, repeats, and k-means's own objective."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from alvin_core.errors import Cancelled, DataError, SettingsError
from alvin_core.progress import ProgressEvent
from alvin_core.settings import RunSettings
from alvin_core.strategies import Pool, bert_km, get_strategy
from alvin_core.strategies import clustering as clustering_module
from alvin_core.strategies.clustering import Clustering, find_clusters, unit_vectors
from alvin_core.types import Selection


def pool_of(vectors: np.ndarray, ids: np.ndarray | None = None) -> Pool:
    names = np.array([f"example-{row:05d}" for row in range(len(vectors))]) if ids is None else ids
    return Pool(ids=names, vectors=vectors.astype(np.float32))


def select(pool: Pool, budget: int, seed: int = 0) -> Selection:
    return get_strategy("bert-km").select(pool, budget, RunSettings(), np.random.default_rng(seed))


def directions(degrees: list[float]) -> np.ndarray:
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)


def test_the_middle_of_each_hand_made_cluster_is_taken_the_largest_cluster_first() -> None:
    # Two bundles of directions, of five and of three; lengths differ, and do not count.
    degrees = [88, 89, 90, 91, 92, -1, 0, 1]
    lengths = np.array([9, 1, 3, 1, 7, 5, 2, 4])
    selection = select(pool_of(directions(degrees) * lengths[:, None]), 2)
    assert selection.rows.tolist() == [2, 6]
    assert selection.scores.tolist() == [2, 1]
    assert selection.ranking.tolist() == [2, 6]


def test_a_centroid_whose_nearest_example_is_taken_takes_the_next_nearest() -> None:
    vectors = np.array([[0.0], [1.0], [2.5], [9.0]], dtype=np.float32)
    # Centroids at 0.9 (of three), 0.8 and 1.2 (of one each): the first takes 1.0, then 0.0 and 2.5 are nearest.
    clusters = Clustering(np.array([[0.8], [0.9], [1.2]], dtype=np.float32), np.array([1, 1, 0, 2]), 0.0)
    assert bert_km.nearest_to_centroids(vectors, clusters, 3).tolist() == [1, 0, 2]


def test_centroids_that_want_the_same_examples_still_take_different_ones() -> None:
    # Forty centroids in one place and forty examples beside it: each search has to be widened again and again.
    vectors = np.arange(60, dtype=np.float32)[:, None]
    clusters = Clustering(np.zeros((40, 1), dtype=np.float32), np.arange(60) % 40, 0.0)
    assert bert_km.nearest_to_centroids(vectors, clusters, 40).tolist() == list(range(40))


def test_fewer_centroids_than_the_budget_take_turns() -> None:
    vectors = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]], dtype=np.float32)
    clusters = Clustering(np.array([[0.0], [10.0]], dtype=np.float32), np.array([0, 0, 0, 1, 1]), 0.0)
    assert bert_km.nearest_to_centroids(vectors, clusters, 5).tolist() == [0, 3, 1, 4, 2]


@pytest.mark.parametrize("budget", [1, 4, 30])
def test_a_pool_of_equal_vectors_gives_the_budget(budget: int) -> None:
    selection = select(pool_of(np.ones((30, 3))), budget)
    assert sorted(selection.ids.tolist()) == [f"example-{row:05d}" for row in range(budget)]


def test_vectors_of_zeros_have_no_direction_and_do_no_harm() -> None:
    assert sorted(select(pool_of(np.zeros((4, 3))), 4).rows.tolist()) == [0, 1, 2, 3]


def test_few_distinct_vectors_are_each_taken_once_before_any_is_taken_twice() -> None:
    distinct = directions([0, 40, 100, 170])
    rows = np.array([0] * 50 + [1] * 5 + [2] * 2 + [3])
    picks = select(pool_of(distinct[rows]), 6).rows
    assert rows[picks[:4]].tolist() == [0, 1, 2, 3]  # the largest cluster first
    assert rows[picks[4:]].tolist() == [0, 1]


@pytest.mark.parametrize("n_pool", [1, 2, 5, 40])
def test_the_whole_pool_can_be_the_budget(n_pool: int) -> None:
    picks = select(pool_of(np.random.default_rng(0).normal(size=(n_pool, 3))), n_pool).rows
    assert sorted(picks.tolist()) == list(range(n_pool))


def test_a_seed_gives_one_answer_whatever_the_order_of_the_pool_and_the_number_of_threads() -> None:
    rng = np.random.default_rng(3)
    pool = pool_of(rng.normal(size=(700, 20)))
    assert pool.vectors is not None
    shuffled = rng.permutation(len(pool))
    other = replace(pool, ids=pool.ids[shuffled], vectors=pool.vectors[shuffled])
    expected = select(pool, 25).ids.tolist()
    for threads in (1, 4):
        with threadpool_limits(threads):
            assert select(other, 25).ids.tolist() == expected
    assert select(pool, 25, seed=1).ids.tolist() != expected


@pytest.mark.parametrize("n_at_once", [1, 10])
def test_the_inertia_is_that_of_the_labels_and_as_low_as_that_of_scikit_learn(
    n_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.cluster import KMeans

    monkeypatch.setattr(clustering_module, "ITERATIONS_AT_ONCE", n_at_once)
    rng = np.random.default_rng(4)
    centers = rng.normal(size=(12, 10))
    vectors = (centers[rng.integers(0, 12, 4000)] + 0.7 * rng.normal(size=(4000, 10))).astype(np.float32)
    ours, theirs = [], []
    for seed in range(6):
        clusters = find_clusters(vectors, 15, np.random.default_rng(seed))
        apart = vectors.astype(np.float64) - clusters.centroids[clusters.labels]
        assert clusters.inertia == pytest.approx((apart**2).sum(), rel=1e-4)
        ours.append(clusters.inertia)
        theirs.append(KMeans(15, n_init=1, random_state=seed).fit(vectors).inertia_)
    assert np.mean(ours) <= 1.01 * np.mean(theirs)


def test_equal_vectors_weigh_as_much_as_they_are_many() -> None:
    vectors = np.array([[0.0]] * 9 + [[1.0]] + [[10.0]], dtype=np.float32)
    clusters = find_clusters(vectors, 2, np.random.default_rng(0))
    assert sorted(clusters.sizes.tolist()) == [1, 10]
    assert sorted(clusters.centroids[:, 0].tolist()) == pytest.approx([0.1, 10.0])
    assert clusters.labels[:10].tolist() == [clusters.labels[0]] * 10


def test_no_more_clusters_are_found_than_there_are_distinct_vectors() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    clusters = find_clusters(vectors, 8, np.random.default_rng(0))
    assert sorted(clusters.sizes.tolist()) == [4, 4, 4]
    assert clusters.inertia == pytest.approx(0, abs=1e-9)


def test_vectors_are_scaled_to_length_one_however_long_they_are() -> None:
    scaled = unit_vectors(np.array([[3e30, 4e30], [0, 0], [3e-30, -4e-30]], dtype=np.float32), np.array([2, 0, 1]))
    np.testing.assert_allclose(scaled, [[0.6, -0.8], [0.6, 0.8], [0, 0]], rtol=1e-6)


def test_vectors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="row 1 holds NaN"):
        select(pool_of(np.array([[1.0], [np.inf]])), 1)


def test_without_scikit_learn_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(SettingsError, match="pip install scikit-learn"):
        select(pool_of(np.eye(3)), 2)


def test_a_cancel_is_heard_between_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering_module, "ITERATIONS_AT_ONCE", 2)
    heard: list[int] = []

    def stop_at_four(event: ProgressEvent) -> None:
        heard.append(event.done)
        if event.done >= 4:
            raise Cancelled("stopped")

    pool = replace(pool_of(np.random.default_rng(0).normal(size=(2000, 8))), progress=stop_at_four)
    with pytest.raises(Cancelled):
        select(pool, 40)
    assert heard == [0, 2, 4]


def test_the_work_grows_with_the_pool_and_the_budget() -> None:
    rng = np.random.default_rng(0)
    entry = get_strategy("bert-km")
    few = entry.steps(pool_of(rng.normal(size=(100, 4))), RunSettings(budget=5))
    assert entry.steps(pool_of(rng.normal(size=(100, 4))), RunSettings(budget=50)) > few
    assert entry.steps(pool_of(rng.normal(size=(1000, 4))), RunSettings(budget=5)) > few
