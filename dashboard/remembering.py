"""Small marks beside the runs, such as that the tour was seen. Nothing that matters depends on one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from dashboard.own_store import store

__all__ = ["recall", "remember"]

FOLDER: Final = "dashboard"  # in the store

_log = logging.getLogger(__name__)
_here: dict[Path, str] = {}  # what could not be written: it holds as long as this process


def recall(name: str) -> str | None:
    """Return what was remembered under a name; None where nothing was."""
    path = store() / FOLDER / name
    if path in _here:
        return _here[path]
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # never written, or not for this user to read
        return None


def remember(name: str, text: str = "") -> None:
    """Remember a text of ASCII characters: in the store, or in this process alone where the store takes none."""
    path = store() / FOLDER / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    except OSError as error:
        if path not in _here:
            _log.info("%s is remembered until this server ends: %s", name, error)
        _here[path] = text
    else:
        _here.pop(path, None)
