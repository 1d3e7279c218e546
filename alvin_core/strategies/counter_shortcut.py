"""Counter-shortcut: examples of a slice that most likely contradict the shortcut that the slice stands for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from alvin_core.settings import CounterShortcutSettings
from alvin_core.strategies.pool import Pool
from alvin_core.strategies.ranking import entropy_of, rank_by_score
from alvin_core.strategies.registry import strategy
from alvin_core.types import Selection

__all__ = ["counter_shortcut"]

NAME = "counter-shortcut"


@strategy(
    NAME,
    needs={"probs", "slice"},
    cite="this project; uncertainty within a subpool as in Lesci & Vlachos (2024)",
    settings="counter_shortcut",
)
def counter_shortcut(pool: Pool, budget: int, params: CounterShortcutSettings, rng: np.random.Generator) -> Selection:
    """Select, from one slice, the examples that most likely contradict its shortcut.

    Parameters
    ----------
    pool : Pool
        With ``probs`` and ``slice_``.
    budget : int
    params : CounterShortcutSettings
        ``slice``, which the round has looked up.
    rng : numpy.random.Generator
        Nothing is drawn.

    Returns
    -------
    Selection
        ``ranking`` has the slice's members alone, unless they are fewer than the budget. The score of a member is at
        least 0: ``1 - p(c)`` where the slice's shortcut says the class c, else the predictive entropy in nats. Outside
        the slice it is at most 0: the entropy, less the largest there can be.

    Notes
    -----
    The idea is this project's: a person who has found a shortcut asks for what would break it. That selecting by
    uncertainty within a part of the pool finds what the whole pool hides is known of AnchorAL (Lesci & Vlachos, 2024).
    Where the slice has fewer examples than the budget, the rest is taken from outside by entropy, with a warning.
    """
    part = pool.slice_
    assert part is not None  # the registry checked what the strategy needs
    assert pool.probs is not None
    probs = np.asarray(pool.probs, dtype=np.float64)
    entropy = entropy_of(probs)
    inside, outside = np.flatnonzero(part.is_member), np.flatnonzero(~part.is_member)
    scores = np.minimum(entropy - math.log(probs.shape[1]), 0.0)
    scores[inside] = entropy[inside] if part.shortcut_class is None else 1 - probs[inside, part.shortcut_class]
    ranking = _ranked(pool, scores, inside)
    n_inside = min(len(inside), budget)
    warnings: tuple[str, ...] = ()
    if n_inside < budget:
        ranking = np.concatenate([ranking, _ranked(pool, scores, outside)])
        warnings = (
            f"the slice {part.name!r} has {n_inside} unlabeled examples left, fewer than the budget of {budget}; the "
            f"other {budget - n_inside} were taken from outside it, by entropy",
        )
    rows = ranking[:budget]
    return Selection(pool.ids[rows], rows, scores[rows], ranking, warnings=warnings)


def _ranked(pool: Pool, scores: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[rank_by_score(scores[rows], pool.ids[rows])]
