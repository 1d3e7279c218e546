"""Comparisons in the store, and which run is which of their cells."""

from __future__ import annotations

import difflib
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from alvin_core.errors import StoreError
from alvin_core.store.runs import match_row
from alvin_core.store.tables import ComparisonCellRow, ComparisonRow, RoundRow, TrashRow

__all__ = [
    "CellRun",
    "cell_run",
    "cell_runs",
    "delete_comparison_rows",
    "find_comparison",
    "get_comparison",
    "link_cell",
    "list_comparison_rows",
    "refuse_name",
]


class CellRun(NamedTuple):
    """The run of a cell, and how many rounds it has finished."""

    run_id: str
    n_rounds: int


def list_comparison_rows(session: Session) -> list[ComparisonRow]:
    """Return all comparisons, oldest first."""
    return list(session.scalars(select(ComparisonRow).order_by(ComparisonRow.created_at, ComparisonRow.id)))


def find_comparison(session: Session, name: str) -> ComparisonRow:
    """Find a comparison by its name, its id, or the beginning of its id, at least 4 characters of it.

    Raises
    ------
    StoreError
        When there is none, with close names; or when several ids begin so.
    """
    rows = list_comparison_rows(session)
    match = match_row(name, rows, what="comparisons", error=StoreError)
    if match is not None:
        return match
    names = [row.name for row in rows]
    if not names:
        raise StoreError(f"no comparison is called {name!r}: the store has none; make one with `alvin compare`")
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(names)}"
    raise StoreError(f"no comparison is called {name!r}; {hint}")


def get_comparison(session: Session, comparison_id: str) -> ComparisonRow:
    """Return the comparison with a whole id.

    Raises
    ------
    StoreError
        When there is none, or no longer.
    """
    found = session.get(ComparisonRow, comparison_id)
    if found is None:
        raise StoreError(f"no comparison with the id {comparison_id!r} is in the store; make one with `alvin compare`")
    return found


def refuse_name(session: Session, name: str) -> None:
    """Raise when a comparison has the name.

    Raises
    ------
    StoreError
    """
    if session.scalar(select(ComparisonRow.id).where(ComparisonRow.name == name)) is not None:
        raise StoreError(
            f"there is a comparison called {name!r} already; go on with it with --resume, or choose another name"
        )


def cell_runs(session: Session, comparison_id: str) -> dict[str, CellRun]:
    """Return the run of every cell that has one, by the cell's key. A run in the trash counts as none."""
    n_rounds = func.count(RoundRow.round_no)
    query = (
        select(ComparisonCellRow.key, ComparisonCellRow.run_id, n_rounds)
        .outerjoin(RoundRow, RoundRow.run_id == ComparisonCellRow.run_id)
        .where(ComparisonCellRow.comparison_id == comparison_id)
        .where(ComparisonCellRow.run_id.not_in(select(TrashRow.run_id)))
        .group_by(ComparisonCellRow.key, ComparisonCellRow.run_id)
    )
    return {key: CellRun(run_id, n) for key, run_id, n in session.execute(query)}


def cell_run(session: Session, comparison_id: str, key: str) -> CellRun | None:
    """Return the run of one cell; None where it has none, or its run is in the trash."""
    return cell_runs(session, comparison_id).get(key)


def link_cell(session: Session, comparison_id: str, key: str, run_id: str) -> None:
    """Make a run a cell's own, in the place of another one; in the transaction that makes the run."""
    session.merge(ComparisonCellRow(comparison_id=comparison_id, key=key, run_id=run_id))


def delete_comparison_rows(session: Session, comparison_id: str) -> None:
    """Delete a comparison and what says which runs are its cells; the runs stay."""
    session.execute(delete(ComparisonCellRow).where(ComparisonCellRow.comparison_id == comparison_id))
    session.execute(delete(ComparisonRow).where(ComparisonRow.id == comparison_id))
