"""What a comparison says: curves with intervals, paired differences with verdicts, and what was selected."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from alvin_core.errors import SettingsError
from alvin_core.experiments.values import plain_values
from alvin_core.experiments.words import figure_words, kind_of, measure_words, split_of
from alvin_core.statistics import Interval, PairedDifference, PairedTest, verdict_words

__all__ = ["ArmCurve", "ArmDifference", "ArmSelection", "ComparisonSummary", "LabelsToReach"]


@dataclass(frozen=True)
class ArmCurve:
    """A learning curve: one measure of one arm. Intervals are of the mean over seeds; None where no seed has a value.

    Attributes
    ----------
    measure, arm : str
    rounds : tuple of (Interval or None)
    area : Interval or None
        The area under the curve over its range of labels: its mean height.
    final : Interval or None
        The last round's.
    """

    measure: str
    arm: str
    rounds: tuple[Interval | None, ...]
    area: Interval | None
    final: Interval | None

    @property
    def kind(self) -> str:
        """``accuracy``, ``macro_f1`` or ``worst_group``."""
        return kind_of(self.measure)

    @property
    def split(self) -> str:
        return split_of(self.measure)

    @property
    def words(self) -> str:
        """The measure in words."""
        return measure_words(self.measure)


@dataclass(frozen=True)
class ArmDifference:
    """An arm minus the reference in one measure, paired by seed.

    Attributes
    ----------
    measure, arm, reference : str
    difference : PairedDifference
    """

    measure: str
    arm: str
    reference: str
    difference: PairedDifference

    @property
    def kind(self) -> str:
        """``accuracy`` or ``worst_group``."""
        return kind_of(self.measure)

    @property
    def split(self) -> str:
        return split_of(self.measure)

    @property
    def words(self) -> str:
        """The measure in words."""
        return measure_words(self.measure)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return verdict_words(self.difference, arm=self.arm, reference=self.reference, measure=self.words)


@dataclass(frozen=True)
class ArmSelection:
    """A figure of what an arm selected.

    Attributes
    ----------
    figure, arm : str
    rounds : tuple of (Interval or None)
        Of each round's proposal.
    annotated : Interval or None
        Of each seed's mean over the proposals that were annotated: all but the last round's. With one round, of that.
    """

    figure: str
    arm: str
    rounds: tuple[Interval | None, ...]
    annotated: Interval | None

    @property
    def words(self) -> str:
        """The figure in words."""
        return figure_words(self.figure)


@dataclass(frozen=True)
class LabelsToReach:
    """With how many labels an arm does as well as the reference with all of them.

    Attributes
    ----------
    measure, arm, reference : str
    target : float
        The reference's last value, the mean over seeds.
    n_labeled : float or None
        Where the arm's mean curve first reaches it, on a straight line between rounds; None where it never does.
    saved : float or None
        How many labels fewer that is than the reference had.
    per_seed : tuple of (float or None)
        The same of each seed against the reference's last value with that seed; None where it is not reached.
    saved_per_seed : Interval or None
        Of the labels saved. Only where every seed reaches it: the mean of those that do would flatter.
    n_not_reached : int
    """

    measure: str
    arm: str
    reference: str
    target: float
    n_labeled: float | None
    saved: float | None
    per_seed: tuple[float | None, ...]
    saved_per_seed: Interval | None
    n_not_reached: int

    @property
    def words(self) -> str:
        """The measure in words."""
        return measure_words(self.measure)


@dataclass(frozen=True)
class ComparisonSummary:
    """What a comparison says; tables, pages and figures draw this and compute nothing.

    Attributes
    ----------
    name, source : str
    arms, measures, figures : tuple of str
        ``figures`` are those of the selections.
    seeds : tuple of int
    reference : str
        The arm that all others are compared with.
    n_labeled : tuple of int
        For each round.
    confidence : float
        Of all intervals, such as 0.95. One minus it is the limit of a corrected p.
    test : {"t", "sign-flip"}
    curves : tuple of ArmCurve
        Each measure, and in it each arm.
    primary : tuple of ArmDifference
        Of the areas under the curves; p corrected over all of them (Holm).
    secondary : tuple of ArmDifference
        Of the last round; corrected within themselves.
    selections : tuple of ArmSelection
    labels_to_reach : tuple of LabelsToReach
    notes : tuple of str
        What a reader must know of these numbers.
    """

    name: str
    source: str
    arms: tuple[str, ...]
    measures: tuple[str, ...]
    figures: tuple[str, ...]
    seeds: tuple[int, ...]
    reference: str
    n_labeled: tuple[int, ...]
    confidence: float
    test: PairedTest
    curves: tuple[ArmCurve, ...]
    primary: tuple[ArmDifference, ...]
    secondary: tuple[ArmDifference, ...]
    selections: tuple[ArmSelection, ...]
    labels_to_reach: tuple[LabelsToReach, ...]
    notes: tuple[str, ...]

    def curve(self, measure: str, arm: str) -> ArmCurve:
        """Return one curve.

        Raises
        ------
        SettingsError
            When the measure or the arm is not in the comparison.
        """
        for curve in self.curves:
            if (curve.measure, curve.arm) == (measure, arm):
                return curve
        raise SettingsError(
            f"no curve of {measure!r} for {arm!r}; the measures are {', '.join(self.measures)}, "
            f"the arms {', '.join(self.arms)}"
        )

    def selection(self, figure: str, arm: str) -> ArmSelection:
        """Return one figure of what an arm selected.

        Raises
        ------
        SettingsError
            When the figure or the arm is not in the comparison.
        """
        for one in self.selections:
            if (one.figure, one.arm) == (figure, arm):
                return one
        raise SettingsError(
            f"no figure {figure!r} for {arm!r}; the figures are {', '.join(self.figures)}, "
            f"the arms {', '.join(self.arms)}"
        )

    def headline(self) -> str:
        """Say in one or two sentences what was found."""
        from alvin_core.experiments.method import headline  # it reads summaries

        return headline(self)

    def power(self) -> str:
        """Say in one sentence which differences so few seeds would have missed; empty where that cannot be told."""
        from alvin_core.experiments.method import power_words

        return power_words([one.difference for one in self.primary])

    def method(self) -> tuple[str, ...]:
        """Say in sentences which seeds, test and correction the numbers rest on, and what they could have found."""
        from alvin_core.experiments.method import how_computed  # it reads summaries

        return how_computed(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON: the same for the same results. Nothing in it is a time, a date or an id."""
        plain: dict[str, Any] = plain_values(asdict(self))
        plain["headline"] = self.headline()
        for key in ("primary", "secondary"):
            told = [one.sentence for one in getattr(self, key)]
            plain[key] = [{**one, "sentence": words} for one, words in zip(plain[key], told, strict=True)]
        return plain
