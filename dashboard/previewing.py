"""A first look into data before they become a run: the columns, the first rows, and what may be in them."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

__all__ = ["OPTIONAL_ROLES", "PREVIEW_ROWS", "TEXT_ROLES", "Preview", "guess_columns", "read_preview"]

PREVIEW_ROWS: Final = 5
LONGEST_CELL: Final = 300  # characters shown of a value
LONGEST_LINE: Final = 4 * 2**20  # bytes read of one line: a file without line ends is not read whole
LONGEST_BEGINNING: Final = 16 * 2**20  # bytes read in all: a record may go on over many lines
MOST_COLUMNS: Final = 10_000  # as many as the engine reads

TEXT_ROLES: Final = ("text", "text_a", "text_b")
OPTIONAL_ROLES: Final = ("label", "id", "split", "attribute")
PAIRS: Final = (
    ("text_a", "text_b"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("text1", "text2"),
    ("sentencea", "sentenceb"),
    ("question", "sentence"),
    ("question", "passage"),
)
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("text", "sentence", "review", "reviewtext", "content", "body", "comment", "tweet", "document", "message"),
    "label": ("label", "labels", "class", "category", "target", "sentiment", "goldlabel", "isduplicate", "y"),
    "id": ("id", "idx", "guid", "uid", "uuid", "exampleid", "rowid"),
    "split": ("split", "fold", "partition", "subset"),
    "attribute": ("attribute", "group", "genre", "gender", "shortcut", "domain"),
}


@dataclass(frozen=True)
class Preview:
    """The beginning of a file, as far as it can be read.

    Attributes
    ----------
    header : tuple of str
        Empty where it cannot be read; the check says why.
    rows : tuple of tuples of str
        Cut to what is shown.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_preview(path: Path, n_rows: int = PREVIEW_ROWS) -> Preview:
    """Return the columns and the first rows of a file; nothing where they cannot be read: the check tells why."""
    ending = _ending(path)
    try:
        preview = _read(path, ending, n_rows)
        if len(preview.header) <= MOST_COLUMNS:
            return preview
    except (OSError, EOFError, zlib.error, csv.Error, ValueError, RecursionError, MemoryError):
        pass  # `check_dataset` reads the same file and reports what is wrong, with place and remedy
    return Preview((), ())


def _read(path: Path, ending: str, n_rows: int) -> Preview:
    if ending in (".csv", ".tsv"):
        return _read_delimited(path, "\t" if ending == ".tsv" else ",", n_rows)
    if ending in (".jsonl", ".ndjson"):
        return _read_json_lines(path, n_rows)
    return _read_parquet(path, n_rows) if ending == ".parquet" else Preview((), ())


def _ending(path: Path) -> str:
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _open_bytes(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _lines(path: Path) -> Iterator[str]:
    """Yield a text file's lines; one without end is cut off with an error."""
    with _open_bytes(path) as file:
        first, left = True, LONGEST_BEGINNING
        while raw := file.readline(LONGEST_LINE):
            left -= len(raw)
            if len(raw) == LONGEST_LINE or left < 0:
                raise ValueError("a line, or a record, is too long")
            text = raw.decode("utf-8", errors="replace")
            yield text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}") if first else text
            first = False


def _read_delimited(path: Path, delimiter: str, n_rows: int) -> Preview:
    reader = csv.reader(_lines(path), delimiter=delimiter, strict=True)
    header = tuple(name.strip() for name in next(reader, []))
    rows: list[tuple[str, ...]] = []
    try:
        for values in islice((one for one in reader if one), n_rows):
            padded = [*values, *[""] * len(header)][: len(header)]
            rows.append(tuple(_cell(value) for value in padded))
    except csv.Error:  # the rows before the malformed one are shown
        pass
    return Preview(header, tuple(rows))


def _read_json_lines(path: Path, n_rows: int) -> Preview:
    found: list[dict[str, Any]] = []
    for line in islice(_lines(path), 20 * n_rows):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    header = tuple(dict.fromkeys(name for one in found for name in one))
    return Preview(header, tuple(tuple(_cell(one.get(name)) for name in header) for one in found[:n_rows]))


def _read_parquet(path: Path, n_rows: int) -> Preview:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:  # the check says so, with the remedy
        return Preview((), ())
    try:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            header = tuple(file.schema_arrow.names)
            batch = next(file.iter_batches(batch_size=n_rows, use_threads=False), None)
        if batch is None:
            return Preview(header, ())
        columns = [[_cell(value) for value in batch.column(at).to_pylist()] for at in range(len(header))]
    except Exception:  # pyarrow raises a dozen kinds for one thing: these bytes are no Parquet
        return Preview((), ())
    return Preview(header, tuple(zip(*columns, strict=True)))


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"


def guess_columns(preview: Preview) -> dict[str, str]:
    """Return which column may hold what, by the columns' names, and for the text by its length."""
    by_name: dict[str, str] = {}
    for name in preview.header:
        by_name.setdefault(re.sub(r"[^a-z0-9]", "", name.lower()), name)
    guess = _guess_texts(preview, by_name)
    for role in OPTIONAL_ROLES:
        taken = set(guess.values())
        names = [by_name[one] for one in NAMES[role] if one in by_name and by_name[one] not in taken]
        # A column of the role's own name is read as such, whatever it holds; the check says what is wrong with it.
        chosen = next((name for name in names if name == role or _suits(role, preview, name)), None)
        if chosen is not None:
            guess[role] = chosen
    return guess


def _guess_texts(preview: Preview, by_name: Mapping[str, str]) -> dict[str, str]:
    for first, second in PAIRS:
        a, b = (by_name.get(one.replace("_", "")) for one in (first, second))
        if a is not None and b is not None and "text" not in preview.header:
            return {"text_a": a, "text_b": b}
    named = next((by_name[one] for one in NAMES["text"] if one in by_name), None)
    if named is not None:
        return {"text": named}
    longest = max(preview.header, key=lambda name: _mean_length(_values(preview, name)), default=None)
    return {} if longest is None else {"text": longest}


def _suits(role: str, preview: Preview, name: str) -> bool:
    values = _values(preview, name)
    if role == "id":
        return len(set(values)) == len(values)
    return all(len(value) <= 128 for value in values)  # the engine's limit of such names


def _values(preview: Preview, name: str) -> list[str]:
    at = preview.header.index(name)
    return [row[at] for row in preview.rows]


def _mean_length(values: Sequence[str]) -> float:
    return sum(map(len, values)) / len(values) if values else 0.0
