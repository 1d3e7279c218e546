"""Arrays that are kept elsewhere: the store's folder as this machine's copy of them.

Where the ``store.json`` of a store's folder names a place for arrays, by an fsspec URL, what lies below ``runs`` and
``datasets`` is kept there, under the same names, and the folder holds copies. What is written goes there before the
database names it; what is missing here is fetched when it is read; what is deleted is deleted there. So the copies may
be deleted at any time, apart from what is being written. How much room they take has no bound.

The cache, locks and uploads are of each machine.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from zlib import crc32

from alvin_core.errors import StoreError
from alvin_core.store.arrays import TEMPORARY, disk_reason, make_folder
from alvin_core.store.linking import link_files
from alvin_core.store.location import read_place
from alvin_core.store.locks import file_lock
from alvin_core.store.mirror_files import do_each, is_stored_name, is_whole, whole_folder, without_part
from alvin_core.store.mirror_mark import check_mark
from alvin_core.store.mirror_same import is_known_same, note_same
from alvin_core.store.remote import Remote
from alvin_core.store.remote_url import check_arrays_url
from alvin_core.store.sums import FILE, SUMS, parse_sums, read_sums

__all__ = ["Mirror", "bring", "fetch_missing", "is_there", "mirror_at", "mirror_of", "publish"]

log = logging.getLogger(__name__)

T = TypeVar("T")

MIRRORED = ("runs", "datasets")
PARTS = "fetching"  # the folder of what is on its way
N_LOCKS = 64
FETCH_SECONDS = 3600  # how long others wait for one that fetches a file
AT_ONCE = 8  # files under way together; each file system does as well as it can within one


def mirror_at(root: Path) -> Mirror | None:
    """Return the mirror that a store's folder is; None where its arrays are kept in it.

    Raises
    ------
    StoreError
        When its ``store.json`` is damaged, or names what is no place for arrays.
    """
    place = read_place(root)
    return None if place is None or place.arrays is None else Mirror(root, check_arrays_url(place.arrays))


def mirror_of(path: Path) -> Mirror | None:
    """Return the mirror that a file or folder below ``runs`` or ``datasets`` belongs to; None where there is none."""
    place = next((place for place in (path, *path.parents) if place.name in MIRRORED), None)
    return None if place is None else mirror_at(place.parent)


def publish(path: Path, *, twin: Path | None = None) -> None:
    """Send a file, or a folder, to where the arrays are kept; nothing in a store that keeps them itself.

    Raises
    ------
    StoreError
        When it cannot be sent, or not be confirmed to be there: then the database must not name it.
    """
    mirror = mirror_of(path)
    if mirror is not None:
        mirror.publish(path, twin=twin)


def is_there(path: Path) -> bool:
    """Return whether a file is there, after fetching it where it is kept elsewhere."""
    if path.exists():
        return True
    mirror = mirror_of(path)
    return mirror is not None and mirror.fetch(path)


def fetch_missing(path: Path) -> None:
    """Fetch a file that is not here; nothing in a store that keeps its arrays itself.

    Raises
    ------
    StoreError
        When it is missing where it is kept as well, or that cannot be reached.
    """
    mirror = None if path.exists() else mirror_of(path)
    if mirror is not None and not mirror.fetch(path):
        raise mirror.lost(path)


def bring(folder: Path) -> None:
    """Fetch what a folder lacks here; nothing in a store that keeps its arrays itself."""
    mirror = mirror_of(folder)
    if mirror is not None:
        mirror.bring(folder)


@dataclass(frozen=True)
class Mirror:
    """A store's folder, and the place where its arrays are kept.

    Attributes
    ----------
    root : Path
    url : str
    """

    root: Path
    url: str

    @cached_property
    def remote(self) -> Remote:
        return Remote(self.url)

    def key(self, path: Path) -> str:
        """Return the name that a file has there."""
        return path.relative_to(self.root).as_posix()

    def check(self) -> None:
        """Raise unless the place can be reached and is this store's."""
        check_mark(self.root, self.remote)

    def publish(self, path: Path, *, twin: Path | None = None) -> None:
        """Send a file, or all files of a folder, sums last. What is the same file as in the twin is copied there."""
        self.check()
        files = [path] if path.is_file() else whole_folder(path)
        self._each(lambda one: self._send(one, twin), [one for one in files if one.name != SUMS])
        self._each(lambda one: self._send(one, None), [one for one in files if one.name == SUMS])

    def publish_new(self, path: Path) -> None:
        """Send a file that may be there already, as whoever has the same content names it alike.

        What is there is kept where it is whole, though another machine may have written it with other bytes.
        """
        key = self.key(path)
        there = self.remote.told(key)
        if there is not None and is_known_same(path, there):
            return
        if there is None or not (self.remote.seems(path, key) or self._replaced(path)):
            self.publish(path)
        note_same(path, self.remote.told(key))

    def publish_map(self, path: Path) -> None:
        """Send what can be made again; where another machine was quicker, all keep what it sent."""
        try:
            if self.remote.size(self.key(path)) is None or not self._replaced(path):
                self.publish(path)
        except StoreError as error:
            log.warning("%s; this machine alone has %s until `alvin verify --repair` sends it", error, path.name)

    def _replaced(self, path: Path) -> bool:
        """Fetch what is there over what is here; return False, and leave that, where there it is damaged."""
        try:
            with self._fetching(path):
                return self._fetch(path, None)
        except StoreError as error:
            log.info("%s: replaced", error)
            return False

    def fetch(self, path: Path) -> bool:
        """Fetch a file unless it is here; return whether it is here now. One process of several does it.

        Raises
        ------
        StoreError
            When the place cannot be reached, or what is there is not what was sent; or when the disk refuses.
        """
        sums = self._sums(path.parent) if path.name != SUMS else {}
        with self._fetching(path):
            return path.exists() or self._fetch(path, sums.get(path.name))

    def bring(self, folder: Path) -> None:
        """Fetch all files of a folder that are not here; one that its sums tell and that is nowhere is an error."""
        told = set(self._sums(folder))
        listed = {name for name in self.remote.names(self.key(folder)) if FILE.fullmatch(name)}

        def fetch(name: str) -> None:
            if not self.fetch(folder / name) and name in told:
                raise self.lost(folder / name)

        wanted = sorted(name for name in listed | told if is_stored_name(name))
        self._each(fetch, [name for name in wanted if not (folder / name).exists()])

    def lost(self, path: Path) -> StoreError:
        """Return the error that a file is nowhere."""
        return StoreError(
            f"{self.key(path)} is neither in {self.root} nor at {self.url}; see what else is missing with "
            "`alvin verify`"
        )

    def copy_folder(self, source: Path, target: Path) -> None:
        """Give a folder a second name, here with the files that are here, and there with all.

        What its sums tell is copied even where a listing, which may be late, does not show it.
        """
        self.check()
        make_folder(target)
        if source.is_dir():
            link_files(source, target)
        listed = {key.rsplit("/", 1)[-1]: size for key, size in self.remote.sizes(self.key(source)).items()}
        sizes = {name: size for name, size in listed.items() if FILE.fullmatch(name) and is_stored_name(name)}
        told = self._sums_without_copy(source)
        sizes |= {name: size for name, (size, _) in told.items()}
        names = {path.name for path in target.iterdir()} | sizes.keys() | ({SUMS} if told else set())

        def copy(name: str) -> None:
            here, there = source / name, target / name
            if name in sizes and self.remote.copy(self.key(here), self.key(there), sizes[name]):
                return
            fetch_missing(here)
            self.remote.put(here, self.key(there))

        self._each(copy, sorted(names - {SUMS}))
        self._each(copy, sorted(names & {SUMS}))

    def discard(self, paths: Iterable[Path]) -> list[Path]:
        """Remove files and folders there; return those that are gone. The log has what is left to `alvin verify`."""
        gone = []
        for path in paths:
            try:
                self.remote.remove(self.key(path))
                gone.append(path)
            except StoreError as error:
                log.warning("%s; `alvin verify --repair` removes it later", error)
        return gone

    def leftovers_listed(self, folder: Path, keep: Collection[str], ours: re.Pattern[str]) -> list[Path]:
        """Return what `leftovers` does, as it would be called here; where nothing can be listed, a line in the log."""
        try:
            return [folder / name for name in self.leftovers(folder, keep, ours)]
        except StoreError as error:
            log.warning("what is left over was not looked for: %s", error)
            return []

    def leftovers(self, folder: Path, keep: Collection[str], ours: re.Pattern[str]) -> list[str]:
        """Return the names in a folder there that nothing names."""
        found = self.remote.names(self.key(folder))
        return [name for name in found if name not in keep and ours.fullmatch(without_part(name))]

    def _send(self, path: Path, twin: Path | None) -> None:
        other = None if twin is None else twin / path.name
        is_same = other is not None and other.exists() and other.samefile(path)
        if other is not None and is_same and self.remote.copy(self.key(other), self.key(path), path.stat().st_size):
            return
        self.remote.put(path, self.key(path))

    @contextmanager
    def _fetching(self, path: Path) -> Iterator[None]:
        """Be the only process of this machine that fetches a file."""
        lock = self.root / "locks" / f"fetch-{crc32(self.key(path).encode()) % N_LOCKS:02d}.lock"
        try:
            make_folder(lock.parent)
            with file_lock(lock, subject=f"fetching {path.name}", wait_seconds=FETCH_SECONDS):
                yield
        except OSError as error:
            raise StoreError(f"could not write {path}: {disk_reason(error)}") from error

    def _fetch(self, path: Path, told: tuple[int, int] | None) -> bool:
        key = self.key(path)
        part = self.root / PARTS / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}{TEMPORARY}"
        make_folder(part.parent)
        try:
            if not self.remote.get(key, part):
                return False
            if not is_whole(part, path, told):
                raise StoreError(
                    f"{key} at {self.url} is not what was written; see with `alvin verify`, which also mends it where "
                    "a machine has it whole"
                )
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            make_folder(path.parent)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return True

    def _sums(self, folder: Path) -> dict[str, tuple[int, int]]:
        if not (folder / SUMS).exists() and folder.name not in MIRRORED:
            self.fetch(folder / SUMS)
        return read_sums(folder)

    def _sums_without_copy(self, folder: Path) -> dict[str, tuple[int, int]]:
        if (folder / SUMS).exists():
            return read_sums(folder)
        return parse_sums(self.remote.read(self.key(folder / SUMS)) or b"{}") or {}

    def _each(self, action: Callable[[T], object], items: Iterable[T]) -> None:
        do_each(action, items, at_once=AT_ONCE if self.remote.in_parallel else 1)
