"""A log file that several processes write to and that never grows without end."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["BoundedFileHandler"]

LARGEST = 10 * 2**20  # bytes of one file
KEPT = 3  # files moved aside: NAME.1 is the newest


class BoundedFileHandler(logging.Handler):
    """Adds each line to a file in one write, so that lines of several processes are never mixed.

    A file that is long is renamed to ``NAME.1`` (and that to ``NAME.2``, …) and begun anew. Of several processes one
    renames it, and the others notice: whoever renames holds the lock of the very file that is renamed.

    Parameters
    ----------
    path : Path
        Made when missing.
    largest : int
        Bytes; a file ends with the first line that reaches them.
    kept : int
        How many files are kept beside it.

    Raises
    ------
    OSError
        When the file cannot be written.
    """

    def __init__(self, path: Path, *, largest: int = LARGEST, kept: int = KEPT) -> None:
        super().__init__()
        self._path, self._largest, self._kept = path.absolute(), largest, kept
        self._file = self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a log that cannot be written is no reason to fail."""
        try:
            line = self.format(record).encode("utf-8", "replace") + b"\n"
            self._follow()
            os.write(self._file, line)
            if os.fstat(self._file).st_size >= self._largest:
                self._turn()
        except OSError:
            return
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, -1
        if file >= 0:
            with suppress(OSError):
                os.close(file)
        super().close()

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _follow(self) -> None:
        """Go on in the file that has the name now, where another process has renamed this one."""
        if not self._is_current():
            if self._file >= 0:
                os.close(self._file)
            self._file = self._open()

    def _is_current(self) -> bool:
        if self._file < 0:
            return False
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        here = os.fstat(self._file)
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def _turn(self) -> None:
        if sys.platform == "win32":  # an open file cannot be renamed there: it is begun anew
            os.ftruncate(self._file, 0)
            return
        import fcntl

        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            if self._is_current():  # else another process has just done it
                for number in range(self._kept, 1, -1):
                    with suppress(FileNotFoundError):
                        self._aside(number - 1).replace(self._aside(number))
                self._path.replace(self._aside(1))
        finally:
            os.close(self._file)  # gives the lock back
            self._file = self._open()

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
