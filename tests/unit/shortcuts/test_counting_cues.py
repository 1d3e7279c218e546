"""Who holds which cue, counted by hand and by brute force; word overlap; the keys of cues."""

from __future__ import annotations

import numpy as np
import pytest

from alvin_core.data.dataset import Texts
from alvin_core.errors import DataError
from alvin_core.shortcuts import (
    CueKey,
    Holding,
    OverlapCuts,
    WordTable,
    count_cues,
    ngram_holding,
    overlap_cuts,
    overlap_holding,
    parse_cue,
    token_holding,
    tokenize,
    value_holding,
    word_overlap,
    words_of,
)
from alvin_core.shortcuts import counting as counting_module
from alvin_core.shortcuts import holding as holding_module


def made_up(n: int, n_words: int, columns: int, seed: int = 0) -> tuple[list[list[str]], WordTable]:
    rng = np.random.default_rng(seed)
    texts = [
        [" ".join(f"w{word}" for word in rng.integers(n_words, size=rng.integers(0, 9))) for _ in range(n)]
        for _ in range(columns)
    ]
    return texts, tokenize([Texts.pack(column) for column in texts])


def held(holding: Holding) -> list[list[str]]:
    return [sorted(holding.held_by(row)) for row in range(len(holding))]


@pytest.mark.parametrize("columns", [1, 2])
def test_each_example_holds_each_of_its_words_once(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, table = made_up(40, 12, columns)
    expected = [sorted({word for column in texts for word in column[row].split()}) for row in range(40)]
    assert held(token_holding(table)) == expected
    monkeypatch.setattr(holding_module, "WORDS_AT_ONCE", 7)  # fewer than some texts have
    assert held(token_holding(table)) == expected


@pytest.mark.parametrize("columns", [1, 2])
def test_ngrams_are_all_runs_of_two_or_three_words_that_occur_twice(columns: int) -> None:
    texts, table = made_up(60, 5, columns)
    runs: list[list[str]] = [[] for _ in range(60)]
    for column in texts:
        for row, text in enumerate(column):
            words = text.split()
            runs[row] += [" ".join(words[at : at + n]) for n in (2, 3) for at in range(len(words) - n + 1)]
    every = [one for row in runs for one in row]
    assert any(every.count(one) == 1 for one in every)
    assert held(ngram_holding(table)) == [sorted({one for one in row if every.count(one) > 1}) for row in runs]


def test_no_ngram_goes_over_the_end_of_a_text() -> None:
    table = tokenize([Texts.pack(["a b", "c", "a b", "c"]), Texts.pack(["c", "a", "c", "a"])])
    assert held(ngram_holding(table)) == [["a b"], [], ["a b"], []]


def test_an_unknown_value_is_held_by_nobody() -> None:
    assert held(value_holding(np.asarray(["b", "", "a", "b", ""]))) == [["b"], [], ["a"], ["b"], []]
    assert held(value_holding(np.asarray(["", ""]))) == [[], []]


def test_cues_are_counted_in_examples_and_by_class(monkeypatch: pytest.MonkeyPatch) -> None:
    holding = token_holding(tokenize([Texts.pack(["good good film", "bad film", "good", "", "film bad", "rare"])]))
    rows, classes = np.asarray([4, 0, 2, 1, 3]), np.asarray([2, 0, 0, 1, 1])
    for at_once in (100, 2):
        monkeypatch.setattr(counting_module, "ROWS_AT_ONCE", at_once)
        counts = count_cues(holding, rows, classes, 3, min_count=2)
        columns = (counts.codes.tolist(), counts.n.tolist(), counts.n_label.tolist())
        found = {holding.name_of(code): (n, of) for code, n, of in zip(*columns, strict=True)}
        assert found == {"good": (2, [2, 0, 0]), "film": (3, [1, 1, 1]), "bad": (2, [0, 1, 1])}
    assert len(count_cues(holding, rows[:0], classes[:0], 3).codes) == 0


def test_word_overlap_is_worked_out_by_hand() -> None:
    first = ["a b c d", "a a b", "", "x", "a b"]
    second = ["A b, e", "c c", "a", "", "B a a"]
    overlaps = word_overlap(tokenize([Texts.pack(first), Texts.pack(second)]))
    np.testing.assert_allclose(overlaps[:, 0], [2 / 5, 0, 0, 0, 1])
    np.testing.assert_allclose(overlaps[:, 1], [2 / 3, 0, 0, np.nan, 1])


def test_overlap_is_high_from_the_median_on_and_ties_stay_together() -> None:
    shared = np.asarray([0.1, 0.2, 0.2, 0.9, 1.0, 1.0, 1.0, 1.0])
    alike = np.full(8, 0.5)
    cuts = overlap_cuts(np.column_stack([shared, alike]))
    assert cuts.shared == 1.0  # 4 below and 4 from there on
    assert np.isnan(cuts.one_way)
    wanted = [["low"]] * 4 + [["high"]] * 4
    assert held(overlap_holding(np.column_stack([shared, alike]), cuts)) == wanted
    unknown = np.asarray([[np.nan, 0.2], [0.3, np.nan]])
    assert held(overlap_holding(unknown, OverlapCuts(0.4, 0.2))) == [["one-way-high"], ["low"]]
    assert np.isnan(overlap_cuts(np.empty((0, 2)))).all()


@pytest.mark.parametrize(
    ("cue", "key"),
    [
        ("token:Great", CueKey("token", "great")),
        ("ngram: Not  GOOD!", CueKey("ngram", "not good")),
        ("attribute:Horror: 2", CueKey("attribute", "Horror: 2")),
        ("overlap:one-way-low", CueKey("overlap", "one-way-low")),
        ("token:👍", CueKey("token", "👍")),
    ],
)
def test_a_key_is_read_in_the_form_that_texts_are_cut_into(cue: str, key: CueKey) -> None:
    assert parse_cue(cue) == key
    assert parse_cue(str(key)) == key


@pytest.mark.parametrize(
    ("cue", "said"),
    [
        ("great", "write it as KIND:NAME, such as token:great"),
        ("word:great", "write it as KIND:NAME"),
        ("token:not good", "'not good' is 2 words, a token is one; write ngram:not good"),
        ("token:!", "'!' is 0 words, a token is one; write letters or digits"),
        ("ngram:good", "'good' is 1 words, an n-gram has at least 2; write token:good"),
        ("overlap:middle", "no word overlap is called 'middle'; there are: high, low, one-way-high, one-way-low"),
    ],
)
def test_a_key_that_cannot_be_read_says_how_to_write_it(cue: str, said: str) -> None:
    with pytest.raises(DataError, match=said.replace("?", r"\?")):
        parse_cue(cue)


def test_words_of_a_key_are_those_of_a_text() -> None:
    assert words_of("Not  GOOD!") == ["not", "good"]
