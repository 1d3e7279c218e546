"""CSV, TSV and JSON Lines, plain or gzipped, read as streams of records with their line numbers."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, cast

from alvin_core.data.columns import STANDARD_NAMES
from alvin_core.data.limits import MOST_COLUMNS, unpacked_limit
from alvin_core.data.problems import ProblemLog, Unit, counted
from alvin_core.shown import shown

__all__ = ["ABSENT", "MAX_FIELD", "DelimitedFile", "JsonLinesFile", "Record", "read_head"]

MAX_LINE = 16 * 2**20  # bytes; a file without line ends must not be read into memory whole
MAX_FIELD = 16 * 2**20  # characters; an unclosed quote swallows the file up to here
MAX_RECORD = 2 * MAX_FIELD  # characters; values over many lines, each of them short, are held together
MAX_HEADER = 2**20  # characters
PEEKED_LINES = 1000
UTF8_REMEDY = "save the file as UTF-8"
HEAD_BYTES = 4096

ABSENT = type("Absent", (), {"__repr__": lambda self: "nothing"})()
"""Stands for a key that a JSON object does not have; an empty value is something else."""

Record = tuple[int, Sequence[object]]
"""A record's first line (or its data row) and its values, in the order in which columns were asked for."""


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading bytes, through gzip where its name ends in ``.gz``."""
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def packed_limit(path: Path) -> int | None:
    """Return how many bytes are unpacked of a file; None where it is not packed."""
    return unpacked_limit(path) if path.suffix.lower() == ".gz" else None


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, decompressed."""
    with open_bytes(path) as file:
        return file.read(HEAD_BYTES)


def decoded_lines(file: BinaryIO, log: ProblemLog, most: int | None = None) -> Iterator[str]:
    """Decode a file line by line, line ends kept; log bytes that are no UTF-8 text and go on.

    A byte order mark is skipped. A line longer than `MAX_LINE`, or more than ``most`` bytes, end the reading.
    """
    readline, number, left = file.readline, 0, most or sys.maxsize
    while raw := readline(MAX_LINE):
        number += 1
        left -= len(raw)
        if left < 0:
            log.cut(
                "unpacks to too much", f"at most {most or 0:,} bytes are unpacked of it; unpack it first", row=number
            )
            return
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(raw) == MAX_LINE:
            log.add("line too long", f"at most {MAX_LINE:,} bytes a line; are the line ends right?", row=number)
            return
        if b"\0" in raw:
            log.add("NUL byte", "remove it; text files hold none", row=number)
            raw = raw.replace(b"\0", b"?")
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            bad = raw[error.start : error.start + 1]
            log.add("not UTF-8", UTF8_REMEDY, what=f"byte 0x{bad.hex().upper()} is not UTF-8", row=number)
            yield raw.decode("utf-8", errors="replace")


class DelimitedFile:
    """A file of comma- or tab-separated values; the first line names the columns."""

    unit: Unit = "line"

    def __init__(self, path: Path, delimiter: str, log: ProblemLog) -> None:
        self.path, self.delimiter = path, delimiter
        # The limit is the csv module's own, for the whole process; it is only ever raised, which breaks no one.
        csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD))
        self.header: tuple[str, ...] = ()
        self._read = 0  # characters of the record that is being read
        silent = ProblemLog(log.file, 1)  # what is wrong in the header's line is logged when records are read
        with open_bytes(path) as file:
            reader = self._reader(file, silent, MAX_HEADER)
            try:
                self.header = tuple(name.strip() for name in next(reader, []))
            except csv.Error as error:
                if self._read <= MAX_HEADER:
                    what, remedy = explained(error)
                    log.add("malformed header", remedy, what=f"malformed header: {what}", row=1)
                    return
        if self._read > MAX_HEADER or len(self.header) > MOST_COLUMNS:
            self.header = ()
            most = f"at most {MAX_HEADER:,} characters and {MOST_COLUMNS:,} columns"
            log.add("header too long", f"{most}; does the first line name the columns?", row=1)
        elif any(self.header) or not silent.count("error"):
            self._check_header(log)

    def _reader(self, file: BinaryIO, log: ProblemLog, most: int = MAX_RECORD) -> Any:
        """Return the csv module's reader of records; one of more than ``most`` characters ends the reading."""
        lines = self._counted(decoded_lines(file, log, packed_limit(self.path)), log, most)
        return csv.reader(lines, delimiter=self.delimiter, strict=True)

    def _counted(self, lines: Iterator[str], log: ProblemLog, most: int) -> Iterator[str]:
        for number, line in enumerate(lines, start=1):
            self._read += len(line)
            if self._read > most:
                log.cut("record too long", f"at most {most:,} characters; are the quotes right?", row=number)
                return
            yield line

    def records(self, wanted: Sequence[str], log: ProblemLog) -> Iterator[Record]:
        """Yield the wanted columns of each record; log records that cannot be read, and skip them."""
        pick = picker([self.header.index(name) for name in wanted])
        width = len(self.header)
        with open_bytes(self.path) as file:
            reader = self._reader(file, log)
            self._read = 0
            with suppress(csv.Error):  # a malformed header was logged when the file was opened
                next(reader, None)
            line = reader.line_num + 1
            while True:
                self._read = 0
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    what, remedy = explained(error)
                    log.add("malformed row", remedy, what=what, row=line)
                else:
                    if len(values) == width:
                        yield line, pick(values)
                    elif values and width:
                        found, expected = counted(len(values), "value"), counted(width, "column")
                        what = f"ragged row: {found} where the header has {expected}"
                        log.add("ragged row", self._ragged_remedy(), what=what, row=line)
                line = reader.line_num + 1

    def _check_header(self, log: ProblemLog) -> None:
        if not any(self.header):
            log.add("no header", "the first line must name the columns, such as: id,text,label,split", row=1)
        elif len(self.header) == 1:
            for other, name in ((",", "comma"), ("\t", "tab"), (";", "semicolon"), ("|", "bar")):
                if other in self.header[0] and other != self.delimiter:
                    remedy = f"the values seem to be separated by a {name}; save as .csv with commas or .tsv with tabs"
                    log.add("only one column", remedy, column=self.header[0])
                    return

    def _ragged_remedy(self) -> str:
        sign = "comma" if self.delimiter == "," else "tab"
        return f'put a value that holds a {sign} or a line end between double quotes (")'


class JsonLinesFile:
    """A file with one JSON object a line; keys are the columns."""

    unit: Unit = "line"

    def __init__(self, path: Path, log: ProblemLog) -> None:
        self.path = path
        names: dict[str, None] = {}
        silent = ProblemLog(log.file, 1)
        with open_bytes(path) as file:
            for line in islice(decoded_lines(file, silent, packed_limit(path)), PEEKED_LINES):
                value, _ = parse_line(line)
                if isinstance(value, dict):
                    names.update(dict.fromkeys(value))
                    if len(names) > MOST_COLUMNS:
                        log.add("too many columns", f"at most {MOST_COLUMNS:,} keys; are they values?")
                        names.clear()
                        break
        self.header: tuple[str, ...] = tuple(names)

    def records(self, wanted: Sequence[str], log: ProblemLog) -> Iterator[Record]:
        """Yield the wanted values of each object, `ABSENT` where it has no such key; log lines that are none."""
        known, expected = set(self.header), {*wanted, *STANDARD_NAMES}
        with open_bytes(self.path) as file:
            for number, line in enumerate(decoded_lines(file, log, packed_limit(self.path)), start=1):
                value, error = parse_line(line)
                if isinstance(value, dict):
                    if not known.issuperset(value):
                        self._log_late(value, known, expected, number, log)
                    get = value.get
                    yield number, [get(name, ABSENT) for name in wanted]
                elif error:
                    log.add("invalid JSON", "write one JSON object a line", what=f"invalid JSON: {error}", row=number)
                elif value is not ABSENT:
                    what = f"a JSON {JSON_NAMES.get(type(value), 'value')} where an object is expected"
                    log.add("not an object", 'each line is like {"text": "…", "label": "…"}', what=what, row=number)

    def _log_late(
        self, value: dict[str, object], known: set[str], expected: set[str], number: int, log: ProblemLog
    ) -> None:
        for name in value.keys() - known:
            if len(known) < 2 * MOST_COLUMNS:
                known.add(name)
            if name in expected:
                remedy = f"give it on one of the first {PEEKED_LINES:,} lines; null where unknown"
                log.add("column appears too late", remedy, row=number, column=name)


JSON_NAMES: dict[type, str] = {list: "list", str: "string", int: "number", float: "number", type(None): "null"}


class _RepeatedKeyError(ValueError):
    """An object has a key twice, with two values of which none is the right one."""


def _object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(name for name, n_times in Counter(name for name, _ in pairs).items() if n_times > 1)
        raise _RepeatedKeyError(f"the key {shown(name)} is there twice")
    return found


_decode = json.JSONDecoder(object_pairs_hook=_object_of).decode


def parse_line(line: str) -> tuple[object, str]:
    """Parse a line of JSON: its value (`ABSENT` for a blank line) and, where it is not JSON, what is wrong."""
    if line.isspace():
        return ABSENT, ""
    try:
        return _decode(line), ""
    except _RepeatedKeyError as error:
        return ABSENT, str(error)
    except json.JSONDecodeError as error:
        return ABSENT, f"{error.msg} at character {error.colno}"
    except ValueError:
        return ABSENT, "a number with too many digits"
    except RecursionError:
        return ABSENT, "brackets nested too deeply"


def explained(error: csv.Error) -> tuple[str, str]:
    """Say in a user's words what the csv module refused, and what to do."""
    message = str(error)
    if "new-line character" in message:
        return "a bare carriage return (CR) ends the line", "save the file with LF or CRLF line ends"
    if "unexpected end of data" in message or "field limit" in message:
        return 'a double quote (") that opens here is never closed', 'close it; write a quote inside a value twice ("")'
    remedy = 'put the whole value between double quotes (") and write each quote inside it twice ("")'
    return f"malformed quotes ({message})", remedy


def picker(indices: Sequence[int]) -> Callable[[Sequence[object]], Sequence[object]]:
    """Return a fast function that takes the values at some places, always as a sequence."""
    if len(indices) == 1:
        return lambda values, at=indices[0]: (values[at],)  # type: ignore[misc]
    if not indices:
        return lambda values: ()
    return cast(Callable[[Sequence[object]], Sequence[object]], itemgetter(*indices))
