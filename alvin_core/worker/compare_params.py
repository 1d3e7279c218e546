"""What a job that compares strategies may be asked for, checked before it is in the queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvin_core.errors import SettingsError, StoreError
from alvin_core.shown import shown
from alvin_core.store.comparisons import find_comparison, list_comparison_rows
from alvin_core.store.database import open_store
from alvin_core.store.jobs import active_jobs
from alvin_core.store.location import has_store
from alvin_core.store.runs import LONGEST_NAME, check_name, default_name, find_run
from alvin_core.store.tables import ComparisonRow, RunRow

if TYPE_CHECKING:
    from alvin_core.experiments.plan import ComparisonPlan

__all__ = ["COMPARE", "DATA_OF", "plan_of"]

COMPARE = ("strategies", "seeds", "rounds", "settings", "vary", "name")
DATA_OF = ("comparison", "run", "path")  # exactly one of them says what is compared on
MOST_SEEDS = 1000
MOST_ROUNDS = 1000
ROUNDS = 5
BESIDE = "entropy"  # all that the figures of a comparison need; the other strategies have cells of their own


@dataclass(frozen=True)
class Wanted:
    """A comparison as the queue keeps it: its plan, its name, and which stored data it is on, if it is stored data."""

    plan: ComparisonPlan
    name: str
    dataset: str  # digest; empty where the data are still to be read
    source: str


def plan_of(params: Mapping[str, Any], store: Path) -> Wanted:
    """Put together the plan that parameters ask for.

    Parameters
    ----------
    params : mapping
        Some of `COMPARE`, and one of `DATA_OF`.
    store : Path

    Raises
    ------
    SettingsError
        When a value is of the wrong type, unknown or out of range.
    StoreError, RunNotFoundError
        When there is no such comparison or run, or the name is bad or taken.
    """
    base, dataset, source = _base(params, store)
    if isinstance(base, ComparisonRow):
        return Wanted(_grown(base, params), base.name, dataset, source)
    plan = _plan(params, base)
    return Wanted(plan, _free_name(params, store, source, plan.to_dict()), dataset, source)


def _base(params: Mapping[str, Any], store: Path) -> tuple[ComparisonRow | RunRow | None, str, str]:
    """Return what is there to begin with, the digest of its data, and where the data came from."""
    if params.get("path"):
        return None, "", str(params.get("source") or params["path"])
    with open_store(store).read() as session:
        if params.get("comparison"):
            row: ComparisonRow | RunRow = find_comparison(session, _text(params, "comparison"))
        else:
            row = find_run(session, _text(params, "run"))
        return row, row.dataset, row.source


def _plan(params: Mapping[str, Any], run: RunRow | None) -> ComparisonPlan:
    from alvin_core.experiments.extending import flatten
    from alvin_core.experiments.plan import STRATEGIES, ComparisonPlan
    from alvin_core.settings import RunSettings

    settings = RunSettings() if run is None else RunSettings.from_dict(run.settings)
    given = params.get("settings") or {}
    if not isinstance(given, Mapping):
        raise SettingsError(f"settings = {shown(given)} must be a table of settings, or nothing")
    settings = settings.with_values({"runtime.beside": BESIDE, "annotator": "auto"} | flatten(dict(given)))
    plan = ComparisonPlan(
        strategies=tuple(_names(params, "strategies", STRATEGIES)),
        seeds=_seeds(params, (0, 1, 2)),
        rounds=_whole(params, "rounds", ROUNDS, MOST_ROUNDS),
        settings=settings,
        vary=_vary(params),
    )
    assert plan.cells  # raises what is wrong with the arms
    return plan


def _grown(row: ComparisonRow, params: Mapping[str, Any]) -> ComparisonPlan:
    """Return the plan of a comparison that is there, with what was asked for beside."""
    from alvin_core.experiments.plan import ComparisonPlan

    plan = ComparisonPlan.from_dict(row.plan)
    for name in ("settings", "vary", "name"):
        if params.get(name):
            raise SettingsError(f"{name} of the comparison {row.name!r} cannot change; make another one")
    more = [name for name in _names(params, "strategies", ()) if name not in plan.strategies]
    seeds = [seed for seed in _seeds(params, ()) if seed not in plan.seeds]
    grown = replace(
        plan,
        strategies=(*plan.strategies, *more),
        seeds=(*plan.seeds, *seeds),
        rounds=max(plan.rounds, _whole(params, "rounds", plan.rounds, MOST_ROUNDS)),
    )
    assert grown.cells  # raises what is wrong with the arms
    return grown


def _free_name(params: Mapping[str, Any], store: Path, source: str, plan: Mapping[str, Any]) -> str:
    """Return the name that was asked for, which must be free, or one made of the data."""
    taken: set[str] = set()
    if has_store(store):
        with open_store(store).read() as session:
            taken = {row.name for row in list_comparison_rows(session)}
            waiting = [job.params for job in active_jobs(session, "compare", None)]
        # What is asked for twice is one job, so it keeps its name.
        taken |= {one["name"] for one in waiting if (one["plan"], one["source"]) != (plan, source)}
    wanted = _text(params, "name")
    if wanted:
        if check_name(wanted, "comparison") in taken:
            raise StoreError(f"there is a comparison {wanted!r} already; choose another name, or go on with it")
        return wanted
    stem = default_name(source, "compare")
    names = [stem, *(f"{stem[: LONGEST_NAME - 5]}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{name} = {shown(value)} must be a text")
    return (value or "").strip()


def _names(params: Mapping[str, Any], name: str, default: Sequence[str]) -> list[str]:
    value = params.get(name)
    if value is None:
        return list(default)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise SettingsError(f"{name} = {shown(value)} must be a list of names")
    return list(value)


def _seeds(params: Mapping[str, Any], default: tuple[int, ...]) -> tuple[int, ...]:
    """Read seeds: a list of them, or how many, from 0 on."""
    value = params.get("seeds")
    if value is None:
        return default
    if isinstance(value, list | tuple) and all(_is_whole(one) for one in value):
        seeds = tuple(value)
    elif _is_whole(value):
        seeds = tuple(range(min(value, MOST_SEEDS + 1)))
    else:
        raise SettingsError(f"seeds = {shown(value)} must be a number of seeds, or a list of seeds")
    if not 1 <= len(seeds) <= MOST_SEEDS:
        raise SettingsError(f"seeds = {shown(value)}: there must be at least 1, and at most {MOST_SEEDS}")
    return seeds


def _whole(params: Mapping[str, Any], name: str, default: int, most: int) -> int:
    value = params.get(name, default)
    if not _is_whole(value) or not 1 <= value <= most:
        raise SettingsError(f"{name} = {shown(value)} is out of range: it must be a whole number from 1 to {most}")
    return int(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _vary(params: Mapping[str, Any]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    value = params.get("vary") or []
    if not isinstance(value, list | tuple) or not all(
        isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[1], list | tuple) for one in value
    ):
        raise SettingsError(f"vary = {shown(value)} must be a list of a setting's name and its values")
    return tuple((str(name), tuple(values)) for name, values in value)
