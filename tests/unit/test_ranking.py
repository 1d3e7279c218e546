"""Ranking with ties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.strategies.ranking import entropy_of, plogp, rank_by_score


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


@pytest.mark.parametrize("probability", [0.0, 5e-324, 1e-310, 1e-45, 1e-9, 0.5, 1.0])
def test_a_probability_times_its_logarithm_is_exact_down_to_the_smallest(probability: float) -> None:
    expected = probability * math.log(probability) if probability else 0.0
    assert plogp(np.array([[probability]]))[0, 0] == pytest.approx(expected, rel=1e-15, abs=1e-304)


def test_entropy_of_what_is_no_number_is_no_number() -> None:
    assert np.isnan(entropy_of(np.array([[np.nan, 0.5]]))).all()


@pytest.mark.parametrize("n_classes", [2, 3, 12, 1000])
def test_entropy_is_that_of_a_sum_without_rounding(n_classes: int) -> None:
    probs = np.random.default_rng(0).dirichlet(np.full(n_classes, 0.3), size=20)
    expected = [math.fsum(-p * math.log(p) for p in row if p) for row in probs.tolist()]
    np.testing.assert_allclose(entropy_of(probs), expected, rtol=1e-13)
