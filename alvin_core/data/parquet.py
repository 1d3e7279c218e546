"""Parquet files, read in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from alvin_core.data.limits import (
    CHUNK_CHARACTERS,
    MOST_COLUMNS,
    ROW_BYTES,
    TOO_LARGE,
    largest_data,
    unpacked_limit,
)
from alvin_core.data.problems import ProblemLog, Unit
from alvin_core.data.textfiles import Record
from alvin_core.shown import first_line

__all__ = ["ParquetFile", "open_parquet"]

BATCH_ROWS = 4096
DAMAGED, AGAIN = "damaged Parquet file", "write it again"


def open_parquet(path: Path, log: ProblemLog) -> ParquetFile | None:
    """Open a Parquet file; log why it cannot be and return None then."""
    try:
        import pyarrow.parquet  # late: an optional library
    except ImportError:
        log.add("pyarrow is not installed", "pip install pyarrow, or save the data as CSV")
        return None
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            log.add("not a Parquet file", "name the file by its format", what="not Parquet: it must begin with PAR1")
            return None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names, n_rows = tuple(file.schema_arrow.names), file.metadata.num_rows
    except Exception as error:  # pyarrow raises a dozen kinds for one thing: these bytes are no Parquet
        log.add(DAMAGED, AGAIN, what=f"damaged Parquet file: {first_line(error)}")
        return None
    most = largest_data() // ROW_BYTES
    if n_rows > most:
        log.add("too many rows", TOO_LARGE, what=f"it says that it has {n_rows:,} rows; at most {most:,} are read")
    elif len(names) > MOST_COLUMNS:
        log.add("too many columns", f"at most {MOST_COLUMNS:,}; leave out those that are not needed")
    else:
        return ParquetFile(path, names)
    return None


class ParquetFile:
    """A Parquet file; rows are counted from 1."""

    unit: Unit = "row"

    def __init__(self, path: Path, header: tuple[str, ...]) -> None:
        self.path, self.header = path, header

    def records(self, wanted: Sequence[str], log: ProblemLog) -> Iterator[Record]:
        """Yield the wanted columns of each row; a damaged part is logged and ends the reading."""
        import pyarrow.parquet

        if not wanted:
            return
        n_before, most = 0, unpacked_limit(self.path)
        # pre_buffer would hold a whole row group, often the whole file, in memory. A text that many rows share stays
        # one text until its rows are taken.
        options = {"pre_buffer": False, "buffer_size": 2**20, "read_dictionary": list(wanted)}
        try:
            with pyarrow.parquet.ParquetFile(self.path, **options) as file:
                for group in range(file.num_row_groups):
                    if _is_bomb(file.metadata.row_group(group), most, log):
                        return
                    n_at_once = _rows_at_once(file.metadata.row_group(group))
                    for batch in file.iter_batches(n_at_once, [group], list(wanted), use_threads=False):
                        for part in _parts(batch):
                            columns = [_values(part.column(name)) for name in wanted]
                            yield from enumerate(zip(*columns, strict=True), start=n_before + 1)
                            n_before += part.num_rows
        except MemoryError:
            log.cut("memory ran out", TOO_LARGE, what=f"memory ran out after row {n_before}")
        except Exception as error:  # pyarrow raises a dozen kinds for one thing: these bytes are no Parquet
            log.add(DAMAGED, AGAIN, what=f"damaged after row {n_before}: {first_line(error)}")


def _is_bomb(group: Any, most: int, log: ProblemLog) -> bool:
    """Log where rows would unpack to far more than the file takes, by what it says of itself."""
    # Of the group as a whole: asked for one column of a damaged file, pyarrow ends the process.
    unpacked = group.total_byte_size
    if unpacked > most:
        what = f"{group.num_rows:,} rows would unpack to {unpacked:,} bytes; at most {most:,} are unpacked"
        log.cut("unpacks to too much", "write it again without compression", what=what)
    return bool(unpacked > most)


def _rows_at_once(group: Any) -> int:
    """Return how many rows are unpacked at once: fewer where they are long, by what the file says of itself."""
    per_row = group.total_byte_size / max(1, group.num_rows)
    return int(min(BATCH_ROWS, max(1, CHUNK_CHARACTERS / max(1, per_row))))


def _parts(batch: Any) -> Iterator[Any]:
    """Cut a batch so that no part is long once the texts that rows share are written out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    longest = 1
    for column in batch.columns:
        shared = column.dictionary if isinstance(column, pa.DictionaryArray) else None
        if shared is not None and len(shared) and (pa.types.is_string(shared.type) or pa.types.is_binary(shared.type)):
            longest = max(longest, pc.max(pc.binary_length(shared)).as_py() or 1)
    n_rows = max(1, CHUNK_CHARACTERS // longest)
    for start in range(0, batch.num_rows, n_rows):
        yield batch.slice(start, n_rows)


def _values(column: Any) -> list[Any]:
    values: list[Any] = (column.dictionary_decode() if hasattr(column, "dictionary_decode") else column).to_pylist()
    return values
