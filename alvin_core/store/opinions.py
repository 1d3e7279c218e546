"""Opinions of people on examples that several of them annotate, as a log of events, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alvin_core.store.labels import now
from alvin_core.store.tables import OpinionRow

__all__ = [
    "HeldOpinion",
    "Opinions",
    "add_opinion_undos",
    "add_opinions",
    "copy_opinions",
    "held_opinions",
    "majority",
    "opinion_events",
]

MOST_ASKED = 1000  # examples that are looked up one by one; of more, all events are read, which is quicker


class HeldOpinion(NamedTuple):
    """An opinion that holds, and the event that gave it."""

    seq: int
    example_id: str
    label: str
    annotator: str
    round_no: int
    created_at: str


Opinions = dict[str, dict[str, HeldOpinion]]
"""Example -> annotator -> opinion, in the order given."""


def opinion_events(session: Session, run_id: str) -> list[OpinionRow]:
    """Return a run's events in their order."""
    return list(session.scalars(select(OpinionRow).where(OpinionRow.run_id == run_id).order_by(OpinionRow.seq)))


def held_opinions(session: Session, run_id: str, example_ids: Collection[str] | None = None) -> Opinions:
    """Return the opinions that hold, or only those on some examples; of an example without any there is no entry."""
    if not _last_seq(session, run_id):  # most runs ask one person for each example
        return {}
    columns = [getattr(OpinionRow, name) for name in HeldOpinion._fields]
    query = select(*columns, OpinionRow.action).where(OpinionRow.run_id == run_id).order_by(OpinionRow.seq)
    if example_ids is not None and len(example_ids) <= MOST_ASKED:
        query = query.where(OpinionRow.example_id.in_(list(example_ids)))
    held: Opinions = {}
    for *values, action in session.execute(query):
        one = HeldOpinion._make(values)
        of_example = held.setdefault(one.example_id, {})
        of_example.pop(one.annotator, None)
        if action == "opinion":
            of_example[one.annotator] = one
    asked = None if example_ids is None else set(example_ids)
    return {key: given for key, given in held.items() if given and (asked is None or key in asked)}


def majority(labels: Iterable[str], wanted: int) -> str | None:
    """Return the label that more opinions name than any other; None where too few were given, or at a tie."""
    counted = Counter(labels)
    if not counted or counted.total() < wanted:
        return None
    (first, n_first), *others = counted.most_common(2)
    return None if others and others[0][1] == n_first else first


def add_opinions(
    session: Session,
    run_id: str,
    opinions: Iterable[tuple[str, str]],
    *,
    annotator: str,
    round_no: int,
    label_seq: int,
    created_at: str,
) -> None:
    """Append an event for each (example, class name). The caller has checked them, in the same transaction."""
    start = _last_seq(session, run_id) + 1
    session.add_all(
        OpinionRow(
            run_id=run_id,
            seq=seq,
            example_id=example_id,
            label=label,
            annotator=annotator,
            by=annotator,
            action="opinion",
            round_no=round_no,
            label_seq=label_seq,
            created_at=created_at,
        )
        for seq, (example_id, label) in enumerate(opinions, start)
    )


def add_opinion_undos(
    session: Session, run_id: str, taken_back: Sequence[HeldOpinion], *, by: str, label_seq: int
) -> None:
    """Append the events that take opinions back. The caller has checked that they hold, in the same transaction."""
    created_at = now()
    start = _last_seq(session, run_id) + 1
    session.add_all(
        OpinionRow(
            run_id=run_id,
            seq=seq,
            example_id=one.example_id,
            label=one.label,
            annotator=one.annotator,
            by=by,
            action="undo",
            round_no=one.round_no,
            label_seq=label_seq,
            created_at=created_at,
        )
        for seq, one in enumerate(taken_back, start)
    )


def copy_opinions(session: Session, from_run: str, to_run: str, at: int, up_to: int | None) -> None:
    """Give a new run another's events on proposals before a round, numbered anew.

    Parameters
    ----------
    session : Session
    from_run, to_run : str
    at : int
        The round.
    up_to : int, optional
        Only events that were there when the label event of this number was the newest. Label events keep theirs.
    """
    names = [column.key for column in OpinionRow.__table__.columns if column.key not in ("run_id", "seq")]
    kept = [
        one
        for one in opinion_events(session, from_run)
        if one.round_no < at and (up_to is None or one.label_seq <= up_to)
    ]
    session.add_all(
        OpinionRow(run_id=to_run, seq=seq, **{name: getattr(one, name) for name in names})
        for seq, one in enumerate(kept, 1)
    )


def _last_seq(session: Session, run_id: str) -> int:
    return session.scalar(select(func.max(OpinionRow.seq)).where(OpinionRow.run_id == run_id)) or 0
