"""Uncertainty sampling: examples whose class the model is least sure of."""

from __future__ import annotations

import numpy as np

from alvin_core.strategies.pool import Pool
from alvin_core.strategies.ranking import entropy_of, take_highest
from alvin_core.strategies.registry import strategy
from alvin_core.types import FloatArray, Selection

__all__ = ["entropy", "least_confidence", "margin"]


@strategy("entropy", needs={"probs"}, cite="Lewis & Gale (1994); Settles (2009, section 3.1)")
def entropy(pool: Pool, budget: int, params: None, rng: np.random.Generator) -> Selection:
    """Select the examples whose predicted distribution has the highest entropy."""
    return take_highest(pool, scores=entropy_of(_probs(pool)), budget=budget)


@strategy("margin", needs={"probs"}, cite="Scheffer et al. (2001), also called breaking ties")
def margin(pool: Pool, budget: int, params: None, rng: np.random.Generator) -> Selection:
    """Select the examples whose two likeliest classes are nearest a tie."""
    top_two = np.partition(_probs(pool), -2, axis=1)[:, -2:]  # (n_pool, 2), ascending
    return take_highest(pool, scores=top_two[:, 0] - top_two[:, 1], budget=budget)


@strategy("least-confidence", needs={"probs"}, cite="Lewis & Gale (1994); Culotta & McCallum (2005)")
def least_confidence(pool: Pool, budget: int, params: None, rng: np.random.Generator) -> Selection:
    """Select the examples whose likeliest class has the lowest probability."""
    return take_highest(pool, scores=-_probs(pool).max(axis=1), budget=budget)


def _probs(pool: Pool) -> FloatArray:
    assert pool.probs is not None  # the registry checked what the strategy needs
    return np.asarray(pool.probs, dtype=np.float64)
