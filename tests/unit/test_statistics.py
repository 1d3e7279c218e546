"""Paired statistics against values worked out by hand, brute force, and scipy's tests."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import alvin_core.statistics as statistics
from alvin_core.errors import SettingsError
from alvin_core.statistics import (
    PairedDifference,
    PairedTest,
    curve_area,
    detectable_difference,
    holm_corrected,
    mean_interval,
    paired_differences,
    power_of,
    seeds_for,
    sign_flip_p,
    verdict_words,
)

NAN = float("nan")
NORMAL = np.random.default_rng(5).normal(0.01, 0.02, size=(12, 10))
TABLES = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(2, 8)),
    elements=st.sampled_from([NAN, -0.04, -0.02, 0.0, 0.01, 0.02, 0.03, 0.1]),
)
PS = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def words(difference: PairedDifference, measure: str = "accuracy on test") -> str:
    return verdict_words(difference, arm="alvin", reference="entropy", measure=measure)


def equal_up_to_nan(first: PairedDifference, second: PairedDifference) -> bool:
    return repr(first) == repr(second)


# Intervals


def test_the_interval_of_a_mean_is_student_s() -> None:
    # Mean 3, sd sqrt(2.5), t(0.975; 4) = 2.776445: half the width is 2.776445 · sqrt(2.5 / 5).
    found = mean_interval(np.array([1.0, 2, 3, 4, 5]))
    assert found.n == 5
    assert found.mean == pytest.approx(3)
    assert found.high - 3 == pytest.approx(2.776445 * math.sqrt(0.5), rel=1e-6)
    assert 3 - found.low == pytest.approx(found.high - 3)


def test_an_interval_equals_scipy_s_at_another_confidence() -> None:
    values = NORMAL[0]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.8)
    found = mean_interval(values, confidence=0.8)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_seed_without_a_value_is_left_out_and_n_tells_it() -> None:
    assert mean_interval(np.array([1.0, NAN, 2, 3, 4, 5])) == mean_interval(np.array([1.0, 2, 3, 4, 5]))


def test_one_seed_has_a_mean_but_no_interval() -> None:
    found = mean_interval(np.array([0.5, NAN]))
    assert (found.mean, found.n) == (0.5, 1)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_no_seed_has_not_even_a_mean() -> None:
    found = mean_interval(np.array([NAN]))
    assert found.n == 0
    assert math.isnan(found.mean)


@pytest.mark.parametrize("confidence", [0, 1, 95, NAN, 1 - 1e-14])
def test_a_confidence_that_is_no_probability_is_refused(confidence: float) -> None:
    with pytest.raises(SettingsError, match="confidence="):
        mean_interval(np.array([1.0, 2.0]), confidence)
    with pytest.raises(SettingsError, match="confidence="):
        paired_differences(NORMAL, confidence=confidence)


def test_infinite_values_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one row"):
        mean_interval(NORMAL)
    with pytest.raises(ValueError, match="n_comparisons"):
        paired_differences(NORMAL[0])
    with pytest.raises(ValueError, match="finite"):
        paired_differences(np.array([[0.1, np.inf]]))


# The tests


def test_the_t_test_equals_scipy_s_paired_test() -> None:
    rng = np.random.default_rng(0)
    arm, reference = rng.uniform(0.7, 0.9, size=(2, 7, 6))
    found = paired_differences(arm - reference)
    expected = stats.ttest_rel(arm, reference, axis=1)
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose([row.p for row in found], expected.pvalue)
    np.testing.assert_allclose([row.low for row in found], interval.low)
    np.testing.assert_allclose([row.high for row in found], interval.high)
    np.testing.assert_allclose([row.sd for row in found], (arm - reference).std(axis=1, ddof=1))


@pytest.mark.parametrize("n", [2, 3, 6, 9])
def test_the_sign_flip_test_equals_scipy_s_exact_permutation_test(n: int) -> None:
    rng = np.random.default_rng(n)
    for differences in [rng.normal(0.5, 1, size=n), rng.integers(-3, 5, size=n) / 150]:
        expected = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
        )
        assert sign_flip_p(differences) == pytest.approx(expected.pvalue)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_the_sign_flip_test_counts_every_pattern_even_with_ties(counts: list[int]) -> None:
    """Against a brute force in whole numbers, which has no rounding; the differences are 150ths, which have."""
    sums = [
        sum(s * c for s, c in zip(signs, counts, strict=True))
        for signs in itertools.product([1, -1], repeat=len(counts))
    ]
    expected = Fraction(sum(abs(total) >= abs(sum(counts)) for total in sums), len(sums))
    assert sign_flip_p(np.array(counts) / 150) == float(expected)


def test_the_sign_flip_test_of_differences_of_one_sign_is_two_to_the_one_minus_n() -> None:
    for n in (1, 2, 5, 20, 30):
        assert sign_flip_p(np.linspace(0.01, 0.05, n)) == 2.0 ** (1 - n)


def test_beyond_exact_counting_random_patterns_come_near_the_exact_p_and_are_never_zero() -> None:
    # 40 equal differences, 28 of them positive: p is the two-sided binomial test's.
    differences = np.where(np.arange(40) < 28, 0.01, -0.01)
    expected = stats.binomtest(28, 40).pvalue
    found = sign_flip_p(differences)
    assert found == pytest.approx(expected, abs=3 * math.sqrt(expected / 100_000))
    assert found == sign_flip_p(differences[::-1])  # the same patterns each time
    assert sign_flip_p(np.linspace(0.01, 0.05, 40)) == 1 / 100_001


def test_random_patterns_never_promise_what_they_cannot_reach() -> None:
    (found,) = paired_differences(np.linspace(0.01, 0.05, 40)[None], test="sign-flip")
    assert found.p == found.smallest_p == 1 / 100_001


def test_holm_s_correction_by_hand() -> None:
    # Sorted .01 .02 .03 .5, times 4 3 2 1: .04 .06 .06 .5, none below the one before it.
    np.testing.assert_allclose(holm_corrected(np.array([0.03, 0.5, 0.01, 0.02])), [0.06, 0.5, 0.04, 0.06])
    np.testing.assert_allclose(holm_corrected(np.array([0.4, 0.9])), [0.8, 0.9])
    np.testing.assert_allclose(holm_corrected(np.array([0.6, 0.7])), [1, 1])
    assert holm_corrected(np.array([])).shape == (0,)


@given(PS)
def test_holm_rejects_what_its_step_down_procedure_rejects(ps: list[float]) -> None:
    rejected = set()
    for step, row in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        if ps[row] * (len(ps) - step) > 0.05:
            break
        rejected.add(row)
    assert set(np.flatnonzero(holm_corrected(np.array(ps)) <= 0.05).tolist()) == rejected


@given(PS, st.randoms())
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(ps: list[float], shuffler: object) -> None:
    p = np.array(ps)
    corrected = holm_corrected(p)
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()
    assert (corrected >= p).all()
    assert (corrected <= np.minimum(1, len(p) * p)).all()
    order = list(range(len(ps)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(holm_corrected(p[order]), corrected[order])


# Differences


@given(TABLES, st.sampled_from(["t", "sign-flip"]), st.randoms())
def test_any_table_gives_probabilities_and_a_verdict_that_fits_them(
    table: np.ndarray, test: PairedTest, shuffler: object
) -> None:
    found = paired_differences(table, test=test)
    for row in found:
        assert 0 <= row.p <= row.p_corrected <= 1
        assert 0 <= row.smallest_p <= row.p_corrected
        assert (row.verdict in ("better", "worse")) == (row.p_corrected <= 0.05)
        assert (row.verdict == "too few seeds") == (row.seeds_needed is not None)
        assert row.seeds_needed is None or row.seeds_needed > row.n
        assert words(row)
    order = list(range(len(table)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    shuffled = paired_differences(table[order], test=test)
    assert all(equal_up_to_nan(shuffled[place], found[row]) for place, row in enumerate(order))


@given(TABLES, st.sampled_from(["t", "sign-flip"]))
def test_the_other_way_round_better_is_worse(table: np.ndarray, test: PairedTest) -> None:
    turned = {"better": "worse", "worse": "better"}
    for row, opposite in zip(paired_differences(table, test=test), paired_differences(-table, test=test), strict=True):
        assert opposite.verdict == turned.get(row.verdict, row.verdict)
        assert opposite.p == pytest.approx(row.p)
        assert opposite.detectable == row.detectable
        assert (-opposite.high, -opposite.low) == pytest.approx((row.low, row.high), nan_ok=True)


@pytest.mark.parametrize("test", ["t", "sign-flip"])
def test_the_order_of_the_seeds_does_not_matter(test: PairedTest) -> None:
    for row, turned in zip(
        paired_differences(NORMAL, test=test), paired_differences(NORMAL[:, ::-1], test=test), strict=True
    ):
        assert turned.p_corrected == pytest.approx(row.p_corrected)
        assert turned.verdict == row.verdict


def test_the_correction_is_over_all_rows() -> None:
    together = paired_differences(NORMAL)
    alone = [paired_differences(row[None])[0] for row in NORMAL]
    assert [row.p for row in together] == pytest.approx([row.p for row in alone])
    np.testing.assert_allclose(
        [row.p_corrected for row in together], holm_corrected(np.array([row.p for row in alone]))
    )
    assert all(row.n_comparisons == 12 for row in together)
    # The interval is each row's own: the correction does not touch it.
    assert [row.low for row in together] == pytest.approx([row.low for row in alone])


def test_a_verdict_takes_the_corrected_p_and_the_sign_of_the_mean() -> None:
    noise = np.array([-0.002, 0.001, 0.0, 0.002, -0.001])
    table = np.stack([0.05 + noise, -0.05 + noise, noise + 0.0001])
    assert [row.verdict for row in paired_differences(table)] == ["better", "worse", "no measurable difference"]


def test_a_p_below_the_level_is_no_finding_when_its_correction_is_above() -> None:
    row = np.array([0.01, 0.03, 0.02, 0.002, 0.02])
    alone = paired_differences(row[None])[0]
    assert alone.p == pytest.approx(stats.ttest_1samp(row, 0).pvalue)
    assert alone.verdict == "better"
    among_many = paired_differences(np.stack([row, *np.tile([0.01, -0.01, 0.02, -0.02, 0.0], (3, 1))]))[0]
    assert among_many.p_corrected == pytest.approx(4 * alone.p)
    assert among_many.verdict == "no measurable difference"
    assert among_many.low > 0  # the marginal interval leaves out 0 all the same


def test_a_p_equal_to_the_level_counts() -> None:
    # Six differences of one sign: p is 2^(1 − 6), which is also the level.
    (found,) = paired_differences(np.linspace(0.01, 0.06, 6)[None], test="sign-flip", confidence=1 - 1 / 32)
    assert found.p_corrected == 1 / 32
    assert found.verdict == "better"


@pytest.mark.parametrize("test", ["t", "sign-flip"])
@pytest.mark.parametrize("n", [2, 5, 10])
def test_differences_that_are_all_zero_are_no_measurable_difference(test: PairedTest, n: int) -> None:
    accuracies = np.arange(n) / 10 + 0.3
    rounding = (accuracies + 0.1) - accuracies - 0.1  # 0 but for rounding
    for row in (np.zeros(n), rounding):
        found = paired_differences(np.stack([row, NORMAL[0, :n]]), test=test)[0]
        assert (found.mean, found.sd, found.p, found.p_corrected) == (0, 0, 1, 1)
        assert found.verdict == "no measurable difference"
        assert found.detectable is None
        assert words(found) == (
            f"no measurable difference between alvin and entropy in accuracy on test (equal at each of {n} seeds)"
        )


def test_where_all_differences_are_equal_the_sign_flip_test_takes_the_place_of_t() -> None:
    # Differences of 0.1 that rounding has made unequal: t would be astronomically large.
    reference = np.linspace(0.1, 0.7, 10)
    differences = (reference + 0.1) - reference
    assert np.ptp(differences) > 0
    (found,) = paired_differences(differences[None])
    assert found.sd == 0
    assert found.test == "sign-flip"
    assert found.p == found.smallest_p == 2.0**-9
    assert found.verdict == "better"
    assert words(found) == (
        "alvin is 10.0 points better than entropy in accuracy on test "
        "(the same at each of 10 seeds, where t is undefined; p = 0.002 by the sign-flip test)"
    )
    (few,) = paired_differences(differences[None, :5])
    assert (few.p, few.verdict, few.seeds_needed) == (0.0625, "too few seeds", 6)


def test_a_seed_that_is_missing_is_left_out_of_its_own_row_alone() -> None:
    table = NORMAL[:2].copy()
    table[0, [2, 7]] = NAN
    found = paired_differences(table)
    known = np.delete(NORMAL[0], [2, 7])
    assert (found[0].n, found[1].n) == (8, 10)
    assert found[0].p == pytest.approx(stats.ttest_1samp(known, 0).pvalue)
    assert found[0].mean == pytest.approx(known.mean())
    flipped = paired_differences(table, test="sign-flip")
    assert flipped[0].p == sign_flip_p(known)
    assert flipped[0].smallest_p == 2 * 2.0**-7


@pytest.mark.parametrize("test", ["t", "sign-flip"])
@pytest.mark.parametrize("known", [0, 1])
def test_fewer_than_two_seeds_are_too_few(test: PairedTest, known: int) -> None:
    table = np.full((2, 4), NAN)
    table[0, :known] = 0.3
    table[1] = [0.1, 0.11, 0.1, 0.12]
    found = paired_differences(table, test=test)[0]
    assert (found.n, found.p, found.p_corrected, found.smallest_p) == (known, 1, 1, 1)
    assert math.isnan(found.low)
    assert math.isnan(found.sd)
    assert math.isnan(found.mean) == (known == 0)
    assert found.detectable is None
    assert found.verdict == "too few seeds"
    assert found.seeds_needed == (2 if test == "t" else 7)  # 2 · 2^(1 - 7) = 0.03125


def test_no_comparisons_give_no_differences() -> None:
    assert paired_differences(np.empty((0, 5))) == ()


def test_an_unknown_test_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="t, sign-flip"):
        paired_differences(NORMAL, test="bootstrap")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n", "m", "smallest", "needed"),
    [
        (5, 1, 1 / 16, 6),
        (6, 1, 1 / 32, None),
        (5, 12, 0.75, 9),
        (8, 12, 12 / 128, 9),
        (9, 12, 12 / 256, None),
        (2, 3, 1, 7),
    ],
)
def test_the_sign_flip_test_says_how_many_seeds_it_needs(n: int, m: int, smallest: float, needed: int | None) -> None:
    table = np.random.default_rng(1).normal(size=(m, n))
    for row in paired_differences(table, test="sign-flip"):
        if row.verdict in ("better", "worse"):
            continue
        assert row.smallest_p == smallest
        assert row.seeds_needed == needed
        assert row.verdict == ("too few seeds" if needed else "no measurable difference")


def test_a_level_too_severe_for_random_patterns_is_not_for_want_of_seeds() -> None:
    # 40 seeds could reach 2^-39, but 100,000 random patterns cannot go below 0.00001.
    differences = np.linspace(0.01, 0.05, 40)[None]
    (found,) = paired_differences(differences, confidence=1 - 1e-9, test="sign-flip")
    assert found.smallest_p == 1 / 100_001
    assert (found.verdict, found.seeds_needed) == ("no measurable difference", None)
    (fewer,) = paired_differences(differences[:, :20], confidence=1 - 1e-9, test="sign-flip")
    assert (fewer.verdict, fewer.seeds_needed) == ("too few seeds", 31)  # 2^-30 = 0.93e-9


def test_the_t_test_can_tell_from_two_seeds() -> None:
    found = paired_differences(NORMAL[:, :2])
    assert all(row.smallest_p == 0 and row.seeds_needed is None for row in found)


def test_rows_with_fewer_seeds_may_profit_from_those_before_them() -> None:
    # Six seeds among two comparisons reach 2/32 at the front, but 1/32 behind a row of smaller p.
    table = np.full((2, 12), NAN)
    table[0] = np.linspace(0.01, 0.05, 12)
    table[1, :6] = np.linspace(0.01, 0.05, 6)
    found = paired_differences(table, test="sign-flip")
    assert found[1].smallest_p == found[1].p_corrected == 1 / 32
    assert found[1].verdict == "better"


# Power


@pytest.mark.parametrize(("n", "level"), [(3, 0.05), (5, 0.05 / 12), (10, 0.05), (20, 0.01), (200, 0.001)])
@pytest.mark.parametrize("effect", [0.0, 0.3, 1.0])
def test_power_equals_the_two_tails_of_the_noncentral_t(n: int, level: float, effect: float) -> None:
    critical, shift = stats.t.isf(level / 2, n - 1), effect * math.sqrt(n)
    expected = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    assert power_of(0.02 * effect, 0.02, n, level) == pytest.approx(expected, abs=1e-9)
    assert power_of(-0.02 * effect, 0.02, n, level) == power_of(0.02 * effect, 0.02, n, level)


def test_power_of_two_seeds_at_a_severe_level_by_hand() -> None:
    # With one degree of freedom and no difference, t is Cauchy: beyond c it holds 1 − 2/π · atan(c).
    level = 0.0005
    critical = math.tan(math.pi / 2 * (1 - level))
    assert critical > 1000
    assert power_of(0, 1, 2, level) == pytest.approx(level, rel=1e-5)


def test_power_at_the_edges() -> None:
    assert power_of(0.1, 0.1, 1, 0.05) == 0
    assert power_of(0.1, 0, 5, 0.05) == 1
    assert power_of(0, 0, 5, 0.05) == 0
    assert power_of(100, 0.01, 5, 0.05) == pytest.approx(1)
    with pytest.raises(SettingsError, match="level="):
        power_of(0.1, 0.1, 5, 0)
    with pytest.raises(SettingsError, match="sd="):
        power_of(0.1, -1, 5, 0.05)


def test_a_published_sample_size_is_found() -> None:
    # Cohen (1988): 34 pairs find a difference of half a standard deviation at 0.05, two-sided, with 80 % power.
    assert seeds_for(0.5, 1, 0.05) == 34
    assert seeds_for(-0.05, 0.1, 0.05) == 34


@pytest.mark.parametrize(
    ("difference", "sd", "level"), [(0.02, 0.02, 0.05 / 12), (0.1, 0.02, 0.05), (0.01, 0.05, 0.01)]
)
def test_one_seed_fewer_than_needed_has_too_little_power(difference: float, sd: float, level: float) -> None:
    needed = seeds_for(difference, sd, level, power=0.9)
    assert needed is not None
    assert power_of(difference, sd, needed, level) >= 0.9 > power_of(difference, sd, needed - 1, level)


def test_no_number_of_seeds_finds_nothing() -> None:
    assert seeds_for(0, 1, 0.05) is None
    assert seeds_for(1e-6, 1, 0.05) is None
    assert seeds_for(0.1, 0, 0.05) == 2
    with pytest.raises(SettingsError, match="power="):
        seeds_for(0.1, 0.1, 0.05, power=1)


@pytest.mark.parametrize(("n", "level"), [(2, 0.05 / 12), (5, 0.05 / 12), (10, 0.05), (50, 0.001)])
def test_the_detectable_difference_has_eighty_percent_power(n: int, level: float) -> None:
    found = detectable_difference(n, 0.03, level)
    assert found is not None
    assert power_of(found, 0.03, n, level) == pytest.approx(0.8, abs=1e-9)


def test_nothing_is_known_to_be_detectable_without_a_spread() -> None:
    assert detectable_difference(5, 0, 0.05) is None
    assert detectable_difference(1, NAN, 0.05) is None
    assert detectable_difference(5, 1, 0.9) == 0  # a level above the power finds even no difference that often


def test_a_row_s_detectable_difference_is_at_its_own_n_and_sd_and_holm_s_most_severe_level() -> None:
    table = NORMAL.copy()
    table[3, :4] = NAN
    for row in paired_differences(table):
        assert row.detectable == detectable_difference(row.n, row.sd, 0.05 / 12)
    for row in paired_differences(table, test="sign-flip"):
        reachable = row.n >= 9
        assert row.detectable == (detectable_difference(row.n, row.sd, 0.05 / 12) if reachable else None)


# Learning curves


def test_the_area_of_a_curve_is_its_mean_height() -> None:
    # Over 10 labels a mean of 0.55, over the next 30 of 0.7: (10 · 0.55 + 30 · 0.7) / 40.
    assert curve_area(np.array([10, 20, 50]), np.array([0.5, 0.6, 0.8])) == pytest.approx(26.5 / 40)
    assert curve_area(np.array([10, 20, 50]), np.full(3, 0.7)) == pytest.approx(0.7)


def test_curves_of_any_number_of_axes_keep_the_others() -> None:
    values = np.random.default_rng(0).uniform(size=(2, 3, 4, 5))
    n_labeled = np.array([100, 150, 175, 300, 500])
    found = curve_area(n_labeled, values)
    assert found.shape == (2, 3, 4)
    np.testing.assert_allclose(found, np.trapezoid(values, n_labeled, axis=-1) / 400)


def test_a_missing_round_leaves_its_own_curve_without_an_area() -> None:
    values = np.array([[0.5, NAN, 0.8], [0.5, 0.6, 0.7]])
    found = curve_area(np.array([10, 20, 30]), values)
    assert math.isnan(found[0])
    assert found[1] == pytest.approx(0.6)


def test_the_area_of_a_single_round_is_its_value() -> None:
    np.testing.assert_array_equal(curve_area(np.array([100]), np.array([[0.5], [NAN]])), [0.5, NAN])


@pytest.mark.parametrize(
    ("n_labeled", "values"),
    [([10, 10], [0.5, 0.6]), ([20, 10], [0.5, 0.6]), ([10, 20, 30], [0.5, 0.6]), ([], [])],
)
def test_budgets_that_make_no_curve_are_refused(n_labeled: list[int], values: list[float]) -> None:
    with pytest.raises(ValueError, match="curve_area"):
        curve_area(np.array(n_labeled), np.array(values))


# Words


def difference(**changes: object) -> PairedDifference:
    """A finding among twelve, with some fields changed."""
    fields: dict[str, object] = {
        "n": 10,
        "mean": 0.018,
        "low": 0.004,
        "high": 0.032,
        "sd": 0.02,
        "p": 0.001,
        "p_corrected": 0.012,
        "smallest_p": 0.0,
        "detectable": 0.021,
        "seeds_needed": None,
        "verdict": "better",
        "n_comparisons": 12,
    }
    return PairedDifference(**(fields | changes))  # type: ignore[arg-type]


def test_better_in_words() -> None:
    assert words(difference(), "accuracy on ood:balanced") == (
        "alvin is 1.8 points better than entropy in accuracy on ood:balanced "
        "(95 % interval +0.4 to +3.2; p = 0.012 after correction for 12 comparisons)"
    )


def test_worse_in_words_has_true_minus_signs_and_no_correction_where_there_was_none() -> None:
    found = difference(
        mean=-0.018, low=-0.0325, high=-0.0001, verdict="worse", n_comparisons=1, p_corrected=0.0001, confidence=0.999
    )
    assert words(found) == (
        "alvin is 1.8 points worse than entropy in accuracy on test (99.9 % interval −3.2 to 0.0; p < 0.001)"
    )


def test_no_measurable_difference_in_words_says_what_would_have_been_found() -> None:
    found = difference(mean=-0.003, low=-0.02, high=0.014, p_corrected=1.0, verdict="no measurable difference")
    start = (
        "no measurable difference between alvin and entropy in accuracy on test "
        "(mean −0.3 points, 95 % interval −2.0 to +1.4; p = 1 after correction for 12 comparisons"
    )
    end = "a difference of 2.1 points would have been found with 80 % power)"
    assert words(found) == f"{start}; {end}"
    by_flip = difference(**(vars(found) | {"test": "sign-flip"}))
    assert words(by_flip) == f"{start}; {end}".replace("80 %", "about 80 %")
    unknown = difference(**(vars(found) | {"detectable": None}))
    assert words(unknown) == f"{start})"
    hopeless = difference(**(vars(found) | {"detectable": 1.4, "n": 2}))
    assert words(hopeless) == f"{start}; with 2 seeds not even 100 points would have been found with 80 % power)"


def test_too_few_seeds_in_words_says_how_many_are_needed() -> None:
    found = difference(
        n=5, smallest_p=0.75, p_corrected=0.75, verdict="too few seeds", seeds_needed=9, test="sign-flip"
    )
    assert words(found) == (
        "too few seeds to tell alvin from entropy in accuracy on test: 9 needed "
        "(with 5, p = 0.750 is the smallest that can be reached after correction for 12 comparisons)"
    )
    assert words(paired_differences(np.array([[0.1, NAN]]))[0]) == (
        "too few seeds to tell alvin from entropy in accuracy on test: 2 needed (1 compared)"
    )


def test_a_difference_that_is_there_is_never_said_to_be_nothing() -> None:
    assert "is less than 0.1 points better than" in words(difference(mean=0.0002))


@pytest.mark.parametrize(
    ("p", "verdict", "expected"),
    [
        (0.0496, "better", "p = 0.050 "),
        (0.05, "better", "p = 0.050 "),
        (0.0502, "no measurable difference", "p = 0.0502 "),
        (0.05002, "no measurable difference", "p = 0.05002 "),
        (0.0004, "better", "p < 0.001 "),
        (0.9996, "no measurable difference", "p = 1 "),
    ],
)
def test_a_p_is_never_rounded_to_the_other_side_of_the_level(p: float, verdict: str, expected: str) -> None:
    assert expected in words(difference(p_corrected=p, verdict=verdict))


# The module


def test_importing_the_statistics_costs_no_scipy() -> None:
    code = "import sys, alvin_core.statistics; print(sorted({'scipy', 'torch', 'ray', 'sklearn'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_exported_name_is_there() -> None:
    assert all(hasattr(statistics, name) for name in statistics.__all__)
