"""What the strategies take of a round's pool: the run's own proposes, the others stand beside it for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from alvin_core.errors import AlvinError, Cancelled
from alvin_core.progress import ProgressEvent
from alvin_core.settings import RunSettings
from alvin_core.strategies.pool import Pool
from alvin_core.strategies.registry import Strategy, all_strategies, get_strategy
from alvin_core.types import Selection

__all__ = ["MAX_BESIDE_STEPS", "MAX_COMPARED_STEPS", "Alternatives", "select_alternatives", "select_proposal"]

# ALVIN is what this project is about: what it would have taken is worth about three seconds on two cores, not minutes.
MAX_COMPARED_STEPS = 30_000_000_000
# There are a dozen others, so each may take a tenth of that.
MAX_BESIDE_STEPS = 3_000_000_000
REFERENCE = "alvin"


@dataclass(frozen=True)
class Alternatives:
    """What the other strategies would have taken in a round.

    Attributes
    ----------
    selections : dict of str to Selection
    left_out : dict of str to int
        Strategies that would have cost too much, and the steps they would have taken, see `Strategy.steps`.
    warnings : tuple of str
        For each one that failed, and for ALVIN where it was left out, the reason.
    """

    selections: dict[str, Selection]
    left_out: dict[str, int]
    warnings: tuple[str, ...]


def select_proposal(pool: Pool, settings: RunSettings, round_no: int) -> Selection:
    """Let the run's strategy select the budget, or all that is left; nothing, with a warning, of an empty pool."""
    if not len(pool):
        nothing = np.empty(0, dtype=np.int64)
        return Selection(pool.ids, nothing, np.empty(0), nothing, warnings=("the pool is empty",))
    return _select(get_strategy(settings.strategy), pool, settings, round_no)


def select_alternatives(pool: Pool, settings: RunSettings, round_no: int) -> Alternatives:
    """Let every other strategy select what it would have taken as the run's own, where that is cheap enough.

    What selects from a slice has nothing to say where the settings name none: it is not among the others then.
    """
    wanted = {"all": None, "entropy": ("entropy",), "none": ()}[settings.runtime.beside]
    others = [
        entry
        for entry in all_strategies()
        if len(pool)
        and entry.name != settings.strategy
        and (wanted is None or entry.name in wanted)
        and (settings.counter_shortcut.slice or "slice" not in entry.needs)
    ]
    selections: dict[str, Selection] = {}
    left_out: dict[str, int] = {}
    warnings = []
    for place, entry in enumerate(others):
        pool.progress(ProgressEvent("select", place, len(others), entry.name))
        try:
            n_steps = entry.steps(pool, settings)
            limit = MAX_COMPARED_STEPS if entry.name == REFERENCE else MAX_BESIDE_STEPS
            if n_steps <= limit:
                selections[entry.name] = _select(entry, pool, settings, round_no)
                continue
            left_out[entry.name] = n_steps
            if entry.name != REFERENCE:  # told in the round's figures: a large pool would warn of many in every round
                continue
            reason = f"{n_steps:.1e} steps are more than the {limit:.0e} that a comparison is worth"
        except Cancelled:
            raise
        except AlvinError as error:  # it must not stop a run that does not depend on it
            reason = str(error)
        warnings.append(f"what {entry.name!r} would have taken is not known: {reason}")
    return Alternatives(selections, left_out, tuple(warnings))


def _select(entry: Strategy, pool: Pool, settings: RunSettings, round_no: int) -> Selection:
    # A stream for each strategy: it takes the same examples whether it proposes or stands beside.
    rng = np.random.default_rng([settings.seed, round_no, crc32(entry.name.encode())])
    return entry.select(pool, min(settings.budget, len(pool)), settings, rng)
