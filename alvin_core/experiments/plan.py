"""What a comparison consists of: arms (a strategy, with its settings) times seeds, each pair of them a cell.

All arms have the same budget and the same initial set for each seed, so that their curves can be paired.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING, Any

from alvin_core.errors import SettingsError
from alvin_core.setting_info import describe_settings
from alvin_core.settings import RunSettings
from alvin_core.shown import shown

if TYPE_CHECKING:
    from alvin_core.strategies import Strategy

__all__ = ["N_SEEDS", "STRATEGIES", "Arm", "Cell", "ComparisonPlan", "setting_name"]

N_SEEDS = 10  # the power that a paired test has over fewer is small [ours]
STRATEGIES = ("alvin", "entropy", "random")  # the method, and what it must beat [ours]

LONGEST_SLUG = 24
EVERYONES = ("encoder", "training", "runtime")  # tables of settings that all strategies share
NOT_VARIED = {
    "strategy": "name several strategies instead (--strategies)",
    "seed": "name several seeds instead (--seeds)",
    "rounds": "every arm has the same rounds (--rounds)",
    "budget": "curves with other budgets cannot be paired; make a comparison for each",
    "initial": "curves with other initial sets cannot be paired; make a comparison for each",
    "annotator": "the label column answers in every comparison",
}


@dataclass(frozen=True)
class Arm:
    """One of the things that are compared.

    Attributes
    ----------
    name : str
        ``alvin``, or ``alvin alpha=0.5`` where settings are varied.
    strategy : str
    changes : tuple of (dotted setting name, value)
        What it has apart from the other arms.
    """

    name: str
    strategy: str
    changes: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Cell:
    """One arm with one seed: a run, once it is begun.

    Attributes
    ----------
    arm : str
        The arm's name.
    seed : int
    settings : RunSettings
    key : str
        Names it in its comparison, also when the plan has grown; at most 64 letters, digits, ``-``, ``_`` and ``.``.
    """

    arm: str
    seed: int
    settings: RunSettings
    key: str


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared.

    Attributes
    ----------
    strategies : tuple of str
    seeds : tuple of int
        Each decides the initial set, which is the same for all arms, and every other random draw.
    rounds : int
        How often a proposal is annotated: each cell trains rounds 0 to ``rounds``.
    settings : RunSettings
        Of all arms. Its strategy and seed are those of each cell, whatever is given here.
    vary : tuple of (setting name, tuple of values)
        Every combination makes an arm. Names are dotted, or a last part that only one setting has (``alpha``). The
        setting of a strategy's own table varies only the strategies with this table, ``groups.*`` only those that
        need groups, any other all.

    Raises
    ------
    SettingsError
        When something is empty, named twice or unknown, out of range, or cannot be varied.
    """

    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    rounds: int
    settings: RunSettings = field(default_factory=RunSettings)
    vary: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def __post_init__(self) -> None:
        _check_distinct("strategies", self.strategies)
        _check_distinct("seeds", self.seeds)
        if self.rounds < 1:
            raise SettingsError(f"rounds = {shown(self.rounds)} leaves nothing to compare; it must be at least 1")
        if self.settings.annotator == "person":
            raise SettingsError("annotator = 'person' cannot be compared: the label column must answer; use 'oracle'")
        for seed in self.seeds:
            self.settings.with_value("seed", seed)  # raises where it is out of range
        defaults = RunSettings()
        neutral = replace(self.settings, strategy=defaults.strategy, seed=defaults.seed)
        object.__setattr__(self, "settings", neutral)
        vary = [(setting_name(name), values) for name, values in self.vary]
        _check_distinct("varied settings", [name for name, _ in vary], some=False)
        known = tuple((name, self._values(name, values)) for name, values in vary)
        object.__setattr__(self, "vary", known)

    def _values(self, name: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values as the setting has them: 2 becomes 2.0 where it is a number with a fraction."""
        known = [_value_of(self.settings.with_value(name, value), name) for value in values]
        _check_distinct(f"values of {name}", known)
        return tuple(known)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What is compared: the strategies in their order, each with its combinations of varied settings.

        Raises
        ------
        SettingsError
            When a strategy is unknown, or no strategy takes a setting that is varied.
        """
        from alvin_core.strategies import get_strategy

        entries = [get_strategy(name) for name in self.strategies]
        for name, _ in self.vary:
            if not any(_takes(entry, name) for entry in entries):
                raise SettingsError(
                    f"{name} varies none of the strategies {', '.join(self.strategies)}; add one that it is for"
                )
        return tuple(arm for entry in entries for arm in self._arms_of(entry))

    def _arms_of(self, entry: Strategy) -> list[Arm]:
        varied = [[(name, value) for value in values] for name, values in self.vary if _takes(entry, name)]
        return [
            Arm(" ".join([entry.name, *_change_words(changes)]), entry.name, changes)
            for changes in itertools.product(*varied)
        ]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every arm with every seed. All arms of a seed come before the next seed, so that what is begun pairs up.

        Raises
        ------
        SettingsError
            As `arms` does, or when settings contradict each other.
        """
        arms = self.arms
        return tuple(self._cell(arm, seed) for seed in self.seeds for arm in arms)

    def _cell(self, arm: Arm, seed: int) -> Cell:
        settings = self.settings.with_values({**dict(arm.changes), "strategy": arm.strategy, "seed": seed})
        return Cell(arm.name, seed, settings, f"{_slug(arm)}-s{seed}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "strategies": list(self.strategies),
            "seeds": list(self.seeds),
            "rounds": self.rounds,
            "settings": self.settings.to_dict(),
            "vary": [[name, list(values)] for name, values in self.vary],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ComparisonPlan:
        """Read back what `to_dict` returned.

        Raises
        ------
        SettingsError
            When it is no plan, or a setting is unknown here or out of range.
        """
        if not isinstance(values, Mapping) or not values.keys() >= set(_SHAPES):
            raise SettingsError(f"{shown(values)} is no plan; a plan has: {', '.join(_SHAPES)}")
        for name, (is_one, words) in _SHAPES.items():
            if not is_one(values[name]):
                raise SettingsError(f"{name} = {shown(values[name])} must be {words}")
        return cls(
            strategies=tuple(values["strategies"]),
            seeds=tuple(values["seeds"]),
            rounds=values["rounds"],
            settings=RunSettings.from_dict(values["settings"]),
            vary=tuple((name, tuple(varied)) for name, varied in values["vary"]),
        )


def _list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(type(one) is kind for one in value)


def _is_vary(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[0], str) and isinstance(one[1], list | tuple)
        for one in value
    )


_SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "strategies": (_list_of(str), "a list of names"),
    "seeds": (_list_of(int), "a list of whole numbers"),
    "rounds": (lambda value: type(value) is int, "a whole number"),
    "settings": (lambda value: isinstance(value, Mapping), "a table of settings"),
    "vary": (_is_vary, "a list of settings' names, each with its values"),
}


def setting_name(name: str) -> str:
    """Return the dotted name of a setting that is to be varied: ``alpha`` is ``alvin.alpha``.

    Raises
    ------
    SettingsError
        When no setting or several have this name, or the setting cannot vary within a comparison.
    """
    if name in NOT_VARIED:
        raise SettingsError(f"{name} cannot vary within a comparison: {NOT_VARIED[name]}")
    known = [info.name for info in describe_settings()]
    if name in known:
        return name
    found = [one for one in known if one.rpartition(".")[2] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise SettingsError(f"several settings are called {shown(name)}; say which: {', '.join(found)}")
    raise SettingsError(f"no setting is called {shown(name)}, so it cannot vary; `alvin settings` lists them")


def _check_distinct(what: str, values: Sequence[Any], *, some: bool = True) -> None:
    if some and not len(values):
        raise SettingsError(f"{what}: none is given; name at least one")
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise SettingsError(f"{what}: {shown(twice)} is named twice; name each once")


def _value_of(settings: RunSettings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _takes(entry: Strategy, name: str) -> bool:
    table, dot, _ = name.partition(".")
    if not dot or table in EVERYONES:
        return True
    return "groups" in entry.needs if table == "groups" else entry.settings == table


def _change_words(changes: Sequence[tuple[str, Any]]) -> list[str]:
    last_parts = [name.rpartition(".")[2] for name, _ in changes]
    shown = [last if last_parts.count(last) == 1 else name for (name, _), last in zip(changes, last_parts, strict=True)]
    return [f"{name}={_word(value)}" for name, (_, value) in zip(shown, changes, strict=True)]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _slug(arm: Arm) -> str:
    """Return a name for files: readable, and with a hash where the readable part may not tell arms apart."""
    if not arm.changes:
        return arm.strategy
    digest = sha256(dumps([arm.strategy, arm.changes], sort_keys=True).encode()).hexdigest()[:8]
    words = re.sub(r"[^A-Za-z0-9._]+", "-", " ".join(_change_words(arm.changes)))
    return f"{arm.strategy}-{words[:LONGEST_SLUG].strip('-')}-{digest}"
