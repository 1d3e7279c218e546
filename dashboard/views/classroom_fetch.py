"""Worlds, as the answering process computes them; each is kept, so that thirty who look at one cost one answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from dashboard import data
from dashboard.shelf import Shelf
from dashboard.views.classroom_address import LAST_TURN, STRATEGIES, Spot

__all__ = ["kept_world", "world_at"]

WAIT: Final = 120.0  # seconds for an answer; the first one waits for a process to start
_worlds: Shelf[tuple[Path, str, int], dict[str, Any]] = Shelf(32)


def world_at(spot: Spot) -> dict[str, Any]:
    """Return the world with its rounds up to the one in sight, at least, and questions about them.

    Raises
    ------
    AlvinError
        When the settings are refused, or the answering process does not answer.
    """
    found = kept_world(spot)
    if found is not None:
        return found
    store, settings, needed = data.store(), spot.settings, _needed(spot)
    world = _worlds.get((store, _key(settings), needed), lambda: _asked(store, settings, needed))
    # It holds all that the same world with fewer rounds does.
    _worlds.drop(lambda one: one[:2] == (store, _key(settings)) and one[2] < needed)
    return world


def kept_world(spot: Spot) -> dict[str, Any] | None:
    """Return the world if it is at hand."""
    store, key = data.store(), _key(spot.settings)
    for rounds in range(_needed(spot), LAST_TURN + 1):
        kept = _worlds.peek((store, key, rounds))
        if kept is not None:
            return kept
    return None


def _needed(spot: Spot) -> int:
    # What is asked of the labels' effect is answered by the next round, which "Next" opens anyway.
    return min(spot.turn + (spot.stage == "annotate"), LAST_TURN)


def _key(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _asked(store: Path, settings: dict[str, Any], rounds: int) -> dict[str, Any]:
    from alvin_core import ask

    question = {**settings, "strategies": list(STRATEGIES), "rounds": rounds, "questions": True}
    return ask(store, "world", question, timeout=WAIT)
