"""A round whose representations and predictions are drawn by chance, and whose selection is the real one.

Geometry matters here and texts do not: some vectors are the same, so that ties happen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.round import RoundResult
from alvin_core.run.engine import Engine
from alvin_core.strategies import LabeledSet, Pool
from alvin_core.strategies.selecting import select_alternatives, select_proposal
from alvin_core.summary import summarize
from alvin_core.types import Groups, TrainingDynamics

N_EPOCHS, DIM = 4, 5


def make_dataset(n_pool: int = 90, n_test: int = 6, *, pairs: bool = False, **changes: Any) -> Dataset:
    """Rows of the test split lie between those of the pool; ids do not ascend with the rows."""
    n = n_pool + n_test
    rng = np.random.default_rng(7)
    splits = np.full(n, "pool", dtype="<U4")
    splits[np.linspace(3, n - 2, n_test).astype(int)] = "test"
    dataset = Dataset(
        ids=np.asarray([f"e{number:05d}" for number in rng.permutation(n)]),
        texts=Texts.pack(f"text {row}, Straße 北京" for row in range(n)),
        second_texts=Texts.pack(f"second {row}" for row in range(n)) if pairs else None,
        labels=np.arange(n) % 3,
        classes=("neg", "pos", "so-so"),
        splits=splits,
        attributes=np.asarray(["long", "short", ""])[rng.integers(3, size=n)],
    )
    return replace(dataset, **changes)


def compute(
    engine: Engine, labeled_rows: Any, labeled_classes: Any, round_no: int, settings: Any, progress: Any
) -> Any:
    dataset = engine.dataset
    rng = np.random.default_rng([settings.seed, round_no])
    pool_rows = np.setdiff1d(dataset.rows_of("pool"), labeled_rows)
    vector_rows = np.union1d(labeled_rows, pool_rows)
    vectors = (rng.standard_normal((len(vector_rows), DIM)) + 3).astype(np.float32)
    vectors[10:16] = vectors[10]
    probs = rng.dirichlet(np.ones(3), size=len(dataset)).astype(np.float32)
    n_labeled = len(labeled_rows)
    is_minority = rng.random(n_labeled) < 0.3
    is_minority[: len(dataset.classes)] = True
    if settings.groups.rule == "variability":  # stands for: one group alone, so that ALVIN has nothing to pair
        is_minority[:] = True
    groups = Groups(is_minority, labeled_classes, settings.groups.rule, np.zeros(n_labeled, dtype=bool))
    dynamics = TrainingDynamics(
        dataset.ids[labeled_rows],
        rng.random((N_EPOCHS, n_labeled)) < 0.5,
        rng.random((N_EPOCHS, n_labeled)),
    )
    places = np.searchsorted(vector_rows, labeled_rows)
    pool = Pool(
        ids=dataset.ids[pool_rows],
        probs=probs[pool_rows],
        vectors=vectors[np.searchsorted(vector_rows, pool_rows)],
        labeled=LabeledSet(dataset.ids[labeled_rows], labeled_classes, vectors[places], groups),
    )
    selection = select_proposal(pool, settings, round_no)
    beside = select_alternatives(pool, settings, round_no)
    result = RoundResult(
        round_no=round_no,
        labeled_rows=labeled_rows,
        pool_rows=pool_rows,
        dynamics=dynamics,
        groups=groups,
        selection=selection,
        alternatives=beside.selections,
        probs=probs,
        vectors=vectors,
        vector_rows=vector_rows,
        metrics={},
        summary=summarize(dataset, pool, pool_rows, selection, beside, settings),
        seconds={},
        warnings=selection.warnings,
    )
    return result, {"device": "drawn"}
