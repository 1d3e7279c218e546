"""Random sampling: the baseline that every strategy has to beat."""

from __future__ import annotations

import numpy as np

from alvin_core.strategies.pool import Pool
from alvin_core.strategies.ranking import take_highest
from alvin_core.strategies.registry import strategy
from alvin_core.types import Selection

__all__ = ["random"]


@strategy("random", needs=set(), cite="passive learning, the usual baseline")
def random(pool: Pool, budget: int, params: None, rng: np.random.Generator) -> Selection:
    """Select examples at random, each with the same chance."""
    return take_highest(pool, scores=rng.random(len(pool)), budget=budget)
