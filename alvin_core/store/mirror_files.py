"""Which files of a store's folders are kept elsewhere as well, and whether one that was fetched is whole."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from alvin_core.store.arrays import NEW, TEMPORARY
from alvin_core.store.sums import crc_of

__all__ = ["is_stored", "is_stored_name", "is_whole", "without_part"]


def is_stored(path: Path) -> bool:
    """Return whether a path is a file that is kept, and not one that is being written."""
    return path.is_file() and is_stored_name(path.name)


def is_stored_name(name: str) -> bool:
    """Return whether a name is not that of a file that is being written."""
    return TEMPORARY not in name and NEW not in name


def without_part(name: str) -> str:
    """Return the name of a file that was on its way there under another."""
    return re.sub(rf"(\.[0-9a-f]{{8}})?{re.escape(TEMPORARY)}$", "", name)


def is_whole(part: Path, suffix: str, told: tuple[int, int] | None) -> bool:
    """Return whether a fetched file is what was written, by its sum; an archive without one by its own sums."""
    if told is not None:
        return (part.stat().st_size, crc_of(part)) == told
    try:
        if suffix == ".json":
            json.loads(part.read_bytes())
        if suffix != ".npz":
            return True
        with zipfile.ZipFile(part) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError):
        return False
