"""Every broken file is refused with the message that says what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from alvin_core.data.checking import check_dataset
from alvin_core.data.reading import load_dataset
from alvin_core.errors import DataError

FOLDER = Path(__file__).resolve().parents[2] / "broken_files"
EMPTY = ": the file is empty (0 bytes); is the export finished?"
NO_ROWS = ": no rows; there is a header, but not one row under it"
UTF_16 = ": the encoding is UTF-16 or UTF-32, or the file is binary; save the file as UTF-8"
EXTENSIONS = "use .csv, .tsv, .jsonl (all three also with .gz) or .parquet"
COMMA = 'put a value that holds a comma or a line end between double quotes (")'
SEPARATED = "save as .csv with commas or .tsv with tabs"
SPLITS = "allowed are pool, test and ood:<name>"
NO_TEST = (
    ", column 'split': no row left in the split 'test'; "
    "mark labeled rows 'test', or leave the column out to have a test split drawn"
)
NAN = "NaN is not a label; leave the cell empty where no label is known"
CARRIAGE_RETURN = "a bare carriage return (CR) ends the line; save the file with LF or CRLF line ends"

# File, how many errors there are in all, and the first one's words after the file's name.
REFUSED = [
    ("zero_bytes.csv", 1, EMPTY),
    ("zero_bytes.jsonl", 1, EMPTY),
    ("zero_bytes.parquet", 1, EMPTY),
    ("zero_bytes_inside.csv.gz", 1, ": nothing inside (0 bytes unpacked); is the export finished?"),
    ("header_only.csv", 1, NO_ROWS),
    ("header_only.tsv", 1, NO_ROWS),
    (
        "only_blank_lines.csv",
        1,
        ", line 1: no header; the first line must name the columns, such as: id,text,label,split",
    ),
    ("only_blank_lines.jsonl", 1, ": no rows; there is nothing to read in it"),
    ("unknown_extension.dat", 1, f": unknown extension '.dat'; {EXTENSIONS}"),
    ("no_extension", 1, f": no extension; {EXTENSIONS}"),
    (
        "one_json_list.json",
        1,
        ": unknown extension '.json'; write one JSON object a line and name the file .jsonl",
    ),
    (
        "plain_text.txt",
        1,
        ": unknown extension '.txt'; give the file a header line and columns, and name it .csv or .tsv",
    ),
    ("spreadsheet.csv", 1, ": this is a spreadsheet or zip, not .csv; export it as CSV (UTF-8)"),
    ("parquet_named.csv", 1, ": this is Parquet, not .csv; name it .parquet"),
    ("gzip_named.csv", 1, ": this is gzip, not .csv; name it ….csv.gz"),
    ("not_gzip.csv.gz", 1, ": cut off or damaged: Not a gzipped file (b'id'); make the file again"),
    (
        "cut_off.csv.gz",
        1,
        ": cut off or damaged: Compressed file ended before the end-of-stream marker was reached; make the file again",
    ),
    ("csv_named.parquet", 1, ": not Parquet: it must begin with PAR1; name the file by its format"),
    ("cut_off.parquet", 1, ": damaged Parquet file: Parquet magic bytes not found in footer"),
    # Encodings
    ("latin_1.csv", 1, ", line 5: byte 0xEF is not UTF-8; save the file as UTF-8"),
    ("latin_1.jsonl", 1, ", line 13: byte 0xE9 is not UTF-8; save the file as UTF-8"),
    ("utf_16.csv", 1, UTF_16),
    ("utf_16_without_mark.csv", 1, UTF_16),
    ("utf_32.jsonl", 1, UTF_16),
    ("nul_byte.csv", 1, ", line 4: NUL byte; remove it; text files hold none"),
    ("binary_rubbish.csv", 2, f", line 1: malformed header: {CARRIAGE_RETURN}"),
    ("carriage_returns_only.csv", 1, f", line 1: malformed header: {CARRIAGE_RETURN}"),
    # Comma- and tab-separated values
    ("ragged_too_many.csv", 1, f", line 4: ragged row: 5 values where the header has 4 columns; {COMMA}"),
    ("ragged_too_few.csv", 1, f", line 4: ragged row: 2 values where the header has 4 columns; {COMMA}"),
    (
        "ragged.tsv",
        1,
        f", line 4: ragged row: 3 values where the header has 4 columns; {COMMA.replace('comma', 'tab')}",
    ),
    (
        "unclosed_quote.csv",
        3,
        ', line 6: a double quote (") that opens here is never closed; '
        'close it; write a quote inside a value twice ("")',
    ),
    (
        "text_after_quote.csv",
        1,
        ", line 6: malformed quotes (',' expected after '\"'); "
        'put the whole value between double quotes (") and write each quote inside it twice ("")',
    ),
    ("malformed_header.csv", 1, ", line 1: malformed header: malformed quotes (',' expected after '\"')"),
    (
        "semicolons.csv",
        2,
        f", column 'id;text;label;split': only one column; the values seem to be separated by a semicolon; {SEPARATED}",
    ),
    (
        "tabs.csv",
        2,
        r", column 'id\ttext\tlabel\tsplit': only one column; "
        f"the values seem to be separated by a tab; {SEPARATED}",
    ),
    (
        "commas.tsv",
        2,
        f", column 'id,text,label,split': only one column; the values seem to be separated by a comma; {SEPARATED}",
    ),
    (
        "duplicate_columns.csv",
        1,
        ", column 'text', value '2 times': duplicate column name; give every column its own name",
    ),
    (
        "no_text_column.csv",
        1,
        ", column 'text': missing column; "
        "name the column that holds the texts, one of: 'id', 'review', 'label', 'split'",
    ),
    (
        "no_second_text.csv",
        1,
        ", column 'text_b': missing column; a pair needs two columns; name the other, one of: 'id', 'text_a'",
    ),
    (
        "text_and_pair.csv",
        1,
        ": ambiguous: both 'text' (a single text) and text_a, text_b (of a pair) are there; name only 'text'",
    ),
    # JSON Lines
    ("invalid_json.jsonl", 1, ", line 3: invalid JSON: Expecting value at character 41; write one JSON object a line"),
    ("line_is_a_list.jsonl", 1, ", line 3: a JSON list where an object is expected; each line is like {"),
    ("line_is_a_string.jsonl", 1, ", line 3: a JSON string where an object is expected; each line is like {"),
    ("one_list.jsonl", 1, ": this is one JSON list, not JSON Lines; write one object a line"),
    (
        "nested_text.jsonl",
        1,
        ", line 3, column 'text', value ['film', '2']: a list or an object where a text is expected; give one string",
    ),
    (
        "nested_label.jsonl",
        1,
        ", line 3, column 'label', value {'name': 'n'}: "
        "a list or an object where one value is expected; give one value",
    ),
    (
        "nested_id.jsonl",
        1,
        ", line 3, column 'id', value ['p2']: a list or an object where an id is expected; give one value",
    ),
    ("no_text_key.jsonl", 1, ", line 3, column 'text': no text; give every object the key 'text'"),
    (
        "lone_surrogate.jsonl",
        1,
        r", line 3, column 'text', value 'film \ud800': not a Unicode text; "
        "it holds half a character (a lone surrogate)",
    ),
    (
        "nul_in_text.jsonl",
        1,
        r", line 3, column 'text', value 'film \x00': NUL in a text; remove the character U+0000",
    ),
    ("nan_label.jsonl", 1, f", line 3, column 'label', value 'nan': {NAN}"),
    ("deep_nesting.jsonl", 1, ", line 3: invalid JSON: brackets nested too deeply; write one JSON object a line"),
    ("huge_number.jsonl", 1, ", line 3: invalid JSON: a number with too many digits; write one JSON object a line"),
    # Ids
    (
        "duplicate_id.csv",
        1,
        ", line 6, column 'id', value 'p1': the id of line 3 again; give every row its own id, or leave the column out",
    ),
    ("empty_id.csv", 1, ", line 6, column 'id': no id; give every row an id, or leave the column out"),
    ("long_id.csv", 1, f", line 6, column 'id', value '{'p' * 40}…': an id of 129 characters; at most 128"),
    (
        "control_character_in_id.csv",
        1,
        r", line 6, column 'id', value 'p\x074': an id with control characters; use printable characters only",
    ),
    # Splits
    (
        "train_and_validation.csv",
        16,
        f", line 2, column 'split', value 'train': unknown split name; {SPLITS}; "
        "what is 'train' elsewhere is 'pool' here",
    ),
    ("unknown_split.csv", 1, f", line 6, column 'split', value 'Pool': unknown split name; {SPLITS}"),
    ("ood_without_name.csv", 1, f", line 6, column 'split', value 'ood:': unknown split name; {SPLITS}"),
    ("no_split_name.csv", 1, f", line 6, column 'split': no split name; {SPLITS}; or leave the column out"),
    (
        "no_pool.csv",
        1,
        ", column 'split': no row left in the split 'pool'; "
        "mark rows 'pool', or fix those that were refused or dropped",
    ),
    ("no_test.csv", 1, NO_TEST),
    ("only_ood.csv", 1, NO_TEST),
    ("test_of_empty_texts.csv", 1, NO_TEST),
    ("small_pool.csv", 1, ", column 'split': only 9 rows in the pool; at least 10 are needed; add rows"),
    # Labels
    ("nan_label.csv", 1, f", line 6, column 'label', value 'nan': {NAN}"),
    (
        "one_class.csv",
        1,
        ", column 'label', value 'pos': only one class; at least 2 are needed; is it the right column?",
    ),
    (
        "one_class_in_pool.csv",
        2,
        ", line 14, column 'label', value 'neg': a label that the pool never has; "
        "add pool rows of this class, or remove the row; the pool has: 'pos'",
    ),
    (
        "label_that_pool_never_has.csv",
        1,
        ", line 16, column 'label', value 'neutral': a label that the pool never has; "
        "add pool rows of this class, or remove the row; the pool has: 'neg', 'pos'",
    ),
    (
        "test_row_without_label.csv",
        1,
        ", line 16, column 'label': no label in an evaluation split; label it, or remove the row",
    ),
    (
        "no_labels_at_all.csv",
        1,
        ": no labels are known; name the label column, one of: 'id', 'text'; or give all class names",
    ),
    (
        "empty_labels.csv",
        1,
        ", column 'label': no labels are known; "
        "name the label column, one of: 'id', 'text', 'label'; or give all class names",
    ),
    (
        "text_as_label.csv",
        2,
        ", column 'label': 60 different labels in 60 labeled rows; classes must repeat; is it the right column?",
    ),
    (
        "long_label.csv",
        1,
        f", line 6, column 'label', value '{'very ' * 8}…': not a label; "
        "at most 128 characters, no control characters; is it the right column?",
    ),
    (
        "one_row_a_class.csv",
        1,
        ": no row left in the split 'test'; add rows; a test split needs two labeled rows of one class",
    ),
    # Several
    (
        "many_problems.csv",
        5,
        ", line 14, column 'id', value 'p1': the id of line 3 again; give every row its own id, ",
    ),
]
NAMES = [name for name, _, _ in REFUSED]


@pytest.mark.parametrize(("name", "n_errors", "message"), REFUSED, ids=NAMES)
def test_broken_file_is_refused_with_place_and_remedy(name: str, n_errors: int, message: str) -> None:
    path = FOLDER / name
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    said = str(caught.value)
    assert said.startswith(f"{path}{message}")
    count = "1 problem" if n_errors == 1 else f"{n_errors} problems"
    assert said.endswith(f" ({count} in all; run `alvin check {path}` to see them all)")
    assert "\n" not in said


@pytest.mark.parametrize(("name", "n_errors", "message"), REFUSED, ids=NAMES)
def test_checking_a_broken_file_lists_what_loading_refuses(name: str, n_errors: int, message: str) -> None:
    report = check_dataset(FOLDER / name)
    assert not report.ok
    assert report.n_errors == n_errors == len(report.errors)
    assert str(report.errors[0]).startswith(f"{FOLDER / name}{message}")


def test_every_broken_file_has_its_message_asserted() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(NAMES)
    assert len(NAMES) >= 40


def test_all_problems_of_a_file_are_listed_at_once_in_the_order_of_its_lines() -> None:
    path = FOLDER / "many_problems.csv"
    listed = [(problem.row, problem.column, problem.severity, problem.what) for problem in check_dataset(path).problems]
    assert listed == [
        (14, "id", "error", "the id of line 3 again"),
        (15, None, "error", "ragged row: 5 values where the header has 4 columns"),
        (16, "text", "warning", "empty text, row dropped"),
        (17, "text", "warning", "repeated text in the pool, row dropped (see line 2)"),
        (17, "text", "warning", "same text, another label (see line 2; 'pos', there 'neg')"),
        (18, "label", "error", "NaN is not a label"),
        (18, "split", "error", "unknown split name"),
        (21, "label", "error", "no label in an evaluation split"),
    ]


def test_strict_turns_what_would_be_dropped_into_errors() -> None:
    report = check_dataset(FOLDER / "many_problems.csv", strict=True)
    assert report.n_errors == 8
    assert report.n_warnings == 0
