"""What the database says of itself, in the words of its own checks."""

from __future__ import annotations

from sqlalchemy import text

from alvin_core.errors import StoreError
from alvin_core.store.database import Store
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.records import LOST

__all__ = ["check_database", "rebuild_indices"]

MOST_SHOWN = 20
OF_AN_INDEX = ("missing from index", "wrong # of entries in index", "non-unique entry in index")


def check_database(store: Store, report: StoreReport) -> None:
    """Let SQLite check its pages, its indices and all references between tables."""
    report.n_files += 1
    try:
        with store.read() as session:
            said = [str(one) for (one,) in session.execute(text(f"PRAGMA integrity_check({MOST_SHOWN})"))]
            strays = session.execute(text("PRAGMA foreign_key_check")).all()
    except StoreError as error:  # so damaged that it cannot be checked
        report.damage("database", str(error).split(";")[0], LOST)
        return
    for problem in said:
        if problem == "ok":
            continue
        of_an_index = any(words in problem for words in OF_AN_INDEX)
        remedy = "rebuild it with --repair" if of_an_index else LOST
        report.damage("database", problem, remedy, mendable=of_an_index)
    for table in sorted({str(one[0]) for one in strays}):
        n_rows = sum(1 for one in strays if one[0] == table)
        report.damage("database", f"{n_rows} rows of {table!r} belong to no run", LOST)


def rebuild_indices(store: Store) -> None:
    """Build all indices anew of their tables."""
    with store.write() as session:
        session.execute(text("REINDEX"))
