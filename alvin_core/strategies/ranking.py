"""Scores -> an order. Equal scores go by id, so that one seed gives one answer on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.strategies.pool import Pool
from alvin_core.types import FloatArray, IdArray, IntArray, Selection

__all__ = ["entropy_of", "in_order", "rank_by_score", "take_highest"]


def entropy_of(probs: FloatArray) -> NDArray[np.float64]:
    """Predictive entropy in nats, of shape (n,), of distributions of shape (n, n_classes)."""
    exact = np.asarray(probs, dtype=np.float64)
    # A probability of 0 adds nothing: its limit of p log p is 0.
    logs = np.log(exact, out=np.zeros_like(exact), where=exact > 0)
    return np.asarray(0.0 - (exact * logs).sum(axis=1))  # not a sign alone: certainty would have entropy -0


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
