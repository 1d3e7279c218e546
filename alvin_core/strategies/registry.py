"""The table of strategies.

A strategy is a function ``(pool, budget, params, rng) -> Selection``. It is handed everything and remembers
nothing; it never writes to its inputs.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alvin_core.errors import PoolError, SettingsError
from alvin_core.settings import RunSettings
from alvin_core.shown import shown
from alvin_core.strategies.pool import Pool
from alvin_core.types import Selection

__all__ = ["Strategy", "all_strategies", "get_strategy", "strategy", "strategy_names"]

QueryFunction = Callable[[Pool, int, Any, np.random.Generator], Selection]
WorkFunction = Callable[[Pool, Any], int]


@dataclass(frozen=True)
class Strategy:
    """One entry of the table.

    Attributes
    ----------
    name : str
    function : callable
    needs : frozenset of str
        What the round must compute: of ``probs``, ``vectors``, ``labeled`` (the labeled set with its vectors and
        probabilities), ``groups`` (the labeled set with its groups), ``slice`` (that the settings name), ``readout``
        and ``draws``.
    cite : str
        The source, shown to users.
    settings : str or None
        The table of `RunSettings` that holds its parameters.
    work : callable or None
        From pool and parameters to the elementary steps that a selection takes, see `steps`; None where a pass over
        the pool does.
    """

    name: str
    function: QueryFunction
    needs: frozenset[str]
    cite: str
    settings: str | None
    work: WorkFunction | None = None

    @property
    def summary(self) -> str:
        """The first line of the function's documentation."""
        return (self.function.__doc__ or "").strip().splitlines()[0]

    def select(self, pool: Pool, budget: int, settings: RunSettings, rng: np.random.Generator) -> Selection:
        """Choose ``budget`` examples of the pool.

        Raises
        ------
        PoolError
            When the pool has fewer, or lacks what the strategy needs.
        """
        if budget < 1 or budget > len(pool):
            raise PoolError(f"asked for {budget} examples, {len(pool)} remain in the pool; lower the budget")
        self._check_needs(pool)
        return self.function(_with_settings(pool, settings), budget, self._params(settings), rng)

    def steps(self, pool: Pool, settings: RunSettings) -> int:
        """About how many elementary steps `select` takes; 3e10 of them are some three seconds on two cores.

        Raises
        ------
        PoolError
            When the pool lacks what the strategy needs.
        """
        self._check_needs(pool)
        if self.work is None:
            return len(pool)
        return self.work(_with_settings(pool, settings), self._params(settings))

    def _check_needs(self, pool: Pool) -> None:
        has = {
            "probs": pool.probs is not None,
            "vectors": pool.vectors is not None,
            "labeled": pool.labeled is not None and pool.labeled.probs is not None,
            "groups": pool.labeled is not None,
            "slice": pool.slice_ is not None,
            "readout": pool.readout is not None,
            "draws": pool.draw_probs is not None,
        }
        missing = sorted(need for need in self.needs if not has[need])
        if missing:
            raise PoolError(f"the strategy {self.name!r} needs {', '.join(missing)}, which this pool does not have")

    def _params(self, settings: RunSettings) -> Any:
        return getattr(settings, self.settings) if self.settings else None


def _with_settings(pool: Pool, settings: RunSettings) -> Pool:
    # The same pool where it can be: a new one checks all of its probabilities again.
    return pool if pool.settings == settings else replace(pool, settings=settings)


_TABLE: dict[str, Strategy] = {}


def strategy(
    name: str,
    *,
    needs: frozenset[str] | set[str],
    cite: str,
    settings: str | None = None,
    work: WorkFunction | None = None,
) -> Callable[[QueryFunction], QueryFunction]:
    """Put a function in the table of strategies."""

    def register(function: QueryFunction) -> QueryFunction:
        _TABLE[name] = Strategy(name, function, frozenset(needs), cite, settings, work)
        return function

    return register


def all_strategies() -> tuple[Strategy, ...]:
    """Return every strategy, in the order in which they were registered."""
    return tuple(_TABLE.values())


def strategy_names() -> tuple[str, ...]:
    """Return the name of every strategy."""
    return tuple(_TABLE)


def get_strategy(name: str) -> Strategy:
    """Look a strategy up.

    Raises
    ------
    SettingsError
        With the nearest name, when there is none of this name.
    """
    if name not in _TABLE:
        near = difflib.get_close_matches(name, _TABLE, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise SettingsError(f"no strategy is called {shown(name)}; {hint}there are: {', '.join(_TABLE)}")
    return _TABLE[name]
