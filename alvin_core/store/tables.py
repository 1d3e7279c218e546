"""The tables of the store. Labels and rounds are only ever added; an undo is one more event."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKeyConstraint, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["INITIAL_PROPOSAL", "SCHEMA_VERSION", "LabelRow", "MetaRow", "ProposalRow", "RoundRow", "RunRow", "Table"]

SCHEMA_VERSION = 1

# A proposal carries the number of the round that made it. The one that asks a person for the initial set comes
# before any round.
INITIAL_PROPOSAL = -1


class Table(DeclarativeBase):
    """Base of all tables."""


class MetaRow(Table):
    """Facts about the store itself, such as its schema version."""

    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class RunRow(Table):
    """One run: what it was made of. Never changed after it was made."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    annotator: Mapped[str] = mapped_column(String(16))  # "oracle" or "person": what "auto" became
    dataset: Mapped[str] = mapped_column(String(64))  # digest, and the name of its file
    source: Mapped[str] = mapped_column(Text)
    environment: Mapped[dict[str, Any]] = mapped_column(JSON)
    # No foreign key: a parent may be deleted, and its forks live on.
    parent_id: Mapped[str | None] = mapped_column(String(32))
    parent_round: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[str] = mapped_column(String(32))  # ISO 8601, UTC


class RoundRow(Table):
    """One whole round. It is added in one transaction, after its arrays are safely on disk."""

    __tablename__ = "rounds"
    __table_args__ = (ForeignKeyConstraint(["run_id"], ["runs.id"]),)

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    round_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)  # its own: after a fork, older rounds keep theirs
    last_seq: Mapped[int] = mapped_column(Integer)  # the labels it trained on: all events up to this one
    n_labeled: Mapped[int] = mapped_column(Integer)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)
    seconds: Mapped[dict[str, Any]] = mapped_column(JSON)
    warnings: Mapped[list[str]] = mapped_column(JSON)
    environment: Mapped[dict[str, Any]] = mapped_column(JSON)
    folder: Mapped[str] = mapped_column(String(64))  # of its arrays, in the run's folder
    created_at: Mapped[str] = mapped_column(String(32))


class ProposalRow(Table):
    """One example that a round proposed for annotation."""

    __tablename__ = "proposals"
    __table_args__ = (ForeignKeyConstraint(["run_id"], ["runs.id"]),)

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    round_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    rank: Mapped[int] = mapped_column(Integer, primary_key=True)  # from 0, best first
    example_id: Mapped[str] = mapped_column(Text)


class LabelRow(Table):
    """One event: a label was given, or taken back.

    The round an event first counts for is not stored but follows from `RoundRow.last_seq`: a label that arrives
    while a round trains belongs to the next one, and only the round itself knows what it had read.
    """

    __tablename__ = "labels"
    __table_args__ = (
        ForeignKeyConstraint(["run_id"], ["runs.id"]),
        Index("labels_of_an_example", "run_id", "example_id"),
    )

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # 1, 2, 3, … in each run
    example_id: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)  # the class's name; of an undo, the label taken back
    source: Mapped[str] = mapped_column(String(16))  # "initial", "oracle" or "person"
    annotator: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(8))  # "label" or "undo"
    created_at: Mapped[str] = mapped_column(String(32))
