"""The store that this process serves, and whether anything can be changed in it."""

from __future__ import annotations

import os
from pathlib import Path

from alvin_core import store_folder, why_read_only

__all__ = ["store", "why_closed"]


def store() -> Path:
    """Return the folder of the runs: ``$ALVIN_STORE``, as the command that started this process set it."""
    return store_folder(os.environ.get("ALVIN_STORE") or "alvin-store")


def why_closed() -> str:
    """Return why this process may read its store and not write to it; empty where nothing forbids that.

    It is asked anew each time: permissions change, and a disk is mounted again.
    """
    return why_read_only(store())
