"""Going on with a comparison under a plan that says at least as much as its own, and saying what is not the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from alvin_core.errors import SettingsError
from alvin_core.experiments.plan import ComparisonPlan

__all__ = ["extend_plan", "flatten"]


def extend_plan(name: str, old: ComparisonPlan, new: ComparisonPlan) -> tuple[ComparisonPlan, tuple[str, ...]]:
    """Return a plan with all that both have, and what that adds to the old one, in words.

    Parameters
    ----------
    name : str
        Of the comparison, for the message.
    old, new : ComparisonPlan

    Returns
    -------
    ComparisonPlan
        The old one's cells, and those that are new. Equal to the old one where nothing is added.
    tuple of str
        Such as ``seeds 5, 6``.

    Raises
    ------
    SettingsError
        With everything that differs, when the new plan lacks something or has other settings.
    """
    problems = [
        *_settings_problems(old.settings.to_dict(), new.settings.to_dict()),
        *_lacking("strategies", old.strategies, new.strategies),
        *_lacking("seeds", old.seeds, new.seeds),
        *([f"rounds = {old.rounds}, now {new.rounds}"] if new.rounds < old.rounds else []),
        *_vary_problems(dict(old.vary), dict(new.vary)),
    ]
    if problems:
        raise SettingsError(
            f"the comparison {name!r} has another plan: {'; '.join(problems)}; leave out what differs to go on with "
            "its own plan, or choose another name"
        )
    added = dict(new.vary)
    plan = replace(
        old,
        strategies=_joined(old.strategies, new.strategies),
        seeds=_joined(old.seeds, new.seeds),
        rounds=new.rounds,
        vary=tuple((one, _joined(values, added[one])) for one, values in old.vary),
    )
    return plan, tuple(_additions(old, plan))


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables of settings as one, by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _settings_problems(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before, after = flatten(old), flatten(new)
    return [f"{name} = {before[name]!r}, now {value!r}" for name, value in after.items() if before[name] != value]


def _lacking(what: str, old: Sequence[Any], new: Sequence[Any]) -> list[str]:
    missing = [str(one) for one in old if one not in new]
    return [f"it has the {what} {', '.join(missing)} as well"] if missing else []


def _vary_problems(old: Mapping[str, Sequence[Any]], new: Mapping[str, Sequence[Any]]) -> list[str]:
    problems = [f"it varies {name}, which is not varied now" for name in old if name not in new]
    problems += [f"it does not vary {name}" for name in new if name not in old]
    for name in old:
        problems += _lacking(f"values of {name}", old[name], new.get(name, old[name]))
    return problems


def _joined(old: Sequence[Any], new: Sequence[Any]) -> tuple[Any, ...]:
    return (*old, *(one for one in new if one not in old))


def _additions(old: ComparisonPlan, plan: ComparisonPlan) -> list[str]:
    words = []
    for what, before, after in (
        ("strategies", old.strategies, plan.strategies),
        ("seeds", old.seeds, plan.seeds),
        *((f"values of {name}", dict(old.vary)[name], values) for name, values in plan.vary),
    ):
        new = [str(one) for one in after if one not in before]
        words += [f"{what} {', '.join(new)}"] if new else []
    rounds = [str(one) for one in range(old.rounds + 1, plan.rounds + 1)]
    return [*words, *([f"rounds {', '.join(rounds)}"] if rounds else [])]
