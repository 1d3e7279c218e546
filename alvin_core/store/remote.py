"""Files in a place that fsspec reaches: a shared folder, S3, Google Cloud, Azure, SFTP and others.

What is sent is there whole or the call fails: its size is compared, and its checksum where the place tells one. What
fails for a reason that may pass is tried again, a few times.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from alvin_core.errors import StoreError
from alvin_core.store.remote_url import check_arrays_url
from alvin_core.store.sending import (
    OtherBytesError,
    confirm,
    crc_there,
    create_file,
    make_parent,
    put_file,
    sizes_below,
    sync,
    told_md5,
    told_size,
)

__all__ = ["Remote", "RemoteError"]

log = logging.getLogger(__name__)

T = TypeVar("T")
PAUSES = (0.2, 1.0, 4.0)  # seconds between tries
FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotImplementedError, ImportError)
FINAL_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG)


class RemoteError(StoreError):
    """The place of the arrays cannot be reached, or refuses; the files in the store's folder are as they were."""


@dataclass(frozen=True)
class Remote:
    """A place for files, each under a key such as ``runs/0a1b2c3d/round-0000-89abcdef/arrays.npz``.

    Attributes
    ----------
    url : str
        Without secrets: see `check_arrays_url`.
    """

    url: str

    @property
    def in_parallel(self) -> bool:
        """Whether the file system does several things at once; others may not stand it."""
        return bool(self._try("reach the arrays", lambda fs, _: fs.async_impl))

    def size(self, key: str) -> int | None:
        """Return the size of a file in bytes; None where it is not there, -1 where the place does not tell."""
        told = self.told(key)
        return None if told is None else told[0]

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the sizes of all files below a prefix, by their keys."""

        def find(fs: Any, root: str) -> dict[str, int]:
            return {str(name)[len(root) + 1 :]: size for name, size in sizes_below(fs, f"{root}/{prefix}").items()}

        return self._unless_missing(f"list {prefix}", find) or {}

    def names(self, prefix: str) -> list[str]:
        """Return the names of the files and folders that lie directly in a folder."""

        def find(fs: Any, root: str) -> list[str]:
            found = {str(name).rstrip("/") for name in fs.ls(f"{root}/{prefix}", detail=False)}
            return sorted(name.rsplit("/", 1)[-1] for name in found - {f"{root}/{prefix}"})

        return self._unless_missing(f"list {prefix}", find) or []

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a small file; None where it is not there."""
        return self._unless_missing(f"read {key}", lambda fs, root: bytes(fs.cat_file(f"{root}/{key}")))

    def crc(self, key: str) -> int | None:
        """Return the CRC-32 of a file, read through; None where it is not there."""
        return self._unless_missing(f"read {key}", lambda fs, root: crc_there(fs, f"{root}/{key}"))

    def has(self, source: Path, key: str) -> bool:
        """Return whether a file there has the bytes of one here, by a checksum that is told, or by reading both."""
        return self._compare(source, key, every_byte=True)

    def told(self, key: str) -> tuple[int, bytes | None] | None:
        """Return the size that the place tells of a file, and the sum, if any; None where it is not there."""

        def look(fs: Any, root: str) -> tuple[int, bytes | None] | None:
            info = fs.info(f"{root}/{key}")
            return None if info["type"] != "file" else (told_size(info), told_md5(info))

        return self._unless_missing(f"look for {key}", look)

    def seems(self, source: Path, key: str) -> bool:
        """Return whether a file there is as one here by what is looked at when it is sent."""
        return self._compare(source, key, every_byte=False)

    def _compare(self, source: Path, key: str, *, every_byte: bool) -> bool:
        def compare(fs: Any, root: str) -> bool:
            try:
                confirm(fs, source, f"{root}/{key}", every_byte=every_byte)
            except OtherBytesError:
                return False
            return True

        return self._unless_missing(f"read {key}", compare) or False

    def put(self, source: Path, key: str) -> None:
        """Send a file, and see that it arrived.

        Raises
        ------
        RemoteError
            When the place cannot be reached or refuses.
        """
        try:
            self._try(f"write {key}", lambda fs, root: put_file(fs, source, f"{root}/{key}"))
        except FileNotFoundError as error:
            raise self._failed(f"write {key}", error) from error

    def write(self, key: str, content: bytes) -> None:
        """Send a few bytes as a file."""

        def write(fs: Any, root: str) -> None:
            make_parent(fs, f"{root}/{key}")
            fs.pipe_file(f"{root}/{key}", content)
            sync(fs, f"{root}/{key}")

        try:
            self._try(f"write {key}", write)
        except FileNotFoundError as error:
            raise self._failed(f"write {key}", error) from error

    def create(self, key: str, content: bytes) -> None:
        """Send a few bytes as a file unless there is one, in one step where the place can do that."""

        def create(fs: Any, root: str) -> None:
            with suppress(FileExistsError):
                create_file(fs, f"{root}/{key}", content)

        try:
            self._try(f"write {key}", create)
        except (RemoteError, FileNotFoundError) as error:
            log.info("%s: looked for and written instead", error)  # some places know of no condition, and refuse it
            if self.read(key) is None:
                self.write(key, content)

    def get(self, key: str, target: Path) -> bool:
        """Write what is there to a file of this machine, whose size is compared; return whether it is there."""

        def fetch(fs: Any, root: str) -> bool:
            path = f"{root}/{key}"
            size = told_size(fs.info(path))
            fs.get_file(path, str(target))
            if size not in (-1, target.stat().st_size):
                raise OSError(errno.EIO, f"{target.stat().st_size:,} of {size:,} bytes arrived")
            return True

        return self._unless_missing(f"read {key}", fetch) or False

    def copy(self, key: str, other: str, size: int) -> bool:
        """Copy a file of so many bytes within the place; return False where that cannot be done."""

        def copy(fs: Any, root: str) -> bool:
            target = f"{root}/{other}"
            make_parent(fs, target)
            fs.cp_file(f"{root}/{key}", target)
            sync(fs, target)
            return told_size(fs.info(target)) == size

        try:
            return self._unless_missing(f"copy {key}", copy) or False
        except RemoteError as error:
            log.info("%s: sent anew instead", error)
            return False

    def remove(self, key: str) -> None:
        """Remove a file, or a folder with all in it; nothing where it is not there."""
        self._unless_missing(f"remove {key}", lambda fs, root: fs.rm(f"{root}/{key}", recursive=True))

    def _unless_missing(self, what: str, action: Callable[[Any, str], T]) -> T | None:
        try:
            return self._try(what, action)
        except FileNotFoundError:
            return None

    def _try(self, what: str, action: Callable[[Any, str], T]) -> T:
        for pause in (*PAUSES, None):
            try:
                return action(*self._open())
            except (StoreError, FileNotFoundError):
                raise
            except Exception as error:  # each file system raises what its libraries do
                if pause is None or isinstance(error, FINAL) or getattr(error, "errno", None) in FINAL_NUMBERS:
                    raise self._failed(what, error) from error
                log.info("could not %s at %s (%s): once more in %s s", what, self.url, _reason(error), pause)
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _open(self) -> tuple[Any, str]:
        """Return the file system and the place in it, without what fsspec kept of earlier listings."""
        check_arrays_url(self.url)
        from fsspec.core import url_to_fs

        fs, root = url_to_fs(self.url)
        while hasattr(fs, "fs"):  # a cache, which would hide what others write; or a folder within another
            if fs.protocol == "dir":
                root = fs.path
            fs = fs.fs
        fs.invalidate_cache()
        return fs, str(root).rstrip("/")

    def _failed(self, what: str, error: Exception) -> RemoteError:
        return RemoteError(
            f"could not {what} at {self.url}: {_reason(error)}; see that the place can be reached and written to from "
            "here, with the credentials that fsspec finds, then try again"
        )


def _reason(error: Exception) -> str:
    said = (getattr(error, "strerror", None) or str(error)).strip().split("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
