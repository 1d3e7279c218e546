"""The tables of the store. Labels, opinions, marks and rounds are only ever added; an undo is one more event."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "INITIAL_PROPOSAL",
    "SCHEMA_VERSION",
    "AddedExampleRow",
    "ComparisonCellRow",
    "ComparisonRow",
    "JobRow",
    "LabelRow",
    "LeaseRow",
    "MarkRow",
    "MetaRow",
    "OpinionRow",
    "ProposalRow",
    "RoundRow",
    "RunRow",
    "SliceRow",
    "Table",
    "TrashRow",
]

# 1 had no marks, no trash and no jobs, 2 no comparisons, 3 no slices and no added examples, 4 no opinions and no
# leases; an older store gets the tables when it is opened.
SCHEMA_VERSION = 5

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
    source: Mapped[str] = mapped_column(String(16))  # "initial", "oracle", "person" or "counterfactual"
    annotator: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(8))  # "label" or "undo"
    created_at: Mapped[str] = mapped_column(String(32))


class MarkRow(Table):
    """One event beside the labels: an example was skipped or flagged, or the mark was taken off, or noted upon."""

    __tablename__ = "marks"
    __table_args__ = (
        ForeignKeyConstraint(["run_id"], ["runs.id"]),
        Index("marks_of_an_example", "run_id", "example_id"),
    )

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # 1, 2, 3, … in each run
    example_id: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(8))  # "skip", "unskip", "flag", "unflag" or "note"
    note: Mapped[str] = mapped_column(Text)  # of a note, its text, which may be empty: the note is taken off
    annotator: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(32))


class OpinionRow(Table):
    """One event of an example that several people annotate: one of them gave an opinion, or it was taken back.

    What the opinions come to is a label event like any other, added in the same transaction as the last of them.
    """

    __tablename__ = "opinions"
    __table_args__ = (
        ForeignKeyConstraint(["run_id"], ["runs.id"]),
        Index("opinions_of_an_example", "run_id", "example_id"),
    )

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # 1, 2, 3, … in each run
    example_id: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)  # the class's name; of an undo, the opinion taken back
    annotator: Mapped[str] = mapped_column(Text)  # whose opinion it is
    by: Mapped[str] = mapped_column(Text)  # who gave it or took it back: who undoes a label undoes others' opinions
    action: Mapped[str] = mapped_column(String(8))  # "opinion" or "undo"
    round_no: Mapped[int] = mapped_column(Integer)  # whose proposal it is on; -1 before any round
    label_seq: Mapped[int] = mapped_column(Integer)  # the newest label event once this was stored: orders the two logs
    created_at: Mapped[str] = mapped_column(String(32))


class LeaseRow(Table):
    """An example that is held for an annotator until a time. It ends by itself; nothing is lost with it."""

    __tablename__ = "leases"
    __table_args__ = (ForeignKeyConstraint(["run_id"], ["runs.id"]),)

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    example_id: Mapped[str] = mapped_column(Text, primary_key=True)
    annotator: Mapped[str] = mapped_column(Text, primary_key=True)
    clock: Mapped[str] = mapped_column(String(64))  # which clock the times are of; those of another say nothing
    taken_at: Mapped[float] = mapped_column(Float)  # seconds
    until: Mapped[float] = mapped_column(Float)


class TrashRow(Table):
    """A run that was deleted and can still be brought back: it is in no list, and keeps its name."""

    __tablename__ = "trash"
    __table_args__ = (ForeignKeyConstraint(["run_id"], ["runs.id"]),)

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    deleted_at: Mapped[str] = mapped_column(String(32))


class JobRow(Table):
    """One piece of long work for the worker process. The worker writes how far it is; anyone may ask it to stop."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "one_active_job_of_rounds",
            "run_id",
            unique=True,
            sqlite_where=text("kind = 'rounds' AND state IN ('queued', 'running')"),
            postgresql_where=text("kind = 'rounds' AND state IN ('queued', 'running')"),
        ),
        Index("jobs_by_state", "state"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    run_id: Mapped[str | None] = mapped_column(String(32))  # no foreign key: what a job did outlives the run
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))  # "queued", "running", "done", "failed" or "cancelled"
    cancel: Mapped[bool] = mapped_column(Boolean, default=False)  # somebody asked the job to stop
    stage: Mapped[str] = mapped_column(Text, default="")
    # Bytes, of some jobs: a server's plain integer ends at two thousand million.
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger, default=0)
    note: Mapped[str] = mapped_column(Text, default="")
    seconds_left: Mapped[float | None] = mapped_column(Float)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    error: Mapped[str] = mapped_column(Text, default="")  # one line for a person
    traceback: Mapped[str] = mapped_column(Text, default="")
    worker_pid: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[str] = mapped_column(String(32))
    started_at: Mapped[str | None] = mapped_column(String(32))
    heartbeat: Mapped[str | None] = mapped_column(String(32))
    finished_at: Mapped[str | None] = mapped_column(String(32))


class ComparisonRow(Table):
    """One comparison: its plan and its data. The plan can grow; what it has is never taken out."""

    __tablename__ = "comparisons"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    dataset: Mapped[str] = mapped_column(String(64))  # digest, and the name of its file
    source: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(32))  # ISO 8601, UTC


class ComparisonCellRow(Table):
    """One cell that was begun: the run that is its own. A cell of the plan without a row is not begun."""

    __tablename__ = "comparison_cells"
    __table_args__ = (
        ForeignKeyConstraint(["comparison_id"], ["comparisons.id"]),
        ForeignKeyConstraint(["run_id"], ["runs.id"]),
    )

    comparison_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str] = mapped_column(String(32), unique=True)  # a run is one cell at most


class SliceRow(Table):
    """A named part of a data set, known to every run on it. Never changed after it was made."""

    __tablename__ = "slices"

    dataset: Mapped[str] = mapped_column(String(64), primary_key=True)  # digest
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    rule: Mapped[dict[str, Any]] = mapped_column(JSON)  # how it was made, in plain values
    members: Mapped[bytes] = mapped_column(LargeBinary)  # a bit for each row of the data set, packed
    n_members: Mapped[int] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[str] = mapped_column(String(32))  # ISO 8601, UTC


class AddedExampleRow(Table):
    """An example that a person wrote, such as an edit of another one. Its row follows those of the run's data set.

    Only ever added to: rounds name examples by their rows.
    """

    __tablename__ = "added_examples"
    __table_args__ = (ForeignKeyConstraint(["run_id"], ["runs.id"]),)

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # 0, 1, 2, … in each run
    example_id: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    second_text: Mapped[str | None] = mapped_column(Text)
    attribute: Mapped[str] = mapped_column(Text, default="")
    parent_id: Mapped[str] = mapped_column(Text, default="")  # the example it was made of
    annotator: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(32))  # ISO 8601, UTC
