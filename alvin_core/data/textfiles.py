"""CSV, TSV and JSON Lines, plain or gzipped, read as streams of records with their line numbers."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

from alvin_core.data.columns import STANDARD_NAMES
from alvin_core.data.problems import ProblemLog, Unit, counted

__all__ = ["ABSENT", "MAX_FIELD", "DelimitedFile", "JsonLinesFile", "Record", "read_head"]

MAX_LINE = 64 * 2**20  # bytes; a file without line ends must not be read into memory whole
MAX_FIELD = 16 * 2**20  # characters; an unclosed quote swallows the file up to here
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


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, decompressed."""
    with open_bytes(path) as file:
        return file.read(HEAD_BYTES)


def decoded_lines(file: BinaryIO, log: ProblemLog) -> Iterator[str]:
    """Decode a file line by line, line ends kept; log bytes that are no UTF-8 text and go on.

    A byte order mark is skipped. A line longer than `MAX_LINE` ends the reading.
    """
    readline, number = file.readline, 0
    while raw := readline(MAX_LINE):
        number += 1
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
        silent = ProblemLog(log.file, 1)  # what is wrong in the header's line is logged when records are read
        with open_bytes(path) as file:
            reader = csv.reader(decoded_lines(file, silent), delimiter=delimiter, strict=True)
            try:
                self.header = tuple(name.strip() for name in next(reader, []))
            except csv.Error as error:
                what, remedy = explained(error)
                log.add("malformed header", remedy, what=f"malformed header: {what}", row=1)
                return
        self._check_header(log)

    def records(self, wanted: Sequence[str], log: ProblemLog) -> Iterator[Record]:
        """Yield the wanted columns of each record; log records that cannot be read, and skip them."""
        pick = picker([self.header.index(name) for name in wanted])
        width = len(self.header)
        with open_bytes(self.path) as file:
            reader = csv.reader(decoded_lines(file, log), delimiter=self.delimiter, strict=True)
            with suppress(csv.Error):  # a malformed header was logged when the file was opened
                next(reader, None)
            line = reader.line_num + 1
            while True:
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
            for line in islice(decoded_lines(file, silent), PEEKED_LINES):
                value, _ = parse_line(line)
                if isinstance(value, dict):
                    names.update(dict.fromkeys(value))
        self.header: tuple[str, ...] = tuple(names)

    def records(self, wanted: Sequence[str], log: ProblemLog) -> Iterator[Record]:
        """Yield the wanted values of each object, `ABSENT` where it has no such key; log lines that are none."""
        known, expected = set(self.header), {*wanted, *STANDARD_NAMES}
        with open_bytes(self.path) as file:
            for number, line in enumerate(decoded_lines(file, log), start=1):
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
            known.add(name)
            if name in expected:
                remedy = f"give it on one of the first {PEEKED_LINES:,} lines; null where unknown"
                log.add("column appears too late", remedy, row=number, column=name)


JSON_NAMES: dict[type, str] = {list: "list", str: "string", int: "number", float: "number", type(None): "null"}


def parse_line(line: str) -> tuple[object, str]:
    """Parse a line of JSON: its value (`ABSENT` for a blank line) and, where it is not JSON, what is wrong."""
    if line.isspace():
        return ABSENT, ""
    try:
        return json.loads(line), ""
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
