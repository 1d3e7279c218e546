"""CAL and AnchorAL against small-text and scikit-activeml on the same arrays.

Neither has ALFA-Mix; ``tests/unit/strategies/test_alfa_mix.py`` compares it with the method written out in torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from alvin_core.groups import infer_groups
from alvin_core.settings import AnchoralSettings, CalSettings, RunSettings
from alvin_core.strategies import LabeledSet, Pool, get_strategy
from alvin_core.strategies.anchoral import anchoral, choose_anchors, similar_to_anchors
from alvin_core.strategies.cal import cal
from alvin_core.types import Float32Array

N_LABELED, N_POOL, N_CLASSES, DIM, K = 30, 220, 3, 8, 7


def make_pool(seed: int) -> Pool:
    """Vectors of length 1, so that the packages' own scaling changes nothing, and probabilities away from 0."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(N_LABELED + N_POOL, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    probs = rng.dirichlet(np.full(N_CLASSES, 2.0), size=len(vectors))
    classes = np.arange(N_LABELED) % N_CLASSES
    gold = np.full((2, N_LABELED), 0.9)
    labeled = LabeledSet(
        ids=np.arange(N_LABELED),
        classes=classes,
        vectors=vectors[:N_LABELED],
        groups=infer_groups(gold > 0.5, gold, classes),
        probs=probs[:N_LABELED],
    )
    return Pool(np.arange(N_POOL), probs[N_LABELED:], vectors[N_LABELED:], labeled)


def together(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and probabilities of the labeled examples, then of the pool."""
    assert pool.labeled is not None
    assert pool.labeled.probs is not None
    assert pool.vectors is not None
    assert pool.probs is not None
    return np.vstack([pool.labeled.vectors, pool.vectors]), np.vstack([pool.labeled.probs, pool.probs])


@pytest.mark.parametrize("seed", range(3))
def test_cal_takes_what_small_text_takes(seed: int) -> None:
    strategies = pytest.importorskip("small_text.query_strategies.strategies")
    neighbors = pytest.importorskip("sklearn.neighbors")
    pool = make_pool(seed)
    vectors, probs = together(pool)
    # Their `sample` looks for neighbors among all examples, pool and candidate included; the paper's are labeled. So
    # their scoring is handed an index of the labeled ones, whose rows come first.
    theirs = strategies.ContrastiveActiveLearning(k=K, normalize=False, pbar=None)
    index = neighbors.NearestNeighbors().fit(vectors[:N_LABELED])
    unlabeled = np.arange(N_LABELED, len(vectors))
    expected = theirs._contrastive_active_learning(vectors, vectors, probs, unlabeled, index, 25)
    ours = cal(pool, 25, CalSettings(k=K), np.random.default_rng(0))
    assert set(ours.rows.tolist()) == set(expected.tolist())


@pytest.mark.parametrize("seed", range(3))
def test_cal_scores_as_scikit_activeml_scores(seed: int) -> None:
    pools = pytest.importorskip("skactiveml.pool")
    classifier = fixed_classifier()
    pool = make_pool(seed)
    vectors, probs = together(pool)
    labels = np.full(len(vectors), np.nan)
    assert pool.labeled is not None
    labels[:N_LABELED] = pool.labeled.classes
    theirs = pools.ContrastiveAL(nearest_neighbors_dict={"n_neighbors": K}, random_state=0)
    picks, utilities = theirs.query(
        vectors, labels, classifier(vectors, probs), fit_clf=False, batch_size=25, return_utilities=True
    )
    ours = cal(pool, 25, CalSettings(k=K), np.random.default_rng(0))
    assert ours.rows.tolist() == (picks - N_LABELED).tolist()
    np.testing.assert_allclose(ours.scores, utilities[0][picks], rtol=1e-6)


def fixed_classifier() -> Any:
    """A scikit-activeml classifier that answers with given probabilities."""
    base = pytest.importorskip("skactiveml.base")

    class Fixed(base.SkactivemlClassifier):  # type: ignore[misc, name-defined]
        def __init__(self, vectors: np.ndarray, probs: np.ndarray) -> None:
            super().__init__(classes=list(range(N_CLASSES)))
            self.vectors = vectors
            self.probs = probs

        def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: object = None) -> Fixed:  # noqa: N803
            return self

        def predict_proba(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
            rows = [int(np.flatnonzero((self.vectors == vector).all(axis=1))[0]) for vector in X]
            return self.probs[rows].copy()

    return Fixed


class ExactIndex:
    """An exact stand-in for the approximate index of small-text, which needs hnswlib: squares, nearest first."""

    def __init__(self, vectors: np.ndarray, rows: np.ndarray) -> None:
        self.vectors, self.rows = vectors.astype(np.float64), rows

    def knn_query(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        squares = ((queries.astype(np.float64)[:, None] - self.vectors[self.rows]) ** 2).sum(axis=2)
        order = np.argsort(squares, axis=1)[:, :k]
        return self.rows[order], np.take_along_axis(squares, order, axis=1)


@pytest.mark.parametrize(("seed", "subpool"), [(0, 20), (1, 60), (2, 1000)])
def test_anchoral_keeps_the_subpool_that_small_text_keeps_around_the_same_anchors(seed: int, subpool: int) -> None:
    subsampling = pytest.importorskip("small_text.query_strategies.subsampling")
    pool = make_pool(seed)
    vectors, _ = together(pool)
    assert pool.labeled is not None
    anchors = choose_anchors(pool.labeled.vectors, pool.labeled.classes, 5, np.random.default_rng(seed))
    theirs = object.__new__(subsampling.AnchorSubsampling)  # its __init__ insists on hnswlib
    theirs.subsample_size, theirs.k = subpool, 12
    unlabeled = np.arange(N_LABELED, len(vectors))
    theirs.nn, theirs.indices_unlabeled = ExactIndex(vectors, unlabeled), set(unlabeled)
    expected = theirs._get_subset_indices(vectors, unlabeled, anchors) - N_LABELED
    anchor_vectors: Float32Array = pool.labeled.vectors[anchors]
    ours, _ = similar_to_anchors(pool, anchor_vectors, n_neighbors=12, least=1)
    assert len(expected) == min(subpool, len(ours))
    assert set(ours[:subpool].tolist()) == set(expected.tolist())


def test_anchoral_takes_the_most_uncertain_of_the_subpool_that_small_text_keeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subsampling = pytest.importorskip("small_text.query_strategies.subsampling")
    strategies = pytest.importorskip("small_text.query_strategies.strategies")
    pool = make_pool(5)
    vectors, probs = together(pool)
    assert pool.labeled is not None
    anchors = choose_anchors(pool.labeled.vectors, pool.labeled.classes, 10, np.random.default_rng(5).spawn(2)[0])

    class Classifier:
        num_classes = N_CLASSES

        def embed(self, dataset: object, pbar: object = None) -> np.ndarray:
            return vectors

        def predict_proba(self, rows: np.ndarray) -> np.ndarray:
            return probs[rows]

    monkeypatch.setattr(subsampling, "check_optional_dependency", lambda name: None)
    theirs = subsampling.AnchorSubsampling(strategies.PredictionEntropy(), subsample_size=80, k=20)
    unlabeled = np.arange(N_LABELED, len(vectors))
    monkeypatch.setattr(theirs, "_get_anchors", lambda *given: anchors)
    monkeypatch.setattr(theirs, "initialize_index", lambda found, rows, settings: ExactIndex(found, rows))
    expected = theirs.query(
        Classifier(), np.arange(len(vectors)), unlabeled, np.arange(N_LABELED), pool.labeled.classes, n=15
    )
    ours = anchoral(pool, 15, AnchoralSettings(subpool=80, n_neighbors=20), np.random.default_rng(5))
    assert set(ours.rows.tolist()) == set((expected - N_LABELED).tolist())
    whole = get_strategy("entropy").select(pool, 15, RunSettings(), np.random.default_rng(0))
    assert set(ours.rows.tolist()) != set(whole.rows.tolist())
