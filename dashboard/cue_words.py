"""Cues in words: their names, what goes with what, and whether the rounds weaken it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Change",
    "added",
    "change_of",
    "cue_name",
    "cue_phrase",
    "goes_with",
    "kind_name",
    "shown_p",
    "strategy_name",
]

KIND_NAMES: Final = {"token": "word", "ngram": "phrase", "attribute": "attribute", "overlap": "word overlap"}
PHRASES: Final = {"token": "word", "ngram": "phrase", "attribute": "attribute"}
LONGEST: Final = 40  # characters of a cue's name
SMALLEST_CHANGE: Final = 0.02  # of the share above base; less is told as no change [ours]

Change = Literal["weaker", "stronger", "unchanged"]


def kind_name(kind: str) -> str:
    """Return a kind of cue as the screen names it."""
    return KIND_NAMES.get(kind, kind)


def cue_name(cue: str) -> str:
    """Return a cue as a reader would name it: ``“horror”``, ``attribute horror``, ``high word overlap``."""
    kind, _, name = cue.partition(":")
    short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    if kind == "attribute":
        return f"attribute {short}"
    if kind == "overlap":
        one_way = short.startswith("one-way-")
        return f"{short.removeprefix('one-way-')} {'one-way ' if one_way else 'word '}overlap"
    return f"“{short}”"


def cue_phrase(cue: str) -> str:
    """Return a cue as it stands in a sentence: ``the word “horror”``, ``the attribute “horror”``."""
    kind, _, name = cue.partition(":")
    short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    return cue_name(cue) if kind not in PHRASES else f"the {PHRASES[kind]} “{short}”"


def strategy_name(strategy: str) -> str:
    """Return a strategy as the screen names it."""
    return "ALVIN" if strategy == "alvin" else strategy


def shown_p(p: float) -> str:
    """Return a p value as it is read: ``.032``, ``< .001``."""
    if not math.isfinite(p):
        return "–"
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def goes_with(row: Mapping[str, Any]) -> str:
    """Say how often a cue comes with its label.

    Parameters
    ----------
    row : mapping
        ``cue, label, n, share, base_share, z`` of one set.
    """
    n = int(row["n"])
    n_label = round(float(row["share"]) * n)
    phrase = cue_phrase(str(row["cue"]))
    return (
        f"{phrase[0].upper()}{phrase[1:]} goes with {row['label']}: {n_label:,} of {n:,} labeled examples with it "
        f"({row['share']:.0%}; of all {row['base_share']:.0%}), z {row['z']:.1f}"
    )


def change_of(history: pd.DataFrame) -> Change:
    """Tell whether a cue says less about its label in the last round than in the first.

    Parameters
    ----------
    history : DataFrame
        ``n, share, base_share`` of each round, in order.

    Returns
    -------
    {"weaker", "stronger", "unchanged"}
        By the share above base. z is no measure of it: it also grows with the number of examples. A change within
        two standard errors of the last share, or `SMALLEST_CHANGE`, is none [ours].

    Notes
    -----
    Agresti & Coull (1998) for the standard error.
    """
    held = history[history["n"] > 0]
    if len(held) < 2:
        return "unchanged"
    first, last = held.iloc[0], held.iloc[-1]
    change = (last["share"] - last["base_share"]) - (first["share"] - first["base_share"])
    n = last["n"] + 4  # two successes and two failures more, or a share of 1 would have no error at all
    share = (last["share"] * last["n"] + 2) / n
    error = math.sqrt(share * (1 - share) / n)
    if abs(change) <= max(2 * error, SMALLEST_CHANGE):
        return "unchanged"
    return "weaker" if change < 0 else "stronger"


def added(history: pd.DataFrame) -> tuple[int, int]:
    """Return how many labeled examples with a cue came since the first round, with its label and without.

    Parameters
    ----------
    history : DataFrame
        ``n, share`` of each round, in order. A label that was taken back counts as less than none.
    """
    held = history[history["n"] > 0]
    if held.empty:
        return 0, 0
    first, last = held.iloc[0], held.iloc[-1]
    with_label = round(last["share"] * last["n"]) - round(first["share"] * first["n"])
    return with_label, int(last["n"] - first["n"]) - with_label
