"""Files of data and of labels: whatever is in them, they are read or refused in words."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st
from made_up import bytes_near, json_values, nasty_texts, parquet_of, scalars, texts

from alvin_core.cli.labels import read_labels
from alvin_core.cli.sources import resolve
from alvin_core.data.checking import check_dataset
from alvin_core.data.columns import Columns
from alvin_core.data.reading import load_dataset
from alvin_core.errors import DataError
from dashboard.previewing import guess_columns, read_preview

N_GOOD = 14
NAMES = ("text", "label", "id", "split", "attribute", "text_a", "text_b")
GOOD_CSV = "id,text,label,split,attribute\n" + "".join(
    f'e{row},"text {row}, é",{"pos" if row % 2 else "neg"},{"test" if row % 7 == 6 else "pool"},a{row % 2}\n'
    for row in range(N_GOOD * 2)
)
GOOD_ROWS = list(csv.DictReader(GOOD_CSV.splitlines()))
GOOD_LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in GOOD_ROWS)
WORDS = (b'"', b",", b"\t", b"\n", b"\r", b'""', b"\xef\xbb\xbf", b"\xff\xfe", b"[", b"{", b'"text":', b"NaN", b"1e999")


GOOD_PARQUET = [
    parquet_of(pa.Table.from_pylist(GOOD_ROWS)),
    parquet_of(pa.Table.from_pylist(GOOD_ROWS), compression="gzip", use_dictionary=False),
    parquet_of(pa.table({"text": ["a", "b"], "label": pa.array([1, None], pa.int64())}), data_page_version="2.0"),
]


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes, str], None]:
    """Writes bytes to a file and reads it in every way."""

    def everywhere(content: bytes, ending: str) -> None:
        path = tmp_path / f"data{ending}"
        path.write_bytes(content)
        guess_columns(read_preview(path))
        report = check_dataset(path, max_problems=3)
        for problem in report.problems:
            assert len(str(problem)) < 4000
        if report.ok:
            dataset = load_dataset(path)
            assert len(dataset) == report.n_rows
            dataset.digest()
        else:
            with pytest.raises(DataError) as refused:
                load_dataset(path)
            raise refused.value

    return everywhere


tables = st.tuples(
    st.lists(st.sampled_from(NAMES) | texts, max_size=6),
    st.lists(st.lists(texts, max_size=7), max_size=8),
    st.sampled_from([",", "\t", ";"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-7", "latin-1"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)


def written(table: Any) -> bytes:
    header, rows, delimiter, encoding, end, quoting = table
    file = io.StringIO(newline="")
    out = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
    out.writerows([header, *rows] if header else rows or [[""]])
    return file.getvalue().encode(encoding, "surrogatepass" if encoding.startswith("utf-") else "replace")


def test_tables_of_any_cells_are_read_or_refused(fuzz, read) -> None:
    fuzz(lambda table: read(written(table), ".tsv" if table[2] == "\t" else ".csv"), tables, share=9)


def test_changed_bytes_of_a_csv_file_are_read_or_refused(fuzz, read) -> None:
    fuzz(lambda data: read(data, ".csv"), bytes_near([GOOD_CSV.encode()], words=WORDS), share=9)


def test_changed_bytes_of_a_packed_csv_file_are_read_or_refused(fuzz, read) -> None:
    packed = gzip.compress(GOOD_CSV.encode(), mtime=0)
    fuzz(lambda data: read(data, ".csv.gz"), bytes_near([packed]), share=4)


def test_changed_bytes_of_json_lines_are_read_or_refused(fuzz, read) -> None:
    fuzz(lambda data: read(data, ".jsonl"), bytes_near([GOOD_LINES.encode()], words=WORDS), share=8)


def test_lines_of_any_json_are_read_or_refused(fuzz, read) -> None:
    rows = st.lists(st.dictionaries(st.sampled_from(NAMES) | texts, json_values, max_size=6) | json_values, max_size=8)
    repeated = st.sampled_from([b"", b'{"text": "a", "text": "b", "label": 1}', b'{"text": "\\ud800", "label": NaN}'])

    def lines(value: Any) -> bytes:
        made, last = value
        return b"".join(as_json(row) + b"\n" for row in made) + last

    fuzz(lambda value: read(lines(value), ".jsonl"), st.tuples(rows, repeated), share=7)


def as_json(value: Any) -> bytes:
    """Write JSON, numbers of any length as well."""
    try:
        return json.dumps(value).encode()
    except ValueError:
        return b'{"text": ' + b"9" * 5000 + b"}"


def test_changed_bytes_of_a_parquet_file_are_read_or_refused(fuzz, read) -> None:
    fuzz(lambda data: read(data, ".parquet"), bytes_near(GOOD_PARQUET), share=8)


TYPES = (
    *(pa.string(), pa.large_string(), pa.binary(), pa.int64(), pa.uint64(), pa.float64(), pa.float16(), pa.bool_()),
    *(
        pa.date32(),
        pa.date64(),
        pa.timestamp("ns"),
        pa.timestamp("s", tz="Nowhere/Town"),
        pa.timestamp("us", tz="+99:00"),
    ),
    *(pa.time64("ns"), pa.duration("ns"), pa.decimal128(38, 10), pa.list_(pa.string()), pa.struct([("a", pa.int64())])),
    *(pa.map_(pa.string(), pa.int64()), pa.dictionary(pa.int32(), pa.string()), pa.null()),
)


def column_of(kind: pa.DataType, raw: list[int]) -> pa.Array:
    """Make a column of any type: its bytes are what they are, where a type has bytes."""
    try:
        if pa.types.is_string(kind) or pa.types.is_binary(kind):
            return pa.array([value.to_bytes(8, "little", signed=True) for value in raw], pa.binary()).view(kind)
        return pa.array(raw, pa.int64()).view(kind)
    except (pa.ArrowException, NotImplementedError):
        return pa.nulls(len(raw), kind)


def test_columns_of_any_parquet_type_are_read_or_refused(fuzz, read) -> None:
    names = st.lists(st.sampled_from(NAMES) | nasty_texts.filter(encodable), min_size=1, max_size=4)
    raw = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=12, max_size=12)

    def take(value: tuple[list[str], list[pa.DataType], list[int]]) -> None:
        columns, kinds, numbers = value
        made = pa.Table.from_arrays([column_of(kind, numbers) for kind in kinds[: len(columns)]], columns)
        try:
            content = parquet_of(made)
        except (pa.ArrowException, OSError):  # no such file can be written
            return
        read(content, ".parquet")

    fuzz(take, st.tuples(names, st.lists(st.sampled_from(TYPES), min_size=4, max_size=4), raw), share=4)


def encodable(text: str) -> bool:
    return text.isascii() or text.encode("utf-8", "ignore").decode() == text


def test_files_of_labels_are_read_or_refused(fuzz, tmp_path: Path) -> None:
    labels = [b"id,label\ne1,pos\n'=1,neg\n", b'{"id": "e1", "label": "pos"}\n{"id": 2, "label": 1.0}\n']

    def take(value: tuple[bytes, str]) -> None:
        path = tmp_path / f"labels{value[1]}"
        path.write_bytes(value[0])
        frame = read_labels(path)
        assert list(frame.columns) == ["id", "label"]

    endings = st.sampled_from([".csv", ".tsv", ".jsonl", ".csv.gz", ".parquet", ".txt", ""])
    fuzz(take, st.tuples(bytes_near(labels, words=WORDS), endings), share=5)


def test_columns_and_classes_of_any_name_are_found_or_refused(fuzz, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(GOOD_CSV, encoding="utf-8")
    columns = st.builds(Columns, **{name: st.none() | st.sampled_from(NAMES) | texts for name in NAMES})
    classes = st.none() | st.lists(texts, max_size=4)

    def take(value: tuple[Columns, list[str] | None, float, int]) -> None:
        chosen, names, share, seed = value
        load_dataset(path, columns=chosen, classes=names, test_share=share, seed=seed)

    fuzz(take, st.tuples(columns, classes, st.floats(), st.integers(-2, 2**40)), share=5)


def test_names_of_files_are_found_or_refused(fuzz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    endings = st.sampled_from(["", ".csv", ".jsonl", ".parquet", ".gz", ".csv.gz", ".xlsx", "/", "/x.csv"])

    def take(name: str) -> None:
        if name.startswith(("hf:", "recipe:")):
            return
        source = resolve(name)
        # A name that could be one of the hub's is given its mark there: no network is asked here.
        load_dataset(source if "." in str(source) else f"{source}.csv")

    fuzz(take, st.builds(lambda stem, ending: stem + ending, texts, endings), share=4)
    assert list(tmp_path.iterdir()) == []


def test_single_values_become_text_or_are_refused(fuzz, read) -> None:
    cells = st.lists(st.tuples(scalars, scalars), min_size=10, max_size=14)
    fuzz(
        lambda rows: read(b"".join(as_json({"text": text, "label": label}) + b"\n" for text, label in rows), ".jsonl"),
        cells,
        share=4,
    )
