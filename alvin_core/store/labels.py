"""Labels as a log of events: what was annotated, by whom, when, and what was taken back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alvin_core.store.tables import LabelRow

__all__ = ["HeldLabel", "Source", "add_labels", "add_undos", "current_labels", "label_events", "last_seq", "now"]

Source = Literal["initial", "oracle", "person", "counterfactual"]
"""Who a label is from: the data set's first ones, its answers, a person, or a person who wrote the example as well."""

MOST_ASKED = 1000  # examples that are looked up one by one; of more, all events are read, which is quicker


class HeldLabel(NamedTuple):
    """A label that holds, and the event that gave it."""

    seq: int
    example_id: str
    label: str
    source: str
    annotator: str
    created_at: str


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


def current_labels(
    session: Session, run_id: str, up_to: int | None = None, *, example_ids: Collection[str] | None = None
) -> dict[str, HeldLabel]:
    """Return the labels that hold, by example, in the order of annotation.

    Parameters
    ----------
    session : Session
    run_id : str
    up_to : int, optional
        Look only at events up to this number: the labels that held at an earlier time.
    example_ids : collection of str, optional
        Only those of these examples; of a few, this takes no longer when many are labeled.
    """
    # Columns, since an object of the mapper for each event takes five times as long.
    columns = [getattr(LabelRow, name) for name in HeldLabel._fields]
    query = select(*columns, LabelRow.action).where(LabelRow.run_id == run_id).order_by(LabelRow.seq)
    if up_to is not None:
        query = query.where(LabelRow.seq <= up_to)
    if example_ids is not None and len(example_ids) <= MOST_ASKED:
        query = query.where(LabelRow.example_id.in_(list(example_ids)))
    held: dict[str, HeldLabel] = {}
    for *values, action in session.execute(query):
        one = HeldLabel._make(values)
        held.pop(one.example_id, None)
        if action == "label":
            held[one.example_id] = one
    if example_ids is None or len(example_ids) <= MOST_ASKED:
        return held
    asked = set(example_ids)
    return {example_id: one for example_id, one in held.items() if example_id in asked}


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


def add_undos(session: Session, run_id: str, taken_back: Sequence[HeldLabel], *, annotator: str) -> None:
    """Append the events that take labels back. The caller has checked that they hold, in the same transaction."""
    created_at = now()
    start = last_seq(session, run_id) + 1
    session.add_all(
        LabelRow(
            run_id=run_id,
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
