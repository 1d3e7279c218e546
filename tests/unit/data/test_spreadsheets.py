from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.data.columns import Columns
from alvin_core.data.reading import load_dataset
from alvin_core.data.spreadsheets import as_written, csv_of, is_exported

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "=cmd|' /C calc'!A0",
    "=HYPERLINK(1)",
    "\uff1d1",
    "\uff20x",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_begins_with_an_apostrophe_in_every_text_column_and_in_the_header(text: str) -> None:
    frame = pd.DataFrame({"id": [text], "text": pd.Series([text], dtype="string"), text: ["plain"], "n": [-1.5]})
    read = pd.read_csv(io.StringIO(csv_of(frame)), dtype=str, keep_default_na=False)
    assert read.loc[0, "id"] == read.loc[0, "text"] == "'" + text
    assert list(read.columns) == ["id", "text", "'" + text, "n"]
    assert read.loc[0, "n"] == "-1.5"  # a number is none


def test_what_is_missing_stays_so_and_plain_text_stays_as_it_is() -> None:
    frame = pd.DataFrame(
        {"text": ["a = b", None, np.nan, "", "it's", "'quoted'", "2026-11-23", "9"], "yes": [True] * 8}
    )
    assert csv_of(frame).splitlines()[1:] == [
        "a = b,True",
        ",True",
        ",True",
        ",True",
        "it's,True",
        "'quoted',True",
        "2026-11-23,True",
        "9,True",
    ]
    assert frame["text"][0] == "a = b"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=5))
def test_every_text_comes_back_and_none_begins_as_a_formula(texts: list[str]) -> None:
    written = csv_of(pd.DataFrame({"text": texts, "n": range(len(texts))}))
    read = pd.read_csv(io.StringIO(written), dtype=str, keep_default_na=False, lineterminator="\n")["text"].tolist()
    assert [as_written(one) for one in read] == texts
    assert not any(one.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for one in read)


EXPORTED = ["id", "round", "label", "source", "text", "attribute", "annotator", "time", "parent_id"]


def table_of(texts: list[str]) -> pd.DataFrame:
    n = len(texts)
    columns = {"id": [f"e{row}" for row in range(n)], "round": 0, "label": ["no", "yes"] * (n // 2), "source": "person"}
    return pd.DataFrame(columns | {"text": texts} | dict.fromkeys(EXPORTED[5:], ""))


def test_texts_of_an_exported_file_that_is_used_as_data_are_what_they_were(tmp_path: Path) -> None:
    """With apostrophes before them they were other texts, with other tokens."""
    texts = [*FORMULAS[:4], "'=1", "''quoted", "plain", "'tis"] * 3
    texts = [f"{text} {row}" for row, text in enumerate(texts)]
    (tmp_path / "exported.csv").write_text(csv_of(table_of(texts)), encoding="utf-8", newline="")
    assert is_exported(EXPORTED)
    dataset = load_dataset(tmp_path / "exported.csv", columns=Columns(text="text", label="label", id="id"))
    read = dict(zip(dataset.ids.tolist(), dataset.texts.take(np.arange(len(dataset))), strict=True))
    assert [read[f"e{row}"] for row in range(len(texts))] == texts


def test_apostrophes_in_a_file_that_is_somebody_elses_are_the_texts_own(tmp_path: Path) -> None:
    texts = [f"'=1 is a formula {row}" for row in range(24)]
    table = table_of(texts)[["id", "text", "label"]]
    table.to_csv(tmp_path / "theirs.csv", index=False)
    assert not is_exported(list(table.columns))
    dataset = load_dataset(tmp_path / "theirs.csv", columns=Columns(text="text", label="label", id="id"))
    assert set(dataset.texts.take(np.arange(len(dataset)))) == set(texts)
