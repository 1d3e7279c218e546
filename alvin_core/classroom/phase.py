"""Where ALVIN wins, ties and loses in the world: two strategies over shortcut strength, ambiguity and seeds.

Every cell (a world and a strategy) is a file, so a sweep that was stopped goes on, and a larger plan reuses a smaller.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from alvin_core.classroom.phase_plan import (
    FORMAT,
    MEASURE_WORDS,
    WorldPhasePlan,
    digest_of,
    read_phase,
    read_values,
    result_path,
)
from alvin_core.classroom.settings import WorldSettings
from alvin_core.errors import StoreError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.statistics import curve_area, paired_differences, verdict_words
from alvin_core.store.arrays import disk_reason, sync_folder

__all__ = ["WorldPhasePlan", "read_phase", "sweep_world"]

MEASURED = ("accuracy", "balanced_accuracy", "worst_group")


def sweep_world(folder: Path, plan: WorldPhasePlan, progress: Progress = silent) -> dict[str, Any]:
    """Run both strategies in every world of a plan, and say at each point which is ahead.

    Parameters
    ----------
    folder : Path
        Where cells and results are kept; made where it is not there.
    plan : WorldPhasePlan
    progress : Progress
        Stage ``worlds``, in cells. Raising `Cancelled` from it stops; what is finished is kept.

    Returns
    -------
    dict
        ``plan``; ``measure``; ``measure_words``; ``n_comparisons``; and ``points``, each with ``strength``,
        ``ambiguity``, ``n`` (seeds), ``mean``, ``low``, ``high`` (first strategy minus second in the mean over the
        learning curve, as shares, with the 95 % t-interval), ``p_corrected``, ``verdict`` (the name of the strategy
        that is ahead, ``tie``: no measurable difference, or ``too few seeds``), ``means`` (of each strategy),
        ``detectable`` (the true difference that would have been found with 80 % power, or None) and ``words``.

    Raises
    ------
    SettingsError
        When a strategy is unknown, or cannot work in the world.
    StoreError
        When the disk refuses.

    Notes
    -----
    Differences are paired by seed: both strategies start from the same world and labels. All points are judged
    together, by t-tests with Holm's correction (`alvin_core.statistics.paired_differences`).
    """
    from alvin_core.strategies import get_strategy

    for name in plan.strategies:
        get_strategy(name)  # before anything is computed
    cells = [(*point, seed, name) for point, seed, name in product(plan.points, plan.seeds, plan.strategies)]
    curves = {}
    for done, (strength, ambiguity, seed, name) in enumerate(cells):
        note = f"strength {strength:g}, ambiguity {ambiguity:g}, seed {seed}, {name}"
        progress(ProgressEvent("worlds", done, len(cells), note))
        settings = plan.world_at(strength, ambiguity, seed)
        curves[strength, ambiguity, seed, name] = _cell(folder, settings, name, plan.rounds, progress, done, len(cells))
    result = _judge(plan, curves)
    _write(result_path(folder, plan), result)
    progress(ProgressEvent("worlds", len(cells), len(cells)))
    return result


def _cell(
    folder: Path, settings: WorldSettings, strategy: str, n_rounds: int, progress: Progress, done: int, total: int
) -> dict[str, Any]:
    """Return the curves of one strategy in one world: from the disk, or computed and written there."""
    key = {"world": settings.to_dict(), "strategy": strategy, "rounds": n_rounds, "format": FORMAT}
    path = folder / "cells" / f"{digest_of(key)}.json"
    found = read_values(path)
    if found is not None and found.get("key") == key:
        return found
    from alvin_core.classroom.planting import BALANCED
    from alvin_core.classroom.world import make_world

    world = make_world(settings)
    labeled_rows = world.initial_rows
    curves: dict[str, Any] = {"key": key, "n_labeled": [], **{name: [] for name in MEASURED}}
    for number in range(n_rounds + 1):
        result, _ = world.run_round(strategy, labeled_rows, number)
        balanced = result.metrics[BALANCED]
        curves["n_labeled"].append(len(labeled_rows))
        curves["accuracy"].append(result.metrics["test"]["accuracy"])
        curves["balanced_accuracy"].append(balanced["accuracy"])
        curves["worst_group"].append(balanced["worst_group_accuracy"])
        labeled_rows = np.concatenate([labeled_rows, result.pool_rows[result.selection.rows]])
        if len(labeled_rows) == curves["n_labeled"][-1]:
            break  # the pool is empty
        progress(ProgressEvent("worlds", done, total))
    _write(path, curves)
    return curves


def _judge(plan: WorldPhasePlan, curves: Mapping[tuple[float, float, int, str], Mapping[str, Any]]) -> dict[str, Any]:
    def areas(strength: float, ambiguity: float, name: str) -> list[float]:
        cells = [curves[strength, ambiguity, seed, name] for seed in plan.seeds]
        return [float(curve_area(np.array(one["n_labeled"]), np.array(one[plan.measure]))) for one in cells]

    arm, reference = plan.strategies
    by_name = {name: np.array([areas(*point, name) for point in plan.points]) for name in plan.strategies}
    judged = paired_differences(by_name[arm] - by_name[reference])  # (n_points, n_seeds)
    measure = MEASURE_WORDS[plan.measure]
    ahead = {"better": arm, "worse": reference, "no measurable difference": "tie"}
    points = []
    for row, ((strength, ambiguity), one) in enumerate(zip(plan.points, judged, strict=True)):
        points.append(
            {
                "strength": strength,
                "ambiguity": ambiguity,
                "n": one.n,
                "mean": one.mean,
                "low": _finite(one.low),
                "high": _finite(one.high),
                "p_corrected": one.p_corrected,
                "verdict": ahead.get(one.verdict, one.verdict),
                "means": {name: float(values[row].mean()) for name, values in by_name.items()},
                "detectable": one.detectable,
                "words": verdict_words(one, arm=arm, reference=reference, measure=measure),
            }
        )
    return {
        "plan": plan.to_dict(),
        "measure": plan.measure,
        "measure_words": measure,
        "n_comparisons": len(points),
        "points": points,
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """Write a file, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                json.dump(values, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"could not write {path}: {disk_reason(error)}") from error
