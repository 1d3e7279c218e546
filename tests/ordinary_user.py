"""Folders that may only be read, and commands that mind that even where root runs the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def as_an_ordinary_user() -> list[str]:
    """What a command begins with so that permissions count for it, which they do not for root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root minds no permissions, and there is no setpriv")
    return [setpriv, "--inh-caps=-all", "--bounding-set=-all"]


@contextmanager
def closed_to_writing(folder: Path) -> Iterator[None]:
    """Take the permission to write from a folder and all that is in it, and give it back."""
    everything = [folder, *folder.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        for path in everything:
            if path.exists():
                path.chmod(path.stat().st_mode | 0o200)
