"""What a token is, in any script, and many texts cut at once against one at a time."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.data.dataset import Texts
from alvin_core.shortcuts import tokenize, words_of
from alvin_core.shortcuts import words as words_module

PLAIN = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n.,;!?_ -- ' ", []),
        ("Don't stop the FEEL-GOOD 2nd show!", ["don't", "stop", "the", "feel-good", "2nd", "show"]),
        ("'quoted' -dash- a--b rock-'n'-roll", ["quoted", "dash", "a", "b", "rock", "n", "roll"]),
        ("snake_case 3.5", ["snake", "case", "3", "5"]),
        ("Don’t re‑do co‐op", ["don't", "re-do", "co-op"]),  # typographic signs are their plain ones
        ("ÉTÉ e\u0301te\u0301 Straße", ["été", "été", "straße"]),  # composed, so that both ways to write it are one
        ("Привет, мир!", ["привет", "мир"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),  # vowel signs belong to their letters
        ("我喜欢iPhone手机。", ["我", "喜", "欢", "iphone", "手", "机"]),
        ("カメラは良い", ["カメラ", "は", "良", "い"]),
        ("good 👍🏽👍 ❤️❤ 🇫🇷🇩🇪 👩‍👩‍👧", ["good", "👍🏽", "👍", "❤", "❤", "🇫🇷", "🇩🇪", "👩‍👩‍👧"]),
        ("great😀film", ["great", "😀", "film"]),
        ("won\xadder zero\u200bwidth", ["wonder", "zero", "width"]),
        ("nul\x00in text", ["nul", "in", "text"]),
    ],
)
def test_a_token_is_a_word_in_lower_case_or_a_sign_that_stands_for_one(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


@given(st.lists(st.text(alphabet="aB9'-_ .\n", max_size=12), max_size=8))
def test_many_plain_texts_are_cut_as_a_regular_expression_cuts_each(texts: list[str]) -> None:
    table = tokenize([Texts.pack(texts)])
    [column] = table.columns
    cut = [
        [table.vocabulary[code] for code in column.codes[start:end]]
        for start, end in zip(column.offsets[:-1], column.offsets[1:], strict=True)
    ]
    assert cut == [PLAIN.findall(text.lower()) for text in texts]
    assert len(set(table.vocabulary)) == len(table.vocabulary)


@given(st.lists(st.text(max_size=15), max_size=6))
def test_texts_of_any_characters_are_cut_the_same_together_and_alone(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode("utf-8") for text in texts]
    [column] = (table := tokenize([Texts.pack(texts)])).columns
    for row, text in enumerate(texts):
        words = [table.vocabulary[code] for code in column.codes[column.offsets[row] : column.offsets[row + 1]]]
        assert words == words_of(text)
        assert words_of(" ".join(words)) == words  # a token is what it is by itself


def test_parts_of_a_column_share_the_words_of_both_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, others = ["a b", "", "b c", "été a", "c"], ["c", "d a", "", "a", "été"]
    whole = tokenize([Texts.pack(texts), Texts.pack(others)])
    monkeypatch.setattr(words_module, "TEXTS_AT_ONCE", 2)
    parts = tokenize([Texts.pack(texts), Texts.pack(others)])
    assert parts.vocabulary == whole.vocabulary == ("a", "b", "c", "été", "d")
    for one, other in zip(parts.columns, whole.columns, strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
        np.testing.assert_array_equal(one.offsets, other.offsets)


def test_no_texts_and_empty_texts_have_no_words() -> None:
    assert tokenize([Texts.pack([])]).vocabulary == ()
    table = tokenize([Texts.pack(["", "  ", "a", ""])])
    assert table.columns[0].offsets.tolist() == [0, 0, 0, 1, 1]


def test_words_one_after_the_other_are_found_within_a_text_and_never_over_its_end() -> None:
    table = tokenize(
        [Texts.pack(["not good", "good, not", "so not", "not so good"]), Texts.pack(["", "", "good", "x"])]
    )
    assert table.holds(["not", "good"]).tolist() == [True, False, False, False]
    assert table.holds(["good"]).tolist() == [True, True, True, True]
    assert table.holds(["not", "so", "good"]).tolist() == [False, False, False, True]
    assert table.holds(["x"]).tolist() == [False, False, False, True]
    assert not table.holds(["unheard"]).any()
    assert not table.holds(["x", "x", "x", "x", "x"] * 9).any()
