"""How long a job will still take: from earlier rounds where there are some, else from the stage at hand."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping

from alvin_core.progress import ProgressEvent

__all__ = ["TimeLeft", "round_seconds"]

# What is done once and not again in the next round.
ONCE = ("load", "encode")
RECENT = 3  # rounds; later ones train on more
WEIGHT = 0.25  # of a new estimate against what the last one has come to; less is steadier
MIN_SHARE, MIN_SECONDS = 0.02, 0.5  # of a stage, before it says anything about its whole


def round_seconds(rounds: Iterable[Mapping[str, float]]) -> float | None:
    """Return what a round takes, from the stored seconds of earlier ones in their order; None when there are none."""
    totals = [sum(value for name, value in seconds.items() if name not in ONCE) for seconds in rounds]
    return statistics.median(totals[-RECENT:]) if totals else None


class TimeLeft:
    """Estimates the seconds that a job of rounds, or of one stage, still takes.

    Parameters
    ----------
    clock : callable
        Returns seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._per_round: float | None = None
        self._per_map: float | None = None
        self._to_come = 0  # rounds after this one
        self._round_began = self._stage_began = clock()
        self._stage = ""
        self._stage_done = 0
        self._shown: tuple[float, float] | None = None  # when, and what was said

    def begin_round(self, to_come: int, per_round: float | None, per_map: float | None) -> None:
        """Say that a round begins.

        Parameters
        ----------
        to_come : int
            How many follow it.
        per_round, per_map : float or None
            Seconds that one takes, and its map, where that is known; no map is made where ``per_map`` is 0.
        """
        self._to_come, self._per_round, self._per_map = to_come, per_round, per_map
        self._round_began = self._clock()

    def begin_map(self, seconds: float | None) -> None:
        """Say that the round is done and its map begins, which takes so long, where that is known."""
        self._per_map, self._stage = seconds, ""
        self._round_began = self._clock()
        if self._per_round is not None:
            self._round_began -= self._per_round

    def __call__(self, event: ProgressEvent) -> float | None:
        """Take an event and return the seconds left; None while nothing is known."""
        now = self._clock()
        if event.stage != self._stage or event.done < self._stage_done:
            self._stage, self._stage_began = event.stage, now
        self._stage_done = event.done
        found = self._from_rounds(now)
        if found is None:
            found = self._from_stage(event, now)
        if found is None:
            self._shown = None
            return None
        return self._steady(found, now)

    def _from_rounds(self, now: float) -> float | None:
        if self._per_round is None:
            return None
        per_map = self._per_map or 0.0
        this = max(0.0, self._per_round + per_map - (now - self._round_began))
        return this + self._to_come * (self._per_round + per_map)

    def _from_stage(self, event: ProgressEvent, now: float) -> float | None:
        elapsed = now - self._stage_began
        share = event.done / event.total if event.total > 0 else 0.0
        if share < MIN_SHARE or elapsed < MIN_SECONDS:
            return None
        return elapsed * max(0.0, 1.0 - share) / share

    def _steady(self, found: float, now: float) -> float:
        """Let what was said before run on by the clock, and pull it towards what is found now."""
        if self._shown is not None:
            when, said = self._shown
            expected = max(0.0, said - (now - when))
            found = expected + WEIGHT * (found - expected)
        self._shown = (now, found)
        return found
