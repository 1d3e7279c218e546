"""Query strategies: stateless functions that choose which pool examples to annotate next."""

from __future__ import annotations

from typing import TYPE_CHECKING

# Imported in the order in which users see them.
# isort: off
from alvin_core.strategies import alvin, random, uncertainty
from alvin_core.strategies import bald, coreset, bert_km, badge, cal, alfa_mix, anchoral, typiclust
# isort: on

from alvin_core.strategies.alvin import rank_candidates
from alvin_core.strategies.pool import LabeledSet, Pool, Readout
from alvin_core.strategies.registry import Strategy, all_strategies, get_strategy, strategy_names

if TYPE_CHECKING:
    from alvin_core.settings import RunSettings

__all__ = [
    "LabeledSet",
    "Pool",
    "Readout",
    "Strategy",
    "alfa_mix",
    "all_strategies",
    "alvin",
    "anchoral",
    "badge",
    "bald",
    "bert_km",
    "cal",
    "check_strategy",
    "coreset",
    "get_strategy",
    "random",
    "rank_candidates",
    "strategy_names",
    "typiclust",
    "uncertainty",
]


def check_strategy(settings: RunSettings) -> None:
    """Refuse, before anything is computed, a strategy that there is not, or one around another that cannot be.

    Raises
    ------
    SettingsError
    """
    get_strategy(settings.strategy)
    if settings.strategy == "anchoral":
        anchoral.check_base(settings.anchoral.base)
