"""Parquet files, read in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from alvin_core.data.problems import ProblemLog, Unit
from alvin_core.data.textfiles import Record

__all__ = ["ParquetFile", "open_parquet"]

BATCH_ROWS = 4096


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
            return ParquetFile(path, tuple(file.schema_arrow.names))
    except pyarrow.ArrowException as error:
        log.add("damaged Parquet file", "write it again", what=f"damaged Parquet file: {first_line(error)}")
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
        n_before = 0
        try:
            # pre_buffer would hold a whole row group, often the whole file, in memory.
            with pyarrow.parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=2**20) as file:
                for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(wanted), use_threads=False):
                    columns = [batch.column(name).to_pylist() for name in wanted]
                    yield from enumerate(zip(*columns, strict=True), start=n_before + 1)
                    n_before += batch.num_rows
        except (pyarrow.ArrowException, UnicodeDecodeError) as error:
            log.add("damaged Parquet file", "write it again", what=f"damaged after row {n_before}: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
