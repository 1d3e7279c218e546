"""Backups of a store that others go on working with."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from alvin_core.errors import StoreError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.store.arrays import NEW, TEMPORARY, disk_reason, make_folder, sync_folder
from alvin_core.store.database import Store, open_store
from alvin_core.store.datasets import dataset_path
from alvin_core.store.labels import now
from alvin_core.store.read_only import may_write
from alvin_core.store.snapshots import snapshot_lock
from alvin_core.store.tables import SCHEMA_VERSION, ComparisonRow, RoundRow, RunRow
from alvin_core.upkeep.backup_format import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    TABLES,
    row_of,
    table_member,
    tar_mode,
)
from alvin_core.upkeep.elsewhere import bring_round, bring_store
from alvin_core.upkeep.verifying import cache_entries

__all__ = ["backup_store"]

ROWS_AT_ONCE = 1000
MOST_PASSES = 4  # over the files before the store is locked; what came since the last of them is little


def backup_store(
    store: Path | str, file: Path, *, cache: bool = False, overwrite: bool = False, progress: Progress = silent
) -> int:
    """Write a store as one file; the store is as it was at one moment, whatever is written to it meanwhile.

    Parameters
    ----------
    store : Path or str
    file : Path
        Its name ends in ``.tar``, or in ``.tar.gz`` or ``.tgz`` to be compressed. It appears whole or not at all.
    cache : bool
        With the cached encodings, which can be made again.
    overwrite : bool
        Replace a file that is there.
    progress : Progress
        Stage ``backup``, in files; may raise Cancelled.

    Returns
    -------
    int
        How many files of the store are in it.

    Raises
    ------
    StoreError
        When the store cannot be read, a file of it is missing, the backup is there already or has another ending, or
        the disk refuses.

    Notes
    -----
    Arrays are never written again, so each is given a second name in the store's folder, from which it is copied at
    leisure; where the disk has no hard links, a copy. Nearly all of that is done before the moment of the snapshot, in
    which alone those who make or delete runs wait.
    """
    opened = open_store(store)
    file = file.expanduser().absolute()
    if file.is_dir():
        raise StoreError(f"{file} is a folder; name a file, such as {file / 'store.tar'}")
    mode = tar_mode(file)
    if file.resolve().is_relative_to(opened.path.resolve()):
        raise StoreError(f"{file} lies in the store itself, and would be lost with it; name a file elsewhere")
    if file.exists() and not overwrite:
        raise StoreError(f"{file} is there already; name another file, or replace it with --force")
    if not file.parent.is_dir():
        raise StoreError(f"there is no folder {file.parent}; make it, or name another file")
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with _snapshot(opened, file.parent, cache=cache) as staged:
            n_files = _write(temporary, staged, progress, mode)
        temporary.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {disk_reason(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return n_files


@contextmanager
def _snapshot(store: Store, beside: Path, *, cache: bool) -> Iterator[Path]:
    """Lend a folder with all that belongs to the store at one moment; ``beside`` is for a store to be read only."""
    name = f".snapshot-{secrets.token_hex(4)}"
    if not may_write(store.path):
        with _snapshot_elsewhere(store, beside / name, cache=cache) as staged:
            yield staged
        return
    staged = store.path / name
    lock = snapshot_lock(store, staged)
    # Held to the end: it tells that somebody needs the folder. It is there before the folder is.
    with store.database.lock(lock.stem, subject=f"the snapshot {staged.name}"):
        try:
            lock.touch()  # where locks are the database's, this tells that there is one to ask for
            make_folder(staged)
            _gather_ahead(store, staged)
            with store.read() as session:
                with store.lock():
                    _gather(_named_files(store, session), staged)
                _write_tables(session, staged)
            if cache:
                _gather_cache(store, staged)
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)
            lock.unlink(missing_ok=True)


@contextmanager
def _snapshot_elsewhere(store: Store, staged: Path, *, cache: bool) -> Iterator[Path]:
    """Lend a folder outside a store that this user may only read, and so not lock: what is deleted meanwhile is missed.

    Nothing is wrong with a snapshot where nothing is missing: files are never written again.
    """
    try:
        make_folder(staged)
        with store.read() as session:
            _gather(_named_files(store, session), staged)
            _write_tables(session, staged)
        if cache:
            _gather_cache(store, staged)
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _write_tables(session: Session, staged: Path) -> None:
    for table in TABLES:
        _write_table(session, table, staged / table_member(table))


def _gather_cache(store: Store, staged: Path) -> None:
    for key in cache_entries(store):
        _gather_entry(store.cache / key, staged / "cache" / key)


def _gather_ahead(store: Store, staged: Path) -> None:
    """Gather what is there before the store is locked: where there are no hard links, copying takes long."""
    bring_store(store)
    for _ in range(MOST_PASSES):
        with store.read() as session:
            found = _named_files(store, session, missing="skip")
        waiting = {target: source for target, source in found.items() if not (staged / target).exists()}
        for target, source in waiting.items():
            with suppress(FileNotFoundError):  # deleted meanwhile, so that the snapshot will not name it
                _link_or_copy(source, staged / target)
        if not waiting:
            return


def _named_files(store: Store, session: Session, *, missing: Literal["raise", "skip"] = "raise") -> dict[Path, Path]:
    """Return where every file that the database names belongs in a snapshot, and where it is."""
    digests = {*session.scalars(select(RunRow.dataset)), *session.scalars(select(ComparisonRow.dataset))}
    found = {dataset_path(Path(), digest): dataset_path(store.path, digest) for digest in sorted(digests)}
    for run_id, folder in session.execute(select(RoundRow.run_id, RoundRow.folder)):
        target, source = Path("runs", run_id, folder), store.run_folder(run_id) / folder
        bring_round(source)
        try:
            found |= {target / path.name: path for path in _whole_files(source)}
        except FileNotFoundError as error:
            if missing == "raise":
                raise StoreError(f"{source} is missing; see what else is with `alvin verify`") from error
    return found


def _whole_files(folder: Path) -> list[Path]:
    """Return the files of a folder, without those that are being written."""
    return [path for path in sorted(folder.iterdir()) if NEW not in path.name and TEMPORARY not in path.name]


def _gather(named: Mapping[Path, Path], staged: Path) -> None:
    """Let a snapshot hold all files that are named, and no other. The caller holds the store's lock."""
    for target, source in named.items():
        if (staged / target).exists():
            continue
        try:
            _link_or_copy(source, staged / target)
        except FileNotFoundError as error:
            if not source.name.startswith("map-"):  # a map was being replaced; it is derived
                raise StoreError(f"{source} is missing; see what else is with `alvin verify`") from error
    for path in [one for one in staged.rglob("*") if one.is_file()]:
        if path.relative_to(staged) not in named:
            path.unlink()


def _gather_entry(source: Path, target: Path) -> None:
    """Give an encoding a second name, or leave it out: the cache may be deleted at any time."""
    try:
        for path in _whole_files(source):
            _link_or_copy(path, target / path.name)
    except FileNotFoundError:
        shutil.rmtree(target, ignore_errors=True)


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # the disk has no hard links
        shutil.copyfile(source, target)


def _write_table(session: Session, table: Any, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    query = select(*table.columns).execution_options(yield_per=ROWS_AT_ONCE)
    try:
        with path.open("wb") as file:
            for row in session.execute(query).mappings():
                file.write(row_of(dict(row)))
    except ValueError as error:
        raise StoreError(
            f"a row of {table.name!r} cannot be read ({error}); see what else is with `alvin verify`"
        ) from error


def _write(path: Path, staged: Path, progress: Progress, mode: Literal["w", "w:gz"]) -> int:
    members: dict[str, dict[str, Any]] = {}
    files = sorted(one for one in staged.rglob("*") if one.is_file())
    with path.open("wb") as raw:
        with tarfile.open(fileobj=raw, mode=mode, format=tarfile.PAX_FORMAT) as archive:
            for number, one in enumerate(files):
                progress(ProgressEvent("backup", number, len(files)))
                name = one.relative_to(staged).as_posix()
                members[name] = _add(archive, one, name)
            manifest = {
                "format": FORMAT,
                "version": FORMAT_VERSION,
                "schema": SCHEMA_VERSION,
                "made_by": f"alvin-studio {version('alvin-studio')}",
                "made_at": now(),
                "members": members,
            }
            content = json.dumps(manifest, indent=1).encode()
            info = tarfile.TarInfo(MANIFEST)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        raw.flush()
        os.fsync(raw.fileno())
    progress(ProgressEvent("backup", len(files), len(files)))
    return len(files)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> dict[str, Any]:
    """Add a file; a second name of one that is in already is added as that."""
    info = archive.gettarinfo(path, name)
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o644
    if info.islnk():
        archive.addfile(info)
        return {"same_as": info.linkname}
    with path.open("rb") as file:
        hashed = _Hashed(file)
        archive.addfile(info, hashed)  # it is read, and nothing else
        return {"bytes": info.size, "sha256": hashed.sha.hexdigest()}


class _Hashed:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sha = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.sha.update(piece)
        return piece
