"""Gather a stream of records into packed columns: what a million rows need, and no more."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.columns import Layout
from alvin_core.data.dataset import UNLABELED
from alvin_core.data.formats import UNREADABLE, RecordSource, log_unreadable
from alvin_core.data.limits import CHUNK_CHARACTERS, ROW_BYTES, TOO_LARGE, largest_data
from alvin_core.data.packing import WHOLE_NUMBER, NestedValueError, Packed, as_text
from alvin_core.data.problems import ProblemLog
from alvin_core.data.spreadsheets import as_written, is_exported
from alvin_core.data.textfiles import ABSENT, MAX_FIELD, DelimitedFile, Record

__all__ = ["EMPTY", "GOOD", "MAX_NAME", "REFUSED", "Categories", "Ids", "Table", "gather"]

CHUNK_ROWS = 4096
MAX_NAME = 128  # characters of an id, a label, a split or an attribute value
MAX_VALUES = 10_000  # different labels, splits or attribute values: more is the wrong column, and costs memory
REFUSED = -2  # a value that was logged as an error
GOOD, EMPTY, BAD = 0, 1, 2


class Categories:
    """A column of few different values: their names, and a code for each row.

    ``codes`` are rows of ``names``; -1 where the cell is empty, -2 where the value was logged as an error.
    """

    def __init__(self, role: str, column: str, log: ProblemLog) -> None:
        self.role, self.column, self.log = role, column, log
        self.names: list[str] = []
        self.codes = array("i")
        self._known: dict[str, int] = {}
        self._told_whole = False

    def extend(self, values: Sequence[object], lines: Sequence[int]) -> None:
        known, append = self._known, self.codes.append
        for value, line in zip(values, lines, strict=True):
            code = known.get(value) if type(value) is str else None
            append(self._code(value, line) if code is None else code)

    def array(self) -> NDArray[np.int32]:
        """The codes, of shape (n,)."""
        return np.frombuffer(self.codes, dtype=np.int32) if self.codes else np.empty(0, dtype=np.int32)

    def _code(self, value: object, line: int) -> int:
        try:
            name = as_text(value).strip()
        except NestedValueError:
            self._refuse("a list or an object where one value is expected", "give one value", value, line)
            return REFUSED
        if self.role == "label" and (whole := WHOLE_NUMBER.fullmatch(name)):
            name = whole[1]
            self._tell_whole(value, name)
        elif self.role == "label" and isinstance(value, float) and value.is_integer():
            self._tell_whole(value, name)
        code = self._known.get(name)
        if code is None:
            code = self._new(name, line)
        if isinstance(value, str) and code != REFUSED and len(self._known) < 2 * MAX_VALUES:
            self._known[value] = code
        return code

    def _new(self, name: str, line: int) -> int:
        """Check a value that was not met before and give it a code."""
        if not name or (name.lower() == "nan" and self.role == "attribute"):
            code = UNLABELED
        elif name.lower() == "nan" and self.role == "label":
            self._refuse("NaN is not a label", "leave the cell empty where no label is known", name, line)
            return REFUSED
        elif len(name) > MAX_NAME or not name.isprintable():
            why = f"at most {MAX_NAME} characters, no control characters"
            self._refuse(f"not a {self.role}", f"{why}; is it the right column?", name, line)
            return REFUSED
        elif len(self.names) >= MAX_VALUES:
            self._refuse(f"more than {MAX_VALUES:,} different values", "is it the right column?", name, line)
            return REFUSED
        else:
            code = len(self.names)
            self.names.append(name)
        self._known[name] = code
        return code

    def _tell_whole(self, value: object, name: str) -> None:
        if not self._told_whole:
            self._told_whole = True
            what = f"whole numbers written with a decimal point are read without it: {value!r} as {name!r}"
            self.log.add("decimal labels", "", what=what, column=self.column, severity="warning")

    def _refuse(self, what: str, remedy: str, value: object, line: int) -> None:
        self.log.add(f"{self.role}: {what}", remedy, what=what, row=line, column=self.column, value=value)


class Ids:
    """The column of ids, with a hash of each to find repeated ones."""

    def __init__(self, column: str, log: ProblemLog) -> None:
        self.column, self.log = column, log
        self.packed = Packed()
        self.hashes = bytearray()
        self.longest = 1  # characters

    def extend(self, values: Sequence[object], lines: Sequence[int]) -> None:
        for value, line in zip(values, lines, strict=True):
            try:
                name = as_text(value).strip()
            except NestedValueError:
                name = ""
                self._refuse("a list or an object where an id is expected", "give one value", value, line)
            else:
                if not name or len(name) > MAX_NAME or not name.isprintable():
                    self._explain(name, line)
            data = name.encode("utf-8", errors="replace")
            self.packed.append(data)
            self.hashes += blake2b(data, digest_size=16).digest()
            self.longest = max(self.longest, len(name))

    def _explain(self, name: str, line: int) -> None:
        if not name:
            self._refuse("no id", "give every row an id, or leave the column out", None, line)
        elif len(name) > MAX_NAME:
            what = f"an id of {len(name):,} characters"
            self._refuse("id too long", f"at most {MAX_NAME}", name, line, what)
        else:
            self._refuse("an id with control characters", "use printable characters only", name, line)

    def _refuse(self, kind: str, remedy: str, value: object, line: int, what: str | None = None) -> None:
        self.log.add(kind, remedy, what=what, row=line, column=self.column, value=value)


def pair_key(first: bytes | None, second: bytes | None) -> bytes | None:
    """Return what pairs are compared by: nothing where a text is empty, None where one was refused."""
    if first is None or second is None:
        return None
    return first + b"\0" + second if first and second else b""  # texts hold no NUL, so that it marks the border


class TextColumns:
    """One column of texts, or two, with a hash of each example's text and its state: `GOOD`, `EMPTY` or `BAD`."""

    def __init__(self, names: tuple[str, ...], log: ProblemLog) -> None:
        self.names, self.log = names, log
        self.packed = tuple(Packed() for _ in names)
        self.hashes = bytearray()
        self.states = bytearray()

    def extend(self, columns: Sequence[Sequence[object]], lines: Sequence[int]) -> None:
        packed = [self._pack(at, values, lines) for at, values in enumerate(columns)]
        for key in packed[0] if len(packed) == 1 else map(pair_key, *packed):
            # A refused text is None: it is an error already, so that it is neither empty nor a duplicate as well.
            self.states.append(GOOD if key else BAD if key is None else EMPTY)
            self.hashes += blake2b(key or b"", digest_size=16).digest()

    def _pack(self, at: int, values: Sequence[object], lines: Sequence[int]) -> list[bytes | None]:
        """Pack one chunk of one column; return what duplicates are compared by: the text without outer blanks."""
        append = self.packed[at].append
        keys: list[bytes | None] = []
        for value, line in zip(values, lines, strict=True):
            text = value if type(value) is str else self._as_text(at, value, line)
            data = None if text is None else self._encoded(text, at, line)
            append(data or b"")
            if text is not None and data is not None:
                stripped = text.strip()
                keys.append(data if len(stripped) == len(text) else stripped.encode("utf-8"))
            else:
                keys.append(None)
        return keys

    def _encoded(self, text: str, at: int, line: int) -> bytes | None:
        if len(text) > MAX_FIELD:
            self._refuse(f"a text of more than {MAX_FIELD:,} characters", "divide it", at, text, line)
            return None
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError:
            self._refuse("not a Unicode text", "it holds half a character (a lone surrogate)", at, text, line)
            return None
        if b"\0" in data:
            self._refuse("NUL in a text", "remove the character U+0000", at, text, line)
            return None
        return data

    def _as_text(self, at: int, value: object, line: int) -> str | None:
        if value is ABSENT:
            self._refuse("no text", f"give every object the key {self.names[at]!r}", at, None, line)
            return None
        try:
            text = as_text(value)
        except NestedValueError:
            self._refuse("a list or an object where a text is expected", "give one string", at, value, line)
            return None
        return "" if value != value else text  # NaN is how some programs write a missing text

    def _refuse(self, what: str, remedy: str, at: int, value: object, line: int) -> None:
        self.log.add(what, remedy, row=line, column=self.names[at], value=value)


@dataclass(frozen=True)
class Table:
    """Every record that could be read, column by column.

    Attributes
    ----------
    layout : Layout
    lines : int64 array of shape (n,)
        Line or data row of each record, for messages.
    texts : TextColumns
    ids : Ids or None
    labels, splits, attributes : Categories or None
    """

    layout: Layout
    lines: NDArray[np.int64]
    texts: TextColumns
    ids: Ids | None
    labels: Categories | None
    splits: Categories | None
    attributes: Categories | None

    def __len__(self) -> int:
        return len(self.lines)


def _chunks(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Yield records a few thousand at a time; fewer where they are long."""
    chunk: list[Record] = []
    n_characters = 0
    for record in records:
        chunk.append(record)
        for value in record[1]:
            if type(value) is str:
                n_characters += len(value)
        if len(chunk) == CHUNK_ROWS or n_characters > CHUNK_CHARACTERS:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk


def _size(texts: TextColumns, ids: Ids | None, n_rows: int) -> int:
    """Return how many bytes of memory what was read takes."""
    packed = [*texts.packed, *([] if ids is None else [ids.packed])]
    return sum(len(one.blob) for one in packed) + ROW_BYTES * n_rows


def _records(source: RecordSource, layout: Layout, log: ProblemLog) -> Iterator[Record]:
    """Yield the records of a source; of a CSV that `alvin export` wrote, with its texts as they were."""
    records = source.records(layout.wanted, log)
    if not isinstance(source, DelimitedFile) or not is_exported(source.header):
        return records
    return ((line, [as_written(one) if isinstance(one, str) else one for one in values]) for line, values in records)


def gather(source: RecordSource, layout: Layout, log: ProblemLog) -> Table:
    """Read all records; log what is wrong with single values and go on."""
    texts = TextColumns(layout.texts, log)
    ids = Ids(layout.id, log) if layout.id is not None else None
    categories = {
        role: Categories(role, name, log) if name is not None else None
        for role, name in (("label", layout.label), ("split", layout.split), ("attribute", layout.attribute))
    }
    in_order = (categories["label"], ids, categories["split"], categories["attribute"])  # as in Layout.wanted
    parts = [part for part in in_order if part is not None]
    all_lines, most = array("q"), largest_data()
    records, n_texts = _records(source, layout, log), len(layout.texts)
    try:
        for chunk in _chunks(records):
            lines = [line for line, _ in chunk]
            columns = list(zip(*(values for _, values in chunk), strict=True))
            texts.extend(columns[:n_texts], lines)
            for part, values in zip(parts, columns[n_texts:], strict=True):
                part.extend(values, lines)
            all_lines.extend(lines)
            if _size(texts, ids, len(all_lines)) > most:
                what = f"more than {most:,} bytes of texts and rows"
                log.cut("too much data", TOO_LARGE, what=what, row=lines[-1])
                break
    except UNREADABLE as error:
        log_unreadable(error, log)
    return Table(
        layout,
        np.asarray(all_lines, dtype=np.int64),
        texts,
        ids,
        categories["label"],
        categories["split"],
        categories["attribute"],
    )
