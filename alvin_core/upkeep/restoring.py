"""A store made of a backup, trusting nothing in it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import secrets
import shutil
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from alvin_core.errors import AlvinError, StoreError, StoreVersionError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.shown import first_line
from alvin_core.store.arrays import TEMPORARY, disk_reason, sync_folder
from alvin_core.store.database import open_store
from alvin_core.store.jobs import cancel_all
from alvin_core.store.location import read_place, store_folder
from alvin_core.store.mounts import NETWORK_FILE_SYSTEMS, file_system_of
from alvin_core.store.tables import SCHEMA_VERSION
from alvin_core.upkeep.backup_format import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    MEMBER,
    PIECE,
    damaged,
)
from alvin_core.upkeep.filling import fill_tables
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.verifying import verify_store

__all__ = ["is_backup", "restore_store"]

LARGEST_MANIFEST = 2**28
HIGHEST_RATIO = 200  # unpacked to packed; a store of texts and vectors comes to a tenth of it
SMALL = 2**26  # bytes; what unpacks to less can do no harm, whatever its ratio
LONGEST_HEADER = 2**16  # bytes; those of a backup have one long name
DESCRIBING = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


def is_backup(path: Path) -> bool:
    """Tell whether a file is a tar, compressed or not."""
    try:
        if not path.is_file():
            return False
        with tarfile.open(path, tarinfo=_Member):
            return True
    except StoreError:  # it is one, with a member that no backup has
        return True
    except Exception:  # tarfile, zlib and lzma raise a dozen kinds for one thing: these bytes are no tar
        return False


def restore_store(file: Path, store: Path | str, *, progress: Progress = silent) -> StoreReport:
    """Make a store of a backup; it is there whole, checked, or not at all.

    Parameters
    ----------
    file : Path
        What `backup_store` wrote.
    store : Path or str
        A folder that is not there yet, or is empty; or a team's database without a store, or with an empty one.
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
    target = store_folder(store)
    if read_place(target) is not None:
        return _restore_to_team(file, target, progress)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is there already; name a new folder with --store")
    made = target.with_name(f"{target.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        _unpack_checked(file, made, progress)
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


def _restore_to_team(file: Path, target: Path, progress: Progress) -> StoreReport:
    """Fill a team's store, which must be empty, with a backup that a store on this machine was made of before."""
    from alvin_core.upkeep.team_restoring import empty_team_store, fill_team_store

    with empty_team_store(target) as opened:
        # Beside the arrays, which are moved then; but no database of this machine works on a network drive.
        is_far = file_system_of(target) in NETWORK_FILE_SYSTEMS
        made = (
            Path(tempfile.mkdtemp(prefix="alvin-restore-")) if is_far else target / f".snapshot-{secrets.token_hex(4)}"
        )
        try:
            _unpack_checked(file, made, progress)
            verify_store(made, thorough=False, progress=progress)
            fill_team_store(opened, made)
        except OSError as error:
            raise StoreError(f"cannot restore {file} to {target}: {disk_reason(error)}") from error
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return verify_store(target, thorough=False, progress=progress)


def _unpack_checked(file: Path, made: Path, progress: Progress) -> None:
    """Make a store of a backup, with the members that it was made of still beside it."""
    opened = open_store(made, create=True)
    members, strangers = _unpack(file, made, progress)
    _check_manifest(made, members, strangers)
    with opened.write() as session:
        fill_tables(session, made)
        cancel_all(session, "the store was restored from a backup")  # nobody waits for it here


class _Member(tarfile.TarInfo):
    """A member of a tar whose headers are bounded: those that describe the next member are read into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header."""
        found = super().frombuf(buf, encoding, errors)
        if found.type in DESCRIBING and found.size > LONGEST_HEADER:
            what = f"a header of {found.size:,} bytes; a backup has none above {LONGEST_HEADER:,}"
            raise damaged("a member", what)
        return found


def _unpack(file: Path, made: Path, progress: Progress) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Write the members to a folder; return what each is, to be compared with the manifest, and what was left out.

    Left out is what no backup of this version has: the manifest at the end tells whether a newer version wrote it.
    """
    members: dict[str, dict[str, Any]] = {}
    strangers: list[str] = []
    if file.exists() and not file.is_file():  # a pipe would be waited for without an end
        raise StoreError(f"cannot restore {file}: it is no regular file; name the file that `alvin backup` wrote")
    try:
        with file.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:*", tarinfo=_Member) as archive:
            size = file.stat().st_size
            for info in archive:
                progress(ProgressEvent("restore", min(raw.tell(), size), size))
                _refuse_bomb(file, size, info)
                if not MEMBER.fullmatch(info.name):
                    strangers = strangers or [info.name]  # one is enough to tell of
                    continue
                members[info.name] = _unpack_one(archive, info, made, members)
    except AlvinError:
        raise
    except Exception as error:  # tarfile, zlib and lzma raise a dozen kinds for one thing: these bytes are not ours
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise StoreError(f"cannot restore {file}: {disk_reason(error)}") from error
        raise StoreError(f"{file} is damaged, or is no backup: {first_line(error)}; take another copy of it") from error
    return members, strangers


def _refuse_bomb(file: Path, size: int, info: tarfile.TarInfo) -> None:
    """Refuse what unpacks to far more than it takes, before it fills the disk."""
    unpacked = info.offset_data + info.size
    if unpacked > max(SMALL, HIGHEST_RATIO * size):
        raise StoreError(
            f"{file} would unpack to {unpacked:,} bytes or more, over {HIGHEST_RATIO} times its own size of {size:,}, "
            "as no backup does; nothing was restored"
        )


def _unpack_one(
    archive: tarfile.TarFile, info: tarfile.TarInfo, made: Path, members: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    if info.name in members:
        raise damaged("a member", f"it is called {info.name[:60]!r}, as another is")
    path = made / info.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if info.islnk():
        if info.linkname not in members:
            raise damaged(info.name, f"is a second name of {info.linkname[:60]!r}, which is not there")
        os.link(made / info.linkname, path)
        return {"same_as": info.linkname}
    if not info.isreg() or info.issparse():
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


def _check_manifest(made: Path, members: dict[str, dict[str, Any]], strangers: list[str]) -> None:
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
    if strangers:
        raise damaged("a member", f"it is called {strangers[0][:60]!r}, which no backup has")
    wrong = sorted(name for name in {*told, *members} if told.get(name) != members.get(name))
    if wrong:
        raise damaged(wrong[0], "is missing, or not what was written")
