"""Rounds with known figures, as a comparison would have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alvin_core.experiments.results import CellResult, ComparisonResults, results_of
from alvin_core.run.values import RoundRecord

GROUPS = {"neg × film": 90, "neg × book": 10, "pos × book": 90, "pos × film": 10}


def figures(accuracy: float, worst: float | None = None) -> dict[str, Any]:
    """What is measured on a split; its groups are there where the worst one is given."""
    groups = {} if worst is None else {name: {"n": n, "accuracy": accuracy} for name, n in GROUPS.items()}
    return {
        "n": 200,
        "accuracy": accuracy,
        "macro_f1": accuracy / 2,
        "groups": groups,
        "worst_group": None if worst is None else "neg × book",
        "worst_group_accuracy": worst,
    }


def record(round_no: int, n_labeled: int, metrics: Mapping[str, Any], **selection: Any) -> RoundRecord:
    """One round; of its selection only what is given."""
    nothing: dict[str, Any] = {}
    return RoundRecord(
        run="made",
        round=round_no,
        strategy="made",
        n_labeled=n_labeled,
        metrics=dict(metrics),
        groups=nothing,
        anchors=nothing,
        selection={"class_shares": {}, "group_shares": {}, **selection},
        encoding=nothing,
        seconds={"train": 1.0},
        warnings=(),
        created_at="2026-01-01T00:00:00+00:00",
    )


def cell(
    arm: str,
    seed: int,
    heights: Sequence[float],
    *,
    split: str = "test",
    first: int = 100,
    step: int = 50,
    **selection: Any,
) -> CellResult:
    """An arm with a seed whose accuracies on one split are given, round by round."""
    records = tuple(
        record(row, first + step * row, {split: figures(height)}, **selection) for row, height in enumerate(heights)
    )
    return CellResult(arm, seed, f"{arm}-{seed}", records)


def gathered(curves: Mapping[str, Sequence[Sequence[float]]]) -> ComparisonResults:
    """Results of arms with a curve of accuracies on ``test`` for each seed."""
    cells = [cell(arm, seed, heights) for arm, seeds in curves.items() for seed, heights in enumerate(seeds)]
    return results_of("made", "sample", cells)
