"""BALD and BADGE against public implementations, on the same arrays and, where these take them, the same numbers.

small-text's own gradient embeddings are left out: it multiplies the vectors by ``-p`` instead of ``p - onehot``, and
with two classes by nothing at all. Its seeding is given the true gradients instead.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from alvin_core.settings import BaldSettings, RunSettings
from alvin_core.strategies import Pool, Readout, badge, bald, get_strategy
from alvin_core.strategies.kmeans_seeding import OuterProducts


def drawn_probs(n_draws: int, n_pool: int, n_classes: int) -> np.ndarray:
    """Draws without tiny probabilities, which both libraries replace or add to before they take logarithms."""
    probs = np.random.default_rng(n_classes).dirichlet(np.full(n_classes, 2.0), size=(n_draws, n_pool))
    return 0.98 * probs + 0.02 / n_classes


def made_pool(n_pool: int, n_classes: int, dim: int, seed: int) -> Pool:
    """Clustered vectors, and the predictions of a linear layer that reads them."""
    rng = np.random.default_rng(seed)
    centres = 2 * rng.normal(size=(6, dim))
    vectors = (centres[rng.integers(0, 6, n_pool)] + rng.normal(size=(n_pool, dim))).astype(np.float32)
    weight = rng.normal(size=(n_classes, dim)).astype(np.float32) / np.sqrt(dim)
    logits = vectors @ weight.T
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    readout = Readout(vectors, vectors[:1], weight.astype(np.float32), np.zeros(n_classes, dtype=np.float32))
    return Pool(ids=np.arange(n_pool), probs=probs.astype(np.float32), readout=readout)


def gradients_of(pool: Pool) -> np.ndarray:
    assert pool.probs is not None
    assert pool.readout is not None
    errors = pool.probs - np.eye(pool.probs.shape[1])[pool.probs.argmax(axis=1)]
    return (errors[:, :, None] * pool.readout.vectors[:, None, :]).reshape(len(pool), -1)


@pytest.mark.parametrize("n_classes", [2, 5, 12])
def test_bald_scores_are_those_of_small_text(n_classes: int) -> None:
    bayesian = pytest.importorskip("small_text.query_strategies.bayesian")
    draws = drawn_probs(20, 400, n_classes)
    in_bits = bayesian._bald(draws.swapaxes(0, 1))
    np.testing.assert_allclose(bald.mutual_information(draws), in_bits * math.log(2), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 5, 12])
def test_bald_scores_and_picks_are_those_of_scikit_activeml(n_classes: int) -> None:
    peer = pytest.importorskip("skactiveml.pool._bald")
    draws = drawn_probs(20, 400, n_classes)
    scores = peer.batch_bald(draws.copy(), batch_size=1)[0]
    np.testing.assert_allclose(bald.mutual_information(draws), scores, rtol=0, atol=1e-9)

    pool = Pool(
        ids=np.arange(400),
        probs=draws.mean(axis=0),
        draw_probs=lambda rows, n_draws, seed: draws[:n_draws, rows],
    )
    settings = RunSettings(bald=BaldSettings(n_draws=20))
    selection = get_strategy("bald").select(pool, 25, settings, np.random.default_rng(0))
    assert selection.rows.tolist() == np.argsort(-scores, kind="stable")[:25].tolist()


def badge_of_scikit_activeml(pool: Pool, budget: int, random_state: np.random.RandomState) -> list[int]:
    peer = pytest.importorskip("skactiveml.pool").Badge
    base = pytest.importorskip("skactiveml.base").SkactivemlClassifier

    class Fixed(base):  # type: ignore[misc, valid-type]
        """Predicts what the pool holds."""

        def fit(self, X: Any, y: Any) -> Fixed:  # noqa: N803
            return self

        def predict_proba(self, X: Any) -> Any:  # noqa: N803
            return pool.probs

    assert pool.readout is not None
    strategy = peer(random_state=random_state)
    unknown = np.full(len(pool), np.nan)
    return [
        int(row) for row in strategy.query(pool.readout.vectors, unknown, Fixed(), fit_clf=False, batch_size=budget)
    ]


@pytest.mark.parametrize("n_classes", [2, 12])
@pytest.mark.parametrize("seed", range(4))
def test_badge_picks_are_those_of_scikit_activeml_from_the_same_numbers(
    n_classes: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library counts the origin as a centre, unlike the authors' code; for the comparison so do we."""
    pytest.importorskip("skactiveml.base")
    # The library multiplies what it is given into another seed; here it draws from what it is given.
    monkeypatch.setattr("skactiveml.base.check_random_state", lambda state, multiplier=None: state)
    approach = OuterProducts.approach

    def approach_from_origin(points: OuterProducts, nearest: np.ndarray, centre: int) -> None:
        np.minimum(nearest, points.squared_norms, out=nearest)
        approach(points, nearest, centre)

    monkeypatch.setattr(OuterProducts, "approach", approach_from_origin)
    pool = made_pool(600, n_classes, dim=24, seed=seed)
    peer = badge_of_scikit_activeml(pool, 40, np.random.RandomState(np.random.MT19937(seed)))
    rng = np.random.Generator(np.random.MT19937(seed))  # gives the same doubles
    selection = badge.badge(pool, 40, None, rng)
    assert selection.rows.tolist() == peer


@pytest.mark.parametrize("n_classes", [2, 12])
def test_badge_leaves_the_potential_that_small_texts_seeding_leaves(n_classes: int) -> None:
    """Potential: the mean squared distance to the nearest centre.

    The library draws its first centre evenly, which after 60 of them no longer shows.
    """
    seeding = pytest.importorskip("small_text.utils.clustering").init_kmeans_plusplus_safe
    pool = made_pool(400, n_classes, dim=8, seed=1)
    gradients = gradients_of(pool)
    apart = ((gradients[:, None] - gradients) ** 2).sum(axis=2)

    def potential(rows: np.ndarray) -> float:
        return float(apart[:, rows].min(axis=1).mean())

    ours, theirs = [], []
    for seed in range(150):
        ours.append(potential(badge.badge(pool, 60, None, np.random.default_rng(seed)).rows))
        theirs.append(potential(seeding(gradients, 60, random_state=seed, n_local_trials=1)[1]))
    assert np.std(ours) / np.sqrt(150) < 0.004 * np.mean(ours)  # enough seeds to tell one per cent
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.01)
