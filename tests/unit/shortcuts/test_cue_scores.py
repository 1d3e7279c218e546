"""z, local mutual information, exact p and corrections, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.shortcuts import base_shares, binomial_p, competency_z, corrected, local_mutual_information
from alvin_core.statistics import benjamini_hochberg_corrected, holm_corrected


def test_z_is_the_distance_from_the_base_share_in_standard_errors() -> None:
    # 9 of 10 against one half: 0.4 / sqrt(0.25 / 10); 3 of 12 against 0.25: none; 2 of 8 against 0.5.
    z = competency_z([9, 3, 2], [10, 12, 8], [0.5, 0.25, 0.5])
    np.testing.assert_allclose(z, [0.4 / math.sqrt(0.025), 0, -0.25 / math.sqrt(0.25 / 8)])
    assert competency_z(9, 10, 0.5) == pytest.approx(2.5298221)


def test_z_of_nobody_and_of_a_class_that_is_all_or_nothing_is_none() -> None:
    assert np.isnan(competency_z([0, 3, 0], [0, 3, 3], [0.5, 1.0, 0.0])).all()


def test_base_shares_are_those_of_the_set_or_even() -> None:
    np.testing.assert_allclose(base_shares(np.asarray([1, 2, 5])), [0.125, 0.25, 0.625])
    np.testing.assert_allclose(base_shares(np.asarray([1, 2, 5]), "uniform"), [1 / 3] * 3)


def test_local_mutual_information_is_worked_out_by_hand() -> None:
    # 30 of 40 holders have a class that 50 of 100 examples have: 0.3 · ln(0.75 / 0.5).
    assert local_mutual_information(30, 40, 50, 100) == pytest.approx(0.3 * math.log(1.5))
    assert local_mutual_information(10, 40, 50, 100) == pytest.approx(0.1 * math.log(0.5))
    np.testing.assert_array_equal(local_mutual_information([0, 0], [40, 0], [50, 0], 100), [0, 0])


def test_a_frequent_cue_has_more_of_it_than_a_rare_one_of_the_same_share() -> None:
    assert local_mutual_information(60, 80, 100, 200) > local_mutual_information(6, 8, 100, 200)


def test_p_is_twice_the_smaller_tail_of_the_binomial_distribution() -> None:
    # All 5 of 5 at one half: 2 / 32; 4 of 5: 2 · 6 / 32; 3 of 5: both tails are one half or more.
    np.testing.assert_allclose(binomial_p([5, 4, 3, 0], [5, 5, 5, 5], 0.5), [2 / 32, 12 / 32, 1, 2 / 32])
    # 3 of 3 at a quarter: 2 / 64. None of 3 at a quarter: 27 / 64, twice that.
    np.testing.assert_allclose(binomial_p([3, 0], [3, 3], 0.25), [2 / 64, 54 / 64])


@given(st.integers(1, 40), st.integers(0, 40), st.floats(0.02, 0.98))
def test_p_is_the_sum_of_its_tail(n: int, k: int, p0: float) -> None:
    k = min(k, n)
    chance = [math.comb(n, i) * p0**i * (1 - p0) ** (n - i) for i in range(n + 1)]
    tail = min(math.fsum(chance[k:]), math.fsum(chance[: k + 1]))
    assert float(binomial_p(k, n, p0)) == pytest.approx(min(2 * tail, 1), rel=1e-9)


def test_the_two_classes_of_a_cue_have_the_same_p() -> None:
    n = np.arange(1, 30)
    np.testing.assert_allclose(binomial_p(n // 3, n, 0.3), binomial_p(n - n // 3, n, 0.7), rtol=1e-9)


def test_p_far_out_is_small_and_not_nothing() -> None:
    assert float(binomial_p(500, 500, 0.5)) == pytest.approx(2 * 0.5**500, rel=1e-9)


def test_p_of_a_class_that_is_all_or_nothing_is_none() -> None:
    assert np.isnan(binomial_p([3, 0], [3, 3], [1.0, 0.0])).all()


def test_benjamini_and_hochberg_by_hand() -> None:
    # Times 4/4, 4/3, 4/2, 4/1 from the largest; none greater than one after it.
    p = np.asarray([0.03, 0.01, 0.04, 0.5])
    np.testing.assert_allclose(benjamini_hochberg_corrected(p), [0.04 * 4 / 3, 0.04, 0.04 * 4 / 3, 0.5])
    np.testing.assert_allclose(benjamini_hochberg_corrected(np.asarray([0.9, 0.8])), [0.9, 0.9])
    assert benjamini_hochberg_corrected(np.empty(0)).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 0.5))
def test_benjamini_and_hochberg_claim_what_their_procedure_claims(p: list[float], level: float) -> None:
    ordered = sorted(p)
    n_claims = max((i for i, one in enumerate(ordered, 1) if one * (len(p) / i) <= level), default=0)
    adjusted = benjamini_hochberg_corrected(np.asarray(p))
    assert np.count_nonzero(adjusted <= level) == n_claims
    assert (adjusted <= holm_corrected(np.asarray(p)) + 1e-15).all()
    assert (adjusted >= np.asarray(p)).all()


def test_the_correction_is_the_one_that_was_named() -> None:
    p = np.asarray([0.01, 0.02, 0.03])
    np.testing.assert_array_equal(corrected(p, "holm"), holm_corrected(p))
    np.testing.assert_array_equal(corrected(p, "benjamini-hochberg"), benjamini_hochberg_corrected(p))
