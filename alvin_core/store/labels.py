"""Labels as a log of events: what was annotated, by whom, when, and what was taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alvin_core.store.tables import LabelRow

__all__ = ["Source", "add_labels", "add_undos", "current_labels", "label_events", "last_seq", "now"]

Source = Literal["initial", "oracle", "person"]


def now() -> str:
    """Return the time in UTC, as ISO 8601 to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def last_seq(session: Session, run_id: str) -> int:
    """Return the number of the run's newest event; 0 when it has none."""
    return session.scalar(select(func.max(LabelRow.seq)).where(LabelRow.run_id == run_id)) or 0


def label_events(session: Session, run_id: str, up_to: int | None = None) -> list[LabelRow]:
    """Return a run's events in their order, or only those up to a number."""
    query = select(LabelRow).where(LabelRow.run_id == run_id).order_by(LabelRow.seq)
    if up_to is not None:
        query = query.where(LabelRow.seq <= up_to)
    return list(session.scalars(query))


def current_labels(session: Session, run_id: str, up_to: int | None = None) -> dict[str, LabelRow]:
    """Return the labels that hold, by example, in the order of annotation.

    Parameters
    ----------
    session : Session
    run_id : str
    up_to : int, optional
        Look only at events up to this number: the labels that held at an earlier time.
    """
    held: dict[str, LabelRow] = {}
    for one in label_events(session, run_id, up_to):
        held.pop(one.example_id, None)
        if one.action == "label":
            held[one.example_id] = one
    return held


def add_labels(
    session: Session, run_id: str, labels: Iterable[tuple[str, str]], *, source: Source, annotator: str
) -> None:
    """Append a label event for each (example, class name). The caller has checked them, in the same transaction."""
    created_at = now()
    start = last_seq(session, run_id) + 1
    session.add_all(
        LabelRow(
            run_id=run_id,
            seq=seq,
            example_id=example_id,
            label=label,
            source=source,
            annotator=annotator,
            action="label",
            created_at=created_at,
        )
        for seq, (example_id, label) in enumerate(labels, start)
    )


def add_undos(session: Session, taken_back: Sequence[LabelRow], *, annotator: str) -> None:
    """Append the events that take labels back. The caller has checked that they hold, in the same transaction."""
    if not taken_back:
        return
    created_at = now()
    start = last_seq(session, taken_back[0].run_id) + 1
    session.add_all(
        LabelRow(
            run_id=one.run_id,
            seq=seq,
            example_id=one.example_id,
            label=one.label,
            source=one.source,
            annotator=annotator,
            action="undo",
            created_at=created_at,
        )
        for seq, one in enumerate(taken_back, start)
    )
