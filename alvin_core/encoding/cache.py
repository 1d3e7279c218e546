"""Encodings on disk: written shard by shard, so that a kill loses seconds, and never read unless whole.

::

    <cache>/<key>.lock                          held by the process that writes the entry
    <cache>/<key>.partial/                      an entry under way: values.bin, and journal.jsonl with its whole shards
    <cache>/<key>/                              a whole entry, renamed into place
        values.bin, counts.npy, meta.json       meta names the sizes and SHA-256 of the others

An entry that does not match its own meta is taken for missing and written anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.encoding.tokens import TokenCounts
from alvin_core.errors import StoreError
from alvin_core.progress import Progress, ProgressEvent

__all__ = ["CACHE_FORMAT", "CachedEntry", "EntryWriter", "cache_key", "entry_lock", "lent_entries", "read_entry"]

CACHE_FORMAT = 1  # raise when the layout, or the way texts are encoded, changes
_LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class CachedEntry:
    """A whole entry.

    Attributes
    ----------
    values : float array of shape (n_values, dim)
        Memory-mapped, in the order of `length_order`.
    counts : TokenCounts
        Of every text, by row.
    """

    values: NDArray[Any]
    counts: TokenCounts


def cache_key(parts: Mapping[str, object]) -> str:
    """Return the SHA-256 of everything that changes an entry's bytes."""
    described = json.dumps({**parts, "cache_format": CACHE_FORMAT}, sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


@contextmanager
def _disk_errors(cache_dir: Path) -> Iterator[None]:
    """Turn what the disk refuses into a StoreError with a remedy."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"encoding cache {cache_dir}: {error.strerror or error}; free space there, or name another folder"
        ) from error


_lent: ContextVar[Mapping[str, CachedEntry] | None] = ContextVar("lent", default=None)


@contextmanager
def lent_entries(entries: Mapping[str, CachedEntry]) -> Iterator[None]:
    """Let `read_entry` find these as well, whatever folder it is asked for.

    For a machine without the folder that they lie in: they came in memory that its processes share. A key names its
    entry's bytes, so an entry is the right one wherever it is from.
    """
    token = _lent.set(entries)
    try:
        yield
    finally:
        _lent.reset(token)


def read_entry(cache_dir: Path, key: str) -> CachedEntry | None:
    """Open a whole entry; None where there is none, or where it is damaged."""
    lent = _lent.get()
    if lent is not None and key in lent:
        return lent[key]
    folder = cache_dir / key
    with _disk_errors(cache_dir):
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            if any(_sha256(folder / name) != meta["sha256"][name] for name in ("values.bin", "counts.npy")):
                return None
            values = _open_values(folder / "values.bin", tuple(meta["shape"]), np.dtype(meta["dtype"]))
            full, kept = np.load(folder / "counts.npy", allow_pickle=False)
            return CachedEntry(values, TokenCounts(full, kept))
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError, AttributeError):  # a meta.json that is not what was written
            return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_values(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if 0 in shape:  # an empty file cannot be mapped
        return np.zeros(shape, dtype=dtype)
    # As a plain array: slices of np.memmap carry a subclass that makes thousands of small reads slow.
    return np.asarray(np.memmap(path, dtype=dtype, mode="r", shape=shape))


class EntryWriter:
    """Writes one entry. Shards may come in any order, and those a killed process has written are kept.

    Hold `entry_lock` around its use.
    """

    def __init__(
        self, cache_dir: Path, key: str, parts: Mapping[str, object], shape: tuple[int, int], dtype: np.dtype[Any]
    ) -> None:
        self._cache_dir = cache_dir
        self._final = cache_dir / key
        self._folder = cache_dir / f"{key}.partial"
        self._parts = dict(parts)
        self._shape, self._dtype = shape, dtype
        self._row_bytes = shape[1] * dtype.itemsize
        with _disk_errors(cache_dir):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._journal = self._recall() if self._has_room() else {}

    def _has_room(self) -> bool:
        """Make room for the values; say whether a killed process already had."""
        size = self._shape[0] * self._row_bytes
        values = self._folder / "values.bin"
        if values.exists() and values.stat().st_size == size:
            return True
        _require_space(self._cache_dir, size)
        (self._folder / "journal.jsonl").unlink(missing_ok=True)
        with values.open("wb") as file:
            file.truncate(size)
        return False

    def has(self, start: int, stop: int) -> bool:
        """Say whether the shard of these value rows is already written, whole."""
        return (start, stop) in self._journal

    def write(self, start: int, values: NDArray[Any]) -> None:
        """Write the shard that begins at value row ``start``; it is on disk when this returns."""
        data = np.ascontiguousarray(values, dtype=self._dtype).tobytes()
        stop, sha256 = start + len(values), hashlib.sha256(data).hexdigest()
        with _disk_errors(self._cache_dir):
            with (self._folder / "values.bin").open("r+b") as file:
                file.seek(start * self._row_bytes)
                file.write(data)
                _sync(file)
            with (self._folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
                journal.write(_journal_line(start, stop, sha256))
                _sync(journal)
        self._journal[start, stop] = sha256

    def finish(self, counts: TokenCounts) -> None:
        """Seal the entry and rename it into place."""
        with _disk_errors(self._cache_dir):
            with (self._folder / "counts.npy").open("wb") as file:
                np.save(file, np.stack([counts.full, counts.kept]), allow_pickle=False)
                _sync(file)
            meta = {
                "parts": self._parts,
                "shape": list(self._shape),
                "dtype": self._dtype.name,
                "sha256": {name: _sha256(self._folder / name) for name in ("values.bin", "counts.npy")},
            }
            with (self._folder / "meta.json").open("w", encoding="utf-8") as file:
                json.dump(meta, file, indent=1)
                _sync(file)
            (self._folder / "journal.jsonl").unlink(missing_ok=True)
            if self._final.exists():  # damaged, or it would have been read
                shutil.rmtree(self._final)
            self._folder.rename(self._final)
            _sync_folder(self._final.parent)

    def _recall(self) -> dict[tuple[int, int], str]:
        """Read the journal of a killed process; keep the shards whose bytes are what it says."""
        path = self._folder / "journal.jsonl"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        whole: dict[tuple[int, int], str] = {}
        with (self._folder / "values.bin").open("rb") as values:
            for line in lines:
                try:
                    shard = json.loads(line)
                    start, stop, expected = int(shard["start"]), int(shard["stop"]), shard["sha256"]
                except (ValueError, KeyError, TypeError):
                    continue  # the line the kill cut short
                values.seek(start * self._row_bytes)
                if hashlib.sha256(values.read((stop - start) * self._row_bytes)).hexdigest() == expected:
                    whole[start, stop] = expected
        # Written anew without the cut line, which the next line would otherwise be joined to.
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.writelines(_journal_line(start, stop, sha256) for (start, stop), sha256 in whole.items())
            _sync(file)
        fresh.replace(path)
        return whole


def _journal_line(start: int, stop: int, sha256: str) -> str:
    return json.dumps({"start": start, "stop": stop, "sha256": sha256}) + "\n"


def _require_space(cache_dir: Path, size: int) -> None:
    free = shutil.disk_usage(cache_dir).free
    if size > free:
        raise StoreError(
            f"encoding cache {cache_dir}: {size / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free; free space there, "
            "name another folder, or set training.trainable_layers to 0"
        )


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # folders cannot be synced there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def entry_lock(cache_dir: Path, key: str, progress: Progress) -> Iterator[None]:
    """Hold an entry's lock; wait while another process holds it. A killed process leaves no lock behind."""
    with _disk_errors(cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
        file = (cache_dir / f"{key}.lock").open("a+b")
    with file:
        told = ""
        while not _try_lock(file.fileno()):
            note = "" if told else "another process encodes the same texts; waiting for it"
            told = told or note
            progress(ProgressEvent("encode", 0, 0, note))
            time.sleep(_LOCK_POLL_SECONDS)
        yield  # closing the file lets the lock go


def _try_lock(handle: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some network drives know no locks. Two writers then do the work twice, with the same bytes; what a race
        # should still damage is noticed by its checksum.
        return True
    return True
