"""What a sweep of the classroom's world is to find out. Nothing here needs torch, so a screen can import it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from alvin_core.classroom.settings import MOST_ROUNDS, WorldSettings
from alvin_core.errors import SettingsError
from alvin_core.shown import shown

__all__ = [
    "FORMAT",
    "MEASURE_WORDS",
    "Measure",
    "WorldPhasePlan",
    "digest_of",
    "read_phase",
    "read_values",
    "result_path",
]

Measure = Literal["worst_group", "balanced_accuracy"]
MEASURE_WORDS: Mapping[str, str] = {
    "worst_group": "the worst group's accuracy on balanced data",
    "balanced_accuracy": "accuracy on balanced data",
}
FORMAT = 1  # of what is kept; raised when the generator, the training or what is measured changes
MOST_CELLS = 10_000


@dataclass(frozen=True)
class WorldPhasePlan:
    """What is swept.

    Attributes
    ----------
    strengths, ambiguities : tuple of float
        The axes of the diagram.
    seeds : tuple of int
        Each a world of its own: other points, another initial set, other draws.
    rounds : int
        After round 0.
    world : WorldSettings
        Everything else; its own strength, ambiguity and seed do not count.
    strategies : tuple of two str
        The one that is judged, and the one that it is held against.
    measure : {"worst_group", "balanced_accuracy"}
        On balanced data; what is judged is its mean over the learning curve.
    """

    strengths: tuple[float, ...] = (0.6, 0.7, 0.8, 0.9, 0.97)
    ambiguities: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3)
    seeds: tuple[int, ...] = tuple(range(10))  # with 20 comparisons finds differences of about 1.6 sd [ours]
    rounds: int = 6
    world: WorldSettings = field(default_factory=WorldSettings)
    strategies: tuple[str, str] = ("alvin", "entropy")
    measure: Measure = "worst_group"

    def __post_init__(self) -> None:
        for name in ("strengths", "ambiguities"):  # 1 and 1.0 are one plan, and one file
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        for name in ("strengths", "ambiguities", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise SettingsError(f"{name} = {shown(list(values))} must name at least one value, and each once")
        if self.measure not in get_args(Measure):
            raise SettingsError(
                f"measure = {shown(self.measure)} is unknown; choose one of: {', '.join(MEASURE_WORDS)}"
            )
        if len(self.strategies) != 2 or len(set(self.strategies)) < 2:
            raise SettingsError(f"strategies = {shown(list(self.strategies))} must name two different ones")
        if not isinstance(self.rounds, int) or not 1 <= self.rounds <= MOST_ROUNDS:
            raise SettingsError(
                f"rounds = {shown(self.rounds)} is out of range: it must be between 1 and {MOST_ROUNDS}"
            )
        n_cells = 2 * len(self.points) * len(self.seeds)
        if n_cells > MOST_CELLS:
            raise SettingsError(f"the plan has {n_cells:,} cells, at most {MOST_CELLS:,}; name fewer points or seeds")
        for (strength, ambiguity), seed in product(self.points, self.seeds):
            self.world_at(strength, ambiguity, seed)  # raises where a world does not take them

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """Strength and ambiguity of every point, strengths fastest."""
        return tuple((strength, ambiguity) for ambiguity in self.ambiguities for strength in self.strengths)

    def world_at(self, strength: float, ambiguity: float, seed: int) -> WorldSettings:
        """Return the world of one cell."""
        return replace(self.world, strength=strength, ambiguity=ambiguity, seed=seed)

    @property
    def digest(self) -> str:
        """What names the plan's result on disk."""
        plain = replace(self, world=self.world_at(self.strengths[0], self.ambiguities[0], self.seeds[0])).to_dict()
        return digest_of({**plain, "format": FORMAT})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "strengths": list(self.strengths),
            "ambiguities": list(self.ambiguities),
            "seeds": list(self.seeds),
            "rounds": self.rounds,
            "world": self.world.to_dict(),
            "strategies": list(self.strategies),
            "measure": self.measure,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WorldPhasePlan:
        """Build a plan from plain values; what is missing takes its default, and ``seeds`` may be their number.

        Raises
        ------
        SettingsError
            On an unknown name, a wrong type, or a value out of range.
        """
        known = cls().to_dict()
        unknown = sorted(set(values) - set(known), key=str)
        if unknown:
            raise SettingsError(f"no setting of a plan is called {shown(unknown[0])}; here are: {', '.join(known)}")
        given = {**known, **values}
        seeds = given["seeds"]
        if _is_whole(seeds):
            if not 1 <= seeds <= MOST_CELLS:
                raise SettingsError(f"seeds = {shown(seeds)} is out of range: name their number, 1 to {MOST_CELLS:,}")
            seeds = range(seeds)
        if not isinstance(given["world"], Mapping):
            raise SettingsError(f"world = {shown(given['world'])} must be a table of settings")
        strategies = _listed("strategies", given["strategies"])
        if not all(isinstance(one, str) for one in strategies) or not all(map(_is_whole, _listed("seeds", seeds))):
            raise SettingsError("strategies must be names, seeds must be whole numbers (or how many there are)")
        return cls(
            strengths=_numbers("strengths", given["strengths"]),
            ambiguities=_numbers("ambiguities", given["ambiguities"]),
            seeds=tuple(_listed("seeds", seeds)),
            rounds=given["rounds"],
            world=WorldSettings.from_dict(given["world"]),
            strategies=strategies,
            measure=given["measure"],
        )


def read_phase(folder: Path, plan: WorldPhasePlan) -> dict[str, Any] | None:
    """Return what `alvin_core.classroom.phase.sweep_world` found, or None where it has not finished this plan."""
    return read_values(result_path(folder, plan))


def result_path(folder: Path, plan: WorldPhasePlan) -> Path:
    """Return where a plan's result is kept."""
    return folder / f"phase-{plan.digest}.json"


def read_values(path: Path) -> dict[str, Any] | None:
    """Return what a file holds; None where there is none, or not a whole one: it is computed again."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def digest_of(values: Mapping[str, Any]) -> str:
    """Return what names plain values on disk."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:20]


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    numbers = _listed(name, values)
    for value in numbers:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise SettingsError(f"{name} holds {shown(value)}, which is no number")
    try:
        return tuple(float(value) for value in numbers)
    except OverflowError as error:
        raise SettingsError(
            f"{name} holds a number that is too large; the largest fraction is about 1.8e308"
        ) from error


def _listed(name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, list | tuple | range):
        raise SettingsError(f"{name} = {shown(values)} must be a list")
    return tuple(values)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
