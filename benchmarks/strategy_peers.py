"""Public implementations of the strategies, called on a pool of this project.

small-text's BADGE is not among them: its embeddings are not the gradients. Its coreset takes the rows of the pool for
rows of all vectors, so the pool comes first here, where they are the same. scikit-activeml's BADGE counts the origin
as a centre, unlike the authors' code, and so keeps the potential less low; its TypiClust is handed the vectors at
length 1, as the strategy here scales them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from alvin_core.settings import RunSettings
from alvin_core.strategies import Pool
from alvin_core.types import FloatArray, IntArray

MAX_BYTES = 8e9  # of one array; a library makes several of its size


@dataclass(frozen=True)
class Peer:
    """A public implementation.

    Attributes
    ----------
    name : str
    pick : callable
        Pool, budget, settings and seed -> rows.
    kept_low : callable or None
        Pool and rows -> what the strategy keeps low, where chance decides the picks.
    is_slow : bool
        Whether it takes a quarter of a minute or more for 100,000 examples.
    """

    name: str
    pick: Callable[[Pool, int, RunSettings, int], IntArray]
    kept_low: Callable[[Pool, IntArray], float] | None = None
    is_slow: bool = False


def highest(scores: FloatArray, budget: int) -> IntArray:
    return np.argsort(-scores, kind="stable")[:budget]


def by_uncertainty(method: str) -> Peer:
    def pick(pool: Pool, budget: int, settings: RunSettings, seed: int) -> IntArray:
        from skactiveml.pool import uncertainty_scores

        return highest(uncertainty_scores(pool.probs, method=method), budget)

    return Peer("scikit-activeml", pick)


def bald(pool: Pool, budget: int, settings: RunSettings, seed: int) -> IntArray:
    from small_text.query_strategies.bayesian import _bald

    drawn = int(np.random.default_rng(seed).integers(2**32))
    draws = pool.draw_probs(np.arange(len(pool)), settings.bald.n_draws, drawn)
    return highest(_bald(draws.swapaxes(0, 1)), budget)


def badge(pool: Pool, budget: int, settings: RunSettings, seed: int) -> IntArray:
    from skactiveml.pool import Badge

    n_bytes = pool.readout.vectors.size * pool.probs.shape[1] * 8
    if n_bytes > MAX_BYTES:
        raise MemoryError(f"{n_bytes / 1e9:.1f} GB of gradients")
    unknown = np.full(len(pool), np.nan)
    strategy = Badge(random_state=seed)
    return np.array(strategy.query(pool.readout.vectors, unknown, fixed(pool.probs), fit_clf=False, batch_size=budget))


def gradient_potential(pool: Pool, rows: IntArray) -> float:
    """Mean squared distance of all gradients to the nearest picked one."""
    errors = pool.probs - np.eye(pool.probs.shape[1])[pool.probs.argmax(axis=1)]
    vectors = pool.readout.vectors.astype(np.float64)
    squares = (errors**2).sum(axis=1) * (vectors**2).sum(axis=1)
    products = (errors @ errors[rows].T) * (vectors @ vectors[rows].T)
    return float((squares[:, None] + squares[rows] - 2 * products).min(axis=1).mean())


def coreset(pool: Pool, budget: int, settings: RunSettings, seed: int) -> IntArray:
    from small_text.query_strategies.coresets import greedy_coreset

    both = np.vstack([pool.vectors, pool.labeled.vectors])
    n_pool = len(pool)
    return greedy_coreset(
        both, np.arange(n_pool), np.arange(n_pool, len(both)), budget, distance_metric="euclidean", batch_size=1000
    )


def bert_km(pool: Pool, budget: int, settings: RunSettings, seed: int) -> IntArray:
    from small_text.query_strategies import EmbeddingKMeans

    np.random.seed(seed)  # noqa: NPY002  the library draws from the global state
    rows = np.arange(len(pool))
    return EmbeddingKMeans().sample(None, None, rows, None, None, budget, pool.vectors)


def spread(pool: Pool, rows: IntArray) -> float:
    """Mean squared distance of all vectors, scaled to length 1, to the nearest picked one."""
    vectors = units(pool.vectors.astype(np.float64))
    return float((2 - 2 * vectors @ vectors[rows].T).min(axis=1).mean())


def units(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def typiclust(pool: Pool, budget: int, settings: RunSettings, seed: int) -> IntArray:
    from skactiveml.pool import TypiClust

    strategy = TypiClust(k=settings.typiclust.n_neighbors, random_state=seed)
    both, known = pool_first(pool)
    return np.array(strategy.query(units(both), known, batch_size=budget))


def cal(pool: Pool, budget: int, settings: RunSettings, seed: int) -> IntArray:
    from skactiveml.pool import ContrastiveAL

    both, known = pool_first(pool)
    strategy = ContrastiveAL(nearest_neighbors_dict={"n_neighbors": settings.cal.k}, random_state=seed)
    probs = np.vstack([pool.probs, pool.labeled.probs])
    return np.array(strategy.query(both, known, fixed(probs, both), fit_clf=False, batch_size=budget))


def pool_first(pool: Pool) -> tuple[FloatArray, FloatArray]:
    """Vectors of pool and labeled set, and the classes, unknown in the pool."""
    both = np.vstack([pool.vectors, pool.labeled.vectors])
    return both, np.concatenate([np.full(len(pool), math.nan), pool.labeled.classes.astype(float)])


def fixed(probs: FloatArray, vectors: FloatArray | None = None) -> Any:
    """Return a classifier of scikit-activeml that predicts what is given, for all or for vectors it finds again."""
    from skactiveml.base import SkactivemlClassifier

    known = {} if vectors is None else {vector.tobytes(): row for row, vector in enumerate(vectors)}

    class Fixed(SkactivemlClassifier):
        def fit(self, X: Any, y: Any) -> Fixed:  # noqa: N803
            return self

        def predict_proba(self, X: Any) -> Any:  # noqa: N803
            if not known:
                return probs
            return probs[[known[vector.tobytes()] for vector in np.asarray(X, dtype=np.float32)]]

    return Fixed()


PEERS = {
    "entropy": by_uncertainty("entropy"),
    "margin": by_uncertainty("margin_sampling"),
    "least-confidence": by_uncertainty("least_confident"),
    "bald": Peer("small-text", bald),
    "badge": Peer("scikit-activeml", badge, gradient_potential, is_slow=True),
    "coreset": Peer("small-text", coreset, is_slow=True),
    "bert-km": Peer("small-text", bert_km, spread, is_slow=True),
    "typiclust": Peer("scikit-activeml", typiclust, spread, is_slow=True),
    "cal": Peer("scikit-activeml", cal),
}
