"""Second names for arrays, which are never written again: by hard links where the disk has them, else by copies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from alvin_core.errors import StoreError
from alvin_core.store.arrays import NEW, TEMPORARY, disk_reason, make_folder, sync_folder

__all__ = ["link_files", "link_folder"]


def link_folder(source: Path, target: Path) -> None:
    """Give a folder of arrays a second name; where arrays are kept elsewhere, there as well.

    Either name can be deleted without harm to the other. What another process is still writing there is left out.

    Raises
    ------
    StoreError
        When the disk, or the place where the arrays are kept, refuses.
    """
    from alvin_core.store.mirror import mirror_of

    mirror = mirror_of(source)
    try:
        make_folder(target.parent)
        target.mkdir()
        if mirror is not None:
            mirror.copy_folder(source, target)
        else:
            link_files(source, target)
        sync_folder(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(f"could not copy {source} to {target}: {disk_reason(error)}") from error


def link_files(source: Path, target: Path) -> None:
    """Give the files of a folder second names in another, which is there."""
    for path in sorted(one for one in source.iterdir() if one.suffix not in (TEMPORARY, NEW)):
        _link_or_copy(path, target / path.name)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the disk has no hard links, or is another one
        shutil.copyfile(source, target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
