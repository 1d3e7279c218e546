"""Ranking with ties."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.strategies.ranking import entropy_of, rank_by_score


def test_equal_scores_go_by_id() -> None:
    ids = np.array(["d", "a", "c", "b"])
    assert ids[rank_by_score(np.array([1.0, 1.0, 2.0, 1.0]), ids)].tolist() == ["c", "a", "b", "d"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50), st.integers(0, 2**16))
def test_the_order_is_that_of_sorting_by_score_and_id(scores: list[int], seed: int) -> None:
    ids = np.random.default_rng(seed).permutation(len(scores))
    order = rank_by_score(np.array(scores, dtype=float), ids)
    assert order.tolist() == sorted(range(len(scores)), key=lambda row: (-scores[row], ids[row]))


def test_entropy_of_an_impossible_class_is_zero_not_nan() -> None:
    assert entropy_of(np.array([[1.0, 0.0, 0.0]])).tolist() == [0.0]
    assert entropy_of(np.full((1, 4), 0.25))[0] == np.log(4)
