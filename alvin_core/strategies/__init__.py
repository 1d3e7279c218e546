"""Query strategies: stateless functions that choose which pool examples to annotate next."""

from alvin_core.strategies import alvin, random, uncertainty
from alvin_core.strategies.alvin import rank_candidates
from alvin_core.strategies.registry import (
    LabeledSet,
    Pool,
    Readout,
    Strategy,
    all_strategies,
    get_strategy,
    strategy_names,
)

__all__ = [
    "LabeledSet",
    "Pool",
    "Readout",
    "Strategy",
    "all_strategies",
    "alvin",
    "get_strategy",
    "random",
    "rank_candidates",
    "strategy_names",
    "uncertainty",
]
