"""Whether runs can be compared at all, what they have in common, and what a reader must know of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import UNLABELED
from alvin_core.errors import DataError, SettingsError
from alvin_core.experiments.side_rounds import SideRound
from alvin_core.experiments.words import counted
from alvin_core.run.held import held_classes
from alvin_core.run.run import Run

__all__ = ["FEWEST", "MOST", "check_runs", "initial_labels", "notes_on"]

FEWEST, MOST = 2, 4  # more maps than four are too small to be read [ours]
MOST_NAMED = 4  # settings that differ
# What is told in sentences of its own, what nobody reads, and what changes no result.
TOLD = ("strategy", "seed", "budget", "initial", "annotator")
NOT_TOLD = ("runtime.",)


def check_runs(runs: Sequence[Run]) -> None:
    """Raise where runs cannot stand side by side.

    Raises
    ------
    SettingsError
        When there are fewer than two or more than four, or one is given twice.
    DataError
        When they are not of the same data.
    """
    if not FEWEST <= len(runs) <= MOST:
        raise SettingsError(f"{counted(len(runs), 'run')} cannot stand side by side; give {FEWEST} to {MOST}")
    names = [run.name for run in runs]
    twice = next((run.name for place, run in enumerate(runs) if run.id in [one.id for one in runs[:place]]), None)
    if twice is not None:
        raise SettingsError(f"the run {twice!r} is given twice; choose another run to compare it with")
    first = runs[0]
    for run, name in zip(runs[1:], names[1:], strict=True):
        if run._handle.row.dataset != first._handle.row.dataset:
            raise DataError(
                f"the runs {first.name!r} ({_short(first.source)}) and {name!r} ({_short(run.source)}) are on "
                "different data: an example of the one means nothing to the other; choose runs on the same data"
            )


def initial_labels(run: Run) -> NDArray[np.int16]:
    """Return the class that round 0 trained on of every example, of shape (n,); -1 where there was none."""
    stored, _ = run._handle.round(0)
    return held_classes(run._handle, stored.last_seq)[0]


def notes_on(rounds: Sequence[SideRound]) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    """Say what the rounds of some runs have in common, and how else they differ than by their strategy.

    Returns
    -------
    same_start : bool
    alike, notes : tuple of str
    """
    alike = ["the same data"]
    notes = []
    starts = [initial_labels(one.run) for one in rounds]
    n_common = min(map(len, starts))  # what people add to a run stands behind the data set's own rows
    starts = [start[:n_common] for start in starts]
    same_start = all(np.array_equal(starts[0], start) for start in starts[1:])
    if same_start:
        alike.append(f"the same {counted(int((starts[0] != UNLABELED).sum()), 'initial label')}")
    else:
        notes.append(_different_starts(starts))
    for name, words in (("seed", "seed {}"), ("budget", "budget {}")):
        values = [getattr(one.settings, name) for one in rounds]
        if len(set(values)) == 1:
            alike.append(words.format(f"{values[0]:,}" if name == "budget" else values[0]))
        else:
            notes.append(f"The {name}s differ: {_each(rounds, values)}.")
    sizes = [len(one.labeled) for one in rounds]
    if len(set(sizes)) > 1:
        notes.append(
            f"Round {rounds[0].stored.round_no} trained on different numbers of labels: {_each(rounds, sizes)}; "
            "compare rounds with equal numbers."
        )
    notes += _different_settings(rounds)
    return same_start, tuple(alike), tuple(notes)


def _different_starts(starts: Sequence[NDArray[np.int16]]) -> str:
    known = np.stack([start != UNLABELED for start in starts])
    same = known.all(axis=0) & (np.stack(starts) == starts[0]).all(axis=0)
    n_same, n_any = int(same.sum()), int(known.any(axis=0).sum())
    return (
        f"The runs began with different labels (only {n_same:,} of {n_any:,} in common), so differences may come from "
        "the start rather than from the strategy; a comparison starts all strategies from the same labels."
    )


def _different_settings(rounds: Sequence[SideRound]) -> list[str]:
    tables = [_flat(one.settings.to_dict()) for one in rounds]
    names = [
        name
        for name in dict.fromkeys(name for table in tables for name in table)
        if name not in TOLD and not name.startswith(NOT_TOLD) and len({repr(table.get(name)) for table in tables}) > 1
    ]
    if not names:
        if len({one.settings.strategy for one in rounds}) == 1:
            return [f"All runs select by {rounds[0].settings.strategy}, with the same settings."]
        return []
    told = "; ".join(f"{name}: {_each(rounds, [table.get(name) for table in tables])}" for name in names[:MOST_NAMED])
    more = f"; and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return [f"Other settings differ as well: {told}{more}."]


def _each(rounds: Sequence[SideRound], values: Sequence[Any]) -> str:
    told = ("none" if value is None else value for value in values)
    return ", ".join(f"{one.run.name} {value}" for one, value in zip(rounds, told, strict=True))


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _short(source: str) -> str:
    return PurePath(source.replace("\\", "/")).name or source or "data of a program"
