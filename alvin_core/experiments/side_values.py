"""What a comparison of runs side by side says: plain values that a page can draw."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from alvin_core.errors import SettingsError
from alvin_core.experiments.values import plain_values

__all__ = ["SideAnchor", "SideBySide", "SideOverlap", "SidePick", "SideRun", "SideShares", "SideView"]


@dataclass(frozen=True)
class SideRun:
    """What one run selected in the round, as its own model of that round sees it.

    Attributes
    ----------
    run, name, strategy : str
        The run's id and name; what selected in this round.
    seed, budget, n_labeled, n_selected : int
    n_only : int
        Selected examples that no other of the runs selected.
    confidence : tuple of int
        How many of the selected fall into each bin of `SideBySide.edges`.
    mean_confidence, mean_entropy : float or None
        Of the selected; entropy in nats. None where nothing was selected.
    to_labeled : float or None
        Mean distance from a selected example to its nearest labeled one, in the model's space.
    among : float or None
        Mean distance between two of the selected; None below two.
    spread : float or None
        Root of the mean squared distance between two pool examples: the space's own unit, by which distances of
        different models can be compared at all.
    """

    run: str
    name: str
    strategy: str
    seed: int
    budget: int
    n_labeled: int
    n_selected: int
    n_only: int
    confidence: tuple[int, ...]
    mean_confidence: float | None
    mean_entropy: float | None
    to_labeled: float | None
    among: float | None
    spread: float | None


@dataclass(frozen=True)
class SideOverlap:
    """What two runs have in common: their selections of the round, and the labels that the round trained on.

    Attributes
    ----------
    first, second : int
        Places in `SideBySide.runs`.
    shared, either : int
        Examples that both, and that at least one of the two selected.
    jaccard : float or None
        The one over the other; None where nothing was selected.
    labeled_shared, labeled_either : int
    """

    first: int
    second: int
    shared: int
    either: int
    jaccard: float | None
    labeled_shared: int
    labeled_either: int


@dataclass(frozen=True)
class SideShares:
    """Classes and groups of what a run had labeled and selected in one round, as shares.

    Attributes
    ----------
    run : int
        Place in `SideBySide.runs`.
    round_no, n_labeled, n_selected : int
    labeled_classes, labeled_groups : dict of str to float
        Of the labels that the round trained on. Groups are ``class × attribute``.
    selected_classes, selected_groups : dict of str to float
        Empty where the labels of the selected are not known, or not to be seen yet.
    """

    run: int
    round_no: int
    n_labeled: int
    n_selected: int
    labeled_classes: dict[str, float]
    selected_classes: dict[str, float]
    labeled_groups: dict[str, float]
    selected_groups: dict[str, float]


@dataclass(frozen=True)
class SideAnchor:
    """The nearest anchor that retrieved an example.

    Attributes
    ----------
    class_ : str
    distance : float
        From the anchor to the example.
    weight : float
        Of the first parent, in [0, 1].
    minority_id, majority_id, minority_text, majority_text : str
        Both parents; two texts of a pair are joined by `` | ``.
    """

    class_: str
    distance: float
    weight: float
    minority_id: str
    majority_id: str
    minority_text: str
    majority_text: str


@dataclass(frozen=True)
class SideView:
    """An example as one run's model of the round sees it.

    Attributes
    ----------
    rank : int
        Under the run's own strategy, from 1; 0 where it ranked others only.
    n_ranked : int
    labeled, selected : bool
        Whether the round trained on it, and whether it selected it.
    predicted : str
    confidence, entropy : float
        The largest probability, and nats.
    """

    rank: int
    n_ranked: int
    labeled: bool
    selected: bool
    predicted: str
    confidence: float
    entropy: float


@dataclass(frozen=True)
class SidePick:
    """An example that only one of the runs selected, and why.

    Attributes
    ----------
    id : str
    texts : tuple of str
        One, or two of a pair.
    chosen_by : int
        Place in `SideBySide.runs`.
    rank : int
        Under the strategy that chose it, from 1.
    score : float
        That the strategy gave it.
    ranks : dict of str to (int, int)
        Every other strategy, by the *same* model -> the place it gave the example, and how many it ranked; place 0
        where it ranked others only.
    anchor : SideAnchor or None
        Of strategies with anchors.
    reason : str
        One plain sentence.
    views : tuple of SideView
        Of each run's model, in their order.
    """

    id: str
    texts: tuple[str, ...]
    chosen_by: int
    rank: int
    score: float
    ranks: dict[str, tuple[int, int]]
    anchor: SideAnchor | None
    reason: str
    views: tuple[SideView, ...]


@dataclass(frozen=True)
class SideBySide:
    """Two to four runs on the same data, in the same round.

    Attributes
    ----------
    round_no : int
    runs : tuple of SideRun
    edges : tuple of float
        Ends of the bins of confidence, the same for all runs: from chance (1 / n_classes) to 1.
    overlaps : tuple of SideOverlap
        Of each pair, in the order of the runs.
    shares : tuple of SideShares
        Of each run and each round up to this one.
    only : tuple of SidePick
        Examples that exactly one run selected: in the order of the runs, in each by rank.
    same_start : bool
        Whether all runs began with the same labels.
    alike, notes : tuple of str
        What the runs have in common, and what a reader must know of their differences.
    """

    round_no: int
    runs: tuple[SideRun, ...]
    edges: tuple[float, ...]
    overlaps: tuple[SideOverlap, ...]
    shares: tuple[SideShares, ...]
    only: tuple[SidePick, ...]
    same_start: bool
    alike: tuple[str, ...]
    notes: tuple[str, ...]

    def overlap(self, one: int, other: int) -> SideOverlap:
        """Return what two of the runs have in common.

        Raises
        ------
        SettingsError
            When there is no such pair.
        """
        for found in self.overlaps:
            if {found.first, found.second} == {one, other}:
                return found
        raise SettingsError(f"no pair of the runs {one} and {other}; the runs are 0 to {len(self.runs) - 1}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        plain: dict[str, Any] = plain_values(asdict(self))
        return plain
