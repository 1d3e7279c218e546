"""Scores -> an order. Equal scores go by id, so that one seed gives one answer on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.strategies.pool import Pool
from alvin_core.types import FloatArray, IdArray, IntArray, Selection

__all__ = ["entropy_of", "in_order", "plogp", "rank_by_score", "take_highest"]

SMALLEST = float(np.finfo(np.float64).tiny)  # its logarithm is finite, and what lies below adds less than 1e-304


def entropy_of(probs: FloatArray) -> NDArray[np.float64]:
    """Predictive entropy in nats, of shape (n,), of distributions of shape (n, n_classes)."""
    terms = plogp(np.asarray(probs, dtype=np.float64))
    # By einsum, since a sum along a short axis takes three times as long; and not a sign alone: certainty would have
    # entropy -0.
    return np.asarray(0.0 - np.einsum("nc->n", terms))


def plogp(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities times their natural logarithms, of any shape; 0 where the probability is 0, the limit there."""
    terms = np.maximum(probs, SMALLEST)  # a mask instead would keep the logarithm from working on many at once
    np.log(terms, out=terms)
    terms *= probs
    return terms


def rank_by_score(scores: FloatArray, ids: IdArray) -> NDArray[np.int64]:
    """Order rows by score, highest first, and rows of equal score by id.

    Parameters
    ----------
    scores : array of shape (n,)
    ids : array of shape (n,)

    Returns
    -------
    int64 array of shape (n,)
    """
    order = np.argsort(-scores).astype(np.int64)  # not a stable one, which takes four times as long: ties are put right
    ranked = scores[order]
    tied = np.zeros(len(order), dtype=bool)
    tied[1:] = ranked[1:] == ranked[:-1]
    tied[:-1] |= tied[1:]
    places = np.flatnonzero(tied)
    if len(places):
        # Only what is tied is compared by id: comparing a million strings takes seconds.
        rows = order[places]
        order[places] = rows[np.lexsort((ids[rows], -scores[rows]))]
    return order


def in_order(pool: Pool, rows: IntArray, scores: FloatArray, warnings: tuple[str, ...] = ()) -> Selection:
    """Select some rows of the pool that were chosen one after the other, or all at once: nothing else is ranked."""
    return Selection(pool.ids[rows], rows, scores, ranking=rows, warnings=warnings, n_considered=len(pool))


def take_highest(pool: Pool, scores: FloatArray, budget: int) -> Selection:
    """Select the ``budget`` examples of highest score; ties by id."""
    ranking = rank_by_score(scores, pool.ids)
    rows = ranking[:budget]
    return Selection(ids=pool.ids[rows], rows=rows, scores=scores[rows], ranking=ranking)
