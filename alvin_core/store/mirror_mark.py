"""Whose arrays a place holds: a mark there, so that no two stores share it, and no empty drive is taken for it."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import select

from alvin_core.errors import StoreError
from alvin_core.store.database import Store, open_store
from alvin_core.store.location import STORE_ID
from alvin_core.store.remote import Remote
from alvin_core.store.tables import ComparisonRow, MetaRow, RunRow

__all__ = ["UnmarkedError", "check_mark", "set_mark"]

MARK = "alvin-arrays.json"
FORMAT, VERSION = "alvin-arrays", 1


class UnmarkedError(StoreError):
    """A place without a mark, though the store has runs."""


def check_mark(root: Path, remote: Remote) -> None:
    """See that a place is this store's; mark it where the store is new.

    Raises
    ------
    StoreError
        When it is another store's, or has no mark though the store has runs: a drive that is not mounted, perhaps.
    """
    store = open_store(root)
    there = _read(remote)
    if there is not None:
        _refuse_other(remote, there, _store_id(store))
        return
    with store.read() as session:
        has_any = session.scalar(select(RunRow.id).limit(1)) or session.scalar(select(ComparisonRow.id).limit(1))
    if has_any:
        raise UnmarkedError(
            f"{remote.url} has no {MARK}, so it is not where this store kept its arrays: is the drive mounted, the "
            "bucket the right one? Where it is, and was emptied, `alvin verify --repair` sends what is here"
        )
    set_mark(root, remote)


def set_mark(root: Path, remote: Remote) -> bool:
    """Mark a place as this store's unless it has a mark; return whether it had none.

    Of two stores that mark an empty place at once one is refused: where a file is made in one step, whoever comes
    second; elsewhere (a file server by SFTP or SMB, say) whoever reads the other's mark. There each may write between
    the other's look and its write, and read its own: then the mark that was written last stays, and the other store
    is refused when it next sends or removes anything, as the mark is read before each time.

    Raises
    ------
    StoreError
        When another store was quicker.
    """
    if _read(remote) is not None:
        return False
    mine = _store_id(open_store(root))
    remote.create(MARK, json.dumps({"format": FORMAT, "version": VERSION, "store": mine}).encode())
    _refuse_other(remote, _read(remote), mine)
    return True


def _refuse_other(remote: Remote, there: str | None, mine: str) -> None:
    if there is None:
        raise UnmarkedError(f"{remote.url} does not keep the {MARK} that was written there; name another place")
    if there != mine:
        raise StoreError(
            f"{remote.url} holds the arrays of another store; name a place of its own for each, or, where that store "
            f"is gone, remove {MARK} there and run `alvin verify --repair`"
        )


def _read(remote: Remote) -> str | None:
    content = remote.read(MARK)
    if content is None:
        return None
    try:
        found = json.loads(content)
        format_, version, store = str(found["format"]), int(found["version"]), str(found["store"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{MARK} at {remote.url} cannot be read ({error}); name another place") from error
    if format_ != FORMAT or version > VERSION:
        raise StoreError(f"{MARK} at {remote.url} is of {format_!r}, version {version}; upgrade ALVIN Studio")
    return store


def _store_id(store: Store) -> str:
    with store.read() as session:
        found = session.scalar(select(MetaRow.value).where(MetaRow.key == STORE_ID))
    if found is None:
        raise StoreError(f"the store {store.path} has no id of its own; open it anew with `alvin runs`, then try again")
    return found
