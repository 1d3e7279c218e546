"""A round without a model: as cheap as can be, and every figure follows from the labels it was given.

Used where the run and the store are tested and the method is not. Any label lost, doubled or moved changes
what it selects.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.round import RoundResult
from alvin_core.run.engine import Engine
from alvin_core.types import Anchors, Candidates, Groups, Provenance, Selection, TrainingDynamics

N_EPOCHS, DIM = 3, 4


def make_dataset(n_pool: int = 60, n_test: int = 12, *, labeled: float = 1.0, pairs: bool = False) -> Dataset:
    n = n_pool + n_test
    labels = np.arange(n) % 2
    labels[: round(n_pool * (1 - labeled))] = -1
    return Dataset(
        ids=np.asarray([f"e{row:05d}" for row in range(n)]),
        texts=Texts.pack(f"text {row}, with a comma" for row in range(n)),
        second_texts=Texts.pack(f"second {row}" for row in range(n)) if pairs else None,
        labels=labels,
        classes=("neg", "pos"),
        splits=np.asarray(["pool"] * n_pool + ["test"] * n_test),
        attributes=np.asarray(["long", "short", ""])[np.arange(n) % 3],
    )


def label_of(example_id: str) -> str:
    """Return the class of an example of `make_dataset`: what everybody answers who is asked."""
    return "pos" if int(example_id[1:]) % 2 else "neg"


def _selection(ids: Any, scores: Any, budget: int) -> Selection:
    ranking = np.lexsort((ids, -scores))
    rows = ranking[:budget]
    return Selection(ids=ids[rows], rows=rows, scores=scores[rows], ranking=ranking)


def compute(
    engine: Engine, labeled_rows: Any, labeled_classes: Any, round_no: int, settings: Any, progress: Any
) -> Any:
    dataset = engine.dataset
    pool_rows = np.setdiff1d(dataset.rows_of("pool"), labeled_rows)
    seen = crc32(labeled_classes.astype(np.int64).tobytes(), crc32(labeled_rows.astype(np.int64).tobytes()))
    rng = np.random.default_rng([settings.seed, round_no, seen, crc32(settings.strategy.encode())])
    first = rng.random(len(dataset))
    probs = np.stack([first, 1 - first], axis=1).astype(np.float32)
    n_labeled, budget = len(labeled_rows), min(settings.budget, len(pool_rows))
    vector_rows = np.union1d(labeled_rows, pool_rows)
    pool_ids, labeled_ids = dataset.ids[pool_rows], dataset.ids[labeled_rows]
    plain = _selection(pool_ids, first[pool_rows], budget)
    anchors = Anchors(
        parent_vectors=rng.random((n_labeled, DIM), dtype=np.float32),
        parent_ids=labeled_ids,
        minority_rows=np.asarray([0, 1]),
        majority_rows=np.asarray([1, 0]),
        weights=np.asarray([0.25, 0.75], dtype=np.float32),
        classes=np.asarray([0, 1]),
    )
    selection = Selection(
        ids=plain.ids,
        rows=plain.rows,
        scores=plain.scores,
        ranking=plain.ranking,
        provenance=Provenance(plain.ids, np.arange(budget) % 2, np.linspace(0, 1, budget)),
        candidates=Candidates(np.sort(plain.ranking), np.ones(len(pool_rows), dtype=int), np.zeros(len(pool_rows))),
        anchors=anchors,
        k=3,
    )
    result = RoundResult(
        round_no=round_no,
        labeled_rows=labeled_rows,
        pool_rows=pool_rows,
        dynamics=TrainingDynamics(
            labeled_ids, np.ones((N_EPOCHS, n_labeled), dtype=bool), rng.random((N_EPOCHS, n_labeled))
        ),
        groups=Groups(np.arange(n_labeled) % 4 == 0, labeled_classes, "forgetting", np.zeros(n_labeled, dtype=bool)),
        selection=selection,
        alternatives={"entropy": _selection(pool_ids, -first[pool_rows], budget)},
        probs=probs,
        vectors=rng.random((len(vector_rows), DIM), dtype=np.float32),
        vector_rows=vector_rows,
        metrics={"test": {"n": 12, "accuracy": np.float64(seen % 100 / 100), "macro_f1": float("nan"), "groups": {}}},
        summary={
            "groups": {"n_minority": np.int64(1), "n_majority": n_labeled - 1},
            "anchors": {"n": 2},
            "selection": {"n": budget, "mean_confidence": 0.5, "class_shares": {}},
        },
        seconds={"train": 0.1},
        warnings=("a warning",),
    )
    return result, {"device": "fake"}
