"""Arrays on disk that are there whole or not at all, whenever the process is killed.

A folder of arrays is written under a temporary name, every file is synced, then the folder, then it is renamed and
its parent synced. Only after that may the database name it. Nothing is pickled. Beside the arrays lies the CRC-32 of
each file: see `alvin_core.store.sums`.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import zipfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from alvin_core.errors import StoreError
from alvin_core.shown import first_line
from alvin_core.store.rearranged import MappedArray, blocks_of
from alvin_core.store.sums import write_sums

__all__ = [
    "NEW",
    "TEMPORARY",
    "disk_reason",
    "leftovers",
    "load_array",
    "load_arrays",
    "remove",
    "save_arrays",
    "save_packed",
    "sweep",
    "sync_folder",
]

PACKED = "arrays.npz"
TEMPORARY = ".part"
NEW = ".new"  # of a file that takes another's place once it is whole
MAKE_ROOM = "free some space; the store's folder 'cache' may be deleted at any time"
MENDED = "`alvin verify` says how it is mended"
ASK = "ask for the permission, or name another folder"


def save_arrays(
    folder: Path,
    packed: Mapping[str, NDArray[Any]],
    *,
    mapped: Mapping[str, MappedArray] | None = None,
    twin: Path | None = None,
) -> None:
    """Write a folder of arrays, whole or not at all.

    Parameters
    ----------
    folder : Path
        Must not exist; its parents are made.
    packed : mapping of name to array
        Kept together in one file and read into memory.
    mapped : mapping of name to array or Rearranged, optional
        Each in a file of its own, to be memory-mapped.
    twin : Path, optional
        A folder written before. A mapped array that is the same there, to the byte, is linked and takes no room.

    Raises
    ------
    StoreError
        When the disk refuses.
    """
    temporary = folder.with_name(folder.name + TEMPORARY)
    try:
        make_folder(folder.parent)
        temporary.mkdir()
        _write_packed(temporary / PACKED, packed)
        for name, array in (mapped or {}).items():
            if twin is None or not _linked(twin, temporary, name, array):
                _write_mapped(temporary / f"{name}.npy", array)
        write_sums(temporary)
        sync_folder(temporary)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise StoreError(f"could not write {folder}: {disk_reason(error)}") from error


def save_packed(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write one file of arrays, whole or not at all.

    Raises
    ------
    StoreError
        When the disk refuses.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        make_folder(path.parent)
        _write_packed(temporary, arrays)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"could not write {path}: {disk_reason(error)}") from error


def load_arrays(folder: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read the packed arrays of a folder.

    Parameters
    ----------
    folder : Path
    names : collection of str, optional
        Read these alone; one that is not there is left out.

    Raises
    ------
    StoreError
        When they are missing or damaged.
    """
    return load_packed(folder / PACKED, names)


def load_packed(path: Path, names: Collection[str] | None = None, *, remedy: str = MENDED) -> dict[str, NDArray[Any]]:
    """Read one file of arrays, or those with some names; ``remedy`` ends the message about one that is damaged.

    Raises
    ------
    StoreError
        When it is missing or damaged.
    """
    _fetch_missing(path)
    try:
        # Opened here, because numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            _refuse_packed(archive.zip)
            return {name: archive[name] for name in archive.files if names is None or name in names}
    except Exception as error:  # numpy and zipfile raise a dozen kinds for one thing: these bytes are not ours
        raise StoreError(_cannot_read(path, error, remedy)) from error


def load_array(folder: Path, name: str) -> NDArray[Any]:
    """Memory-map one array of a folder, read-only.

    Raises
    ------
    StoreError
        When it is missing or damaged.
    """
    path = folder / f"{name}.npy"
    _fetch_missing(path)
    try:
        # Not `numpy.load`, which would take a zip or a pickle as well, and leave a damaged file open.
        array: NDArray[Any] = npy.open_memmap(path, mode="r")
    except Exception as error:  # its header is parsed as Python, which raises a dozen kinds
        raise StoreError(_cannot_read(path, error)) from error
    return array


def sweep(folder: Path, keep: Collection[str], ours: re.Pattern[str]) -> int:
    """Remove what a killed process left in a folder; return how many entries went.

    The caller must hold the lock that makes it the only writer there.

    Parameters
    ----------
    folder : Path
    keep : collection of str
        Names that the database knows.
    ours : pattern
        Only names that match it whole, perhaps with ``.part`` behind, are removed: a store may lie in a folder
        that people use for other things as well.
    """
    return len(remove(leftovers(folder, keep, ours)))


def leftovers(folder: Path, keep: Collection[str], ours: re.Pattern[str]) -> list[Path]:
    """Return what `sweep` would remove, by name."""
    there = sorted(folder.iterdir()) if folder.is_dir() else ()
    return [path for path in there if path.name not in keep and ours.fullmatch(path.name.removesuffix(TEMPORARY))]


def remove(paths: Iterable[Path]) -> list[Path]:
    """Remove files and folders; return those that are gone now. What cannot be removed is left."""
    gone = []
    for path in paths:
        with suppress(OSError):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        if _is_gone(path):
            gone.append(path)
    return gone


def _is_gone(path: Path) -> bool:
    """Tell whether nothing is there; where nobody may look, as `os.path.lexists` does not tell, something may be."""
    try:
        path.lstat()
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, each entry synced, so that it cannot vanish below a synced file."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_reason(error: OSError) -> str:
    """Say why the disk refused, and what to do where it is full, another's or mounted read-only."""
    reason = error.strerror or str(error)
    if error.errno is None and "requested and" in reason:  # how numpy says that it could not write all
        reason, is_full = os.strerror(errno.ENOSPC), True
    else:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{reason}; {ASK}"
    return f"{reason}; {MAKE_ROOM}" if is_full else reason


def _fetch_missing(path: Path) -> None:
    """Fetch a file that this machine has no copy of, where the store's arrays are kept elsewhere."""
    if not path.exists():
        from alvin_core.store.mirror import fetch_missing

        fetch_missing(path)


def _refuse_packed(archive: zipfile.ZipFile) -> None:
    if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
        raise ValueError("its arrays are compressed, as stored ones never are, and could unpack to anything")


def _cannot_read(path: Path, error: Exception, remedy: str = MENDED) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
    return f"cannot read {path}: {reason}; {remedy}"


def _linked(twin: Path, folder: Path, name: str, array: MappedArray) -> bool:
    """Give a twin's array a second name in a folder where it is the same to the byte; return whether it was."""
    try:
        if not (twin / f"{name}.npy").exists() or not _same_bytes(load_array(twin, name), array):
            return False  # none is fetched for this
        os.link(twin / f"{name}.npy", folder / f"{name}.npy")
    except (OSError, StoreError):  # no hard links here, or a damaged twin: the array is written once more
        return False
    return True


def _same_bytes(one: NDArray[Any], other: MappedArray) -> bool:
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    return all(one[part].tobytes() == block.tobytes() for part, block in blocks_of(other))


def _write_packed(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"array {name!r} holds objects, which would need pickle; pack strings first")
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(arrays))
        file.flush()
        os.fsync(file.fileno())


def _write_mapped(path: Path, array: MappedArray) -> None:
    described = {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, described)  # as `numpy.save` does, whose files these are
        for _, block in blocks_of(array):
            file.write(block.data)
        file.flush()
        os.fsync(file.fileno())
