"""Results of a comparison -> what they say: intervals, paired differences, verdicts.

Every screen and file draws what `summarize_comparison` returns, so that they all show the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError
from alvin_core.experiments.markdown import to_markdown
from alvin_core.experiments.results import ComparisonResults
from alvin_core.experiments.summary import ArmCurve, ArmDifference, ArmSelection, ComparisonSummary, LabelsToReach
from alvin_core.experiments.words import TESTED, kind_of
from alvin_core.statistics import Interval, PairedTest, curve_area, mean_interval, paired_differences

__all__ = [
    "ComparisonSummary",
    "comparison_markdown",
    "default_reference",
    "summarize_comparison",
    "to_markdown",
]

Array = NDArray[np.float64]

comparison_markdown = to_markdown  # its public name

USUAL_REFERENCES = ("entropy", "random")


def summarize_comparison(
    results: ComparisonResults, *, reference: str | None = None, confidence: float = 0.95, test: PairedTest = "t"
) -> ComparisonSummary:
    """Say what a comparison found.

    Parameters
    ----------
    results : ComparisonResults
    reference : str, optional
        The arm that the others are compared with; see `default_reference`.
    confidence : float
        Of the intervals; differences are tested at one minus it.
    test : {"t", "sign-flip"}
        The paired test over seeds.

    Returns
    -------
    ComparisonSummary

    Raises
    ------
    SettingsError
        When there is no such arm or test, or the confidence is not between 0 and 1.

    Notes
    -----
    Accuracy and worst-group accuracy are tested; macro-F1 is only described [ours: fewer tests leave each more power].
    Primary are the areas under the learning curves [field: they use every round, not one], p corrected by Holm over
    all arms and measures together. Differences after the last round are secondary, corrected within themselves. Each is
    of the seeds that the arm and the reference have both finished.
    """
    if reference is None:
        reference = default_reference(results.arms)
    _check(results, reference, confidence, test)
    values, n_labeled = results.values, results.n_labeled
    areas, finals = curve_area(n_labeled, values), values[..., -1]
    curves = tuple(
        ArmCurve(
            measure,
            arm,
            rounds=tuple(_interval(values[m, a, :, r], confidence) for r in range(len(n_labeled))),
            area=_interval(areas[m, a], confidence),
            final=_interval(finals[m, a], confidence),
        )
        for m, measure in enumerate(results.measures)
        for a, arm in enumerate(results.arms)
    )
    tests = (results, reference, confidence, test)
    return ComparisonSummary(
        name=results.name,
        source=results.source,
        arms=results.arms,
        measures=results.measures,
        figures=results.figures,
        seeds=results.seeds,
        reference=reference,
        n_labeled=tuple(int(n) for n in n_labeled),
        confidence=confidence,
        test=test,
        curves=curves,
        primary=_differences(areas, *tests),
        secondary=_differences(finals, *tests),
        selections=_selections(results, confidence),
        labels_to_reach=_labels_to_reach(results, reference, confidence),
        notes=results.notes + _notes_on_seeds(results, reference),
    )


def default_reference(arms: Sequence[str]) -> str:
    """Return the arm that others are compared with unless somebody says.

    ``entropy``, else ``random``, each plain or, where all strategies are varied, with the first of the values; else the
    first arm.
    """
    usual = (arm for name in USUAL_REFERENCES for arm in arms if arm.partition(" ")[0] == name)
    return next(usual, arms[0])


def _check(results: ComparisonResults, reference: str, confidence: float, test: str) -> None:
    if reference not in results.arms:
        raise SettingsError(
            f"the reference {reference!r} is no arm of {results.name!r}; choose one of: {', '.join(results.arms)}"
        )
    if not 0 < confidence < 1:
        raise SettingsError(f"confidence = {confidence:g} must be between 0 and 1, such as 0.95")
    if test not in get_args(PairedTest):
        raise SettingsError(f"the test {test!r} is unknown; choose one of: {', '.join(get_args(PairedTest))}")


def _interval(values: Array, confidence: float) -> Interval | None:
    found = mean_interval(values, confidence)
    return found if found.n else None


def _notes_on_seeds(results: ComparisonResults, reference: str) -> tuple[str, ...]:
    # A measure is missing in every round or in none, so the last round is there where all are.
    done: NDArray[np.bool_] = np.asarray(np.isfinite(results.values[..., -1]).any(axis=0))  # (n_arms, n_seeds)
    if done.all():
        return ()
    with_reference = (done & done[results.arms.index(reference)]).any(axis=1)
    untested = [arm for arm, one in zip(results.arms, with_reference, strict=True) if not one]
    notes = [f"{arm} has finished no seed that {reference} has, and is in no test" for arm in untested]
    return (*notes, "this is an interim look: a verdict can change until every seed is finished")


def _differences(
    heights: Array, results: ComparisonResults, reference: str, confidence: float, test: PairedTest
) -> tuple[ArmDifference, ...]:
    """Compare every arm with the reference in every tested measure, as one family.

    Parameters
    ----------
    heights : float64 array of shape (n_measures, n_arms, n_seeds)
    """
    base = results.arms.index(reference)
    pairs, rows = [], []
    for m, measure in enumerate(results.measures):
        for a, arm in enumerate(results.arms):
            row = heights[m, a] - heights[m, base]
            if kind_of(measure) in TESTED and arm != reference and np.isfinite(row).any():
                pairs.append((measure, arm))
                rows.append(row)
    if not rows:
        return ()
    found = paired_differences(np.stack(rows), confidence=confidence, test=test)
    return tuple(ArmDifference(m, arm, reference, one) for (m, arm), one in zip(pairs, found, strict=True))


def _selections(results: ComparisonResults, confidence: float) -> tuple[ArmSelection, ...]:
    found = []
    for f, figure in enumerate(results.figures):
        for a, arm in enumerate(results.arms):
            per_seed = results.selections[f, a]  # (n_seeds, n_rounds)
            annotated = per_seed[:, :-1] if per_seed.shape[1] > 1 else per_seed
            rounds = tuple(_interval(column, confidence) for column in per_seed.T)
            found.append(ArmSelection(figure, arm, rounds, _interval(_row_means(annotated), confidence)))
    return tuple(found)


def _row_means(values: Array) -> Array:
    """Return the mean of what is known in each row; NaN where nothing is."""
    known = np.isfinite(values)
    totals = np.where(known, values, 0).sum(axis=1)
    counts = known.sum(axis=1)
    return np.asarray(np.where(counts > 0, totals / np.maximum(counts, 1), np.nan))


def _labels_to_reach(results: ComparisonResults, reference: str, confidence: float) -> tuple[LabelsToReach, ...]:
    base, sizes = results.arms.index(reference), results.n_labeled.astype(np.float64)
    found = []
    for m, measure in enumerate(results.measures):
        if kind_of(measure) not in TESTED:
            continue
        for a, arm in enumerate(results.arms):
            # (n_seeds, n_rounds), of the seeds that both have finished
            pair = results.values[m, [a, base]]
            own, other = pair[:, np.isfinite(pair).all(axis=(0, 2))]
            if arm != reference and len(own):
                found.append(_reach(measure, arm, reference, sizes, own, other, confidence))
    return tuple(found)


def _reach(
    measure: str, arm: str, reference: str, sizes: Array, own: Array, other: Array, confidence: float
) -> LabelsToReach:
    target = float(other[:, -1].mean())
    at = _first_crossing(sizes, own.mean(axis=0), target)
    per_seed = tuple(_first_crossing(sizes, curve, goal) for curve, goal in zip(own, other[:, -1], strict=True))
    saved = [float(sizes[-1]) - one for one in per_seed if one is not None]
    n_not = len(per_seed) - len(saved)
    return LabelsToReach(
        measure=measure,
        arm=arm,
        reference=reference,
        target=target,
        n_labeled=at,
        saved=None if at is None else float(sizes[-1]) - at,
        per_seed=per_seed,
        saved_per_seed=None if n_not else _interval(np.array(saved), confidence),
        n_not_reached=n_not,
    )


def _first_crossing(sizes: Array, heights: Iterable[float], target: float) -> float | None:
    """Return where a curve first reaches a height, on straight lines between its points; None where it never does."""
    before: tuple[float, float] | None = None
    for size, height in zip(sizes.tolist(), heights, strict=True):
        if height >= target:
            if before is None:
                return float(size)
            start, low = before
            return float(start + (size - start) * (target - low) / (height - low))
        before = (size, float(height))
    return None
