"""What is done at a file system of fsspec: a file sent and confirmed, sized, summed up, listed."""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import os
import re
import secrets
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from alvin_core.store.arrays import TEMPORARY, make_folder, sync_folder
from alvin_core.store.sums import crc_of

__all__ = [
    "OtherBytesError",
    "confirm",
    "crc_there",
    "create_file",
    "make_parent",
    "md5_of",
    "put_file",
    "sizes_below",
    "sync",
    "told_md5",
    "told_size",
]

PIECE = 2**20
SMALL = 2**16  # bytes; what is no larger is read back where the place tells no checksum
# Where a file can be given another name at once. Elsewhere a file appears when it is whole, or is named when it is.
CHEAP_MOVES = frozenset({"file", "local", "sftp", "ssh", "smb", "ftp", "hdfs", "arrow_hdfs", "webhdfs"})
MD5 = re.compile(r"[0-9a-f]{32}")


def put_file(fs: Any, source: Path, target: str) -> None:
    """Send a file, so that it appears whole where the place can move files at once, and see that it arrived."""
    has_moves = not CHEAP_MOVES.isdisjoint(_protocols(fs))
    part = f"{target}.{secrets.token_hex(4)}{TEMPORARY}" if has_moves else target
    try:
        make_parent(fs, target)
        fs.put_file(str(source), part)
        confirm(fs, source, part)
        sync(fs, part)
        if part != target:
            fs.mv(part, target)
            sync(fs, target)
    except Exception:
        with suppress(Exception):  # it may not be there at all
            if part != target:
                fs.rm(part)
        raise


def create_file(fs: Any, target: str, content: bytes) -> None:
    """Write a small file unless there is one.

    In one step in a folder of this machine and where the place takes a condition, as S3, Google Cloud and Azure do;
    elsewhere fsspec looks first, and then writes.

    Raises
    ------
    FileExistsError
        When there is one.
    """
    make_parent(fs, target)
    if "file" not in _protocols(fs):
        fs.pipe_file(target, content, mode="create")
        return
    part = Path(f"{target}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _name_new(part, Path(target))
    finally:
        part.unlink(missing_ok=True)
    sync(fs, target)


def _name_new(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a drive without second names
        with target.open("xb") as file:
            file.write(part.read_bytes())


class OtherBytesError(OSError):
    """What arrived is not what was sent."""


def confirm(fs: Any, source: Path, target: str, *, every_byte: bool = False) -> None:
    """Raise where what is there is not what is here: by its size, and by a sum that is told or what is read back."""
    size = source.stat().st_size
    fs.invalidate_cache()
    info = fs.info(target)
    if told_size(info) not in (-1, size):
        raise OtherBytesError(errno.EIO, f"{told_size(info):,} of {size:,} bytes arrived")
    told = told_md5(info)
    if told is None and not every_byte and size > SMALL and told_size(info) == size:
        return
    if told is not None and told == md5_of(source):
        return
    # Some places tell a sum of something else, such as of the encrypted file: what is there decides.
    if crc_there(fs, target) != crc_of(source):
        raise OtherBytesError(errno.EIO, "other bytes arrived than were sent")


def make_parent(fs: Any, target: str) -> None:
    """Make the folder of a file that is to be."""
    if "file" in _protocols(fs):
        make_folder(Path(target).parent)
    elif not CHEAP_MOVES.isdisjoint(_protocols(fs)):  # other places have no folders, or make them as they write
        fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)


def sync(fs: Any, target: str) -> None:
    """See that a file in a folder of this machine lasts, as its store's own do."""
    if "file" in _protocols(fs):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(Path(target).parent)


def sizes_below(fs: Any, path: str) -> dict[str, int]:
    """Return the sizes of all files below a folder; one that cannot be listed is an error, and not empty."""
    from fsspec.asyn import AsyncFileSystem

    if fs.async_impl and type(fs)._find is not AsyncFileSystem._find:
        return {name: told_size(info) for name, info in fs.find(path, detail=True).items()}
    sizes, folders = dict[str, int](), [path]
    while folders:
        folder = folders.pop()
        try:
            found = fs.ls(folder, detail=True)
        except FileNotFoundError:  # it went meanwhile
            continue
        for info in found:
            if info["type"] != "directory":
                sizes[info["name"]] = told_size(info)
            elif info["name"].rstrip("/") != folder.rstrip("/"):
                folders.append(info["name"])
    return sizes


def _protocols(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def told_size(info: dict[str, Any]) -> int:
    """Return the size of a file, -1 where the place does not tell."""
    size = info.get("size")
    return -1 if size is None else int(size)


def told_md5(info: dict[str, Any]) -> bytes | None:
    """Return the MD5 sum that S3, Google Cloud or Azure tells of a file."""
    tag = str(info.get("ETag", "")).strip('"')
    if MD5.fullmatch(tag):
        return bytes.fromhex(tag)
    told = info.get("md5Hash") or (info.get("content_settings") or {}).get("content_md5")
    if isinstance(told, str):
        with suppress(binascii.Error):
            return base64.b64decode(told, validate=True)
        return None
    return bytes(told) if told else None


def md5_of(path: Path) -> bytes:
    """Return the MD5 sum of a file of this machine."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


def crc_there(fs: Any, path: str) -> int:
    """Return the CRC-32 of a file, read through."""
    crc = 0
    with fs.open(path, "rb") as file:
        while piece := file.read(PIECE):
            crc = zlib.crc32(piece, crc)
    return crc
