"""The snapshots of backups: each is there while its backup needs it, and its lock tells so."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

from alvin_core.store.arrays import leftovers
from alvin_core.store.database import Store

__all__ = ["snapshot_leftovers", "snapshot_lock"]

SNAPSHOT = re.compile(r"\.snapshot-[0-9a-f]{8}")  # of a backup under way; people name nothing so
SNAPSHOT_LOCK = re.compile(r"snapshot-[0-9a-f]{8}\.lock")
SNAPSHOT_SECONDS = 86_400  # a backup of a version without locks takes less: one that is older was killed


def snapshot_leftovers(store: Store) -> list[Path]:
    """Return what killed backups left. The caller holds the store's lock."""
    return [
        *(path for path in leftovers(store.path, (), SNAPSHOT) if _is_abandoned(store, path)),
        *(path for path in leftovers(store.path / "locks", (), SNAPSHOT_LOCK) if store.database.is_free(path.stem)),
    ]


def snapshot_lock(store: Store, staged: Path) -> Path:
    """The file that a backup holds the lock of as long as its snapshot is needed."""
    return store.path / "locks" / f"{staged.name.removeprefix('.')}.lock"


def _is_abandoned(store: Store, staged: Path) -> bool:
    """Whether the backup that made a snapshot is gone. Its lock tells, and no clock."""
    lock = snapshot_lock(store, staged)
    return store.database.is_free(lock.stem) if lock.exists() else _is_old(staged)


def _is_old(path: Path) -> bool:
    with suppress(OSError):  # it went meanwhile
        return time.time() - path.stat().st_mtime > SNAPSHOT_SECONDS
    return False
