"""Repeated texts by hash, against brute force over the texts themselves."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.data.duplicates import find_duplicates, repeated_rows

ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 2), st.integers(-1, 2), st.booleans()),
    max_size=25,
)


def hashes(texts: list[str]) -> bytes:
    return b"".join(blake2b(text.encode(), digest_size=16).digest() for text in texts)


def test_repeated_rows_stand_together_ascending() -> None:
    rows, starts = repeated_rows(hashes(["x", "a", "x", "b", "a", "x"]))
    groups = sorted(part.tolist() for part in np.split(rows, starts[1:]))
    assert groups == [[0, 2, 5], [1, 4]]


def test_a_pool_text_is_kept_where_it_first_has_a_label() -> None:
    same = find_duplicates(hashes(["x", "x", "x"]), np.ones(3, bool), np.zeros(3, int), np.array([-1, 1, 1]))
    assert same.repeated.tolist() == [0, 2]
    assert same.first_of[[0, 2]].tolist() == [1, 1]


def test_a_pool_text_of_the_evaluation_is_leaked_even_where_it_stands_first() -> None:
    same = find_duplicates(hashes(["x", "y", "x"]), np.ones(3, bool), np.array([0, 0, 1]), np.zeros(3, int))
    assert same.leaked.tolist() == [0]
    assert same.first_of[0] == 2
    assert same.repeated.tolist() == []


@given(ROWS)
def test_duplicates_by_hash_agree_with_brute_force(rows: list[tuple[str, int, int, bool]]) -> None:
    texts = [row[0] for row in rows]
    splits, labels = np.array([row[1] for row in rows], int), np.array([row[2] for row in rows], int)
    usable = np.array([row[3] for row in rows], bool)
    same = find_duplicates(hashes(texts), usable, splits, labels)
    repeated, leaked, within, contradicting = [], [], [], []
    for row, text in enumerate(texts):
        if not usable[row]:
            continue
        alike = [other for other in range(len(rows)) if usable[other] and texts[other] == text]
        labeled = [other for other in alike if labels[other] >= 0]
        pool = [other for other in alike if splits[other] == 0]
        kept = next((other for other in pool if labels[other] >= 0), pool[0] if pool else None)
        if splits[row] == 0 and any(splits[other] > 0 for other in alike):
            leaked.append(row)
        elif splits[row] == 0 and row != kept:
            repeated.append(row)
        if splits[row] > 0 and any(splits[other] == splits[row] and other < row for other in alike):
            within.append(row)
        if labels[row] >= 0 and labels[row] != labels[labeled[0]]:
            contradicting.append(row)
            assert same.labeled_first_of[row] == labeled[0]
    assert same.repeated.tolist() == repeated
    assert same.leaked.tolist() == leaked
    assert same.within_evaluation.tolist() == within
    assert same.contradicting.tolist() == contradicting
