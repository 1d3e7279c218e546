"""Settings of single strategies, each with its default and the reason for it; marks such as [ours]: see `settings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from alvin_core.setting_limits import About, check_limits

__all__ = [
    "AlfaMixSettings",
    "AlvinSettings",
    "AnchoralSettings",
    "Backend",
    "BaldSettings",
    "CalSettings",
    "CounterShortcutSettings",
    "Pairing",
    "Rank",
    "TypiclustSettings",
]

Pairing = Literal["minority-majority", "minority-minority", "majority-majority", "across-classes", "no-interpolation"]
Rank = Literal["uncertainty", "certainty", "distance", "frequency", "random"]
Backend = Literal["auto", "segments", "faiss-flat", "faiss-hnsw", "torch"]


@dataclass(frozen=True)
class AlvinSettings:
    """ALVIN's own: anchors, retrieval and the ranking of what was retrieved."""

    alpha: Annotated[
        float, About("Shape of the draw of anchors between two examples; larger is nearer the midpoint.", above=0)
    ] = 2.0  # both Beta parameters [ours]
    n_anchors: Annotated[int, About("Anchors drawn between each pair of examples.", least=1)] = 15  # K [ours]
    max_pairs: Annotated[int | None, About("Pairs drawn for each class; empty takes all.", least=1)] = None  # [ours]
    pairing: Annotated[
        Pairing, About("Which labeled examples the anchors lie between; all but the first are for comparison.")
    ] = "minority-majority"  # [paper]; the others are ablations
    k: Annotated[
        int, About("Nearest pool examples that each anchor retrieves; doubled when all together are too few.", least=1)
    ] = 10  # too few: their union is smaller than the budget [ours]
    rank: Annotated[
        Rank, About("What orders the retrieved examples: uncertainty takes those the model is least sure of.")
    ] = "uncertainty"  # predictive entropy, high first [ours]
    backend: Annotated[
        Backend, About("How neighbors are searched; auto is exact, and faiss-hnsw alone is approximate.")
    ] = "auto"  # segments where numba is installed, else torch

    def __post_init__(self) -> None:
        check_limits(self, "alvin")


@dataclass(frozen=True)
class BaldSettings:
    """BALD's own."""

    n_draws: Annotated[
        int, About("Predictions under dropout that BALD compares for each example.", least=2, most=1000)
    ] = 20  # [ours]: published work takes 10 to 100

    def __post_init__(self) -> None:
        check_limits(self, "bald")


@dataclass(frozen=True)
class CalSettings:
    """CAL's own."""

    k: Annotated[int, About("Nearest labeled examples that CAL compares each pool example with.", least=1)] = 10
    # [field: Margatina et al. 2021]

    def __post_init__(self) -> None:
        check_limits(self, "cal")


@dataclass(frozen=True)
class AlfaMixSettings:
    """ALFA-Mix's own."""

    eps: Annotated[float, About("How far ALFA-Mix may move an example towards a class.", above=0, most=1)] = (
        0.2  # [field: what the authors' README gives for the closed form]
    )

    def __post_init__(self) -> None:
        check_limits(self, "alfa_mix")


@dataclass(frozen=True)
class TypiclustSettings:
    """TypiClust's own."""

    n_neighbors: Annotated[
        int, About("Nearest neighbors that tell how typical of its cluster an example is.", least=1)
    ] = 20  # [field: Hacohen et al. 2022]
    max_clusters: Annotated[int, About("Clusters that TypiClust makes at most.", least=2)] = 500  # [field: same]

    def __post_init__(self) -> None:
        check_limits(self, "typiclust")


@dataclass(frozen=True)
class AnchoralSettings:
    """AnchorAL's own; its anchors are labeled examples, not interpolated points."""

    base: Annotated[
        str, About("The strategy that selects from the subpool around AnchorAL's anchors.", filled=True)
    ] = "entropy"
    n_anchors: Annotated[int, About("Labeled examples of each class that AnchorAL searches around.", least=1)] = 10
    n_neighbors: Annotated[int, About("Pool examples that each of AnchorAL's anchors retrieves.", least=1)] = 50
    subpool: Annotated[int, About("Retrieved examples that are handed to the base strategy at most.", least=1)] = (
        1000  # [field: all of Lesci & Vlachos 2024]
    )

    def __post_init__(self) -> None:
        check_limits(self, "anchoral")


@dataclass(frozen=True)
class CounterShortcutSettings:
    """Counter-shortcut's own."""

    slice: Annotated[
        str | None, About("The slice of the data that counter-shortcut selects from; empty: none.", filled=True)
    ] = None  # then the strategy is not among those that stand beside the run's

    def __post_init__(self) -> None:
        check_limits(self, "counter_shortcut")
