"""From what a user typed to a stream of records: by the file's extension, or by a name on the hub."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from alvin_core.data.columns import Columns
from alvin_core.data.problems import ProblemLog, Unit
from alvin_core.data.textfiles import DelimitedFile, JsonLinesFile, Record, read_head
from alvin_core.shown import first_line

__all__ = ["UNREADABLE", "RecordSource", "log_unreadable", "open_source"]

UNREADABLE = (OSError, EOFError, zlib.error)
"""What a file can raise while it is read: the disk's errors, and gzip data that is cut off or damaged."""

EXTENSIONS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
ALLOWED = "use .csv, .tsv, .jsonl (all three also with .gz) or .parquet"
RECIPE = "recipe:"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
REMEDIES = {
    ".json": "write one JSON object a line and name the file .jsonl",
    ".txt": "give the file a header line and columns, and name it .csv or .tsv",
    ".xlsx": "export the sheet as CSV (UTF-8)",
    ".xls": "export the sheet as CSV (UTF-8)",
}


class RecordSource(Protocol):
    """Anything with named columns that can be read as a stream."""

    unit: Unit
    header: tuple[str, ...]

    def records(self, wanted: Sequence[str], log: ProblemLog) -> Iterator[Record]:
        """Yield each record's place and its values of the wanted columns, in their order."""
        ...


def open_source(source: str | Path, columns: Columns, log: ProblemLog) -> RecordSource | None:
    """Open a file, or a data set on the hub; log why it cannot be and return None then."""
    try:
        if str(source).startswith(RECIPE):
            from alvin_core.data.recipes import open_recipe  # late: needs an extra

            return open_recipe(str(source), log)
        path = Path(source).expanduser()
        if _is_hub_name(source, path):
            from alvin_core.data.hub import open_hub  # late: needs an extra

            return open_hub(str(source).removeprefix("hf:"), columns, log)
        return _open_file(path, log)
    except UNREADABLE as error:
        log_unreadable(error, log)
    except ValueError as error:  # a name with a null byte, or with half a character
        log.add("no such file", "check the path", what=f"no file can be called so: {first_line(error)}")
    except RuntimeError:  # "~somebody/…" where nobody is called so
        log.add("no such file", "check the path", what="no such home directory")
    return None


def log_unreadable(error: BaseException, log: ProblemLog) -> None:
    """Log one of `UNREADABLE`: the system's own refusal, or compressed data that is damaged."""
    if isinstance(error, OSError) and error.errno is not None:
        log.add("unreadable", "check the file and its permissions", what=f"cannot be read: {error.strerror}")
    else:
        log.add("cut off or damaged", "make the file again", what=f"cut off or damaged: {first_line(error)}")


def _is_hub_name(source: str | Path, path: Path) -> bool:
    if str(source).startswith("hf:"):
        return True
    if path.exists() or extension_of(path) in (*EXTENSIONS, *REMEDIES) or not HUB_NAME.fullmatch(str(source)):
        return False
    # "data/reviews" beside an existing folder "data" is a file that was mistyped, not somebody's data set.
    return "/" not in str(source) or not path.parent.exists()


def extension_of(path: Path) -> str:
    """Return the extension that tells the format, lower case: that before ``.gz`` where there is one."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _open_file(path: Path, log: ProblemLog) -> RecordSource | None:
    extension = extension_of(path)
    if path.is_dir():
        log.add("a directory", "give one file")
    elif not path.exists():
        log.add("no such file", "check the path; a data set on the hub is hf:owner/name")
    elif not path.is_file():
        log.add("not a regular file", "save the data to a file first")
    elif extension not in EXTENSIONS:
        named = f"unknown extension {extension!r}" if extension else "no extension"
        log.add("unknown extension", REMEDIES.get(extension, ALLOWED), what=named)
    elif path.stat().st_size == 0:
        log.add("the file is empty (0 bytes)", "is the export finished?")
    elif extension == ".parquet":
        from alvin_core.data.parquet import open_parquet  # late: needs pyarrow

        return open_parquet(path, log)
    elif not _refused_by_head(read_head(path), extension, log):
        if extension in (".jsonl", ".ndjson"):
            return JsonLinesFile(path, log)
        return DelimitedFile(path, "\t" if extension == ".tsv" else ",", log)
    return None


def _refused_by_head(head: bytes, extension: str, log: ProblemLog) -> bool:
    """Log what the first bytes give away: another format, or another encoding."""
    if not head:
        log.add("the file is empty (0 bytes)", "is the export finished?", what="nothing inside (0 bytes unpacked)")
    elif head.startswith((b"\xff\xfe", b"\xfe\xff")) or head.count(0) > len(head) // 4:
        log.add("not UTF-8", "save the file as UTF-8", what="the encoding is UTF-16 or UTF-32, or the file is binary")
    elif head.startswith(b"\x1f\x8b"):
        log.add("another format", f"name it …{extension}.gz", what=f"this is gzip, not {extension}")
    elif head.startswith(b"PK\x03\x04"):
        log.add("another format", "export it as CSV (UTF-8)", what=f"this is a spreadsheet or zip, not {extension}")
    elif head.startswith(b"PAR1"):
        log.add("another format", "name it .parquet", what=f"this is Parquet, not {extension}")
    elif extension in (".jsonl", ".ndjson") and head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        log.add("another format", "write one object a line", what="this is one JSON list, not JSON Lines")
    else:
        return False
    return True
