"""Who annotates what: examples of the proposal are held for one person after another, and given back."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alvin_core.errors import LabelError, SettingsError
from alvin_core.run.desk import Desk, read_desk
from alvin_core.run.handle import RunHandle
from alvin_core.run.submitting import check_annotator
from alvin_core.shown import shown
from alvin_core.store.leases import Lease, drop_leases, end_leases, hold, live_leases, moment
from alvin_core.store.marks import skipped_by

__all__ = ["Hold", "QueueExample", "QueueState", "give_back_examples", "queue_state", "take_examples"]

MOST_TAKEN = 10_000
LONGEST_LEASE = 7 * 86_400  # seconds; a person who needs longer takes again


@dataclass(frozen=True)
class Hold:
    """An example that is held for somebody.

    Attributes
    ----------
    annotator : str
    seconds_left : float
        Until the hold ends by itself.
    until : str
        When that is by the wall clock, as ISO 8601, UTC.
    """

    annotator: str
    seconds_left: float
    until: str


@dataclass(frozen=True)
class QueueExample:
    """One proposed example as annotators share it.

    Attributes
    ----------
    id : str
    wanted : int
        How many people are to annotate it.
    given : int
        How many have: opinions, or the one label.
    annotators : tuple of str
        Who has, the latest last.
    label : str or None
        What holds; None while the example waits.
    is_tied : bool
        Whether one more opinion is wanted, because those asked for do not agree on a majority.
    held_by : tuple of Hold
    """

    id: str
    wanted: int
    given: int
    annotators: tuple[str, ...]
    label: str | None
    is_tied: bool
    held_by: tuple[Hold, ...]


@dataclass(frozen=True)
class QueueState:
    """The current proposal as annotators share it.

    Attributes
    ----------
    round_no : int
        That proposed; -1 where the initial set is asked for.
    examples : tuple of QueueExample
        Best first.
    """

    round_no: int
    examples: tuple[QueueExample, ...]

    @property
    def n_open(self) -> int:
        """How many examples wait for their label."""
        return sum(one.label is None for one in self.examples)

    @property
    def n_wanting(self) -> int:
        """How many more opinions are needed, as far as is known: a tie asks for one more."""
        return sum(max(one.wanted - one.given, 1) for one in self.examples if one.label is None)

    @property
    def n_tied(self) -> int:
        return sum(one.is_tied for one in self.examples)

    @property
    def n_shared(self) -> int:
        """How many examples more than one person is asked for."""
        return sum(one.wanted > 1 for one in self.examples)

    @property
    def annotators(self) -> dict[str, tuple[int, int]]:
        """Annotator -> how many examples they have done, and how many they hold; by name."""
        done: dict[str, list[int]] = {}
        for one in self.examples:
            for name in one.annotators:
                done.setdefault(name, [0, 0])[0] += 1
            for held in one.held_by:
                done.setdefault(held.annotator, [0, 0])[1] += 1
        return {name: (n_done, n_held) for name, (n_done, n_held) in sorted(done.items())}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "round": self.round_no,
            "n_open": self.n_open,
            "n_wanting": self.n_wanting,
            "n_tied": self.n_tied,
            "annotators": {name: {"done": n, "held": held} for name, (n, held) in self.annotators.items()},
            "examples": [asdict(one) for one in self.examples],
        }


def take_examples(handle: RunHandle, annotator: str, n: int, seconds: float) -> tuple[str, ...]:
    """Hold examples for an annotator; see `Run.take`."""
    check_annotator(annotator)
    if not 1 <= n <= MOST_TAKEN:
        raise SettingsError(f"n = {n} is out of range: it must be between 1 and {MOST_TAKEN:,} examples")
    if not (math.isfinite(seconds) and 0 < seconds <= LONGEST_LEASE):
        raise SettingsError(f"seconds = {seconds} is out of range: it must be above 0 and at most {LONGEST_LEASE:,}")
    with handle.store.write() as session:
        handle.check_exists(session)
        desk = read_desk(session, handle)
        end_leases(session, handle.row.id, desk.at)
        skipped = set(skipped_by(session, handle.row.id, annotator))
        taken = _next_for(desk, annotator, skipped)[:n]
        held = {one: leases[annotator] for one, leases in desk.leases.items() if annotator in leases}
        hold(session, handle.row.id, taken, annotator, desk.at, seconds=seconds, held=held)
    return tuple(taken)


def give_back_examples(handle: RunHandle, annotator: str, ids: Iterable[str] | None) -> tuple[str, ...]:
    """Let go of what an annotator holds; see `Run.give_back`."""
    check_annotator(annotator)
    asked = None if ids is None else {ids} if isinstance(ids, str) else set(ids)
    for one in sorted(asked or (), key=str):
        if one not in handle.row_of_id:
            raise LabelError(f"the run {handle.row.name!r} has no example {shown(one)}; nothing was given back")
    with handle.store.write() as session:
        handle.check_exists(session)
        leases = live_leases(session, handle.row.id, moment(session))
        mine = [one.example_id for one in leases if one.annotator == annotator]
        given = mine if asked is None else [one for one in mine if one in asked]
        drop_leases(session, handle.row.id, given, annotator=annotator)
    return tuple(given)


def queue_state(handle: RunHandle) -> QueueState:
    """Return the current proposal as annotators share it; see `Run.queue_state`."""
    with handle.store.read() as session:
        handle.check_exists(session)
        desk = read_desk(session, handle)
    clock = datetime.now(UTC)
    return QueueState(desk.round_no, tuple(_example(desk, one, clock) for one in desk.proposed))


def _next_for(desk: Desk, annotator: str, skipped: Collection[str]) -> list[str]:
    """Return what an annotator may hold: what they hold already, then what nobody else holds, best first."""
    open_ids = [
        one
        for one in desk.proposed
        if one not in desk.labels and one not in skipped and annotator not in desk.opinions.get(one, ())
    ]
    held = [one for one in open_ids if annotator in desk.leases.get(one, ())]
    mine = set(held)
    return held + [one for one in open_ids if one not in mine and desk.is_free(one, annotator)]


def _example(desk: Desk, example_id: str, clock: datetime) -> QueueExample:
    label, given = desk.labels.get(example_id), desk.opinions.get(example_id, {})
    annotators = tuple(given) or (() if label is None else (label.annotator,))
    return QueueExample(
        id=example_id,
        wanted=desk.wanted[example_id],
        given=len(annotators),
        annotators=annotators,
        label=None if label is None else label.label,
        is_tied=desk.is_tied(example_id),
        held_by=tuple(_hold(desk, one, clock) for one in desk.leases.get(example_id, {}).values()),
    )


def _hold(desk: Desk, lease: Lease, clock: datetime) -> Hold:
    left = lease.until - desk.at.seconds
    return Hold(lease.annotator, left, (clock + timedelta(seconds=left)).isoformat(timespec="seconds"))
