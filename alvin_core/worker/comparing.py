"""The jobs that compare: strategies on a data set, and strategies in worlds of two dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvin_core.errors import StoreError
from alvin_core.progress import Progress, ProgressEvent

if TYPE_CHECKING:
    from alvin_core.data.dataset import Dataset
    from alvin_core.experiments.comparison import Comparison

__all__ = ["COMPARE_STAGE", "compare", "sweep_worlds"]

COMPARE_STAGE = "compare"
WORLDS = "classroom"  # the folder of worlds' figures in a store


def compare(store: Path, params: Mapping[str, Any], data: Dataset | None, progress: Any) -> dict[str, Any]:
    """Carry out a comparison, or go on with it.

    Parameters
    ----------
    store : Path
    params : mapping
        As `alvin_core.worker.params.checked_params` returns them.
    data : Dataset or None
        None where the store has it.
    progress : Teller

    Returns
    -------
    dict
        ``comparison``, ``comparison_id``, ``n_cells`` and ``n_finished``.
    """
    comparison = _comparison(store, params, data)
    result: dict[str, Any] = {"comparison": comparison.name, "comparison_id": comparison.id, "notes": []}
    progress.finished(result | _counts(comparison))
    try:
        comparison.run(progress=_as_rounds(progress, result["notes"]))
    finally:
        result |= _counts(comparison)
    return result


def sweep_worlds(store: Path, params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Compute where ALVIN helps in worlds of two dimensions."""
    from alvin_core.classroom.phase import WorldPhasePlan, sweep_world

    diagram = sweep_world(store / WORLDS, WorldPhasePlan.from_dict(params), progress)
    return {"points": len(diagram["points"])}


def _comparison(store: Path, params: Mapping[str, Any], data: Dataset | None) -> Comparison:
    """Return the comparison, made where it is not there; a job that was cut off finds what it made."""
    from alvin_core.experiments.comparison import create_comparison, list_comparisons, open_comparison
    from alvin_core.experiments.plan import ComparisonPlan
    from alvin_core.store.datasets import load_stored_dataset

    plan, name = ComparisonPlan.from_dict(params["plan"]), params["name"]
    dataset = load_stored_dataset(store, params["dataset"]) if data is None else data
    if not any(info.name == name for info in list_comparisons(store)):
        return create_comparison(store, dataset, plan, name=name, source=params["source"])
    comparison = open_comparison(store, name)
    if comparison.digest != (params["dataset"] or dataset.digest()):
        raise StoreError(f"the comparison {name!r} is on other data; choose another name")
    comparison.extend(plan)
    return comparison


def _counts(comparison: Comparison) -> dict[str, int]:
    info = comparison.info()
    return {"n_cells": info.n_cells, "n_finished": info.n_finished}


def _as_rounds(progress: Progress, notes: list[str]) -> Progress:
    """Return a progress that tells one stage, counted in rounds, where a comparison tells of cells and of rounds."""
    from alvin_core.experiments.values import CELLS, ROUNDS

    told = {"done": 0, "total": 0}

    def tell(event: ProgressEvent) -> None:
        if event.stage == ROUNDS:
            told.update(done=event.done, total=event.total)
        elif event.stage != CELLS:
            progress(event)
        elif event.total:
            cells = f"{event.done} of {event.total} runs finished"
            progress(ProgressEvent(COMPARE_STAGE, told["done"], told["total"], cells))
        elif event.note not in notes:
            notes.append(event.note)

    return tell
