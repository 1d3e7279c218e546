"""When does a strategy help? Its gain over a reference on planted data, over shortcut strength and ambiguity.

Each point of the plane is a comparison in the store, so a sweep can be stopped, continued and looked into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.planted import PlantedSettings, make_planted
from alvin_core.errors import SettingsError, StoreError
from alvin_core.experiments.backends import BackendName
from alvin_core.experiments.comparison import Comparison, create_comparison, open_comparison
from alvin_core.experiments.phase_diagram import PhaseDiagram, PhasePoint, phase_markdown
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.results import ComparisonResults
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.statistics import curve_area, paired_differences

__all__ = ["MEASURES", "PhaseDiagram", "PhasePlan", "PhasePoint", "diagram_of", "phase_markdown", "sweep_phase"]

MEASURES = ("accuracy:ood:balanced", "worst_group:ood:balanced")


@dataclass(frozen=True)
class PhasePlan:
    """What is swept.

    Attributes
    ----------
    comparison : ComparisonPlan
        The strategies, seeds and settings at every point.
    task : str
        Of the generator of planted data.
    strengths, ambiguities : tuple of float
        The axes: share of each class whose shortcut agrees with it, and share of texts that leave the label open.
    reference : str
        The arm that all others are held against.
    n_pool, n_test, n_ood : int
        Rows of the splits.
    data_seed : int
        Of the generator, the same at every point.
    measures : tuple of str
        As `ComparisonResults` names them; what is judged is the area under each curve.
    """

    comparison: ComparisonPlan
    task: str = "reviews"
    strengths: tuple[float, ...] = (0.6, 0.8, 0.95)
    ambiguities: tuple[float, ...] = (0.0, 0.15, 0.3)
    reference: str = "entropy"
    n_pool: int = 1500
    n_test: int = 300
    n_ood: int = 600
    data_seed: int = 11  # that of no sample, so that settings chosen on samples are not judged on their own texts
    measures: tuple[str, ...] = MEASURES

    def __post_init__(self) -> None:
        for name in ("strengths", "ambiguities", "measures"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise SettingsError(f"{name} = {list(values)} must name at least one value, and each once")
        for strength, ambiguity in self.points:
            self.data_at(strength, ambiguity)  # raises where the generator does not take them
        names = [arm.name for arm in self.comparison.arms]
        if self.reference not in names or len(names) < 2:
            raise SettingsError(
                f"reference = {self.reference!r} must be one of at least two arms; there are: {', '.join(names)}"
            )

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """Strength and ambiguity of every point, strengths fastest."""
        return tuple((strength, ambiguity) for ambiguity in self.ambiguities for strength in self.strengths)

    def data_at(self, strength: float, ambiguity: float) -> PlantedSettings:
        """Return what is planted at a point."""
        return PlantedSettings(
            self.task,
            strength=strength,
            ambiguity=ambiguity,
            n_pool=self.n_pool,
            n_test=self.n_test,
            n_ood=self.n_ood,
            seed=self.data_seed,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        values: dict[str, Any] = asdict(self) | {"comparison": self.comparison.to_dict()}
        return values


def sweep_phase(
    store: Path | str,
    plan: PhasePlan,
    *,
    name: str = "phase",
    backend: BackendName = "local",
    workers: int | None = None,
    progress: Progress = silent,
) -> PhaseDiagram:
    """Compare strategies at every point of the plane, and say where which is ahead.

    Parameters
    ----------
    store : Path or str
        Each point is a comparison in it, called ``NAME-STRENGTH-AMBIGUITY``. What is there is not computed again.
    plan : PhasePlan
    name : str
    backend, workers
        As in `Comparison.run`.
    progress : Progress
        Stage ``points``, in points of the plane; between them the stages of a comparison.

    Returns
    -------
    PhaseDiagram

    Raises
    ------
    SettingsError
        When the store has a point of this name with another plan.
    AlvinError
        As `Comparison.run` does.
    Cancelled
        When ``progress`` raises it; what is finished is kept.
    """
    results: dict[tuple[float, float], ComparisonResults] = {}
    for place, (strength, ambiguity) in enumerate(plan.points):
        progress(ProgressEvent("points", place, len(plan.points), f"strength {strength:g}, ambiguity {ambiguity:g}"))
        comparison = _comparison_at(store, plan, name, strength, ambiguity)
        comparison.run(backend=backend, workers=workers, progress=progress)
        results[strength, ambiguity] = comparison.results()
    progress(ProgressEvent("points", len(plan.points), len(plan.points)))
    return diagram_of(plan, results)


def _comparison_at(store: Path | str, plan: PhasePlan, name: str, strength: float, ambiguity: float) -> Comparison:
    planted = plan.data_at(strength, ambiguity)
    dataset = make_planted(**asdict(planted))
    at = f"{name}-{strength:g}-{ambiguity:g}"
    source = f"planted {plan.task}, strength {strength:g}, ambiguity {ambiguity:g}, seed {plan.data_seed}"
    try:
        found = open_comparison(store, at)
    except StoreError:
        return create_comparison(store, dataset, plan.comparison, name=at, source=source)
    if found.digest != dataset.digest():
        raise SettingsError(
            f"the comparison {at!r} is of other data: {len(found.dataset):,} rows of {found.source}, now "
            f"{len(dataset):,} of {source}; choose another name"
        )
    found.extend(plan.comparison)
    return found


def diagram_of(plan: PhasePlan, results: Mapping[tuple[float, float], ComparisonResults]) -> PhaseDiagram:
    """Judge what was measured at all points together.

    Parameters
    ----------
    plan : PhasePlan
    results : mapping of (strength, ambiguity) to ComparisonResults
        For every point of the plan.
    """
    arms = tuple(arm.name for arm in plan.comparison.arms if arm.name != plan.reference)
    keys = [(arm, measure, *point) for arm in arms for measure in plan.measures for point in plan.points]
    rows, references = [], []
    for arm, measure, strength, ambiguity in keys:
        area = partial(_areas, results[strength, ambiguity], measure, plan.comparison.seeds)
        reference = area(plan.reference)
        rows.append(area(arm) - reference)
        known = reference[~np.isnan(reference)]
        references.append(float(known.mean()) if len(known) else float("nan"))
    judged = paired_differences(np.array(rows))
    points = (PhasePoint(*key, area, one) for key, area, one in zip(keys, references, judged, strict=True))
    notes = dict.fromkeys(
        f"strength {strength:g}, ambiguity {ambiguity:g}: {note}"
        for (strength, ambiguity), one in results.items()
        for note in one.notes
    )
    return PhaseDiagram(
        plan.task,
        plan.reference,
        plan.strengths,
        plan.ambiguities,
        arms,
        plan.measures,
        tuple(points),
        tuple(notes),
    )


def _areas(results: ComparisonResults, measure: str, seeds: tuple[int, ...], arm: str) -> NDArray[np.float64]:
    """Area under an arm's curve for each seed, of shape (n_seeds,); NaN where it is missing."""
    areas = np.full(len(seeds), np.nan)
    if measure not in results.measures or arm not in results.arms:
        return areas
    values = results.values[results.measures.index(measure), results.arms.index(arm)]  # (n_seeds, n_rounds)
    found = curve_area(results.n_labeled, values)
    for place, seed in enumerate(seeds):
        if seed in results.seeds:
            areas[place] = found[results.seeds.index(seed)]
    return areas
