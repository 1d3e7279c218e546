"""A store made of a backup, trusting nothing in it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import secrets
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from alvin_core.errors import AlvinError, StoreError, StoreVersionError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.store.arrays import TEMPORARY, disk_reason, sync_folder
from alvin_core.store.database import Store, open_store
from alvin_core.store.jobs import cancel_all
from alvin_core.store.tables import SCHEMA_VERSION
from alvin_core.upkeep.backup_format import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    MEMBER,
    PIECE,
    TABLES,
    damaged,
    rows_in,
    table_member,
)
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.verifying import verify_store

__all__ = ["is_backup", "restore_store"]

LARGEST_MANIFEST = 2**28
ROWS_AT_ONCE = 1000


def is_backup(path: Path) -> bool:
    """Tell whether a file is a tar, compressed or not."""
    try:
        return path.is_file() and tarfile.is_tarfile(path)
    except OSError:
        return False


def restore_store(file: Path, store: Path | str, *, progress: Progress = silent) -> StoreReport:
    """Make a store of a backup; it is there whole, checked, or not at all.

    Parameters
    ----------
    file : Path
        What `backup_store` wrote.
    store : Path or str
        A folder that is not there yet, or is empty.
    progress : Progress
        Stages ``restore``, in bytes, and ``verify``; may raise Cancelled.

    Returns
    -------
    StoreReport
        What `verify_store` finds in it.

    Raises
    ------
    StoreError
        When the place is taken, the backup is damaged or no backup, or the disk refuses.
    StoreVersionError
        When a newer version wrote it.
    """
    target = Path(store).expanduser().absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is there already; name a new folder with --store")
    made = target.with_name(f"{target.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        opened = open_store(made, create=True)
        members = _unpack(file, made, progress)
        _check_manifest(made, members)
        _fill_tables(opened, made)
        with opened.write() as session:
            cancel_all(session, "the store was restored from a backup")  # nobody waits for it here
        shutil.rmtree(made / "tables", ignore_errors=True)
        (made / MANIFEST).unlink()
        report = verify_store(made, thorough=False, progress=progress)
        for folder in (made, *(one for one in made.rglob("*") if one.is_dir())):
            sync_folder(folder)
        if target.exists():
            target.rmdir()
        made.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(f"cannot restore {file} as {target}: {disk_reason(error)}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    report.store = str(target)
    report.findings = [replace(one, what=one.what.replace(str(made), str(target))) for one in report.findings]
    return report


def _unpack(file: Path, made: Path, progress: Progress) -> dict[str, dict[str, Any]]:
    """Write the members to a folder; return what each is, to be compared with the manifest."""
    members: dict[str, dict[str, Any]] = {}
    try:
        with file.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:*") as archive:
            size = file.stat().st_size
            for info in archive:
                progress(ProgressEvent("restore", min(raw.tell(), size), size))
                members[info.name] = _unpack_one(archive, info, made, members)
    except AlvinError:
        raise
    except Exception as error:  # tarfile, zlib and lzma raise a dozen kinds for one thing: these bytes are not ours
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise StoreError(f"cannot restore {file}: {disk_reason(error)}") from error
        raise StoreError(f"{file} is damaged, or is no backup: {error}; take another copy of it") from error
    return members


def _unpack_one(
    archive: tarfile.TarFile, info: tarfile.TarInfo, made: Path, members: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    if info.name in members or not MEMBER.fullmatch(info.name):
        raise damaged("a member", f"it is called {info.name[:60]!r}, which no backup has, or has once")
    path = made / info.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if info.islnk():
        if info.linkname not in members:
            raise damaged(info.name, f"is a second name of {info.linkname[:60]!r}, which is not there")
        os.link(made / info.linkname, path)
        return {"same_as": info.linkname}
    if not info.isreg():
        raise damaged(info.name, "is neither a file nor a second name of one")
    if info.size > shutil.disk_usage(made).free:
        raise StoreError(f"{info.name} needs {info.size:,} bytes, the disk of {made.parent} has less; make room there")
    source, sha = archive.extractfile(info), hashlib.sha256()
    assert source is not None
    with source, path.open("xb") as target:
        while piece := source.read(PIECE):
            target.write(piece)
            sha.update(piece)
        target.flush()
        os.fsync(target.fileno())
    return {"bytes": info.size, "sha256": sha.hexdigest()}


def _check_manifest(made: Path, members: dict[str, dict[str, Any]]) -> None:
    if MANIFEST not in members or members.pop(MANIFEST).get("bytes", LARGEST_MANIFEST + 1) > LARGEST_MANIFEST:
        raise StoreError(f"this is no whole backup: it has no {MANIFEST} at its end; take another copy of it")
    try:
        manifest = json.loads((made / MANIFEST).read_bytes())
        found, schema, told = (
            (manifest["format"], int(manifest["version"])),
            int(manifest["schema"]),
            manifest["members"],
        )
        told = dict(told)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise damaged(MANIFEST, str(error)) from error
    if found[0] != FORMAT:
        raise StoreError(f"this is no backup of a store, but {str(found[0])[:40]!r}; make one with `alvin backup`")
    if found[1] > FORMAT_VERSION or schema > SCHEMA_VERSION:
        raise StoreVersionError(
            f"the backup has version {found[1]} of a store of version {schema}; this ALVIN Studio reads "
            f"{FORMAT_VERSION} and {SCHEMA_VERSION}; upgrade it"
        )
    wrong = sorted(name for name in {*told, *members} if told.get(name) != members.get(name))
    if wrong:
        raise damaged(wrong[0], "is missing, or not what was written")


def _fill_tables(store: Store, made: Path) -> None:
    with store.write() as session:
        for table in TABLES:
            path = made / table_member(table)
            if not path.exists():  # an older version had no such table
                continue
            waiting: list[dict[str, Any]] = []
            with path.open("rb") as stream:
                for row in rows_in(stream, table):
                    waiting.append(row)
                    if len(waiting) == ROWS_AT_ONCE:
                        _insert(session, table, waiting)
                        waiting = []
            _insert(session, table, waiting)


def _insert(session: Any, table: Any, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    try:
        session.execute(insert(table), rows)
    except (SQLAlchemyError, OverflowError, UnicodeError) as error:  # the latter two of numbers and texts none has
        raise damaged(table_member(table), str(getattr(error, "orig", error)).split("\n")[0]) from error
