"""From the options of ``alvin compare`` to a plan: what was said, else the protocol, else what the comparison has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvin_core.cli.options import ROUNDS, parse_set
from alvin_core.cli.output import tell
from alvin_core.errors import SettingsError
from alvin_core.experiments.extending import flatten
from alvin_core.experiments.plan import N_SEEDS, STRATEGIES, ComparisonPlan
from alvin_core.experiments.protocols import get_protocol
from alvin_core.settings import RunSettings
from alvin_core.shown import shown
from alvin_core.toml_text import read_toml

if TYPE_CHECKING:
    from alvin_core.experiments.protocols import Protocol

__all__ = ["Wishes", "make_plan", "parse_names", "parse_seeds", "parse_vary"]

OF_EACH_CELL = {"strategy": "--strategies", "seed": "--seeds"}
MOST_SEEDS = 10_000
BESIDE = "entropy"  # all that the figures of a comparison need; the other strategies have cells of their own


@dataclass(frozen=True)
class Wishes:
    """What a user said of a plan; None or empty where nothing was said.

    Attributes
    ----------
    strategies, seeds : str or None
    rounds : int or None
    vary : tuple of str
        ``NAME=A,B``.
    protocol : str or None
    file : Path or None
        Settings in TOML.
    options : mapping of dotted setting names to values
    assignments : tuple of str
        ``NAME=VALUE``.
    """

    strategies: str | None = None
    seeds: str | None = None
    rounds: int | None = None
    vary: tuple[str, ...] = ()
    protocol: str | None = None
    file: Path | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    assignments: tuple[str, ...] = ()


def make_plan(wishes: Wishes, base: ComparisonPlan | None = None) -> ComparisonPlan:
    """Put a plan together.

    Parameters
    ----------
    wishes : Wishes
    base : ComparisonPlan, optional
        The plan of the comparison that is to go on: what nothing is said about, it decides.

    Raises
    ------
    SettingsError
        When something is not as it should be written, is unknown, out of range, or cannot be compared.
    """
    protocol = None if wishes.protocol is None else get_protocol(wishes.protocol)
    plan = ComparisonPlan(
        strategies=_strategies(wishes, base),
        seeds=_seeds(wishes, protocol, base),
        rounds=_rounds(wishes, protocol, base),
        settings=_settings(wishes, protocol, base),
        vary=parse_vary(wishes.vary) if wishes.vary or base is None else base.vary,
    )
    assert plan.cells  # raises what is wrong with the arms, before the data is read
    return plan


def _strategies(wishes: Wishes, base: ComparisonPlan | None) -> tuple[str, ...]:
    if wishes.strategies is not None:
        return parse_names(wishes.strategies)
    return STRATEGIES if base is None else base.strategies


def _seeds(wishes: Wishes, protocol: Protocol | None, base: ComparisonPlan | None) -> tuple[int, ...]:
    if wishes.seeds is not None:
        return parse_seeds(wishes.seeds)
    if protocol is not None:
        return tuple(range(protocol.n_seeds))
    return tuple(range(N_SEEDS)) if base is None else base.seeds


def _rounds(wishes: Wishes, protocol: Protocol | None, base: ComparisonPlan | None) -> int:
    if wishes.rounds is not None:
        return wishes.rounds
    if protocol is not None:
        return protocol.rounds
    return ROUNDS if base is None else base.rounds


def _settings(wishes: Wishes, protocol: Protocol | None, base: ComparisonPlan | None) -> RunSettings:
    """Put the settings together: the base, then the protocol, then the file, then the options, then ``--set``."""
    assignments = parse_set(wishes.assignments)
    for name, option in OF_EACH_CELL.items():
        if name in assignments:
            raise SettingsError(f"--set {name} has no place in a comparison; name them with {option}")
    settings = RunSettings().with_value("runtime.beside", BESIDE) if base is None else base.settings
    given = {name: value for name, value in wishes.options.items() if value is not None}
    overlay = {} if protocol is None else dict(protocol.settings)
    return settings.with_values(overlay | _file_values(wishes.file) | given | assignments)


def _file_values(file: Path | None) -> dict[str, object]:
    """Return what a settings file sets, by dotted names."""
    if file is None:
        return {}
    RunSettings.from_toml(file)  # says what is wrong with it
    values = flatten(read_toml(file))
    for name, option in OF_EACH_CELL.items():
        if values.pop(name, None) is not None:
            tell(f"{name} in {file} is not used: a comparison has those of {option}")
    return values


def parse_names(text: str) -> tuple[str, ...]:
    """Read ``A,B,C``."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read ``--seeds``: one number is how many, from 0 on; several, or one with a comma behind, are the seeds.

    Raises
    ------
    SettingsError
    """
    try:
        numbers = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        numbers = ()
    is_list = "," in text
    if not numbers or (not is_list and not 1 <= numbers[0] <= MOST_SEEDS):
        raise SettingsError(
            f"--seeds {shown(text)} is neither a number of seeds from 1 to {MOST_SEEDS} nor a list of them; write it "
            "like --seeds 5 or --seeds 0,3,7"
        )
    return numbers if is_list else tuple(range(numbers[0]))


def parse_vary(assignments: Sequence[str]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Read ``NAME=A,B`` assignments, each value as TOML; bare words are taken as text.

    Raises
    ------
    SettingsError
        Where it is not written so, or a value is not one TOML value.
    """
    varied = []
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        values = parse_names(text)
        if not name.strip() or not values:
            raise SettingsError(f"--vary {shown(assignment)} is not NAME=A,B; write it like --vary alpha=0.5,2,8")
        try:
            parsed = tuple(next(iter(parse_set([f"value={value}"]).values())) for value in values)
        except SettingsError:
            raise SettingsError(
                f"--vary {shown(assignment)} has a value that is neither a number nor a word; write it like "
                "--vary alpha=0.5,2,8 or --vary rank=uncertainty,distance"
            ) from None
        varied.append((name.strip(), parsed))
    return tuple(varied)
