"""What time it is for all machines of a store, where anything but a list for people hangs on it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

__all__ = ["time_in"]


def time_in(session: Session) -> datetime:
    """Return the time in UTC by the server's clock; by this machine's where the store is a folder, which has no other.

    Two machines of a team may differ by years, as one does whose battery is empty.
    """
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    told: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return told.astimezone(UTC)
