"""What a classroom's world is made of. Nothing here needs torch, so a screen can import it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from alvin_core.errors import SettingsError
from alvin_core.setting_limits import About, check_limits
from alvin_core.settings import GroupRule, Rank
from alvin_core.tables import from_table, to_table

__all__ = ["MOST_ROUNDS", "STAGES", "WorldSettings"]

STAGES = ("train", "groups", "interpolate", "retrieve", "rank", "annotate")
"""One round in slow motion, in order."""

MOST_ROUNDS = 12  # after round 0; more than a lesson looks at


@dataclass(frozen=True)
class WorldSettings:
    """A two-dimensional world with a planted shortcut, and how a round works in it.

    `strength`, `ambiguity` and `imbalance` are those of `alvin_core.data.planted.PlantedSettings` (where the last is
    called ``balance``). The seed decides the points, the initial labeled set and all that a round draws.
    """

    strength: Annotated[
        float, About("Share of each class whose shortcut agrees with it; 0.5 = no shortcut.", least=0.5, most=1)
    ] = 0.9  # as for planted texts [ours]
    ambiguity: Annotated[float, About("Share of points whose core says nothing of their class.", least=0, most=0.5)] = (
        0.0  # so that a first lesson has one difficulty only [ours]
    )
    imbalance: Annotated[float, About("Share of the first class; 0.5 = both are as frequent.", least=0.1, most=0.9)] = (
        0.5
    )
    n_pool: Annotated[int, About("Points that can be labeled.", least=60, most=2000, unit="points")] = 300
    n_test: Annotated[int, About("Points of each of the two test splits.", least=40, most=2000, unit="points")] = 300
    n_initial: Annotated[int, About("Points labeled before round 0.", least=2, most=500, unit="points")] = 20
    budget: Annotated[int, About("Points labeled in each round.", least=1, most=100, unit="points")] = 10
    alpha: Annotated[float, About("Both parameters of the weight's Beta distribution.", above=0, most=100)] = 2.0
    n_anchors: Annotated[int, About("Anchors drawn between each pair, K.", least=1, most=30)] = 5
    k: Annotated[int, About("Nearest pool points that each anchor retrieves.", least=1, most=100)] = 3
    # K and k are smaller than a run's: a picture of a thousand crosses, and a candidate set that is the whole pool,
    # would teach nothing [ours]
    rank: Annotated[Rank, About("What orders the retrieved points.")] = "uncertainty"
    rule: Annotated[GroupRule, About("What tells the minority of a class.")] = "forgetting"
    seed: Annotated[int, About("Start of all draws; same seed, same world.", least=0, most=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        check_limits(self)
        if self.n_initial + self.budget > self.n_pool:
            raise SettingsError(
                f"n_initial = {self.n_initial} and budget = {self.budget} are more than the n_pool = {self.n_pool} "
                f"points there are; take at most {self.n_pool - self.budget} and {self.budget}, or more points"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return to_table(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WorldSettings:
        """Build settings from plain values; what is missing takes its default.

        Raises
        ------
        SettingsError
            On an unknown name, a wrong type, or a value out of range.
        """
        return from_table(cls, values)
