"""Seats at a queue: one for each browser tab that labels, so that what it holds is renewed and given back.

Examples are held for a person, by name, in the store, and come back by themselves when nobody renews them. A seat is
how the browser speaks of them between two presses: somebody is here, or has left. Its name is a secret that only its
own tab was told, and all that it can be used for is to renew or give back what that tab took.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from alvin_core import SettingsError, StoreError, open_run
from dashboard import data
from dashboard.labelling_queue import in_turn, left_of, queue_of, reserved_for_others, sight_of
from dashboard.shelf import Shelf

if TYPE_CHECKING:
    from alvin_core import QueueState, Run

__all__ = ["AHEAD", "LEASE", "Seat", "SeatGoneError", "hear", "lease_seconds", "sit", "stamp_of"]

LEASE: Final = "ALVIN_LEASE_SECONDS"  # in the environment: how long an example is held without a sign of its person
SECONDS: Final = 600.0
AHEAD: Final = 3  # examples taken at a time: the next one is at hand when a key is pressed
REACH: Final = 25  # how far down the queue one example is reached for, over what nobody holds
MOST_SEATS: Final = 2048
NEAR: Final = 20.0  # seconds since its last sign for which a tab is taken to be there


class SeatGoneError(StoreError):
    """A tab speaks of a seat that nobody knows, as after the server was started again."""


@dataclass
class Seat:
    """A tab's seat at the queue of a run.

    Attributes
    ----------
    token : str
    store : Path
    run_id, annotator : str
    ids : set of str
        What this tab took and is not done with.
    seen : float
        When it gave its last sign, by the monotonic clock.
    """

    token: str
    store: Path
    run_id: str
    annotator: str
    ids: set[str] = field(default_factory=set)
    seen: float = field(default_factory=monotonic)
    lock: Lock = field(default_factory=Lock, repr=False)

    def share(self, run: Run, wanted: str | None, *, skips: bool) -> tuple[QueueState, list[str]]:
        """Hold what comes next for this tab, and return the queue as its annotator sees it, what they hold first.

        Parameters
        ----------
        run : Run
        wanted : str or None
            The example in front, which is to be held whatever comes next, where nobody else has it.
        skips : bool
            Whether the annotator has skipped anything, which then comes last.
        """
        state, queue = self._read(run, skips=skips)
        with self.lock:
            if self._lacks(state, queue, wanted):
                self._take(run, state, queue, wanted)
                state, queue = self._read(run, skips=skips)
            mine = set(left_of(state, self.annotator).yours)
            self.ids = mine & set(queue)
            self.seen = monotonic()
        return state, in_turn(queue, reserved_for_others(state, self.annotator), {wanted}, mine)

    def _read(self, run: Run, *, skips: bool) -> tuple[QueueState, list[str]]:
        state = run.queue_state()
        return state, run.queue(self.annotator) if skips else queue_of(state, self.annotator)

    def keep_only(self, run: Run, wanted: str | None) -> None:
        """Give back all but one example: who browses does not hold the queue."""
        with self.lock:
            rest = self.ids - {wanted}
            if rest:
                run.give_back(self.annotator, rest)
            self.ids &= {wanted}

    def leave(self, run: Run) -> None:
        """Give back what this tab took; what another tab of the same annotator has in hand stays."""
        with self.lock:
            theirs: set[str] = set().union(*(one.ids for one in self.others()))
            rest = self.ids - theirs
            if rest:
                run.give_back(self.annotator, rest)
            self.ids = set()
            self.seen = -math.inf

    def others(self) -> list[Seat]:
        """Return the other tabs that label this run under the same name now."""
        return [
            one
            for one in _all_seats()
            if one is not self
            and (one.store, one.run_id, one.annotator) == (self.store, self.run_id, self.annotator)
            and monotonic() - one.seen < NEAR
        ]

    def renew(self, run: Run) -> None:
        """Begin the time of what is held anew, once a third of it has passed."""
        with self.lock:
            self.seen = monotonic()
            if self.ids and _is_old(run.queue_state(), self.annotator):
                run.take(self.annotator, len(self.ids), seconds=lease_seconds())

    def _lacks(self, state: QueueState, queue: list[str], wanted: str | None) -> bool:
        """Whether something must be taken: nothing is held, or not what is in front, or not for long."""
        usable = in_turn(queue, reserved_for_others(state, self.annotator))
        mine = set(left_of(state, self.annotator).yours) & set(usable)
        if wanted in usable and wanted not in mine:
            return True
        return bool(usable) and (not mine or _is_old(state, self.annotator))

    def _take(self, run: Run, state: QueueState, queue: list[str], wanted: str | None) -> None:
        mine = set(left_of(state, self.annotator).yours)
        usable = in_turn(queue, reserved_for_others(state, self.annotator), mine)
        at = usable.index(wanted) + 1 if wanted in usable else 0
        if wanted in mine or not 0 < at <= len(mine) + REACH:
            at = 0
        taken = run.take(self.annotator, max(AHEAD, len(mine), at), seconds=lease_seconds())
        put_off = wanted if at and wanted not in taken else usable[0] if not taken else None
        if put_off is not None:  # all that is left was skipped: it is this annotator's turn again
            run.unskip(put_off, self.annotator)
            taken = run.take(self.annotator, max(AHEAD, len(mine), at), seconds=lease_seconds())
        room = max(AHEAD - len(mine) - (at > 0), 0)
        beyond = [one for one in taken if one not in mine and one != wanted][room:]
        if beyond:
            run.give_back(self.annotator, beyond)


_seats: OrderedDict[str, Seat] = OrderedDict()
_lock = Lock()
_runs: Shelf[tuple[Path, str], Run] = Shelf(8)


def _all_seats() -> list[Seat]:
    with _lock:
        return list(_seats.values())


def sit(run_id: str, annotator: str) -> Seat:
    """Return a new seat for a tab."""
    seat = Seat(token_hex(16), data.store(), run_id, annotator)
    with _lock:
        _seats[seat.token] = seat
        while len(_seats) > MOST_SEATS:  # the oldest; what its tab still holds comes back by itself
            _seats.popitem(last=False)
    return seat


def lease_seconds() -> float:
    """Return how long an example is held without a sign of its person.

    Raises
    ------
    SettingsError
        When ``$ALVIN_LEASE_SECONDS`` is no number from 1 to 86,400.
    """
    said = os.environ.get(LEASE, "").strip()
    try:
        seconds = float(said) if said else SECONDS
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= 86_400:
        raise SettingsError(f"{LEASE} = {said!r} must be a number of seconds from 1 to 86,400; {SECONDS:g} is usual")
    return seconds


def stamp_of(state: QueueState, annotator: str) -> str:
    """Return a short name of how a queue looks to an annotator."""
    return sha256(sight_of(state, annotator).encode()).hexdigest()[:16]


def hear(token: str, sign: str, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Do what a tab's sign asks for, and say how its queue looks now.

    Parameters
    ----------
    token : str
    sign : {"here", "idle", "leave"}
        Somebody moved since the last sign; nobody did; the tab was left.
    names : tuple of str, optional
        Whom the request may speak for; by default anybody.

    Returns
    -------
    dict
        ``stamp``, as `stamp_of` gives it.

    Raises
    ------
    SeatGoneError
        When there is no such seat, or it is another person's.
    AlvinError
        When the run is gone.
    """
    with _lock:
        seat = _seats.get(token)
    if seat is None or (names is not None and seat.annotator not in names):
        raise SeatGoneError("nobody sits there any more; load the page again")
    # Not the pages' own run, which asks who is before the page: here is no page.
    place = (seat.store, seat.run_id)
    run = _runs.get(place, lambda: open_run(*place))
    if sign == "leave":
        seat.leave(run)
    elif sign == "here":
        seat.renew(run)
    else:
        seat.seen = monotonic()
    return {"stamp": stamp_of(run.queue_state(), seat.annotator)}


def _is_old(state: QueueState, annotator: str) -> bool:
    """Whether a third of the time for which something is held has passed."""
    left = [hold.seconds_left for one in state.examples for hold in one.held_by if hold.annotator == annotator]
    return bool(left) and min(left) < lease_seconds() * 2 / 3
