"""Uploads on the disk, and the first look into a file: names, sizes, leftovers, columns."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import time
from pathlib import Path

import pytest

from alvin_core import StoreError
from dashboard import uploading
from dashboard.previewing import Preview, guess_columns, read_preview
from dashboard.uploading import clean_uploads, discard_upload, safe_name, shown_name, store_upload


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("reviews.csv", "reviews.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\reviews.tsv", "reviews.tsv"),
        ("révié ws.CSV.gz", "revie_ws.CSV.gz"),
        ("日本.parquet", "file.parquet"),
        (".csv", "file.csv"),
        ("..", "file"),
        ("", "file"),
        ("--help.csv", "help.csv"),
        ("con.csv", "_con.csv"),
        ("a\0b\n.jsonl", "ab.jsonl"),
        ("<img src=x onerror=alert(1)>.csv", "img_src_x_onerror_alert_1.csv"),
    ],
)
def test_a_name_from_a_browser_becomes_a_harmless_one_with_the_same_ending(told: str, kept: str) -> None:
    assert safe_name(told) == kept


def test_a_very_long_name_is_cut_and_keeps_its_ending() -> None:
    name = safe_name("x" * 5000 + ".jsonl.gz")
    assert len(name) == 80
    assert name.endswith("x.jsonl.gz")


def test_the_name_that_is_shown_holds_nothing_that_cannot_be_printed() -> None:
    assert shown_name("folder/<b>\0\u202e.csv") == "<b>\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}.csv"


def test_an_upload_lies_whole_in_a_folder_of_its_own_below_the_store(tmp_path: Path) -> None:
    first = store_upload(tmp_path, "../../reviews.csv", io.BytesIO(b"text\nhello\n"))
    second = store_upload(tmp_path, "../../reviews.csv", io.BytesIO(b"text\nother\n"))
    assert first.read_bytes() == b"text\nhello\n"
    assert first.parent.parent == second.parent.parent == tmp_path / "uploads"
    assert first.parent != second.parent
    assert [path.name for path in first.parent.iterdir()] == ["reviews.csv"]


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "MAX_BYTES", 2**20)
    with pytest.raises(StoreError, match=r"'big.csv' is larger than 1 MB.*give its path"):
        store_upload(tmp_path, "big.csv", io.BytesIO(b"x" * (2**20 + 1)))
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_full_disk_is_said_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left on device; make room"):
        store_upload(tmp_path, "a.csv", Full())
    assert list((tmp_path / "uploads").iterdir()) == []


def test_uploads_of_yesterday_are_removed_unless_a_job_waits_for_them(tmp_path: Path) -> None:
    old, waited_for, fresh = (store_upload(tmp_path, "a.csv", io.BytesIO(b"text")) for _ in range(3))
    strange = tmp_path / "uploads" / "mine"
    strange.mkdir()
    for folder in (old.parent, waited_for.parent, strange):
        os.utime(folder, (time.time() - 2 * 86400,) * 2)
    assert clean_uploads(tmp_path, [str(waited_for)]) == 1
    assert [path.exists() for path in (old, waited_for, fresh, strange)] == [False, True, True, True]


def test_discarding_touches_uploads_of_the_store_alone(tmp_path: Path) -> None:
    stored = store_upload(tmp_path, "a.csv", io.BytesIO(b"text"))
    mine = tmp_path / "data" / "a.csv"
    mine.parent.mkdir()
    mine.write_text("text")
    discard_upload(tmp_path, mine)
    discard_upload(tmp_path, stored)
    assert mine.exists()
    assert not stored.parent.exists()


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "jsonl", "ndjson", "parquet"])
def test_every_format_shows_the_same_columns_and_the_first_five_rows(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data.{ending}"
    rows = [(f"<b>review, {number}</b>", "good" if number % 2 else "bad") for number in range(9)]
    if ending == "parquet":
        import pyarrow
        import pyarrow.parquet

        columns = dict(zip(("review", "mood"), map(list, zip(*rows, strict=True)), strict=True))
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    elif ending in ("jsonl", "ndjson"):
        path.write_text("\n".join(json.dumps({"review": text, "mood": mood}) for text, mood in rows))
    else:
        out = io.StringIO()
        csv.writer(out, delimiter="\t" if ending == "tsv" else ",").writerows([("review", "mood"), *rows])
        content = out.getvalue().encode("utf-8-sig")
        path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    assert read_preview(path) == Preview(("review", "mood"), tuple(rows[:5]))


def test_a_text_of_a_hundred_thousand_characters_is_cut_for_the_preview(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(f"text\n{'x' * 100_000}\n")
    assert read_preview(path).rows == (("x" * 300 + "…",),)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("damaged.csv.gz", b"\x1f\x8b\x08 no gzip"),
        ("damaged.parquet", b"PAR1 but no more"),
        ("binary.csv", b'"\0\xff' * 100),
        ("sheet.xlsx", b"PK\x03\x04"),
        ("empty.csv", b""),
        ("list.jsonl", b"[1, 2]\n{broken\n"),
    ],
)
def test_what_cannot_be_read_has_no_rows_and_raises_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert read_preview(path).rows == ()


def test_rows_before_a_malformed_one_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_text('text,label\none,a\n"two"x,b\n')
    assert read_preview(path) == Preview(("text", "label"), (("one", "a"),))


@pytest.mark.parametrize(
    ("header", "row", "guess"),
    [
        (("id", "text", "label", "split"), ("1", "a", "b", "pool"), {r: r for r in ("id", "text", "label", "split")}),
        (
            ("Review", "Sentiment", "genre"),
            ("a", "b", "c"),
            {"text": "Review", "label": "Sentiment", "attribute": "genre"},
        ),
        (
            ("premise", "hypothesis", "gold_label", "fold"),
            ("a", "b", "c", "d"),
            {"text_a": "premise", "text_b": "hypothesis", "label": "gold_label", "split": "fold"},
        ),
        (("who", "what"), ("me", "a long sentence with many words"), {"text": "what"}),
        (("text", "sentence1", "sentence2"), ("a", "b", "c"), {"text": "text"}),
        ((), (), {}),
    ],
)
def test_columns_are_guessed_by_name_and_the_text_by_its_length(
    header: tuple[str, ...], row: tuple[str, ...], guess: dict[str, str]
) -> None:
    assert guess_columns(Preview(header, (row,))) == guess


def test_a_column_that_repeats_is_no_id_unless_it_is_called_so() -> None:
    rows = (("1", "one"), ("1", "two"))
    assert guess_columns(Preview(("idx", "text"), rows)) == {"text": "text"}
    assert guess_columns(Preview(("id", "text"), rows)) == {"text": "text", "id": "id"}
