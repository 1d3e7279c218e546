"""That a file was found to be the same here and there, so that it is not read through again to see that.

Some places tell a sum of a file that is not of what was sent, such as of the encrypted bytes. What was sent is compared
by reading it back then. The sum that was told for it, and that of the copy here, are noted beside the copy: as long as
both are as they were, so are the files.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from alvin_core.store.sending import md5_of

__all__ = ["SAME", "is_known_same", "note_same"]

log = logging.getLogger(__name__)

SAME = ".same"


def is_known_same(path: Path, told: tuple[int, bytes | None]) -> bool:
    """Return whether a file here was found to be the same as one there, of which this size and sum are told now."""
    size, there = told
    if there is None or size != path.stat().st_size:
        return False
    try:
        noted = json.loads(_note(path).read_bytes())
    except (OSError, ValueError, RecursionError):  # none, or one that a killed process left half-written
        return False
    return bool(noted == _pair(path, there))


def note_same(path: Path, told: tuple[int, bytes | None] | None) -> None:
    """Note that a file is the same here and there, where the sum that is told there does not say so by itself."""
    there = None if told is None else told[1]
    if there is None or there == md5_of(path):
        return
    try:
        _note(path).write_text(json.dumps(_pair(path, there)), encoding="utf-8")
    except OSError as error:
        log.info("%s is read through again the next time: %s", path.name, error)


def _pair(path: Path, told: bytes) -> dict[str, str]:
    return {"here": md5_of(path).hex(), "there": told.hex()}


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}{SAME}")
