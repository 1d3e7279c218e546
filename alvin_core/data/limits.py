"""How much of a file of data is read, whatever the file claims."""

from __future__ import annotations

import os
from pathlib import Path

from alvin_core.errors import SettingsError
from alvin_core.shown import shown

__all__ = [
    "CHUNK_CHARACTERS",
    "MOST_COLUMNS",
    "ROW_BYTES",
    "TOO_LARGE",
    "largest_data",
    "state_of",
    "unpacked_limit",
]

LARGEST = 8.0  # GiB of texts, ids and rows in memory: some 40 million examples of a sentence each
ROW_BYTES = 100  # what a row takes beside its texts
VARIABLE = "ALVIN_LARGEST_DATA"
TOO_LARGE = f"take a sample of it, or set {VARIABLE} to more GiB where the memory is there"
MOST_COLUMNS = 10_000
CHUNK_CHARACTERS = 2**25  # of rows that are held as strings at once
HIGHEST_RATIO = 200  # unpacked to packed; texts that people write come to a twentieth of it
SMALL = 2**26  # bytes; what unpacks to less can do no harm, whatever its ratio


def largest_data() -> int:
    """Return how many bytes a data set may take in memory: ``$ALVIN_LARGEST_DATA`` in GiB, else 8 GiB.

    On a machine with little memory, half of what it has.

    Raises
    ------
    SettingsError
        When the variable is no number above 0.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return min(int(LARGEST * 2**30), _memory() // 2)
    try:
        size = int(float(given) * 2**30)
    except (ValueError, OverflowError):
        size = 0
    if size < 1:
        raise SettingsError(f"{VARIABLE} = {shown(given)} must be a number of GiB above 0; unset it for {LARGEST:g}")
    return size


def _memory() -> int:
    """Return how many bytes of memory this machine has; very many where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2**62


def unpacked_limit(path: Path) -> int:
    """Return how many bytes are read of a packed file."""
    return max(SMALL, HIGHEST_RATIO * path.stat().st_size)


def state_of(path: Path | None) -> tuple[int, int] | None:
    """Return what tells whether a file was written to: its size and the time of its last change."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
