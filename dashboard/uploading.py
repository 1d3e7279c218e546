"""Files that a browser sends, kept safely until the worker has read them.

What is stored lies at ``<store>/uploads/<random>/<name>``: nothing of the name that the browser told decides where.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Collection
from pathlib import Path
from typing import IO, Final

from alvin_core import StoreError

__all__ = [
    "MAX_BYTES",
    "clean_uploads",
    "discard_upload",
    "new_place",
    "safe_name",
    "shown_name",
    "store_upload",
]

MAX_BYTES: Final = 200 * 2**20  # as the server's own limit of one upload; larger files are not checked on the page
LONGEST_NAME: Final = 80  # characters, the ending included
LONGEST_SHOWN: Final = 200
KEEP_SECONDS: Final = 24 * 3600.0
PART: Final = 2**20
FOLDER: Final = re.compile(r"[0-9a-f]{16}")
RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows


def shown_name(name: str) -> str:
    """Return a file's name as a person may see it: its last part, without what cannot be printed."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in last).strip()
    return f"{kept[:160]}…{kept[-30:]}" if len(kept) > LONGEST_SHOWN else kept or "file"


def safe_name(name: str) -> str:
    """Return a name for the disk: ASCII letters, digits, ``-``, ``_`` and ``.``, short, with the same ending."""
    shown = shown_name(name)
    found = re.search(r"(\.[A-Za-z0-9]{1,10}){1,2}$", shown)
    ending = found[0] if found else ""
    plain = unicodedata.normalize("NFKD", shown[: len(shown) - len(ending)]).encode("ascii", "ignore").decode("ascii")
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._-")[: LONGEST_NAME - len(ending)] or "file"
    return f"_{stem}{ending}" if RESERVED.fullmatch(stem + ending) else stem + ending


def new_place(store: Path, name: str) -> Path:
    """Make a folder of its own under the store's uploads, and return where a file of this name goes in it.

    Raises
    ------
    StoreError
        When it cannot be made.
    """
    folder = store / "uploads" / secrets.token_hex(8)
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror}; check disk and permissions") from error
    return folder / safe_name(name)


def store_upload(store: Path, name: str, content: IO[bytes], in_use: Collection[str] = ()) -> Path:
    """Write an upload whole, or not at all, and return where; uploads that nobody needs any more are removed.

    Parameters
    ----------
    store : Path
    name : str
        As the browser told it.
    content : file of bytes
    in_use : collection of str
        Paths that jobs still have to read.

    Raises
    ------
    StoreError
        When it is too large, or the disk is full.
    """
    clean_uploads(store, in_use)
    path = new_place(store, name)
    temporary = path.with_name("upload.part")
    try:
        with temporary.open("wb") as file:
            _copy(content, file, shown_name(name))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException as error:
        shutil.rmtree(path.parent, ignore_errors=True)
        if isinstance(error, OSError):
            raise StoreError(f"cannot store {shown_name(name)!r}: {error.strerror}; make room and try again") from error
        raise
    return path


def _copy(content: IO[bytes], file: IO[bytes], name: str) -> None:
    n_bytes = 0
    while part := content.read(PART):
        n_bytes += len(part)
        if n_bytes > MAX_BYTES:
            raise StoreError(
                f"{name!r} is larger than {MAX_BYTES // 2**20} MB, the most a browser may send; "
                "copy it to this machine and give its path"
            )
        file.write(part)


def discard_upload(store: Path, path: Path) -> None:
    """Remove one upload with its folder; anything that is no upload of this store is left alone."""
    folder = path.parent
    if folder.parent == store / "uploads" and FOLDER.fullmatch(folder.name):
        shutil.rmtree(folder, ignore_errors=True)


def clean_uploads(store: Path, in_use: Collection[str] = (), *, older_than: float = KEEP_SECONDS) -> int:
    """Remove uploads that were stored a day ago and that no job waits for, and return how many."""
    used = {Path(one).parent for one in in_use}
    n_removed = 0
    for folder in (store / "uploads").glob("*"):
        if not FOLDER.fullmatch(folder.name) or folder in used or folder.is_symlink():
            continue
        try:
            # A run's own copy is in the store by now where the folder is empty.
            is_old = time.time() - folder.stat().st_mtime >= older_than
            is_empty = not any(folder.iterdir()) and time.time() - folder.stat().st_mtime >= min(older_than, 60)
        except OSError:  # another process removed it
            continue
        if is_old or is_empty:
            shutil.rmtree(folder, ignore_errors=True)
            n_removed += 1
    return n_removed
