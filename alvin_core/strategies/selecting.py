"""What the strategies take of a round's pool: the run's own proposes, the others stand beside it for comparison."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from alvin_core.errors import AlvinError, Cancelled
from alvin_core.progress import ProgressEvent
from alvin_core.settings import RunSettings
from alvin_core.strategies.registry import Pool, Strategy, all_strategies, get_strategy
from alvin_core.types import Selection

__all__ = ["MAX_COMPARED_STEPS", "select_alternatives", "select_proposal"]

# About three seconds on two cores: what another strategy would have taken is worth that, not minutes.
MAX_COMPARED_STEPS = 30_000_000_000


def select_proposal(pool: Pool, settings: RunSettings, round_no: int) -> Selection:
    """Let the run's strategy select the budget, or all that is left; nothing, with a warning, of an empty pool."""
    if not len(pool):
        nothing = np.empty(0, dtype=np.int64)
        return Selection(pool.ids, nothing, np.empty(0), nothing, warnings=("the pool is empty",))
    return _select(get_strategy(settings.strategy), pool, settings, round_no)


def select_alternatives(
    pool: Pool, settings: RunSettings, round_no: int
) -> tuple[dict[str, Selection], tuple[str, ...]]:
    """Let every other strategy select what it would have taken as the run's own.

    Returns
    -------
    dict of str to Selection
    tuple of str
        For each strategy that is missing the reason: it takes too many steps, or failed.
    """
    others = [entry for entry in all_strategies() if entry.name != settings.strategy] if len(pool) else []
    selections: dict[str, Selection] = {}
    reasons = []
    for place, entry in enumerate(others):
        pool.progress(ProgressEvent("select", place, len(others), entry.name))
        try:
            n_steps = entry.steps(pool, settings)
            if n_steps <= MAX_COMPARED_STEPS:
                selections[entry.name] = _select(entry, pool, settings, round_no)
                continue
            reason = f"{n_steps:.1e} steps are more than the {MAX_COMPARED_STEPS:.0e} that a comparison is worth"
        except Cancelled:
            raise
        except AlvinError as error:  # it must not stop a run that does not depend on it
            reason = str(error)
        reasons.append(f"what {entry.name!r} would have taken is not known: {reason}")
    return selections, tuple(reasons)


def _select(entry: Strategy, pool: Pool, settings: RunSettings, round_no: int) -> Selection:
    # A stream for each strategy: it takes the same examples whether it proposes or stands beside.
    rng = np.random.default_rng([settings.seed, round_no, crc32(entry.name.encode())])
    return entry.select(pool, min(settings.budget, len(pool)), settings, rng)
