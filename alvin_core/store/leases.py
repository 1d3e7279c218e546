"""Examples held for annotators until a time, by a clock that does not jump where there is such a one.

A store on SQLite is of one machine, whose clock since boot all its processes share and nobody can set: a lease neither
ends early nor lasts longer when the wall clock jumps. After a reboot, or on another machine, all leases have ended. A
store on a server has the server's clock, which may be set: when it goes forward leases end early, when it goes back
one lasts at most once more its length, because one that was taken in the future has ended. Whoever submits is checked
again, so that either costs time and never a label.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import bindparam, delete, extract, func, insert, or_, select, update
from sqlalchemy.orm import Session

from alvin_core.store.tables import LeaseRow

__all__ = ["Lease", "Moment", "drop_leases", "end_leases", "hold", "live_leases", "moment"]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DATABASE_CLOCK = "database"
MOST_ASKED = 1000  # ids in one statement
UNSEEN = {"synchronize_session": False}  # no statement here leaves an object of the mapper behind that could be stale


class Moment(NamedTuple):
    """A time, in seconds of a clock. Times of different clocks cannot be compared."""

    clock: str
    seconds: float


def moment(session: Session) -> Moment:
    """Return what time it is for the leases of a store."""
    if session.get_bind().dialect.name == "sqlite":
        return Moment(_clock_of_this_boot(), _seconds_since_boot())
    return Moment(DATABASE_CLOCK, float(session.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one()))


class Lease(NamedTuple):
    """An example that is held for somebody, in seconds of the clock that was asked."""

    example_id: str
    annotator: str
    taken_at: float
    until: float


def live_leases(session: Session, run_id: str, at: Moment, example_ids: Collection[str] | None = None) -> list[Lease]:
    """Return the leases of a run that have not ended, or only those on some examples."""
    query = select(*(getattr(LeaseRow, name) for name in Lease._fields)).where(
        LeaseRow.run_id == run_id,
        LeaseRow.clock == at.clock,
        LeaseRow.taken_at <= at.seconds,
        LeaseRow.until > at.seconds,
    )
    few = example_ids is not None and len(example_ids) <= MOST_ASKED
    if example_ids is not None and few:
        query = query.where(LeaseRow.example_id.in_(list(example_ids)))
    query = query.order_by(LeaseRow.taken_at, LeaseRow.example_id, LeaseRow.annotator)
    found = [Lease._make(row) for row in session.execute(query)]
    if example_ids is None or few:
        return found
    asked = set(example_ids)
    return [one for one in found if one.example_id in asked]


def hold(
    session: Session,
    run_id: str,
    example_ids: Collection[str],
    annotator: str,
    at: Moment,
    *,
    seconds: float,
    held: Mapping[str, Lease],
) -> None:
    """Hold examples for an annotator, or go on holding them; what they held longer, they hold as long as before.

    The caller has checked that they may, in the same transaction, and has removed what ended.

    Parameters
    ----------
    session : Session
    run_id : str
    example_ids : collection of str
    annotator : str
    at : Moment
    seconds : float
    held : mapping of example to Lease
        The annotator's own, as read in this transaction.
    """
    until = at.seconds + seconds
    key = {"run_id": run_id, "annotator": annotator}
    new = [
        {**key, "example_id": one, "clock": at.clock, "taken_at": at.seconds, "until": until}
        for one in example_ids
        if one not in held
    ]
    if new:
        session.execute(insert(LeaseRow), new)
    longer = [{"example": one, "end": max(held[one].until, until)} for one in example_ids if one in held]
    if longer:
        own = update(LeaseRow).where(LeaseRow.run_id == run_id, LeaseRow.annotator == annotator)
        change = own.where(LeaseRow.example_id == bindparam("example"))
        session.connection().execute(change.values(taken_at=at.seconds, until=bindparam("end")), longer)


def end_leases(session: Session, run_id: str, at: Moment) -> None:
    """Remove the leases of a run that have ended."""
    ended = or_(LeaseRow.clock != at.clock, LeaseRow.taken_at > at.seconds, LeaseRow.until <= at.seconds)
    session.execute(delete(LeaseRow).where(LeaseRow.run_id == run_id, ended), execution_options=UNSEEN)


def drop_leases(
    session: Session, run_id: str, example_ids: Collection[str] | None, *, annotator: str | None = None
) -> None:
    """Remove the leases of some examples, or of all; everybody's, or one annotator's."""
    query = delete(LeaseRow).where(LeaseRow.run_id == run_id)
    if annotator is not None:
        query = query.where(LeaseRow.annotator == annotator)
    if example_ids is None:
        session.execute(query, execution_options=UNSEEN)
        return
    ids = list(example_ids)
    for start in range(0, len(ids), MOST_ASKED):
        some = query.where(LeaseRow.example_id.in_(ids[start : start + MOST_ASKED]))
        session.execute(some, execution_options=UNSEEN)


def _seconds_since_boot() -> float:
    # Linux's counts the time that a machine sleeps; elsewhere the monotonic clock is the machine's as well.
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@lru_cache(maxsize=1)
def _clock_of_this_boot() -> str:
    try:
        return f"boot {BOOT_ID.read_text().strip()}"[:64]
    except OSError:  # not Linux: a lease of an earlier boot is known by its time, which is still to come
        return "boot"
