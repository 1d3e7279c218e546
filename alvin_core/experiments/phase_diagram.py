"""Where a strategy is ahead of a reference, over shortcut strength and ambiguity: values, and Markdown."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from alvin_core.experiments.markdown import MINUS
from alvin_core.experiments.method import power_words
from alvin_core.experiments.values import plain_values
from alvin_core.experiments.words import counted, measure_words
from alvin_core.statistics import PairedDifference

__all__ = ["PhaseDiagram", "PhasePoint", "phase_markdown"]

MARKS = {"better": "▲", "worse": "▼", "no measurable difference": "=", "too few seeds": "?"}


@dataclass(frozen=True)
class PhasePoint:
    """One arm at one point of the plane, in one measure.

    Attributes
    ----------
    arm, measure : str
    strength, ambiguity : float
    reference_area : float
        Mean over seeds of the area under the reference's curve.
    difference : PairedDifference
        Arm minus reference in that area, corrected for all points, arms and measures of the diagram.
    """

    arm: str
    measure: str
    strength: float
    ambiguity: float
    reference_area: float
    difference: PairedDifference


@dataclass(frozen=True)
class PhaseDiagram:
    """Where each arm is ahead of the reference, and where it is not.

    Attributes
    ----------
    task, reference : str
    strengths, ambiguities : tuple of float
    arms, measures : tuple of str
    points : tuple of PhasePoint
        Arm by arm, measure by measure, then by ambiguity and strength.
    notes : tuple of str
        What is missing.
    """

    task: str
    reference: str
    strengths: tuple[float, ...]
    ambiguities: tuple[float, ...]
    arms: tuple[str, ...]
    measures: tuple[str, ...]
    points: tuple[PhasePoint, ...]
    notes: tuple[str, ...] = ()

    def at(self, arm: str, measure: str, strength: float, ambiguity: float) -> PhasePoint:
        """Return one point.

        Raises
        ------
        KeyError
            When there is no such point.
        """
        for point in self.points:
            if (point.arm, point.measure, point.strength, point.ambiguity) == (arm, measure, strength, ambiguity):
                return point
        raise KeyError((arm, measure, strength, ambiguity))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        plain: dict[str, Any] = plain_values(asdict(self))
        return plain


def phase_markdown(diagram: PhaseDiagram) -> str:
    """Write a diagram as Markdown tables, one for each arm and measure: strengths across, ambiguities down."""
    lines = []
    for arm in diagram.arms:
        for measure in diagram.measures:
            lines += [f"**{arm} − {diagram.reference}, {measure_words(measure)}**", ""]
            lines += ["| ambiguity \\ strength |" + "".join(f" {one:g} |" for one in diagram.strengths)]
            lines += ["|---|" + "--:|" * len(diagram.strengths)]
            for ambiguity in diagram.ambiguities:
                cells = [_cell(diagram.at(arm, measure, one, ambiguity)) for one in diagram.strengths]
                lines.append(f"| {ambiguity:g} |" + "".join(f" {cell} |" for cell in cells))
            lines.append("")
    n_comparisons = len(diagram.points)
    lines.append(
        f"Points of the mean over the learning curve, 95 % t-interval over seeds; ▲ ahead, ▼ behind, = no measurable "
        f"difference, ? too few seeds, after Holm's correction for {counted(n_comparisons, 'comparison')}. "
        f"{power_words([point.difference for point in diagram.points])}".rstrip()
    )
    lines += ["", *(f"- {note}" for note in diagram.notes)] if diagram.notes else []
    return "\n".join(lines) + "\n"


def _cell(point: PhasePoint) -> str:
    one = point.difference
    if not one.n:
        return "–"
    ends = f" [{_points(one.low)}, {_points(one.high)}]" if math.isfinite(one.low) else ""
    return f"{MARKS[one.verdict]} {_points(one.mean)}{ends}"


def _points(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:+.1f}".replace("-", MINUS)  # adding 0 makes a negative zero positive
