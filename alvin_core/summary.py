"""Figures of a round for people: its groups, its anchors, its selection beside what others would have taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alvin_core.data.dataset import Dataset
from alvin_core.metrics import distances_to_labeled, group_names, jaccard, share_of, uncertainty_of
from alvin_core.settings import RunSettings
from alvin_core.strategies import Pool
from alvin_core.strategies.selecting import Alternatives
from alvin_core.types import Groups, IntArray, Selection

__all__ = ["summarize", "warnings_of"]

# Above these shares, what the user asked for is hardly what decides any more.
MOSTLY_FILLED = 0.5
MOSTLY_CANDIDATES = 0.9


def summarize(
    dataset: Dataset,
    pool: Pool,
    pool_rows: IntArray,
    selection: Selection,
    beside: Alternatives,
    settings: RunSettings,
) -> dict[str, Any]:
    """Sum up a round's groups, anchors and selection, and what the other strategies would have taken.

    Parameters
    ----------
    dataset : Dataset
    pool : Pool
        As the strategies saw it, with the labeled set.
    pool_rows : int array of shape (n_pool,)
        Rows in the data set.
    selection : Selection
    beside : Alternatives
    settings : RunSettings

    Returns
    -------
    dict
        ``groups``, ``anchors`` and ``selection``, of plain values, ready for JSON.
    """
    assert pool.labeled is not None
    groups = pool.labeled.groups
    everyone = {settings.strategy: selection, **beside.selections} if len(selection) else {}
    figures = {name: _figures(dataset, settings, pool, pool_rows, one) for name, one in everyone.items()}
    for name, diversity in _diversities(pool, everyone).items():
        figures[name]["diversity"] = diversity
        figures[name]["overlap"] = jaccard(everyone[name].ids, selection.ids)
    own = figures.get(settings.strategy, {})
    uncertainty = figures.get("entropy", {})
    return {
        "groups": {
            "n_minority": int(groups.is_minority.sum()),
            "n_majority": int((~groups.is_minority).sum()),
            "rule": groups.rule,
            "filled_share": groups.filled_share,
            "filled_classes": [dataset.classes[class_] for class_ in groups.filled_classes],
        },
        "anchors": {"n": 0 if selection.anchors is None else len(selection.anchors), "k": selection.k},
        "selection": {
            "n": len(selection),
            "n_pool": len(pool),
            "n_candidates": selection.n_candidates,
            "candidate_share": selection.n_candidates / len(pool) if len(pool) else None,
            "mean_confidence": own.get("mean_confidence"),
            "mean_entropy": own.get("mean_entropy"),
            "diversity": own.get("diversity"),
            "class_shares": own.get("class_shares", {}),
            "group_shares": own.get("group_shares", {}),
            "uncertainty_mean_confidence": uncertainty.get("mean_confidence"),
            "overlap_entropy": uncertainty.get("overlap"),
            "others": {name: figures[name] for name in beside.selections},
            "left_out": beside.left_out,
        },
    }


def _figures(
    dataset: Dataset, settings: RunSettings, pool: Pool, pool_rows: IntArray, selection: Selection
) -> dict[str, Any]:
    assert pool.probs is not None
    rows = selection.rows
    # An oracle that a person must not see counts as unknown: shares of its labels would give them away.
    hidden = settings.annotator == "person"
    gold = np.full(len(rows), -1) if hidden else dataset.labels[pool_rows[rows]]
    classes = [dataset.classes[label] if label >= 0 else None for label in gold.tolist()]
    attributes = None if dataset.attributes is None else dataset.attributes[pool_rows[rows]]
    groups = [] if attributes is None else group_names(gold, dataset.classes, attributes).tolist()
    return {
        **uncertainty_of(pool.probs[rows]),
        "class_shares": share_of(classes),
        "group_shares": share_of(groups),
    }


def _diversities(pool: Pool, selections: dict[str, Selection]) -> dict[str, float]:
    """Return the mean distance of each selection to the labeled set; what several selected is measured once."""
    if not selections:
        return {}
    assert pool.vectors is not None
    assert pool.labeled is not None
    rows = np.unique(np.concatenate([one.rows for one in selections.values()]))
    distances = distances_to_labeled(pool.vectors[rows], pool.labeled.vectors)
    return {name: float(distances[np.searchsorted(rows, one.rows)].mean()) for name, one in selections.items()}


def warnings_of(groups: Groups, classes: Sequence[str], selection: Selection, n_pool: int) -> tuple[str, ...]:
    """Tell where something else than the method took over: the fill-up for the rule, or the rank for the anchors."""
    warnings = []
    if groups.filled_share > MOSTLY_FILLED:
        filled = ", ".join(classes[class_] for class_ in groups.filled_classes)
        warnings.append(
            f"{groups.filled_share:.0%} of the minority examples were filled up by low confidence, not found by the "
            f"{groups.rule!r} rule (classes: {filled})"
        )
    if selection.candidates is not None and selection.n_candidates > MOSTLY_CANDIDATES * n_pool:
        warnings.append(
            f"{selection.n_candidates / n_pool:.0%} of the pool are candidates, so the rank alone decides; lower "
            "alvin.k or alvin.n_anchors, or set alvin.max_pairs"
        )
    return tuple(warnings)
