"""Examples held for annotators until a time, by a clock that does not jump where there is such a one.

A store on SQLite is of one machine, whose clock since boot all its processes share and nobody can set: a lease neither
ends early nor lasts longer when the wall clock jumps. After a reboot, or on another machine, all leases have ended. A
store on a server has the server's clock, which may be set: when it goes forward leases end early, when it goes back
one lasts at most once more its length, because one that was taken in the future has ended. Whoever submits is checked
again, so that either costs time and never a label.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete, extract, func, or_, select
from sqlalchemy.orm import Session

from alvin_core.store.tables import LeaseRow

__all__ = ["Moment", "drop_leases", "end_leases", "hold", "live_leases", "moment"]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DATABASE_CLOCK = "database"
MOST_ASKED = 1000  # ids in one statement


class Moment(NamedTuple):
    """A time, in seconds of a clock. Times of different clocks cannot be compared."""

    clock: str
    seconds: float


def moment(session: Session) -> Moment:
    """Return what time it is for the leases of a store."""
    if session.get_bind().dialect.name == "sqlite":
        return Moment(_clock_of_this_boot(), _seconds_since_boot())
    return Moment(DATABASE_CLOCK, float(session.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one()))


def live_leases(session: Session, run_id: str, at: Moment) -> list[LeaseRow]:
    """Return the leases of a run that have not ended."""
    query = select(LeaseRow).where(
        LeaseRow.run_id == run_id,
        LeaseRow.clock == at.clock,
        LeaseRow.taken_at <= at.seconds,
        LeaseRow.until > at.seconds,
    )
    return list(session.scalars(query.order_by(LeaseRow.taken_at, LeaseRow.example_id, LeaseRow.annotator)))


def hold(
    session: Session,
    run_id: str,
    example_ids: Iterable[str],
    annotator: str,
    at: Moment,
    *,
    seconds: float,
    held: Mapping[str, LeaseRow],
) -> None:
    """Hold examples for an annotator, or go on holding them; what they held longer, they hold as long as before.

    The caller has checked that they may, in the same transaction, and has removed what ended.

    Parameters
    ----------
    session : Session
    run_id : str
    example_ids : iterable of str
    annotator : str
    at : Moment
    seconds : float
    held : mapping of example to LeaseRow
        The annotator's own, of this transaction.
    """
    for example_id in example_ids:
        lease = held.get(example_id)
        if lease is None:
            lease = LeaseRow(run_id=run_id, example_id=example_id, annotator=annotator, clock=at.clock, until=0.0)
            session.add(lease)
        lease.taken_at, lease.until = at.seconds, max(lease.until, at.seconds + seconds)


def end_leases(session: Session, run_id: str, at: Moment) -> None:
    """Remove the leases of a run that have ended."""
    ended = or_(LeaseRow.clock != at.clock, LeaseRow.taken_at > at.seconds, LeaseRow.until <= at.seconds)
    session.execute(delete(LeaseRow).where(LeaseRow.run_id == run_id, ended))


def drop_leases(
    session: Session, run_id: str, example_ids: Collection[str] | None, *, annotator: str | None = None
) -> None:
    """Remove the leases of some examples, or of all; everybody's, or one annotator's."""
    query = delete(LeaseRow).where(LeaseRow.run_id == run_id)
    if annotator is not None:
        query = query.where(LeaseRow.annotator == annotator)
    if example_ids is None:
        session.execute(query)
        return
    ids = list(example_ids)
    for start in range(0, len(ids), MOST_ASKED):
        session.execute(query.where(LeaseRow.example_id.in_(ids[start : start + MOST_ASKED])))


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
