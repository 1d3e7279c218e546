"""The tables of a store filled with the rows of a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from alvin_core.upkeep.backup_format import TABLES, damaged, rows_in, table_member

__all__ = ["fill_tables"]

ROWS_AT_ONCE = 1000


def fill_tables(session: Session, folder: Path) -> None:
    """Add all rows of an unpacked backup.

    Parameters
    ----------
    session : Session
        A writer's.
    folder : Path
        Where it was unpacked.

    Raises
    ------
    StoreError
        When a row is none of its table.
    """
    for table in TABLES:
        path = folder / table_member(table)
        if not path.exists():  # an older version had no such table
            continue
        waiting: list[dict[str, Any]] = []
        with path.open("rb") as stream:
            for row in rows_in(stream, table):
                waiting.append(row)
                if len(waiting) == ROWS_AT_ONCE:
                    _insert(session, table, waiting)
                    waiting = []
        _insert(session, table, waiting)
        _go_on_counting(session, table)


def _insert(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    try:
        session.execute(insert(table), rows)
    except (SQLAlchemyError, OverflowError, UnicodeError) as error:  # the latter two of numbers and texts none has
        if session.get_bind().dialect.name != "sqlite":  # which took them: what is wrong is not the backup
            raise
        raise damaged(table_member(table), str(getattr(error, "orig", error)).split("\n")[0]) from error


def _go_on_counting(session: Session, table: Table) -> None:
    """Let the numbers that a server gives by itself go on after those that were added."""
    column = table.autoincrement_column
    if column is None or session.get_bind().dialect.name != "postgresql":
        return
    found = session.scalar(
        text("SELECT pg_get_serial_sequence(:table, :column)"),
        {"table": f'"{table.name}"', "column": column.name},
    )
    if found is not None:
        newest = session.scalar(select(func.max(column))) or 0
        session.execute(text("SELECT setval(:name, :number, false)"), {"name": found, "number": newest + 1})
