"""A place for arrays that fails when it is told to: a file system of fsspec over a folder, without a rename.

What is to go wrong is told by files in a folder beside it, so that other processes can be told as well.
"""

from __future__ import annotations

import errno
import shutil
import time
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

KINDS = {"io": OSError(errno.EIO, "the line is down"), "denied": PermissionError(errno.EACCES, "you may not")}


class FaultyPlace(AbstractFileSystem):  # type: ignore[misc]
    """Files below a folder; each call is written to the log in ``<folder>.told``, where faults are asked for too."""

    protocol = "faulty"
    root_marker = "/"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + str(path).removeprefix("faulty://").strip("/")

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        self._call("info", path)
        found = Path(path).stat()
        kind = "directory" if Path(path).is_dir() else "file"
        return {"name": path, "size": found.st_size if kind == "file" else 0, "type": kind}

    def ls(self, path: str, detail: bool = True, **_: Any) -> Any:
        path = self._strip_protocol(path)
        if self._call("ls", path) == "stale":  # it does not show yet what has come
            return []
        names = [str(one) for one in sorted(Path(path).iterdir())]
        return [self.info(name) for name in names] if detail else names

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        Path(self._strip_protocol(path)).mkdir(parents=True, exist_ok=True)

    makedirs = mkdir

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        rpath = self._strip_protocol(rpath)
        Path(rpath).parent.mkdir(parents=True, exist_ok=True)
        fault = self._call("put", rpath)
        if fault == "wait":
            _told(rpath, "waiting").touch()
            _wait_for(_told(rpath, "go"))
        content = Path(lpath).read_bytes()
        if fault in ("cut", "half", "stall"):
            Path(rpath).write_bytes(content[: len(content) // 2])
            if fault == "half":  # and nobody says so
                return
            if fault == "stall":
                _told(rpath, "stalled").touch()
                time.sleep(600)
            raise OSError(errno.EPIPE, "cut off")
        if fault == "other":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        Path(rpath).write_bytes(content)

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        rpath = self._strip_protocol(rpath)
        if self._call("get", rpath) == "cut":
            Path(lpath).write_bytes(Path(rpath).read_bytes()[:10])
            raise OSError(errno.EPIPE, "cut off")
        shutil.copyfile(rpath, lpath)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        raise NotImplementedError

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        raise NotImplementedError

    def rm_file(self, path: str) -> None:
        path = self._strip_protocol(path)
        self._call("rm", path)
        Path(path).rmdir() if Path(path).is_dir() else Path(path).unlink()

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        if "w" in mode:
            Path(self._strip_protocol(path)).parent.mkdir(parents=True, exist_ok=True)
        self._call("open", self._strip_protocol(path))
        return Path(self._strip_protocol(path)).open(mode)

    def _call(self, what: str, path: str) -> str:
        """Log a call; do what the next fault asked for says, once for each line of it."""
        with _told(path, "log").open("a") as log:
            log.write(f"{what} {path}\n")
        asked = _told(path, what)
        lines = asked.read_text().split() if asked.exists() else []
        if not lines:
            return ""
        asked.write_text("\n".join(lines[1:]))
        if lines[0] in KINDS:
            raise KINDS[lines[0]]
        return lines[0]


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > deadline:
            raise OSError(errno.ETIMEDOUT, "nobody let it go")
        time.sleep(0.01)


def _told(path: str, name: str) -> Path:
    """Return a file of the folder beside the place, which is called ``place``."""
    place = next(one for one in (Path(path), *Path(path).parents) if one.name == "place")
    folder = place.with_name("place.told")
    folder.mkdir(exist_ok=True)
    return folder / name


fsspec.register_implementation("faulty", FaultyPlace, clobber=True)
