"""What a disk and a clock do, measured in a moment: how long a write takes to be safe, and whether times agree."""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from alvin_core.store.mounts import file_system_of

__all__ = ["clock_facts", "disk_facts", "held_locks", "sizes_of"]

WRITES = 20
WRITTEN = 4096  # bytes
PROC_LOCKS = Path("/proc/locks")
# As in "1: FLOCK  ADVISORY  WRITE 1234 fd:01:123456 0 EOF".
LOCK_LINE = re.compile(r"\d+: \S+\s+\S+\s+WRITE (\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) ")


def disk_facts(folder: Path) -> dict[str, Any]:
    """Return a disk's room and file system, and how long it takes until a small write is safe.

    Writes and removes a file of 4 KiB in the folder, twenty times synced.
    """
    facts: dict[str, Any] = {"file_system": file_system_of(folder)}
    with suppress(OSError, AttributeError):
        room = os.statvfs(folder)
        facts |= {
            "total_bytes": room.f_blocks * room.f_frsize,
            "free_bytes": room.f_bavail * room.f_frsize,
            "free_files": room.f_favail,
        }
    path = folder / f".alvin-probe-{secrets.token_hex(4)}"
    try:
        seconds = _timed_writes(path)
    except OSError as error:
        return facts | {"writable": False, "why_not": error.strerror}
    finally:
        with suppress(OSError):
            path.unlink()
    return facts | {
        "writable": True,
        "fsync_median_ms": round(1000 * median(seconds), 3),
        "fsync_max_ms": round(1000 * max(seconds), 3),
    }


def _timed_writes(path: Path) -> list[float]:
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(WRITES):
            start = time.perf_counter()
            file.write(b"\0" * WRITTEN)
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - start)
    return seconds


def clock_facts(folder: Path, newest: str | None) -> dict[str, Any]:
    """Return whether this machine's clock agrees with the disk's and with what is stored.

    Parameters
    ----------
    folder : Path
    newest : str or None
        The latest time in the store: ISO 8601, UTC.

    Returns
    -------
    dict
        ``utc``; ``disk_ahead_seconds``: of the time that the disk gives a new file, which a network drive takes from
        another machine; ``stored_ahead_seconds``: how far the newest stored time lies in the future, 0 where it does
        not.
    """
    now = datetime.now(UTC)
    facts: dict[str, Any] = {"utc": now.isoformat(timespec="seconds"), "zone_hours": -time.timezone / 3600}
    path = folder / f".alvin-probe-{secrets.token_hex(4)}"
    try:
        before = time.time()
        path.write_bytes(b"")
        facts["disk_ahead_seconds"] = round(path.stat().st_mtime - before, 1)
    except OSError:
        facts["disk_ahead_seconds"] = None
    finally:
        with suppress(OSError):
            path.unlink()
    if newest is not None:
        with suppress(ValueError):
            ahead = (datetime.fromisoformat(newest) - now).total_seconds()
            facts["stored_ahead_seconds"] = round(max(0.0, ahead), 1)
    return facts


def held_locks(folder: Path) -> list[dict[str, Any]]:
    """Return which lock files are held, and by which process; none is taken for it.

    Where the system does not tell who holds a lock, a file is listed with the process that it names and whether that
    one lives.
    """
    files = sorted((folder / "locks").glob("*.lock")) if (folder / "locks").is_dir() else []
    if not PROC_LOCKS.exists():
        return [told for path in files if (told := _named_holder(path))["alive"]]
    holders = {
        (int(major, 16), int(minor, 16), int(inode)): int(pid)
        for pid, major, minor, inode in LOCK_LINE.findall(PROC_LOCKS.read_text(encoding="ascii", errors="replace"))
    }
    held = []
    for path in files:
        with suppress(OSError):
            found = path.stat()
            pid = holders.get((os.major(found.st_dev), os.minor(found.st_dev), found.st_ino))
            if pid is not None:
                held.append({"lock": path.stem, "process": pid, "alive": _lives(pid)})
    return held


def _named_holder(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        pid = int(path.read_text(encoding="ascii").strip("\0 \n"))
        return {"lock": path.stem, "process": pid, "alive": _lives(pid)}
    return {"lock": path.stem, "process": None, "alive": False}


def _lives(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # nothing can be asked there without ending it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def sizes_of(folder: Path) -> dict[str, dict[str, int]]:
    """Return files and bytes of a store's folders and of its database; a file with two names counts once."""
    sizes: dict[str, dict[str, int]] = {}
    seen: set[tuple[int, int]] = set()
    for name in ("runs", "datasets", "cache", "locks", "uploads"):
        if (folder / name).is_dir():
            sizes[name] = _size(folder / name, seen)
    for name in ("alvin.db", "alvin.db-wal", "worker.log"):
        with suppress(OSError):
            sizes[name] = {"files": 1, "bytes": (folder / name).stat().st_size}
    return sizes


def _size(folder: Path, seen: set[tuple[int, int]]) -> dict[str, int]:
    n_files = n_bytes = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found = (Path(place) / name).lstat()
                n_files += 1
                if (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    n_bytes += found.st_size
    return {"files": n_files, "bytes": n_bytes}
