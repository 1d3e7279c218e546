"""Sizes and sums beside the files of a folder, so that what a disk has changed is found."""

from __future__ import annotations

import json
import os
import re
import zlib
from pathlib import Path

from alvin_core.errors import StoreError

__all__ = ["SUMS", "check_sums", "crc_of", "parse_sums", "read_sums", "write_sums"]

SUMS = "sums.json"  # folders of older versions have none
PIECE = 2**20
FILE = re.compile(r"\w[\w.-]{0,99}")


def write_sums(folder: Path) -> None:
    """Write the size and the CRC-32 of every file of a folder beside them, and sync that.

    The files are read back from the page cache: numpy's archives are not written in order, so that no running sum can
    follow them.
    """
    sums = {path.name: [path.stat().st_size, crc_of(path)] for path in sorted(folder.iterdir())}
    with (folder / SUMS).open("w", encoding="utf-8") as file:
        json.dump(sums, file)
        file.flush()
        os.fsync(file.fileno())


def check_sums(folder: Path, *, every_byte: bool = True) -> int:
    """Compare the files of a folder with what was written beside them; return how many there are.

    What has no sum (a map that was made later, or all of a folder that an older version wrote) is counted alone.

    Parameters
    ----------
    folder : Path
    every_byte : bool
        Else only the sizes are compared.

    Raises
    ------
    StoreError
        When a file is missing, or has changed since it was written.
    """
    try:
        n_files = sum(1 for path in folder.iterdir())
        sums = json.loads((folder / SUMS).read_text(encoding="utf-8")) if (folder / SUMS).exists() else {}
        for name, (size, crc) in sums.items():
            if not FILE.fullmatch(name) or (folder / name).is_symlink():  # a restored store may come from anywhere
                raise StoreError(
                    f"{folder / SUMS} names {name[:60]!r}, which is no file of it; restore it from a backup"
                )
            if (folder / name).stat().st_size != size or (every_byte and crc_of(folder / name) != crc):
                raise StoreError(f"{folder / name} has changed since it was written; restore the store from a backup")
    except (OSError, TypeError, AttributeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise StoreError(f"cannot read {folder}: {reason}; restore the store from a backup") from error
    return n_files


def read_sums(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and CRC-32 of each file that was written to a folder; none where an older version wrote it.

    Raises
    ------
    StoreError
        When what lies there tells none.
    """
    try:
        text = (folder / SUMS).read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"cannot read {folder / SUMS}: {error.strerror}") from error
    sums = parse_sums(text)
    if sums is None:
        raise StoreError(f"{folder / SUMS} is damaged; look the store through with `alvin verify`")
    return sums


def parse_sums(text: bytes) -> dict[str, tuple[int, int]] | None:
    """Return the sizes and sums that a file's text tells; None where it tells none."""
    try:
        sums = json.loads(text)
        found = {name: (int(size), int(crc)) for name, (size, crc) in sums.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return found if all(FILE.fullmatch(name) for name in found) else None


def crc_of(path: Path) -> int:
    """Return the CRC-32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            crc = zlib.crc32(piece, crc)
    return crc
