"""What people leave beside labels, as a log of events: skips, flags and notes, and what was taken back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alvin_core.store.labels import now
from alvin_core.store.tables import MarkRow

__all__ = ["ACTIONS", "Action", "HeldMark", "add_mark", "copy_marks", "held_marks", "mark_events", "skipped_by"]

Action = Literal["skip", "unskip", "flag", "unflag", "note"]
ACTIONS: tuple[Action, ...] = ("skip", "unskip", "flag", "unflag", "note")

# A skip is one annotator's own and of one sitting; flags and notes tell of the example, whoever looks at it.
ABOUT_EXAMPLES: tuple[Action, ...] = ("flag", "unflag", "note")


@dataclass(frozen=True)
class HeldMark:
    """What holds of one example.

    Attributes
    ----------
    skipped_by : tuple of str
        Annotators who put it off, the latest last.
    is_flagged : bool
    note : str
        Empty where there is none.
    last : MarkRow
        The newest event that changed any of it.
    """

    skipped_by: tuple[str, ...]
    is_flagged: bool
    note: str
    last: MarkRow

    def __bool__(self) -> bool:
        return bool(self.skipped_by or self.is_flagged or self.note)


def mark_events(session: Session, run_id: str, example_id: str | None = None) -> list[MarkRow]:
    """Return a run's events in their order, or only those of one example."""
    query = select(MarkRow).where(MarkRow.run_id == run_id).order_by(MarkRow.seq)
    if example_id is not None:
        query = query.where(MarkRow.example_id == example_id)
    return list(session.scalars(query))


def held_marks(events: Iterable[MarkRow]) -> dict[str, HeldMark]:
    """Return what holds after some events, by example, those last touched at the end; none where nothing is left."""
    held: dict[str, HeldMark] = {}
    for one in events:
        before = held.pop(one.example_id, None)
        skipped = list(before.skipped_by) if before else []
        if one.action in ("skip", "unskip") and one.annotator in skipped:
            skipped.remove(one.annotator)
        if one.action == "skip":
            skipped.append(one.annotator)
        after = HeldMark(
            skipped_by=tuple(skipped),
            is_flagged=one.action == "flag" or (one.action != "unflag" and bool(before and before.is_flagged)),
            note=one.note if one.action == "note" else (before.note if before else ""),
            last=one,
        )
        if after:
            held[one.example_id] = after
    return held


def skipped_by(session: Session, run_id: str, annotator: str) -> list[str]:
    """Return the ids of what one annotator has put off, the latest last."""
    query = select(MarkRow).where(
        MarkRow.run_id == run_id, MarkRow.annotator == annotator, MarkRow.action.in_(("skip", "unskip"))
    )
    skipped: dict[str, None] = {}
    for one in session.scalars(query.order_by(MarkRow.seq)):
        skipped.pop(one.example_id, None)
        if one.action == "skip":
            skipped[one.example_id] = None
    return list(skipped)


def add_mark(session: Session, run_id: str, example_id: str, action: Action, *, annotator: str, note: str = "") -> None:
    """Append one event. The caller has checked it, in the same transaction."""
    last = session.scalar(select(func.max(MarkRow.seq)).where(MarkRow.run_id == run_id)) or 0
    session.add(
        MarkRow(
            run_id=run_id,
            seq=last + 1,
            example_id=example_id,
            action=action,
            note=note,
            annotator=annotator,
            created_at=now(),
        )
    )


def copy_marks(session: Session, from_run: str, to_run: str, *, without: Collection[str] = ()) -> None:
    """Give a new run the flags and notes of another, with who made them and when; skips are left behind.

    So are the marks on some examples, ``without``, which the new run does not have.
    """
    events = mark_events(session, from_run)
    kept = [one for one in events if one.action in ABOUT_EXAMPLES and one.example_id not in without]
    session.add_all(
        MarkRow(
            run_id=to_run,
            seq=seq,
            example_id=one.example_id,
            action=one.action,
            note=one.note,
            annotator=one.annotator,
            created_at=one.created_at,
        )
        for seq, one in enumerate(kept, 1)
    )
