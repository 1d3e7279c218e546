"""Reading a packed run, trusting nothing in it: names, sizes and hashes first, then each member within its bounds.

A packed run is a zip of ``manifest.json`` (format, versions, size and SHA-256 of every other member), ``run.json``,
four logs as JSON Lines, ``dataset.npz``, and ``arrays/<sha256>.npz`` and ``.npy``, the rounds' arrays as they are
stored, each content once. A run to which people added examples has the log ``added.jsonl`` as well, one whose data has
slices ``slices.jsonl``; these are of version 2. One that several people annotated has ``opinions.jsonl`` and is of
version 3. All others are of version 1, which older programs read.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import AlvinError, StoreError, StoreVersionError
from alvin_core.run.zip_listing import listing_bytes
from alvin_core.shown import first_line
from alvin_core.store.arrays import disk_reason

__all__ = [
    "ADDED",
    "DATASET",
    "FORMAT",
    "FORMAT_VERSION",
    "LABELS",
    "MANIFEST",
    "MARKS",
    "OPINIONS",
    "OPTIONAL",
    "PLAIN_VERSION",
    "PROPOSALS",
    "REMEDY",
    "ROUNDS",
    "RUN",
    "SLICES",
    "UNREADABLE",
    "Members",
    "array_member",
    "as_damage",
    "damaged",
    "open_members",
]

FORMAT = "alvin-run"
FORMAT_VERSION = 3  # the newest that is read
PLAIN_VERSION = 1  # of a run with nothing that is optional

MANIFEST, RUN, DATASET = "manifest.json", "run.json", "dataset.npz"
ROUNDS, PROPOSALS, LABELS, MARKS = "rounds.jsonl", "proposals.jsonl", "labels.jsonl", "marks.jsonl"
ADDED, SLICES, OPINIONS = "added.jsonl", "slices.jsonl", "opinions.jsonl"
FIXED = (RUN, ROUNDS, PROPOSALS, LABELS, MARKS, DATASET)
OPTIONAL: Mapping[str, int] = {ADDED: 2, SLICES: 2, OPINIONS: 3}  # and the version that first had it
ARRAYS = re.compile(r"arrays/[0-9a-f]{64}\.np[yz]")
SHA256 = re.compile(r"[0-9a-f]{64}")
ARRAY_NAME = re.compile(r"[\w.:-]{1,100}\.npy", re.ASCII)

MOST_MEMBERS = 50_000
LONGEST_LISTING = 2**24  # bytes; a member has about 150
LARGEST = 2**36  # bytes of all members unpacked
LARGEST_DOCUMENT = 2**24  # bytes of a JSON document, and of one line of a log
HIGHEST_RATIO = 200  # unpacked to packed; texts and logs that people make come to a tenth of it
SMALL = 2**26  # bytes; what unpacks to less can do no harm, whatever its ratio
PIECE = 2**20
UNREADABLE, REMEDY = "the packed run cannot be read: ", "; take another copy of it, or pack the run again"
PLAIN_KINDS = "biuf"  # truth values and numbers: nothing that could need pickle


@dataclass(frozen=True)
class Members:
    """The members of an opened packed run: of known names, and the very bytes that were packed."""

    archive: zipfile.ZipFile
    sizes: dict[str, int]

    @property
    def n_bytes(self) -> int:
        """How much the members come to, unpacked."""
        return sum(self.sizes.values())

    def document(self, name: str) -> Any:
        """Return a JSON document."""
        if self.sizes[name] > LARGEST_DOCUMENT:
            raise damaged(name, f"{self.sizes[name]:,} bytes, at most {LARGEST_DOCUMENT:,} are read")
        return _parse(self.archive.read(name), name)

    def lines(self, name: str) -> Iterator[tuple[str, Any]]:
        """Yield where it stands and its value, for each line of a log."""
        with self.archive.open(name) as stream:
            number = 0
            while line := stream.readline(LARGEST_DOCUMENT + 1):
                number += 1
                where = f"{name}, line {number}"
                if len(line) > LARGEST_DOCUMENT:
                    raise damaged(where, f"longer than {LARGEST_DOCUMENT:,} bytes")
                yield where, _parse(line, where)

    def packed_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of an ``.npz``, in their order."""
        arrays = {}
        with zipfile.ZipFile(io.BytesIO(self.archive.read(name))) as inner:
            for info in inner.infolist():
                if info.compress_type != zipfile.ZIP_STORED or not ARRAY_NAME.fullmatch(info.filename):
                    raise damaged(name, f"holds {info.filename[:40]!r}, which is no array as they are stored")
                with inner.open(info) as stream:
                    key = info.filename.removesuffix(".npy")
                    arrays[key] = _read_array(stream, info.file_size, f"{name}, {key}")
            if len(arrays) < len(inner.infolist()):
                raise damaged(name, "one array is there twice")
        return arrays

    def array(self, name: str) -> NDArray[Any]:
        """Return the array of an ``.npy``."""
        with self.archive.open(name) as stream:
            return _read_array(stream, self.sizes[name], name)


def damaged(where: str, what: str) -> StoreError:
    """Make the error of a packed run that is not as it was packed."""
    return StoreError(f"{UNREADABLE}{where}: {what}{REMEDY}")


def array_member(sha256: str, suffix: str) -> str:
    """Return the name of the member that has arrays with this hash."""
    return f"arrays/{sha256}.{suffix}"


@contextmanager
def open_members(path: Path) -> Iterator[Members]:
    """Open a packed run and check names, sizes and hashes of all its members.

    Raises
    ------
    StoreError
        When the file is not there, is no packed run, is damaged, or would unpack to more than is read.
    StoreVersionError
        When a newer version packed it.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for without an end
            raise StoreError(f"cannot read {path}: it is no regular file; name the file that `alvin pack` wrote")
        file = path.open("rb")
    except (OSError, ValueError) as error:  # the latter of a name with a null byte
        raise StoreError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    with file:
        with as_damage(path):
            if (listed := listing_bytes(file)) > LONGEST_LISTING:
                raise StoreError(f"{path} lists {listed:,} bytes of members; a packed run at most {LONGEST_LISTING:,}")
            archive = zipfile.ZipFile(file)
            sizes = _check_manifest(archive, _checked_infos(path, archive))
        with archive:
            yield Members(archive, sizes)


@contextmanager
def as_damage(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with the bytes of a packed run into a `StoreError`."""
    try:
        yield
    except AlvinError:
        raise
    except OSError as error:
        raise StoreError(f"cannot read {path}: {disk_reason(error)}") from error
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for one thing: these bytes are not ours
        raise StoreError(
            f"{path} is damaged, or is no packed run: {first_line(error)}; take another copy of it"
        ) from error


def _checked_infos(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    listed = archive.infolist()
    if len(listed) > MOST_MEMBERS:
        raise StoreError(f"{path} has {len(listed):,} members; a packed run has at most {MOST_MEMBERS:,}")
    infos = {info.filename: info for info in listed}
    for name in infos:
        if name not in (MANIFEST, *FIXED, *OPTIONAL) and not ARRAYS.fullmatch(name):
            raise StoreError(f"{path} holds {name[:60]!r}, which no packed run has; nothing of it was read")
    if MANIFEST not in infos:
        raise StoreError(f"{path} is no packed run: it has no {MANIFEST}; make one with `alvin pack`")
    if len(infos) < len(listed):
        raise damaged(str(path), "a member is there twice")
    if any(
        info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in listed
    ):
        raise damaged(str(path), "a member is encrypted, or compressed in a way that is not read")
    _check_sizes(path, listed)
    return infos


def _check_sizes(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse bombs by what the zip declares; a stream is never read beyond that."""
    size, unpacked = path.stat().st_size, sum(info.file_size for info in infos)
    if sum(info.compress_size for info in infos) > size:
        raise damaged(str(path), "its members overlap")
    if unpacked > LARGEST:
        raise StoreError(f"{path} would unpack to {unpacked:,} bytes, at most {LARGEST:,} are read; nothing was read")
    if unpacked > max(SMALL, HIGHEST_RATIO * size):
        raise StoreError(
            f"{path} would unpack to {unpacked:,} bytes, more than {HIGHEST_RATIO} times its own size of {size:,}, as "
            "no packed run does; nothing was read"
        )


def _check_manifest(archive: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo]) -> dict[str, int]:
    sizes = {name: info.file_size for name, info in infos.items()}
    manifest = Members(archive, sizes).document(MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise damaged(MANIFEST, f"is not that of the format {FORMAT!r}")
    version = manifest.get("version")
    if type(version) is not int or version < 1:
        raise damaged(MANIFEST, f"version is {version!r}")
    if version > FORMAT_VERSION:
        raise StoreVersionError(
            f"the packed run has the format version {version}, this ALVIN Studio reads {FORMAT_VERSION}; upgrade it"
        )
    members = manifest.get("members")
    if not isinstance(members, dict) or members.keys() != infos.keys() - {MANIFEST}:
        raise damaged(MANIFEST, "does not list the members that are there")
    if missing := [name for name in FIXED if name not in infos]:
        raise damaged(missing[0], "is missing")
    if newer := [name for name, since in OPTIONAL.items() if name in infos and version < since]:
        raise damaged(newer[0], f"is there, and a packed run of version {version} has none")
    for name, said in members.items():
        expected = {"bytes": sizes[name], "sha256": _sha256(archive, name)}
        if said != expected or (ARRAYS.fullmatch(name) and name[7:71] != expected["sha256"]):
            raise damaged(name, "is not what was packed: its size or its SHA-256 differs")
    return sizes


def _sha256(archive: zipfile.ZipFile, name: str) -> str:
    sha = hashlib.sha256()
    with archive.open(name) as stream:
        while piece := stream.read(PIECE):
            sha.update(piece)
    return sha.hexdigest()


def _parse(data: bytes, where: str) -> Any:
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
        # Half a surrogate pair can be written in JSON, and in no database.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise damaged(where, f"no JSON: {type(error).__name__}") from error
    return value


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _read_array(stream: IO[bytes], n_bytes: int, where: str) -> NDArray[Any]:
    """Read one array as numpy writes it, after its header has proved to describe the bytes that are there."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise damaged(where, f"an array of the format {version}")
    shape, in_columns, dtype = readers[version](stream)
    if dtype.kind not in PLAIN_KINDS or dtype.itemsize > 8 or not dtype.isnative:
        raise damaged(where, f"values of the type {dtype.str!r}, which no stored array has")
    count = 1
    for length in shape:
        if length < 0:
            raise damaged(where, f"the shape {shape}")
        count *= length  # of Python's whole numbers, which do not overflow
    if not 1 <= len(shape) <= 2 or stream.tell() + count * dtype.itemsize != n_bytes:
        raise damaged(where, f"the shape {shape} does not fit its {n_bytes:,} bytes")
    values: NDArray[Any] = np.empty(count, dtype=dtype)
    room, filled = values.view(np.uint8), 0
    while piece := stream.read(PIECE):
        room[filled : filled + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        filled += len(piece)
    if filled != len(room) or (dtype.kind == "b" and (room > 1).any()):
        raise damaged(where, "is cut off, or holds what is neither true nor false")
    return values.reshape(shape, order="F" if in_columns else "C")
