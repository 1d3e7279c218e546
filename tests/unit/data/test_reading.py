"""What is read from a good file, in every format, is exactly what was written."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alvin_core.data.checking import check_dataset
from alvin_core.data.dataset import Dataset
from alvin_core.data.reading import Columns, load_dataset
from alvin_core.errors import DataError, SettingsError

Row = dict[str, object]


def good_rows(n_pool: int = 12, n_test: int = 4) -> list[Row]:
    return [
        {
            "id": f"x{row}",
            "text": f"film, number {row}",
            "label": "good" if row % 2 else "bad",
            "split": "pool" if row < n_pool else "test",
            "attribute": "long" if row % 3 else "",
        }
        for row in range(n_pool + n_test)
    ]


def as_csv(rows: list[Row], delimiter: str = ",", line_end: str = "\n", quote_all: bool = False) -> str:
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_jsonl(rows: list[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(path: Path, rows: list[Row]) -> Path:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    text = as_jsonl(rows) if name.endswith("jsonl") else as_csv(rows, "\t" if name.endswith(".tsv") else ",")
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def load_text(tmp_path: Path, text: str | bytes, name: str = "data.csv") -> Dataset:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_dataset(path)


@pytest.mark.parametrize(
    "name", ["d.csv", "d.tsv", "d.jsonl", "d.ndjson.gz", "d.csv.gz", "d.tsv.gz", "d.jsonl.gz", "d.parquet", "D.CSV"]
)
def test_every_format_gives_the_same_data_set(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "d.ndjson.gz":
        path.write_bytes(gzip.compress(as_jsonl(good_rows()).encode()))
    elif name == "D.CSV":
        path.write_text(as_csv(good_rows()))
    else:
        write(path, good_rows())
    data = load_dataset(path)
    assert data.ids.tolist() == [f"x{row}" for row in range(16)]
    assert list(data.texts) == [f"film, number {row}" for row in range(16)]
    assert data.classes == ("bad", "good")
    assert data.labels.tolist() == [0, 1] * 8
    assert data.splits.tolist() == ["pool"] * 12 + ["test"] * 4
    assert data.attributes is not None
    assert data.attributes.tolist() == ["long" if row % 3 else "" for row in range(16)]
    assert data.warnings == ()
    assert data.digest() == load_dataset(write(tmp_path / "again.csv", good_rows())).digest()


def test_pairs_are_read_as_two_texts(tmp_path: Path) -> None:
    rows: list[Row] = [{"text_a": f"a{row}", "text_b": f"b{row}", "label": "yn"[row % 2]} for row in range(20)]
    data = load_dataset(write(tmp_path / "pairs.csv", rows))
    assert data.is_pairs
    assert data.text_of(3) == ("a3", "b3")


def test_a_pair_is_empty_when_either_text_is_and_repeated_when_both_are(tmp_path: Path) -> None:
    rows: list[Row] = [{"text_a": f"a{row}", "text_b": "same", "label": "yn"[row % 2]} for row in range(20)]
    rows += [
        {"text_a": "", "text_b": "x", "label": "y"},
        {"text_a": "x", "text_b": " ", "label": "y"},
        {"text_a": "a0", "text_b": "same ", "label": "y"},
        {"text_a": "same", "text_b": "a0", "label": "y"},
    ]
    assert check_dataset(write(tmp_path / "pairs.csv", rows)).dropped == {"empty": 2, "duplicate": 1, "leaked": 0}


def test_columns_have_the_names_that_the_user_gives(tmp_path: Path) -> None:
    rows = [
        {"no": row["id"], "review": row["text"], "mood": row["label"], "part": row["split"], "text": "?"}
        for row in good_rows()
    ]
    columns = Columns(text="review", label="mood", id="no", split="part")
    data = load_dataset(write(tmp_path / "d.csv", rows), columns=columns)
    assert data.texts[0] == "film, number 0"
    assert data.ids[0] == "x0"
    assert data.classes == ("bad", "good")
    assert data.evaluation_splits == ("test",)


def test_a_named_pair_wins_over_a_standard_text_column(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": "t", "q1": f"a{row}", "q2": f"b{row}", "label": "yn"[row % 2]} for row in range(20)]
    data = load_dataset(write(tmp_path / "d.csv", rows), columns=Columns(text_a="q1", text_b="q2"))
    assert data.text_of(0) == ("a0", "b0")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(text="nope"), "column 'nope': missing column; the text column must be one of: 'id', 'text', 'label'"),
        (Columns(label="text"), "d.csv, column 'text': missing column"),
        (Columns(text="text", label="text"), "column 'text': one column for several roles; give each of text, label"),
        (Columns(text_a="id"), "column 'text_b': missing column; a pair needs two columns"),
        (Columns(text="text", text_a="id"), "ambiguous: both 'text' (a single text) and id (of a pair)"),
    ],
)
def test_column_names_that_do_not_fit_are_refused(tmp_path: Path, columns: Columns, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(write(tmp_path / "d.csv", good_rows()), columns=columns)
    assert message in str(caught.value)


def test_rows_without_ids_are_named_by_their_place_in_the_file(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": "" if row == 1 else f"t{row}", "label": "yn"[row % 2]} for row in range(20)]
    data = load_dataset(write(tmp_path / "d.csv", rows))
    assert data.ids[:3].tolist() == ["row-000001", "row-000003", "row-000004"]
    assert data.ids[-1] == "row-000020"


def test_without_a_split_column_the_seed_draws_a_stratified_test_split(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": f"t{row}", "label": "rare" if row % 10 == 0 else "usual"} for row in range(200)]
    path = write(tmp_path / "d.csv", rows)
    data = load_dataset(path, seed=3)
    test = data.rows_of("test")
    assert len(test) == 40
    assert (data.labels[test] == data.classes.index("rare")).sum() == 4
    assert data.warnings == ("no column tells the split: 40 of 200 labeled rows are drawn as test; seed 3",)
    assert data.digest() == load_dataset(path, seed=3).digest()
    assert data.digest() != load_dataset(path, seed=4).digest()
    assert len(load_dataset(path, test_share=0.5).rows_of("test")) == 100


def test_a_pool_without_labels_is_unlabeled_and_a_person_answers(tmp_path: Path) -> None:
    rows = [row | ({"label": ""} if row["split"] == "pool" else {}) for row in good_rows()]
    path = write(tmp_path / "d.csv", rows)
    data = load_dataset(path)
    assert (data.labels[data.rows_of("pool")] == -1).all()
    assert data.classes == ("bad", "good")
    report = check_dataset(path)
    assert report.oracle == "person"
    assert report.classes == {"pool": {}, "test": {"bad": 2, "good": 2}}


def test_data_without_any_label_needs_the_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", [{"text": f"t{row}"} for row in range(20)])
    with pytest.raises(DataError, match="no labels are known"):
        load_dataset(path)
    data = load_dataset(path, classes=["b", "a"])
    assert data.classes == ("a", "b")
    assert data.evaluation_splits == ()
    assert data.warnings[0].startswith("no row has a label, so no test split is drawn")


def test_a_partly_labeled_pool_gives_its_labeled_rows_to_the_test_split(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": f"t{row}", "label": "yn"[row % 2] if row < 20 else ""} for row in range(100)]
    data = load_dataset(write(tmp_path / "d.csv", rows))
    test = data.rows_of("test")
    assert len(test) == 4
    assert (data.labels[test] >= 0).all()
    assert any("no label in 80 of 96 pool rows" in warning for warning in data.warnings)


def test_a_class_that_is_not_among_the_given_ones_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 3, column 'label', value 'good': unknown label; the given classes are"):
        load_dataset(write(tmp_path / "d.csv", good_rows()), classes=["bad", "worse"])


def test_empty_and_repeated_texts_are_dropped_with_a_count(tmp_path: Path) -> None:
    rows = good_rows(20, 4)
    rows[1]["text"] = "  "
    rows[5]["text"] = rows[3]["text"]
    rows[7]["text"] = f" {rows[3]['text']}\n"
    rows[9]["text"] = rows[23]["text"]
    path = write(tmp_path / "d.csv", rows)
    data = load_dataset(path)
    assert [name for name in data.ids.tolist() if name not in {"x1", "x5", "x7", "x9"}] == data.ids.tolist()
    assert len(data) == 20
    assert data.texts[1] == "film, number 2"
    assert data.warnings == (
        "1 row: empty text, row dropped (first: line 3)",
        "2 rows: repeated text in the pool, row dropped (first: line 7)",
        "1 row: pool text that is in an evaluation split too, row dropped (first: line 12)",
    )
    with pytest.raises(DataError, match=r"line 3, column 'text', value '  ': empty text; .* \(4 problems in all"):
        load_dataset(path, strict=True)


def test_repeated_texts_of_an_evaluation_split_are_kept_and_told(tmp_path: Path) -> None:
    rows = good_rows()
    rows[14]["text"] = rows[12]["text"]
    data = load_dataset(write(tmp_path / "d.csv", rows))
    assert len(data.rows_of("test")) == 4
    assert data.warnings == ("1 row: repeated text in an evaluation split, kept (first: line 16)",)


def test_contradicting_labels_of_one_text_are_told(tmp_path: Path) -> None:
    rows = good_rows()
    rows[4] |= {"text": rows[1]["text"]}
    report = check_dataset(write(tmp_path / "d.csv", rows))
    told = [problem for problem in report.warnings if problem.what.startswith("same text, another label")]
    assert [(problem.row, problem.what) for problem in told] == [
        (6, "same text, another label (see line 3; 'bad', there 'good')")
    ]


@pytest.mark.parametrize("word", ["NA", "None", "null", "N/A", "1e5", "007", "true"])
def test_words_that_other_readers_take_for_missing_or_numbers_stay_as_they_are(tmp_path: Path, word: str) -> None:
    rows = good_rows()
    for row in rows[::2]:
        row["label"] = word
    rows[3]["text"] = word
    data = load_dataset(write(tmp_path / "d.csv", rows))
    assert set(data.classes) == {word, "good"}
    assert data.texts[3] == word


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet"])
def test_numbers_as_labels_and_ids_are_read_as_they_are_written(tmp_path: Path, name: str) -> None:
    rows = [row | {"label": place % 2, "id": place} for place, row in enumerate(good_rows())]
    data = load_dataset(write(tmp_path / name, rows))
    assert data.classes == ("0", "1")
    assert data.ids[:2].tolist() == ["0", "1"]
    assert data.warnings == ()


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet"])
def test_whole_numbers_with_a_decimal_point_lose_it_and_are_told(tmp_path: Path, name: str) -> None:
    rows = [row | {"label": float(place % 2)} for place, row in enumerate(good_rows())]
    data = load_dataset(write(tmp_path / name, rows))
    assert data.classes == ("0", "1")
    assert len(data.warnings) == 1
    assert data.warnings[0].startswith("whole numbers written with a decimal point are read without it")


def test_true_and_false_are_not_one_and_zero(tmp_path: Path) -> None:
    rows = [row | {"label": [True, False, 1, 0][place % 4]} for place, row in enumerate(good_rows())]
    data = load_dataset(write(tmp_path / "d.jsonl", rows))
    assert data.classes == ("0", "1", "false", "true")
    assert data.labels[:4].tolist() == [3, 2, 1, 0]


def test_missing_labels_of_parquet_and_json_are_unlabeled(tmp_path: Path) -> None:
    rows = [row | ({"label": None} if place == 2 else {}) for place, row in enumerate(good_rows())]
    for name in ("d.parquet", "d.jsonl"):
        assert load_dataset(write(tmp_path / name, rows)).labels.tolist()[1:4] == [1, -1, 1]


def test_nan_in_a_parquet_label_column_is_refused_with_its_row(tmp_path: Path) -> None:
    rows = [row | {"label": float("nan") if place == 2 else float(place % 2)} for place, row in enumerate(good_rows())]
    with pytest.raises(DataError, match=r"d\.parquet, row 3, column 'label', value 'nan': NaN is not a label"):
        load_dataset(write(tmp_path / "d.parquet", rows))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_quotes_commas_and_line_ends_inside_a_value_are_kept(tmp_path: Path, line_end: str) -> None:
    texts = ['he said "no"', "two\nlines", "one,\r\ntwo", "a\ttab", " blanks around ", "naïve 映画 🎬", "bare\rreturn"]
    rows = good_rows()
    for row, text in zip(rows, texts, strict=False):
        row["text"] = text
    data = load_text(tmp_path, as_csv(rows, line_end=line_end, quote_all=True))
    assert list(data.texts)[: len(texts)] == texts
    assert data.warnings == ()


def test_line_numbers_count_the_lines_of_embedded_line_ends(tmp_path: Path) -> None:
    rows = good_rows()
    rows[0]["text"], rows[1]["text"] = "three\nlines\nlong", "two\nlines"
    rows[2]["split"] = "train"
    with pytest.raises(DataError, match="line 7, column 'split', value 'train'"):
        load_text(tmp_path, as_csv(rows))


def test_a_byte_order_mark_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    text = as_csv(good_rows()).replace("\n", "\n\n")
    assert load_text(tmp_path, b"\xef\xbb\xbf" + text.encode()).ids[0] == "x0"
    lines = as_jsonl(good_rows()).replace("\n", "\n\n")
    assert load_text(tmp_path, b"\xef\xbb\xbf" + lines.encode(), "d.jsonl").ids[0] == "x0"


def test_a_text_of_a_million_characters_is_read_whole(tmp_path: Path) -> None:
    rows = good_rows()
    rows[0]["text"] = "long " * 200_000
    assert load_text(tmp_path, as_csv(rows)).texts[0] == "long " * 200_000


def test_a_column_that_first_appears_late_in_json_lines_is_refused_rather_than_overlooked(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": f"t{row}", "label": "yn"[row % 2]} for row in range(1010)]
    rows[1004]["split"] = "test"
    with pytest.raises(DataError, match="line 1005, column 'split': column appears too late; give it on one of the"):
        load_dataset(write(tmp_path / "d.jsonl", rows))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.csv", str(tmp_path / "nothing")):
        with pytest.raises(DataError, match=r"no such file; check the path; a data set on the hub is hf:owner/name"):
            load_dataset(path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data.csv"
    folder.mkdir()
    with pytest.raises(DataError, match="a directory; give one file"):
        load_dataset(folder)


def test_a_path_with_a_line_end_in_it_still_makes_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path / "a\nb.csv")
    assert str(caught.value).split("run `alvin check")[0].count("\n") == 0


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a\0b.csv", "no such file"),
        ("~nobody-is-called-so/b.csv", "no such home directory; check the path"),
        ("b" * 5000 + ".csv", "cannot be read: File name too long"),
    ],
)
def test_a_path_that_cannot_be_is_refused(path: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"test_share": 1.0}, "test_share = 1.0 is out of range; it must be above 0 and below 1"),
        ({"seed": -1}, "seed = -1 is out of range; it must be 0 or more"),
        ({"classes": "ab"}, "classes = 'ab' is one string; give a list of class names"),
        ({"classes": ["a"]}, "must be at least 2 different names"),
        ({"classes": ["a", "a "]}, "must be at least 2 different names"),
        ({"classes": [0, 1]}, "must be strings; labels are read as strings"),
    ],
)
def test_keywords_out_of_range_are_refused(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_dataset(tmp_path / "d.csv", **columns)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_text_formats_are_read_without_pandas_and_pyarrow(tmp_path: Path) -> None:
    write(tmp_path / "d.csv", good_rows())
    write(tmp_path / "d.jsonl", good_rows())
    code = """
import sys
sys.modules["pyarrow"] = sys.modules["pandas"] = None  # importing them fails
from alvin_core.data.reading import load_dataset
from alvin_core.errors import DataError
print(len(load_dataset("d.csv")), len(load_dataset("d.jsonl")))
open("d.parquet", "wb").write(b"PAR1")
try:
    load_dataset("d.parquet")
except DataError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "16 16"
    assert second.startswith("d.parquet: pyarrow is not installed; pip install pyarrow, or save the data as CSV")


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(TEXT.filter(str.strip), min_size=20, max_size=30, unique_by=str.strip))
def test_any_texts_come_back_as_they_were_written(tmp_path: Path, texts: list[str]) -> None:
    rows: list[Row] = [{"text": text, "label": "yn"[place % 2]} for place, text in enumerate(texts)]
    for name in ("d.csv", "d.tsv", "d.jsonl"):
        path = tmp_path / name
        body = as_jsonl(rows) if name == "d.jsonl" else as_csv(rows, "\t" if name == "d.tsv" else ",", quote_all=True)
        path.write_text(body, encoding="utf-8", newline="")
        assert list(load_dataset(path).texts) == texts


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["d.csv", "d.tsv", "d.jsonl", "d.csv.gz", "d.parquet"]), st.booleans())
def test_no_bytes_whatever_make_checking_raise(tmp_path: Path, rubbish: bytes, name: str, after_rows: bool) -> None:
    start = b""
    if after_rows and name != "d.parquet":
        rows = as_jsonl(good_rows()) if name == "d.jsonl" else as_csv(good_rows(), "\t" if name == "d.tsv" else ",")
        start = gzip.compress(rows.encode()) if name == "d.csv.gz" else rows.encode()
    path = tmp_path / name
    path.write_bytes(start + rubbish)
    report = check_dataset(path)
    assert report.ok or all("\n" not in str(problem) for problem in report.problems)
    if report.ok:
        assert len(load_dataset(path)) == report.n_rows
    else:
        with pytest.raises(DataError):
            load_dataset(path)


def test_ids_and_labels_lose_outer_blanks_and_texts_do_not(tmp_path: Path) -> None:
    rows = [row | {key: f" {row[key]} " for key in ("id", "label", "split", "text")} for row in good_rows()]
    data = load_dataset(write(tmp_path / "d.csv", rows))
    assert data.ids[0] == "x0"
    assert data.classes == ("bad", "good")
    assert data.texts[0] == " film, number 0 "
    assert np.unique(data.splits).tolist() == ["pool", "test"]


def test_the_command_that_lists_all_problems_reads_the_same_columns(tmp_path: Path) -> None:
    path = tmp_path / "my reviews.csv"
    path.write_text("body,stars\none,a\ntwo,b\n", encoding="utf-8")
    with pytest.raises(DataError) as raised:
        load_dataset(path, columns=Columns(text="body", label="stars"), strict=True, classes=["a", "b"])
    assert f"run `alvin check '{path}' --text body --label stars --strict --classes a,b` to see" in str(raised.value)
