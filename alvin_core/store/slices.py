"""Slices in the store: named parts of a data set, each a rule for people and a bit for each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from alvin_core.errors import StoreError
from alvin_core.store.labels import now
from alvin_core.store.tables import SliceRow
from alvin_core.types import BoolArray

__all__ = ["add_slice", "find_slice", "list_slice_names", "list_slices", "stored_members"]


def list_slices(session: Session, dataset: str) -> list[SliceRow]:
    """Return the slices of a data set, named by its digest; oldest first."""
    query = select(SliceRow).where(SliceRow.dataset == dataset)
    return list(session.scalars(query.order_by(SliceRow.created_at, SliceRow.name)))


def list_slice_names(session: Session, dataset: str) -> tuple[str, ...]:
    """Return the names of the slices of a data set, oldest slice first."""
    query = select(SliceRow.name).where(SliceRow.dataset == dataset)
    return tuple(session.scalars(query.order_by(SliceRow.created_at, SliceRow.name)))


def find_slice(session: Session, dataset: str, name: str) -> SliceRow | None:
    """Return the slice of a data set that has a name; None where there is none."""
    return session.get(SliceRow, (dataset, name))


def add_slice(
    session: Session, dataset: str, name: str, rule: Mapping[str, Any], is_member: BoolArray, note: str
) -> SliceRow:
    """Add a slice. The caller has checked it, in the same transaction."""
    row = SliceRow(
        dataset=dataset,
        name=name,
        rule=dict(rule),
        members=np.packbits(is_member).tobytes(),
        n_members=int(is_member.sum()),
        note=note,
        created_at=now(),
    )
    session.add(row)
    return row


def stored_members(row: SliceRow, n_rows: int) -> BoolArray:
    """Return which rows of its data set a slice holds, of shape (n_rows,).

    Raises
    ------
    StoreError
        When it was not made of a data set of so many rows.
    """
    packed: NDArray[np.uint8] = np.frombuffer(row.members, dtype=np.uint8)
    if len(packed) != -(-n_rows // 8):
        raise StoreError(
            f"the slice {row.name!r} is damaged: it has bits for {8 * len(packed)} rows, its data set has {n_rows}; "
            "delete it and save it again"
        )
    return np.unpackbits(packed, count=n_rows).astype(bool)
