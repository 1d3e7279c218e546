"""Rounds and their proposals in the store: added whole; nothing changes but lost arrays, which can be made again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from alvin_core.errors import StoreError
from alvin_core.store.arrays import leftovers, remove, save_arrays
from alvin_core.store.database import Store
from alvin_core.store.mirror import mirror_of, publish
from alvin_core.store.rearranged import MappedArray
from alvin_core.store.tables import LabelRow, ProposalRow, RoundRow

__all__ = [
    "add_proposal",
    "add_round",
    "count_pending",
    "count_rounds",
    "find_round",
    "list_rounds",
    "proposal",
    "store_arrays_again",
    "sweep_run",
]

ROUND_FOLDER = re.compile(r"round-\d{4,}-[0-9a-f]{8}")


def count_rounds(session: Session, run_id: str) -> int:
    """Return how many rounds a run has finished; they are numbered from 0 without gaps."""
    return session.scalar(select(func.count()).where(RoundRow.run_id == run_id)) or 0


def list_rounds(session: Session, run_id: str) -> list[RoundRow]:
    """Return a run's rounds in their order."""
    return list(session.scalars(select(RoundRow).where(RoundRow.run_id == run_id).order_by(RoundRow.round_no)))


def find_round(session: Session, run_id: str, round_no: int) -> RoundRow | None:
    """Return one round, or None when it is not there."""
    if not 0 <= round_no < 2**63:  # what SQLite can hold as a number
        return None
    return session.get(RoundRow, (run_id, round_no))


def proposal(session: Session, run_id: str, round_no: int) -> list[str]:
    """Return the ids that a round proposed, best first."""
    query = select(ProposalRow.example_id).where(ProposalRow.run_id == run_id, ProposalRow.round_no == round_no)
    return list(session.scalars(query.order_by(ProposalRow.rank)))


def count_pending(session: Session, run_id: str, round_no: int) -> int:
    """Return how many examples that a round proposed have no label, of a round that may be thousands of examples."""
    # By a sum, since SQLite would look for the newest event from the run's end backwards instead of by the example.
    newest = (
        select(LabelRow.action)
        .where(LabelRow.run_id == ProposalRow.run_id, LabelRow.example_id == ProposalRow.example_id)
        .order_by((LabelRow.seq + 0).desc())
        .limit(1)
        .scalar_subquery()
    )
    query = select(func.count()).where(ProposalRow.run_id == run_id, ProposalRow.round_no == round_no)
    return session.scalar(query.where(func.coalesce(newest, "undo") != "label")) or 0


def add_proposal(session: Session, run_id: str, round_no: int, example_ids: Iterable[str]) -> None:
    """Add what a round proposes."""
    session.add_all(
        ProposalRow(run_id=run_id, round_no=round_no, rank=rank, example_id=example_id)
        for rank, example_id in enumerate(example_ids)
    )


def add_round(
    store: Store,
    row: RoundRow,
    proposed: Iterable[str],
    packed: Mapping[str, NDArray[Any]],
    mapped: Mapping[str, MappedArray],
) -> None:
    """Write a finished round: its arrays first, then, in one transaction, the row that makes it exist.

    Parameters
    ----------
    store : Store
    row : RoundRow
        All but its ``folder``, which is chosen here.
    proposed : iterable of str
        The ids it proposes, best first.
    packed, mapped : mapping of name to array or Rearranged
        As `save_arrays` takes them.

    Raises
    ------
    StoreError
        When the disk or the place where the arrays are kept refuses, or the run has another next round: then nothing
        was added.
    """
    row.folder = _folder_name(row.round_no)
    # Vectors of a frozen encoder are the same in every round: they are stored once.
    with store.read() as session:
        before = find_round(session, row.run_id, row.round_no - 1)
    folder = store.run_folder(row.run_id)
    twin = None if before is None else folder / before.folder
    save_arrays(folder / row.folder, packed, mapped=mapped, twin=twin)
    publish(folder / row.folder, twin=twin)
    with store.write() as session:
        expected = count_rounds(session, row.run_id)
        if row.round_no != expected:
            raise StoreError(f"round {row.round_no} cannot be added: the next round of the run is {expected}")
        session.add(row)
        add_proposal(session, row.run_id, row.round_no, proposed)


def store_arrays_again(
    store: Store, row: RoundRow, packed: Mapping[str, NDArray[Any]], mapped: Mapping[str, MappedArray]
) -> None:
    """Write the arrays of a round anew, and let its record name them. The caller must hold the run's lock.

    The folder that it named before is left where it is, and named by nothing.

    Raises
    ------
    StoreError
        When the disk, or the place where the arrays are kept, refuses; the record names what it named.
    """
    folder = _folder_name(row.round_no)
    save_arrays(store.run_folder(row.run_id) / folder, packed, mapped=mapped)
    publish(store.run_folder(row.run_id) / folder)
    with store.write() as session:
        session.execute(
            update(RoundRow)
            .where(RoundRow.run_id == row.run_id, RoundRow.round_no == row.round_no)
            .values(folder=folder)
        )


def _folder_name(round_no: int) -> str:
    """Return a name never used before, so that a leftover of a killed process is never in the way."""
    return f"round-{round_no:04d}-{secrets.token_hex(4)}"


def sweep_run(store: Store, run_id: str) -> int:
    """Remove what killed processes left in a run's folder. The caller must hold the run's lock.

    Raises
    ------
    StoreError
        When the arrays are kept elsewhere, and that cannot be reached: before a round is trained, not after.
    """
    with store.read() as session:
        named = {row.folder for row in list_rounds(session, run_id)}
    folder, there = store.run_folder(run_id), list[Path]()
    here = leftovers(folder, named, ROUND_FOLDER)
    mirror = mirror_of(folder)
    if mirror is not None:
        mirror.check()
        there = mirror.leftovers_listed(folder, named, ROUND_FOLDER)
    store.database.confirm_locks()  # else another process may have named since what was just listed
    gone = remove(here)
    if mirror is not None:
        mirror.discard(there)
    return len(gone)
