from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.data.spreadsheets import as_written, csv_of

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
