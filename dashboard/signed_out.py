"""Which sign-ins were signed out before their time: marks of cookies, kept beside the store's runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from time import monotonic, time
from typing import Final

__all__ = ["SignedOut"]

LOOK_AGAIN: Final = 1.0  # seconds for which no other server is taken to have added anything


class SignedOut:
    """Marks of cookies that count no more.

    Parameters
    ----------
    path : Path
        A file of lines ``<mark> <seconds since 1970 until which it must be kept>``; it outlives the server, and other
        servers of the store read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks: dict[str, float] = {}
        self._size = 0
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def __contains__(self, mark: str) -> bool:
        with self._lock:
            self._read()
            return mark in self._marks

    def add(self, mark: str, *, until: float) -> None:
        """Note a mark, on disk before this returns."""
        with self._lock:
            self._read()
            self._marks[mark] = until
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="ascii") as file:
                file.write(f"{mark} {until:.0f}\n")
                file.flush()
                os.fsync(file.fileno())

    def _read(self) -> None:
        """Read what another server added since."""
        if monotonic() - self._looked < LOOK_AGAIN:
            return
        self._looked = monotonic()
        try:
            size = self._path.stat().st_size
            if size == self._size:
                return
            lines = self._path.read_text(encoding="ascii", errors="replace").splitlines()
        except FileNotFoundError:
            return
        self._size = size
        for line in lines:
            mark, _, until = line.partition(" ")
            if until.isdigit() and float(until) > time():
                self._marks[mark] = float(until)
