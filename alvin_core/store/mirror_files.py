"""Which files of a store's folders are kept elsewhere as well, whether one is whole, and doing something with each."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from alvin_core.errors import StoreError
from alvin_core.store.arrays import NEW, TEMPORARY
from alvin_core.store.sums import SUMS, crc_of, read_sums

__all__ = ["DATASET_FILE", "do_each", "is_stored_name", "is_whole", "whole_folder", "without_part"]

T = TypeVar("T")
DATASET_FILE = re.compile(r"[0-9a-f]{64}\.npz")


def whole_folder(folder: Path) -> list[Path]:
    """Return the files below a folder that are kept, without those that are being written.

    Raises
    ------
    StoreError
        When there are none, or one is missing that was written: what is sent in their place would not be whole.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and is_stored_name(path.name)]
    told = {path.parent / name for path in files if path.name == SUMS for name in read_sums(path.parent)}
    missing = sorted(told.difference(files)) or ([] if files else [folder])
    if missing:
        raise StoreError(
            f"{missing[0]} was removed before it was sent to where the arrays are kept; leave what is being written "
            "in the folder of copies, and try again"
        )
    return files


def is_stored_name(name: str) -> bool:
    """Return whether a name is not that of a file that is being written."""
    return TEMPORARY not in name and NEW not in name


def without_part(name: str) -> str:
    """Return the name of a file that was on its way there under another."""
    return re.sub(rf"(\.[0-9a-f]{{8}})?{re.escape(TEMPORARY)}$", "", name)


def is_whole(part: Path, path: Path, told: tuple[int, int] | None) -> bool:
    """Return whether a fetched file is what was written to a path.

    By its sum; a data set by the digest that it is named by; any other archive by its own sums.
    """
    if told is not None:
        return (part.stat().st_size, crc_of(part)) == told
    if path.parent.name == "datasets" and DATASET_FILE.fullmatch(path.name):
        from alvin_core.store.datasets import is_dataset  # which reads by way of the mirror

        return is_dataset(part, path.stem)
    try:
        if path.suffix == ".json":
            json.loads(part.read_bytes())
        if path.suffix != ".npz":
            return True
        with zipfile.ZipFile(part) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError):
        return False


def do_each(action: Callable[[T], object], items: Iterable[T], *, at_once: int) -> None:
    """Do something with each, so many together; the first failure ends it."""
    if at_once == 1:
        for item in items:
            action(item)
        return
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(action, item) for item in items]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)
