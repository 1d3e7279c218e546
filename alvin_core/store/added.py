"""Examples that people wrote, such as edits of others: added to a run with a label, never changed, never taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alvin_core.store.labels import add_labels, now
from alvin_core.store.tables import AddedExampleRow, LabelRow

__all__ = ["COUNTERFACTUAL", "AddedExample", "add_example", "added_rows", "copy_added", "count_added", "list_added"]

COUNTERFACTUAL: Final = "counterfactual"  # the source of the label that an added example came with


@dataclass(frozen=True)
class AddedExample:
    """An example that a person wrote.

    Attributes
    ----------
    number : int
        From 0 in each run: its row is that of the data set's end and so many further.
    id : str
    texts : tuple of str
        One text, or the two of a pair.
    label : str
        The class it was written for. Whether it is still trained on is told by the label events.
    attribute, parent_id : str
        Empty where there is none.
    annotator : str
        Who wrote it.
    created_at : str
        ISO 8601, UTC.
    """

    number: int
    id: str
    texts: tuple[str, ...]
    label: str
    attribute: str
    parent_id: str
    annotator: str
    created_at: str


def count_added(session: Session, run_id: str, up_to: int | None = None) -> int:
    """Return how many examples were added to a run, by now or by a label event's number.

    Each came with one label event of its own source, in one transaction, so the events tell when it came.
    """
    query = select(func.count()).where(
        LabelRow.run_id == run_id, LabelRow.source == COUNTERFACTUAL, LabelRow.action == "label"
    )
    if up_to is not None:
        query = query.where(LabelRow.seq <= up_to)
    return session.scalar(query) or 0


def list_added(session: Session, run_id: str, start: int = 0) -> list[AddedExample]:
    """Return the examples added to a run, in order, from a number on."""
    came_with = (LabelRow.run_id == AddedExampleRow.run_id) & (LabelRow.example_id == AddedExampleRow.example_id)
    query = (
        select(AddedExampleRow, LabelRow.label)
        .join(LabelRow, came_with & (LabelRow.source == COUNTERFACTUAL) & (LabelRow.action == "label"))
        .where(AddedExampleRow.run_id == run_id, AddedExampleRow.number >= start)
        .order_by(AddedExampleRow.number)
    )
    return [
        AddedExample(
            number=row.number,
            id=row.example_id,
            texts=(row.text,) if row.second_text is None else (row.text, row.second_text),
            label=label,
            attribute=row.attribute,
            parent_id=row.parent_id,
            annotator=row.annotator,
            created_at=row.created_at,
        )
        for row, label in session.execute(query)
    ]


def add_example(
    session: Session,
    run_id: str,
    example_id: str,
    texts: tuple[str, ...],
    label: str,
    *,
    attribute: str,
    parent_id: str,
    annotator: str,
) -> None:
    """Append an example with its label. The caller has checked both, in the same transaction."""
    number = session.scalar(select(func.count()).where(AddedExampleRow.run_id == run_id)) or 0
    session.add(
        AddedExampleRow(
            run_id=run_id,
            number=number,
            example_id=example_id,
            text=texts[0],
            second_text=texts[1] if len(texts) == 2 else None,
            attribute=attribute,
            parent_id=parent_id,
            annotator=annotator,
            created_at=now(),
        )
    )
    add_labels(session, run_id, [(example_id, label)], source=COUNTERFACTUAL, annotator=annotator)


def added_rows(session: Session, run_id: str) -> list[AddedExampleRow]:
    """Return the rows of the examples added to a run, in order, as the table has them."""
    query = select(AddedExampleRow).where(AddedExampleRow.run_id == run_id).order_by(AddedExampleRow.number)
    return list(session.scalars(query))


def copy_added(session: Session, from_run: str, to_run: str, n: int) -> list[str]:
    """Give a new run the first ``n`` examples that were added to another; return the ids of those left behind."""
    rows = added_rows(session, from_run)
    columns = [column.key for column in AddedExampleRow.__table__.columns if column.key != "run_id"]
    session.add_all(
        AddedExampleRow(run_id=to_run, **{name: getattr(row, name) for name in columns}) for row in rows[:n]
    )
    return [row.example_id for row in rows[n:]]
