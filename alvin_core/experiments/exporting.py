"""A comparison as plain values, for a file: the same however often it was interrupted, apart from ``timings``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alvin_core.experiments.comparison import Comparison
    from alvin_core.experiments.summary import ComparisonSummary
    from alvin_core.run.values import RoundRecord

__all__ = ["comparison_values"]

KEPT = ("round", "n_labeled", "metrics", "groups", "anchors", "selection")


def comparison_values(comparison: Comparison, summary: ComparisonSummary) -> dict[str, Any]:
    """Return all that a comparison found, ready for JSON.

    Parameters
    ----------
    comparison : Comparison
    summary : ComparisonSummary

    Returns
    -------
    dict
        ``comparison`` (name, source, digest of the data, plan, arms), ``summary``, ``cells`` (arm, seed, records),
        ``warnings`` and ``timings``. Nothing but ``timings`` holds ids, dates or seconds.
    """
    found = [(state, records) for state, records in comparison.records() if records]
    return {
        "comparison": {
            "name": comparison.name,
            "source": comparison.source,
            "data": comparison.digest,
            "plan": comparison.plan.to_dict(),
            "arms": [arm.name for arm in comparison.plan.arms],
        },
        "summary": summary.to_dict(),
        "cells": [
            {"arm": state.cell.arm, "seed": state.cell.seed, "records": [_figures(one) for one in records]}
            for state, records in found
        ],
        # Together, since a process says but once that its encoder cuts long texts, in whatever round it begins with.
        "warnings": sorted({warning for _, records in found for one in records for warning in one.warnings}),
        "timings": {
            "created_at": comparison.created_at,
            "cells": [
                {
                    "arm": state.cell.arm,
                    "seed": state.cell.seed,
                    "run": state.run,
                    "rounds": [_times(one) for one in records],
                }
                for state, records in found
            ],
        },
    }


def _figures(record: RoundRecord) -> dict[str, Any]:
    values = record.to_dict()
    return {name: values[name] for name in KEPT}


def _times(record: RoundRecord) -> dict[str, Any]:
    return {
        "round": record.round,
        "created_at": record.created_at,
        "seconds": record.seconds,
        "encoding": record.encoding,
    }
