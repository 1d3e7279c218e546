"""Slices as records: in a packed run, and on their way to another machine. What comes in is not trusted."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from alvin_core.data.dataset import Dataset
from alvin_core.errors import AlvinError, StoreError
from alvin_core.run.bundle_reading import damaged
from alvin_core.run.bundle_records import Record, typed
from alvin_core.run.marking import check_note
from alvin_core.run.slice_rules import SliceRule
from alvin_core.settings import RunSettings
from alvin_core.store.database import Store, open_store
from alvin_core.store.runs import LONGEST_NAME, check_name
from alvin_core.store.slices import find_slice, list_slices
from alvin_core.store.tables import SliceRow

__all__ = ["add_packed_slices", "check_slices", "named_slices", "receive_slices", "slice_records"]

SLICE_FIELDS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "rule": (dict,),
    "members": (str,),  # base64 of a bit for each row of the data set
    "note": (str,),
    "created_at": (str,),
}


def slice_records(session: Session, dataset: str) -> list[Record]:
    """Return the slices of a data set as records, oldest first."""
    return [
        {name: getattr(row, name) for name in SLICE_FIELDS} | {"members": b64encode(row.members).decode()}
        for row in list_slices(session, dataset)
    ]


def named_slices(store: Path, dataset: str, settings: RunSettings) -> tuple[Record, ...]:
    """Return the record of the slice that settings name, for another machine; nothing where none is there."""
    name = settings.counter_shortcut.slice
    if name is None:
        return ()
    with open_store(store).read() as session:
        return tuple(one for one in slice_records(session, dataset) if one["name"] == name)


def receive_slices(store: Store, digest: str, dataset: Dataset, records: Sequence[Record]) -> None:
    """Put slices that came from another machine into a store, before a run that selects from them is made there."""
    checked = check_slices((("a slice", one) for one in records), len(dataset), dataset.classes)
    if checked:
        with store.write() as session:
            add_packed_slices(session, digest, checked)


def check_slices(lines: Iterable[tuple[str, Any]], n_rows: int, classes: Collection[str]) -> list[Record]:
    """Return the slices of a packed run, ``members`` as bytes: under names of their own, each with members.

    Raises
    ------
    StoreError
        When one cannot have been packed so.
    """
    slices: dict[str, Record] = {}
    for where, value in lines:
        one = typed(value, SLICE_FIELDS, where)
        try:
            check_name(one["name"], "slice")
            is_same = (
                SliceRule.from_dict(one["rule"]).to_dict() == one["rule"] and check_note(one["note"]) == one["note"]
            )
        except AlvinError as error:
            raise damaged(where, str(error)) from error
        if not is_same or one["rule"]["contradicts"] not in ("", *classes):
            raise damaged(where, "rule or note is none that is stored")
        if one["name"] in slices:
            raise damaged(where, f"the slice {one['name']!r} is there twice")
        slices[one["name"]] = one | {"members": _members(one["members"], n_rows, where)}
    return list(slices.values())


def _members(text: str, n_rows: int, where: str) -> bytes:
    try:
        packed = b64decode(text, validate=True)
    except ValueError as error:
        raise damaged(where, "members is no base64") from error
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8))
    if len(packed) != -(-n_rows // 8) or bits[n_rows:].any() or not bits.any():
        raise damaged(where, f"members are not some of {n_rows:,} rows")
    return packed


def add_packed_slices(session: Session, dataset: str, slices: Iterable[Record], named: Collection[str] = ()) -> None:
    """Add slices to a data set in the store. One that is there already stays alone.

    Parameters
    ----------
    session : Session
    dataset : str
        Digest.
    slices : iterable of dict
        As `check_slices` returns them.
    named : collection of str
        Names that settings refer to: they must mean in this store what they mean in the records. Any other slice
        whose name is taken by another one gets a number: ``great-2``.

    Raises
    ------
    StoreError
        When such a name is taken by another slice.
    """
    for one in slices:
        new = SliceRow(dataset=dataset, n_members=_n_bits(one["members"]), **one)
        number = 1
        while (held := find_slice(session, dataset, new.name)) is not None and not _same(held, new):
            if one["name"] in named:
                raise StoreError(
                    f"the store has another slice called {one['name']!r} of the same data, and the run selects from "
                    "the one that it was packed with; delete the store's (`alvin slices RUN --delete "
                    f"{one['name']}`), then unpack again"
                )
            number += 1
            suffix = f"-{number}"
            new.name = one["name"][: LONGEST_NAME - len(suffix)] + suffix
        if held is None:
            session.add(new)
            session.flush()  # the next one looks for its name


def _n_bits(packed: bytes) -> int:
    return int(np.unpackbits(np.frombuffer(packed, dtype=np.uint8)).sum())


def _same(one: SliceRow, other: SliceRow) -> bool:
    return one.members == other.members and one.rule.get("contradicts") == other.rule.get("contradicts")
