"""What the database says of itself, in the words of its own checks."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, func, inspect, not_, select, text
from sqlalchemy.orm import Session

from alvin_core.errors import StoreError
from alvin_core.store.database import Store
from alvin_core.store.tables import Table
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.records import LOST

__all__ = ["check_database", "rebuild_indices"]

MOST_SHOWN = 20
OF_AN_INDEX = ("missing from index", "wrong # of entries in index", "non-unique entry in index")
REBUILD = "rebuild it with --repair"
BROKEN_INDICES = """
SELECT classes.relname FROM pg_index AS indices JOIN pg_class AS classes ON classes.oid = indices.indexrelid
WHERE classes.relnamespace = current_schema()::regnamespace AND NOT (indices.indisvalid AND indices.indisready)
"""
# Compares an index with its table, where the server has that module and lets this user ask it.
COMPARE_INDEX = "SELECT bt_index_check(:name ::regclass, true)"
MAY_COMPARE = """
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'amcheck')
   AND has_function_privilege(to_regprocedure('bt_index_check(regclass, boolean)'), 'execute')
"""
INDICES = """
SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname
"""


def check_database(store: Store, report: StoreReport) -> None:
    """Let the database check its indices and all references between tables; SQLite its pages as well."""
    report.n_files += 1
    check = _check_sqlite if store.database.dialect == "sqlite" else _check_postgres
    try:
        with store.read() as session:
            check(session, report)
    except StoreError as error:  # so damaged that it cannot be checked
        report.damage("database", str(error).split(";")[0], LOST)


def rebuild_indices(store: Store) -> None:
    """Build all indices anew of their tables."""
    with store.write() as session:
        if store.database.dialect == "sqlite":
            session.execute(text("REINDEX"))
            return
        for name in Table.metadata.tables:
            session.execute(text(f'REINDEX TABLE "{name}"'))


def _check_sqlite(session: Session, report: StoreReport) -> None:
    said = [str(one) for (one,) in session.execute(text(f"PRAGMA integrity_check({MOST_SHOWN})"))]
    strays = session.execute(text("PRAGMA foreign_key_check")).all()
    for problem in said:
        if problem == "ok":
            continue
        of_an_index = any(words in problem for words in OF_AN_INDEX)
        report.damage("database", problem, REBUILD if of_an_index else LOST, mendable=of_an_index)
    for table in sorted({str(one[0]) for one in strays}):
        _tell_strays(report, table, sum(1 for one in strays if one[0] == table))


def _check_postgres(session: Session, report: StoreReport) -> None:
    missing = sorted(set(Table.metadata.tables) - set(inspect(session.connection()).get_table_names()))
    for name in missing:
        report.damage("database", f"the table {name!r} is missing", LOST)
    for name in session.scalars(text(BROKEN_INDICES)):
        report.damage("database", f"the index {name!r} is not whole", REBUILD, mendable=True)
    for table in Table.metadata.sorted_tables:
        for key in table.constraints:
            if isinstance(key, ForeignKeyConstraint) and not {table.name, key.referred_table.name} & set(missing):
                _check_references(session, key, report)
    if session.scalar(text(MAY_COMPARE)):
        for name in session.scalars(text(INDICES)).all():
            _compare_index(session, name, report)


def _check_references(session: Session, key: ForeignKeyConstraint, report: StoreReport) -> None:
    """Look for rows that refer to none, which a server that was told to may let in."""
    there = select(1).where(*(one.column == one.parent for one in key.elements)).correlate(key.table)
    n_rows = session.scalar(select(func.count()).select_from(key.table).where(not_(there.exists())))
    if n_rows:
        _tell_strays(report, key.table.name, n_rows)


def _compare_index(session: Session, name: str, report: StoreReport) -> None:
    from sqlalchemy.exc import DBAPIError

    try:
        with session.begin_nested():
            session.execute(text(COMPARE_INDEX), {"name": f'"{name}"'})
    except DBAPIError as error:
        problem = str(error.orig).split("\n")[0]
        report.damage("database", f"the index {name!r}: {problem}", REBUILD, mendable=True)


def _tell_strays(report: StoreReport, table: str, n_rows: int) -> None:
    report.damage("database", f"{n_rows} rows of {table!r} belong to no run", LOST)
