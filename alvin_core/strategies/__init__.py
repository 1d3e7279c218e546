"""Query strategies: stateless functions that choose which pool examples to annotate next."""

from __future__ import annotations

from typing import TYPE_CHECKING

# Imported in the order in which users see them.
# isort: off
from alvin_core.strategies import alvin, random, uncertainty
from alvin_core.strategies import bald, coreset, bert_km, badge, cal, alfa_mix, anchoral, typiclust, counter_shortcut
# isort: on

from alvin_core.errors import SettingsError
from alvin_core.strategies.alvin import rank_candidates
from alvin_core.strategies.pool import LabeledSet, Pool, PoolSlice, Readout
from alvin_core.strategies.registry import Strategy, all_strategies, get_strategy, strategy_names

if TYPE_CHECKING:
    from alvin_core.settings import RunSettings

__all__ = [
    "LabeledSet",
    "Pool",
    "PoolSlice",
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
    "counter_shortcut",
    "get_strategy",
    "needs_slice",
    "random",
    "rank_candidates",
    "strategy_names",
    "typiclust",
    "uncertainty",
]


def check_strategy(settings: RunSettings) -> None:
    """Refuse, before anything is computed, a strategy that there is not, or one that lacks what it is to work on.

    Raises
    ------
    SettingsError
        When there is no such strategy, when it is one around another that cannot be, or one that selects from a slice
        and none is named.
    """
    get_strategy(settings.strategy)
    if settings.strategy == "anchoral":
        anchoral.check_base(settings.anchoral.base)
    if needs_slice(settings) and settings.counter_shortcut.slice is None:
        raise SettingsError(
            f"the strategy {settings.strategy!r} selects from a slice, and counter_shortcut.slice names none; name "
            "one with --set counter_shortcut.slice=NAME (`alvin slices RUN` lists and saves them)"
        )


def needs_slice(settings: RunSettings) -> bool:
    """Return whether the run's strategy, or the one that it hands the work on to, selects from a slice."""
    names = (settings.strategy, *((settings.anchoral.base,) if settings.strategy == "anchoral" else ()))
    return any("slice" in get_strategy(name).needs for name in names)
