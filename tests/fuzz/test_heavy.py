"""Bombs, endless files and claims of a billion rows: refused in words or read, in bounded memory and time.

Each is done in a process of its own whose memory and time are bounded from outside. Small forms by default; with
``ALVIN_FUZZ`` the sizes that people speak of: a CSV file of 2 GB, one cell of 500 MB.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made_up import parquet_of

LONG = bool(os.environ.get("ALVIN_FUZZ"))
MIB = 2**20
SECONDS = 300 if LONG else 60
BOUNDED = Path(__file__).with_name("bounded.py")
Case = tuple[str, str, str]  # what is done, a file's name, what must be said of it

SENTENCES = b"and one more of some words, as people write them; " * 10
ROW = b'e%07d,"sentence %07d, ' + SENTENCES + b'",%s\n'


def rows_of(n_bytes: int) -> bytes:
    """Make rows of about so many bytes, of which none is as another."""
    return b"".join(row_of(row) for row in range(n_bytes // len(ROW)))


def row_of(row: int) -> bytes:
    return ROW % (row, row, b"pos" if row % 2 else b"neg")


def repeated(path: Path, head: bytes, block: bytes, n_times: int, tail: bytes = b"") -> None:
    with path.open("wb") as file:
        file.write(head)
        for _ in range(n_times):
            file.write(block)
        file.write(tail)


def varint(number: int) -> bytes:
    """Write a number as Parquet's footer has it."""
    number, made = number << 1, b""
    while number > 127:
        made, number = made + bytes([number & 127 | 128]), number >> 7
    return made + bytes([number])


def with_rows(content: bytes, n_rows: int, claimed: int, *, everywhere: bool) -> bytes:
    """Let the footer of a Parquet file say another number of rows; the numbers before are the same."""
    (size,) = struct.unpack("<I", content[-8:-4])
    body, footer = content[: -8 - size], content[-8 - size : -8]
    changed = footer.replace(b"\x16" + varint(n_rows), b"\x16" + varint(claimed), -1 if everywhere else 1)
    assert changed != footer
    return body + changed + struct.pack("<I", len(changed)) + b"PAR1"


def write_texts(folder: Path) -> None:
    """Text files that have no end, or one far away."""
    short, size = (500, 500) if LONG else (17, 35)
    repeated(folder / "line.csv", b"text,label\n", b"x" * MIB, short)
    repeated(folder / "first_line.csv", b"", b"x" * MIB, short)
    repeated(folder / "line.jsonl", b'{"text": "', b"x" * MIB, short)
    repeated(folder / "cell.csv", b'text,label\n"', b"word " * 200_000 + b"\n", size, b'",pos\n')
    repeated(folder / "cell_labels.csv", b'id,label\n"', b"word " * 200_000 + b"\n", size, b'",pos\n')
    value = b'"' + b"a" * (1 if LONG else 1000) + b'\n",'
    repeated(folder / "record.csv", b"text,label\n", value * (MIB // len(value)), size)
    repeated(folder / "header.csv", b"", b'"a\n",' * 200_000, 3)
    (folder / "columns.csv").write_bytes(b"text,label," + b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n")
    (folder / "keys.jsonl").write_bytes(json.dumps({f"k{n}": n for n in range(200_000)}).encode() + b"\n")
    (folder / "deep.jsonl").write_bytes(b'{"text": "a"}\n' + b"[" * 100_000 + b"\n" + b'{"text":' * 100_000 + b"\n")
    (folder / "wide.jsonl").write_bytes(b'{"text": [' + b"[]," * 2_000_000 + b"1]}\n")
    repeated(folder / "ids.csv", b"id,text,label\n", b"x" * (10 * MIB) + b",a,pos\n", 3)
    with gzip.open(folder / "bomb.csv.gz", "wb", compresslevel=6) as file:
        file.write(b"text,label\n")
        for _ in range(70):
            file.write((b"a" * 2**10 + b",pos\n" + b"b" * 2**10 + b",neg\n") * 2**9)
    with gzip.open(folder / "line_bomb.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(70):
            file.write(b"x" * MIB)
    with (folder / "sparse.csv").open("wb") as file:
        file.truncate(2**31)
    (folder / "shrinking.csv").write_bytes(b"id,text,label\n" + rows_of(2 * MIB))


TEXT_CASES: list[Case] = [
    ("load", "line.csv", "line too long; at most 16,777,216 bytes a line"),
    ("load", "first_line.csv", "line too long; at most 16,777,216 bytes a line"),
    ("load", "line.jsonl", "line too long; at most 16,777,216 bytes a line"),
    ("load", "cell.csv", "record too long; at most 33,554,432 characters|is never closed"),
    ("labels", "cell_labels.csv", "record too long; at most 33,554,432 characters|is never closed"),
    ("load", "record.csv", "record too long; at most 33,554,432 characters|is never closed"),
    ("load", "header.csv", "header too long; at most 1,048,576 characters and 10,000 columns"),
    ("load", "columns.csv", "header too long; at most 1,048,576 characters and 10,000 columns"),
    ("load", "keys.jsonl", "too many columns; at most 10,000 keys"),
    ("load", "deep.jsonl", "invalid JSON: brackets nested too deeply; write one JSON object a line"),
    ("load", "wide.jsonl", "a list or an object where a text is expected; give one string"),
    ("load", "ids.csv", "an id of 10,485,760 characters; at most 128"),
    ("load", "bomb.csv.gz", "unpacks to too much; at most [0-9,]+ bytes are unpacked of it; unpack it first"),
    ("load", "line_bomb.csv.gz", "line too long; at most 16,777,216 bytes a line"),
    ("load", "sparse.csv", "UTF-16 or UTF-32, or the file is binary; save the file as UTF-8"),
    ("shrinking", "shrinking.csv", "it changed while it was read; read it again when nothing writes to it"),
    ("preview", "line.csv", ""),
    ("preview", "record.csv", ""),
    ("preview", "header.csv", ""),
    ("preview", "keys.jsonl", ""),
]


def write_parquet(folder: Path) -> None:
    plain = pa.table({"text": [f"text {n}" for n in range(1000)], "label": [n % 2 for n in range(1000)]})
    content = parquet_of(plain, compression="none", use_dictionary=False)
    (folder / "billion.parquet").write_bytes(with_rows(content, 1000, 10**9, everywhere=False))
    (folder / "billion_everywhere.parquet").write_bytes(with_rows(content, 1000, 10**9, everywhere=True))
    (folder / "some_more.parquet").write_bytes(with_rows(content, 1000, 10**6, everywhere=True))
    one = pa.table({"text": pa.array([b"x" * (100 * MIB)], pa.binary()), "label": [1]})
    (folder / "page.parquet").write_bytes(parquet_of(one, compression="zstd", use_dictionary=False))
    many = pa.table(
        {
            "text": pa.DictionaryArray.from_arrays(np.zeros(50_000, dtype=np.int32), pa.array(["x" * MIB])),
            "label": np.arange(50_000) % 2,
        }
    )
    (folder / "shared.parquet").write_bytes(parquet_of(many, compression="zstd", store_schema=False))


PARQUET_CASES: list[Case] = [
    ("load", "billion.parquet", "it says that it has 1,000,000,000 rows; at most [0-9,]+ are read; take a sample"),
    ("load", "billion_everywhere.parquet", "it says that it has 1,000,000,000 rows; at most [0-9,]+ are read"),
    ("check", "some_more.parquet", "1000 rows"),
    ("load", "page.parquet", "1 rows would unpack to [0-9,]+ bytes; at most 67,108,864 are unpacked"),
    ("load", "shared.parquet", "more than 107,374,182 bytes of texts and rows; take a sample of it, or set"),
    ("preview", "billion_everywhere.parquet", ""),
    ("preview", "shared.parquet", ""),
]


def write_packed(folder: Path) -> None:
    size = (600 if LONG else 100) * MIB
    np.savez_compressed(folder / "bomb.npz", a=np.zeros(size, dtype=np.uint8))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("run.json", "w") as file:
            for _ in range(size // MIB):
                file.write(bytes(MIB))
        archive.writestr("manifest.json", "{}")
    with zipfile.ZipFile(folder / "members.zip", "w") as archive:
        for number in range(200_000 if LONG else 51_000):
            archive.writestr(f"m{number}", b"")
    with tarfile.open(folder / "bomb.tar.gz", "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo(f"datasets/{'a' * 64}.npz")
        info.size = size
        archive.addfile(info, Zeros(size))
    head = tarfile.TarInfo("tables/runs.jsonl")
    head.type, head.size = tarfile.XHDTYPE, size
    with gzip.open(folder / "header.tar.gz", "wb", compresslevel=1) as file:
        file.write(head.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(size // MIB):
            file.write(bytes(MIB))
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,)}" % 10**12
    padded = header + b" " * (117 - len(header)) + b"\n"
    (folder / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + bytes(64))


class Zeros(io.RawIOBase):
    """Zeros without end."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, n: int = -1) -> bytes:
        made = min(self.left, n)
        self.left -= made
        return bytes(made)


SOUND = ("some_more.parquet",)  # a wrong count that nobody needs
PACKED_CASES: list[Case] = [
    ("packed", "bomb.npz", "its arrays are compressed, as stored ones never are"),
    ("unpack", "bomb.zip", "would unpack to [0-9,]+ bytes, more than 200 times its own size"),
    ("unpack", "members.zip", "has [0-9,]+ members; a packed run has at most 50,000|lists [0-9,]+ bytes of members"),
    ("restore", "bomb.tar.gz", "would unpack to [0-9,]+ bytes or more, over 200 times its own size"),
    ("restore", "header.tar.gz", "a header of [0-9,]+ bytes; a backup has none above 65,536"),
    ("array", "huge.npy", "cannot read .*; `alvin verify` says how it is mended"),
]


def write_special(folder: Path) -> None:
    for name in ("pipe.csv", "pipe.toml", "pipe.zip", "pipe.tar"):
        os.mkfifo(folder / name)
    (folder / "zero.csv").symlink_to("/dev/zero")
    (folder / "zero.toml").symlink_to("/dev/zero")
    (folder / "zero.zip").symlink_to("/dev/zero")
    (folder / "zero.tar").symlink_to("/dev/zero")
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "loop.toml").symlink_to(folder / "loop.toml")
    (folder / "dangling.csv").symlink_to(folder / "nowhere.csv")
    (folder / "folder.csv").mkdir()
    repeated(folder / "long.toml", b"# ", b"x" * MIB, 20)


SPECIAL_CASES: list[Case] = [
    *(("load", name, "not a regular file; save the data to a file first") for name in ("pipe.csv", "zero.csv")),
    *(("labels", name, "not a regular file; save the data to a file first") for name in ("pipe.csv", "zero.csv")),
    *(("preview", name, "") for name in ("folder.csv", "loop.csv", "dangling.csv")),
    ("load", "loop.csv", "no such file; check the path|Too many levels of symbolic links"),
    ("load", "dangling.csv", "no such file; check the path"),
    ("load", "folder.csv", "a directory; give one file"),
    *(
        ("settings", name, "is no regular file; save the settings to a file first")
        for name in ("pipe.toml", "zero.toml")
    ),
    ("settings", "loop.toml", "Too many levels of symbolic links"),
    ("settings", "long.toml", "longer than 32,768 bytes, the most that is read"),
    *(
        ("unpack", name, "it is no regular file; name the file that `alvin pack` wrote")
        for name in ("pipe.zip", "zero.zip")
    ),
    *(
        ("restore", name, "it is no regular file; name the file that `alvin backup` wrote")
        for name in ("pipe.tar", "zero.tar")
    ),
]

Write = Callable[[Path], None]
GROUPS: dict[str, tuple[Write, list[Case], int]] = {  # with the most MiB that one may take
    "texts": (write_texts, TEXT_CASES, 700),
    "parquet": (write_parquet, PARQUET_CASES, 700),
    "packed": (write_packed, PACKED_CASES, 300),
    "special files": (write_special, SPECIAL_CASES, 100),
}


def bounded(cases: list[dict[str, Any]], folder: Path, **environment: str) -> list[dict[str, Any]]:
    place = folder / "cases.json"
    place.write_text(json.dumps(cases), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(BOUNDED), str(place)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        cwd=folder,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is bounded and measured as Linux does it"
)
@pytest.mark.parametrize("group", GROUPS)
def test_what_would_fill_memory_or_time_is_refused_in_words(group: str, tmp_path: Path) -> None:
    write, cases, most = GROUPS[group]
    write(tmp_path)
    before = sorted(one.name for one in tmp_path.iterdir())
    asked = [
        {"name": f"{do} {name}", "do": do, "path": str(tmp_path / name), "room": 1500, "seconds": SECONDS}
        for do, name, _ in cases
    ]
    found = bounded(asked, tmp_path, ALVIN_LARGEST_DATA="0.1")
    wrong = []
    for (do, name, said), one in zip(cases, found, strict=True):
        is_said = re.search(said.replace("(", r"\(").replace(")", r"\)"), one["message"])
        fits = one["outcome"] == ("read" if do == "preview" or name in SOUND else "refused") and is_said
        if not fits or one["peak"] > most or len(one["message"]) > 4000:
            wrong.append(one)
    assert not wrong, "\n".join(map(str, wrong))
    (tmp_path / "cases.json").unlink()
    assert sorted(one.name for one in tmp_path.iterdir()) == before


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is bounded and measured as Linux does it"
)
def test_a_large_file_is_read_in_memory_that_a_stated_multiple_bounds_or_refused_with_the_limit(tmp_path: Path) -> None:
    """Read: at most 2.5 times the file. Refused: at most the limit and a third, however long the file is."""
    n_mib = 2048 if LONG else 48
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.write(b"id,text,label\n")
        n_rows = n_mib * MIB // len(row_of(0))
        for start in range(0, n_rows, 10_000):
            file.write(b"".join(map(row_of, range(start, min(start + 10_000, n_rows)))))
    room = 3 * n_mib + 600
    case = {"name": "large", "do": "load", "path": str(path), "room": room, "seconds": 600}
    (read,) = bounded([case], tmp_path)
    assert read["outcome"] == "read", read
    (refused,) = bounded([case], tmp_path, ALVIN_LARGEST_DATA=str(n_mib / 4 / 1024))
    assert refused["outcome"] == "refused"
    assert "bytes of texts and rows; take a sample of it, or set ALVIN_LARGEST_DATA" in refused["message"]
    (ended,) = bounded([{**case, "room": n_mib // 2}], tmp_path)
    assert ended["outcome"] == "refused"
    assert "memory ran out" in ended["message"]
    sys.stdout.write(f"{n_mib} MiB: read with {read['peak']:.0f} MiB, refused with {refused['peak']:.0f} MiB\n")
    assert read["peak"] < 2.5 * n_mib + 60
    assert refused["peak"] < n_mib / 3 + 120
