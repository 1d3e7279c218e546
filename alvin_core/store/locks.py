"""File locks that die with their process, so that a killed one never leaves a run locked."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alvin_core.errors import RunBusyError, StoreError

__all__ = ["file_lock", "remove_free_lock"]

# Windows keeps others from reading a locked byte, so the lock lies far behind the process number in the file.
LOCKED_BYTE = 1 << 30
PAUSE_SECONDS = 0.02


@contextmanager
def file_lock(path: Path, *, subject: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the operating system's exclusive lock on a file.

    The lock is on the opened file, so two threads of one process exclude each other as two processes do.

    Parameters
    ----------
    path : Path
        Made when missing; its folder must exist.
    subject : str
        What is locked, for the message: ``"run reviews-alvin"``.
    wait_seconds : float
        How long to wait for another holder before giving up.

    Raises
    ------
    RunBusyError
        When another process (or thread) holds it; the message has its process number.
    StoreError
        When the file cannot be made.
    """
    descriptor = _held(path, subject, time.monotonic() + wait_seconds)
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)  # gives the lock back, as the process's end would


def remove_free_lock(path: Path) -> bool:
    """Remove the file of a lock that nobody holds; return whether it is gone.

    It is removed while it is held, and whoever waited for it sees that and makes another. An older ALVIN Studio does
    not look: two of its processes may then hold the lock at once, so it must be one that does no harm then.
    """
    try:
        with file_lock(path, subject=path.name):
            path.unlink()  # Windows refuses it while the file is open, and keeps it
    except (StoreError, OSError):
        return False
    return True


def _held(path: Path, subject: str, deadline: float) -> int:
    """Open a file and lock it, so that the lock is on what the path names now, and not on a file that was removed."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(f"cannot lock {path}: {error.strerror}") from error
        try:
            _acquire(descriptor, subject, deadline)
            if _is_at(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Tell whether a path still names an opened file. Windows removes no file that somebody has opened."""
    if sys.platform == "win32":
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _acquire(descriptor: int, subject: str, deadline: float) -> None:
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            holder = _holder(descriptor)
            raise RunBusyError(f"{subject} is in use by {holder}; wait until it is done, or end it")
        time.sleep(PAUSE_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    number = os.read(descriptor, 20).decode("ascii", errors="replace").strip("\0 \n")
    if not number:
        return "another process"
    return "another part of this process" if number == str(os.getpid()) else f"process {number}"
