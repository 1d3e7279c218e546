"""What happens in a store now, in numbers, for whoever watches it from outside. No text, name or label is among it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alvin_core.store.database import open_store
from alvin_core.store.leases import moment
from alvin_core.store.tables import JobRow, LabelRow, LeaseRow, MarkRow, OpinionRow, RoundRow

__all__ = ["FinishedRound", "StoreActivity", "finished_rounds", "store_activity"]

ACTIVE_MINUTES = 15  # for so long after what somebody did they count as active


@dataclass(frozen=True)
class StoreActivity:
    """What happens in a store at one moment.

    Attributes
    ----------
    rounds : dict of str to int
        ``finished`` rounds; jobs of rounds that are ``training`` or ``queued``, and those that ``failed``, as far as
        jobs are kept.
    oldest_queued_seconds : float or None
        How long the job that has waited longest waits; None where none does.
    heartbeat_seconds : float or None
        How long ago the running job was last written of; None where none runs.
    people_active : int
        How many annotators labelled, took back, marked or gave an opinion in the last 15 minutes.
    leases : int
        Examples that are held for somebody.
    """

    rounds: dict[str, int]
    oldest_queued_seconds: float | None
    heartbeat_seconds: float | None
    people_active: int
    leases: int


@dataclass(frozen=True)
class FinishedRound:
    """How long one round took.

    Attributes
    ----------
    key : tuple of (run id, round)
    created_at : str
        When it was stored: ISO 8601, UTC.
    seconds : float
        Of all its parts together.
    """

    key: tuple[str, int]
    created_at: str
    seconds: float


def store_activity(store: Path | str) -> StoreActivity:
    """Look at what happens in a store.

    Raises
    ------
    StoreError
        When the store is not there or cannot be used.
    """
    opened = open_store(store)
    with opened.read() as session:
        return StoreActivity(
            rounds=_rounds(session),
            oldest_queued_seconds=_age(
                session.scalar(select(func.min(JobRow.created_at)).where(JobRow.state == "queued"))
            ),
            heartbeat_seconds=_age(session.scalar(select(func.min(JobRow.heartbeat)).where(JobRow.state == "running"))),
            people_active=_people(session),
            leases=_leases(session),
        )


def finished_rounds(store: Path | str, since: str) -> list[FinishedRound]:
    """Return the rounds that were stored at a time or later, oldest first.

    Parameters
    ----------
    store : Path or str
    since : str
        ISO 8601, UTC, as `FinishedRound.created_at` is.

    Raises
    ------
    StoreError
        When the store is not there or cannot be used.
    """
    query = select(RoundRow.run_id, RoundRow.round_no, RoundRow.created_at, RoundRow.seconds)
    with open_store(store).read() as session:
        rows = session.execute(query.where(RoundRow.created_at >= since).order_by(RoundRow.created_at)).all()
    return [FinishedRound((run_id, no), created, _sum(seconds.values())) for run_id, no, created, seconds in rows]


def _rounds(session: Session) -> dict[str, int]:
    jobs = select(JobRow.state, func.count()).where(JobRow.kind == "rounds").group_by(JobRow.state)
    of_state = dict(iter(session.execute(jobs)))
    return {
        "finished": session.scalar(select(func.count()).select_from(RoundRow)) or 0,
        "training": of_state.get("running", 0),
        "queued": of_state.get("queued", 0),
        "failed": of_state.get("failed", 0),
    }


def _people(session: Session) -> int:
    since = (datetime.now(UTC) - timedelta(minutes=ACTIVE_MINUTES)).isoformat(timespec="microseconds")
    people: set[str] = set()
    people |= set(
        session.scalars(
            select(LabelRow.annotator)
            .where(LabelRow.created_at >= since, LabelRow.source.in_(("person", "counterfactual")))
            .distinct()
        )
    )
    people |= set(session.scalars(select(MarkRow.annotator).where(MarkRow.created_at >= since).distinct()))
    people |= set(session.scalars(select(OpinionRow.by).where(OpinionRow.created_at >= since).distinct()))
    return len(people)


def _leases(session: Session) -> int:
    at = moment(session)
    live = (LeaseRow.clock == at.clock, LeaseRow.taken_at <= at.seconds, LeaseRow.until > at.seconds)
    return session.scalar(select(func.count()).select_from(LeaseRow).where(*live)) or 0


def _age(told: str | None) -> float | None:
    if told is None:
        return None
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(told)).total_seconds())


def _sum(values: Iterable[Any]) -> float:
    return float(sum(value for value in values if isinstance(value, int | float)))
