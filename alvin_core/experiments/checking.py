"""Whether a plan can be carried out on a data set."""

from __future__ import annotations

import numpy as np

from alvin_core.data.dataset import UNLABELED, Dataset
from alvin_core.errors import DataError, PoolError
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.words import counted
from alvin_core.round_inputs import check_data
from alvin_core.settings import RunSettings

__all__ = ["check_comparable", "settings_of_arms"]


def check_comparable(dataset: Dataset, plan: ComparisonPlan) -> None:
    """Raise, before anything is computed, what would only show in the midst of it.

    Raises
    ------
    DataError
        When pool examples, or examples to evaluate on, have no label; when there are fewer than two classes.
    PoolError
        When the pool is too small for the rounds.
    SettingsError
        When a strategy is unknown, or settings contradict each other or the data.
    """
    if len(dataset.classes) < 2:
        raise DataError(f"the data set has the classes {list(dataset.classes)}; at least 2 are needed")
    pool_rows = dataset.rows_of("pool")
    n_open = int(np.sum(dataset.labels[pool_rows] == UNLABELED))
    if n_open:
        raise DataError(
            f"{n_open} of {len(pool_rows)} pool examples have no label, and in a comparison the label column must "
            "answer; label them, or leave them out of the pool"
        )
    _check_reach(len(pool_rows), plan)
    for settings in settings_of_arms(plan):
        check_data(dataset, settings)


def _check_reach(n_pool: int, plan: ComparisonPlan) -> None:
    initial, budget = plan.settings.initial, plan.settings.budget
    n_needed = initial + plan.rounds * budget
    if n_needed > n_pool:
        reach = max(0, (n_pool - initial) // budget)
        raise PoolError(
            f"initial = {initial} and {counted(plan.rounds, 'round')} of {budget} need {n_needed} pool examples, there "
            f"are {n_pool}: enough for {counted(reach, 'round')}; lower the rounds, the budget or the initial set"
        )


def settings_of_arms(plan: ComparisonPlan) -> list[RunSettings]:
    """Return the settings of each arm of a plan, with the first seed."""
    first = plan.seeds[0]
    return [cell.settings for cell in plan.cells if cell.seed == first]
