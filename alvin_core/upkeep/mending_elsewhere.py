"""Mending a store whose arrays are kept elsewhere: what one side has whole goes to the other."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from alvin_core.errors import StoreError
from alvin_core.store.arrays import make_folder
from alvin_core.store.database import Store
from alvin_core.store.datasets import dataset_path
from alvin_core.store.mirror import Mirror, mirror_at
from alvin_core.store.mirror_mark import set_mark
from alvin_core.store.tables import ComparisonRow, RunRow
from alvin_core.upkeep.elsewhere import SEND, Elsewhere
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.records import RunRecords

__all__ = ["SET_ASIDE", "mend_datasets_elsewhere", "mend_mark", "mend_run_elsewhere"]

SET_ASIDE = "damaged"  # the folder of the store that damaged arrays go to


def mend_mark(store: Store) -> list[str]:
    """Mark the place of the arrays as this store's where it was emptied, or is another one now."""
    mirror = mirror_at(store.path)
    try:
        if mirror is None or not set_mark(mirror.root, mirror.remote):
            return []
    except StoreError:  # told of by the look that follows
        return []
    return [f"marked {mirror.url} as the place of this store's arrays"]


def mend_run_elsewhere(store: Store, elsewhere: Elsewhere, records: RunRecords, folder: Path) -> list[str]:
    """Send what is whole here alone, fetch what is whole there alone, remove what nothing names there."""
    mirror, done = elsewhere.mirror, list[str]()
    if not elsewhere.reached:
        return done
    for one in records.rounds:
        for path, here, there in list(elsewhere.states(folder / one.folder)):
            if here == "whole" and there != "whole":
                mirror.publish(path)
                done.append(f"sent {mirror.key(path)} to {mirror.url}")
            elif here == "wrong" and there == "whole":
                done += _fetch_again(mirror, path)
        for path in sorted((folder / one.folder).glob("map-*.npz")):
            if mirror.key(path) not in elsewhere.sizes:
                mirror.publish_map(path)
                done.append(f"sent {mirror.key(path)} to {mirror.url}")
    left = elsewhere.leftovers(records, folder)
    store.database.confirm_locks()  # else another process may have named since what was just listed
    gone = mirror.discard(left)  # of what stays, the log tells why, and the look that follows that it does
    return done + [f"removed {mirror.key(path)} at {mirror.url}, of no round" for path in gone]


def mend_datasets_elsewhere(store: Store, elsewhere: Elsewhere) -> list[str]:
    """Send data sets that are whole here alone; fetch those of which the copy here is damaged."""
    with store.read() as session:
        digests = {*session.scalars(select(RunRow.dataset)), *session.scalars(select(ComparisonRow.dataset))}
    return [line for digest in sorted(digests) for line in _mend_dataset(elsewhere, digest)]


def _mend_dataset(elsewhere: Elsewhere, digest: str) -> list[str]:
    found, mirror = StoreReport(""), elsewhere.mirror
    elsewhere.check_dataset(digest, found)
    path = dataset_path(mirror.root, digest)
    if not elsewhere.reached or found.sound:
        return []
    if found.findings[0].remedy == SEND:
        mirror.publish(path)
        return [f"sent {mirror.key(path)} to {mirror.url}"]
    return _fetch_again(mirror, path)


def _fetch_again(mirror: Mirror, path: Path) -> list[str]:
    """Set a damaged copy aside and fetch the file anew; where that is damaged as well, all stays as it was."""
    aside = mirror.root / SET_ASIDE / mirror.key(path).replace("/", "-")
    make_folder(aside.parent)
    path.replace(aside)
    try:
        if mirror.fetch(path):
            return [f"fetched {mirror.key(path)} again from {mirror.url}; the damaged copy is {aside}"]
        reason = "it is not there"
    except StoreError as error:
        reason = str(error).split(";")[0]
    aside.replace(path)
    return [f"the copy of {mirror.key(path)} stays damaged: {reason}"]
