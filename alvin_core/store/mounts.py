"""Which folders lie on network drives, where SQLite's write-ahead log does not hold."""

from __future__ import annotations

import re
from pathlib import Path

from alvin_core.errors import StoreError

__all__ = ["file_system_of", "refuse_network_drive"]

MOUNTS = Path("/proc/mounts")

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "panfs",
        "smb2",
        "smb3",
        "smbfs",
        "fuse.ceph",
        "fuse.davfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
    }
)


def refuse_network_drive(path: Path) -> None:
    """Raise when a folder lies on a network drive, as far as the system tells.

    Raises
    ------
    StoreError
        With the drive's kind.
    """
    kind = file_system_of(path)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"the store {path} lies on a network drive ({kind}), where labels could be lost: SQLite's write-ahead "
            "log needs a disk of this machine; name a local folder with --store"
        )


def file_system_of(path: Path, mounts: str | None = None) -> str | None:
    """Return the kind of file system a path lies on, or None where the system does not tell.

    Parameters
    ----------
    path : Path
        Need not exist yet.
    mounts : str, optional
        The text of ``/proc/mounts``; read from there by default.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:  # not Linux
            return None
    places = path.resolve()
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount_point = Path(_unescape(fields[1]))
        depth = len(mount_point.parts)
        # Of two mounts on one point, the later hides the earlier.
        if places.is_relative_to(mount_point) and (found is None or depth >= found[0]):
            found = (depth, fields[2])
    return None if found is None else found[1]


def _unescape(mount_point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), mount_point)
