"""What the statistics promise, held against simulated experiments whose truth is known.

Every share below comes from a fixed number of simulations, so it has a margin: three binomial standard errors, which a
correct method leaves about once in 400 tests. Seeds are fixed, so that a test that passes once always does.

Simulated are the differences of 12 comparisons (4 arms, each judged by 3 measures, against one reference) in two
worlds:

- ``normal``: correlated normal differences, half of their variance common to the three measures of an arm;
- ``binomial``: accuracies on 150 test examples. The true accuracy varies over seeds, every twentieth training collapses
  by 20 points, which all measures of that run show, and all arms meet the same reference. So differences are discrete,
  tied, heavy-tailed, and dependent in both directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from alvin_core.statistics import PairedTest, detectable_difference, paired_differences

Floats = NDArray[np.float64]

N_ARMS, N_MEASURES = 4, 3
M = N_ARMS * N_MEASURES
N_TEST = 150
N_SIMULATIONS = 1000
N_COVERAGE = 4000


def margin(share: float, n_simulations: int) -> float:
    """Three binomial standard errors of a simulated share."""
    return 3 * math.sqrt(share * (1 - share) / n_simulations)


def normal_nulls(rng: np.random.Generator, n_seeds: int) -> Floats:
    """Differences without any true effect, of shape (n_simulations, m, n_seeds)."""
    shape = (N_SIMULATIONS, N_ARMS, N_MEASURES, n_seeds)
    common = rng.normal(size=(N_SIMULATIONS, N_ARMS, 1, n_seeds))
    noise = math.sqrt(0.5) * common + math.sqrt(0.5) * rng.normal(size=shape)
    return 0.02 * noise.reshape(N_SIMULATIONS, M, n_seeds)


def binomial_nulls(rng: np.random.Generator, n_seeds: int) -> Floats:
    """The same in the world of accuracies: arms and reference are drawn from one distribution."""
    runs = (N_SIMULATIONS, 1 + N_ARMS, 1, n_seeds)  # the first arm is the reference
    true_accuracy = rng.normal(0.85, 0.02, size=runs) - 0.2 * (rng.random(runs) < 0.05)
    true_accuracy = np.broadcast_to(true_accuracy, (N_SIMULATIONS, 1 + N_ARMS, N_MEASURES, n_seeds))
    accuracy = rng.binomial(N_TEST, true_accuracy.clip(0, 1)) / N_TEST
    return (accuracy[:, 1:] - accuracy[:, :1]).reshape(N_SIMULATIONS, M, n_seeds)


WORLDS = {"normal": normal_nulls, "binomial": binomial_nulls}


@pytest.mark.parametrize("n_seeds", [5, 10, 20])
@pytest.mark.parametrize("world", ["normal", "binomial"])
@pytest.mark.parametrize("test", ["t", "sign-flip"])
def test_at_most_one_experiment_in_twenty_makes_any_false_claim(test: PairedTest, world: str, n_seeds: int) -> None:
    """Family-wise: of 1,000 experiments of 12 true nulls each, at most 5 % + 2.1 points (the margin) claim anything."""
    assert margin(0.05, N_SIMULATIONS) == pytest.approx(0.021, abs=0.0005)
    tables = WORLDS[world](np.random.default_rng([n_seeds, len(world)]), n_seeds)
    n_false = n_uncorrected = 0
    for table in tables:
        found = paired_differences(table, test=test)
        n_false += any(row.verdict in ("better", "worse") for row in found)
        n_uncorrected += any(row.p <= 0.05 for row in found)
        if test == "sign-flip" and n_seeds == 5:
            assert all(row.seeds_needed == 9 for row in found if row.sd > 0)
    assert n_false / N_SIMULATIONS <= 0.05 + margin(0.05, N_SIMULATIONS)
    if test == "sign-flip" and n_seeds == 5:
        assert n_false == n_uncorrected == 0  # p cannot go below 0.0625 there
    else:
        assert n_uncorrected / N_SIMULATIONS > 0.2  # so it is the correction that holds the claims down


def normal_differences(rng: np.random.Generator, n_seeds: int) -> tuple[Floats, float]:
    return rng.normal(0.015, 0.02, size=(N_COVERAGE, n_seeds)), 0.015


def binomial_differences(rng: np.random.Generator, n_seeds: int) -> tuple[Floats, float]:
    """Five points between the arms; a seed is lucky or unlucky for both, as they share the initial labels."""
    luck = rng.normal(0, 0.03, size=(N_COVERAGE, n_seeds)).clip(-0.1, 0.1)
    arm = rng.binomial(N_TEST, 0.85 + luck) / N_TEST
    reference = rng.binomial(N_TEST, 0.80 + luck) / N_TEST
    return arm - reference, 0.05


@pytest.mark.parametrize("n_seeds", [5, 10, 20])
@pytest.mark.parametrize("draw", [normal_differences, binomial_differences])
def test_intervals_cover_a_known_difference_as_often_as_they_say(
    draw: Callable[[np.random.Generator, int], tuple[Floats, float]], n_seeds: int
) -> None:
    """93–97 % at a nominal 95 %; the margin of 4,000 experiments is 1.0 points."""
    values, truth = draw(np.random.default_rng(n_seeds), n_seeds)
    found = paired_differences(values)
    covered = np.mean([row.low <= truth <= row.high for row in found])
    assert 0.93 <= covered <= 0.97
    assert abs(covered - 0.95) <= margin(0.95, N_COVERAGE) + 0.005  # half a point for accuracies not being normal


def test_a_percentile_bootstrap_of_five_seeds_covers_about_83_percent() -> None:
    """The reason for t-intervals: resampling five seeds knows neither how few they are nor how much sd is in doubt."""
    rng = np.random.default_rng(5)
    values, truth = normal_differences(rng, 5)
    covered = 0
    for block in values.reshape(-1, 200, 5):
        picks = rng.multinomial(5, np.full(5, 0.2), size=1000) / 5  # (n_resamples, 5): weights of the seeds
        low, high = np.quantile(block @ picks.T, [0.025, 0.975], axis=1)
        covered += int(np.count_nonzero((low <= truth) & (truth <= high)))
    assert covered / N_COVERAGE == pytest.approx(0.83, abs=0.02)
    by_t = np.mean([row.low <= truth <= row.high for row in paired_differences(values)])
    assert by_t > 0.94


@pytest.mark.parametrize("n_seeds", [5, 10, 20])
def test_a_detectable_difference_is_found_in_four_of_five_experiments(n_seeds: int) -> None:
    """At the severest level of Holm's correction for 12; the margin of 4,000 experiments is 1.9 points."""
    level = 0.05 / M
    difference = detectable_difference(n_seeds, 0.02, level)
    assert difference is not None
    values = np.random.default_rng(n_seeds).normal(difference, 0.02, size=(N_COVERAGE, n_seeds))
    found = np.mean([row.p <= level for row in paired_differences(values)])
    assert found == pytest.approx(0.8, abs=margin(0.8, N_COVERAGE))


@pytest.mark.parametrize(("test", "expected"), [("t", 0.80), ("sign-flip", 0.72)])
def test_a_detectable_difference_is_found_among_eleven_nulls(test: PairedTest, expected: float) -> None:
    """With its verdict, through the correction, at 10 seeds; of the sign-flip test "detectable" promises too much.

    The margin is 4 points (three standard errors of 1,000 experiments: 3.8 and 4.3).
    """
    tables = normal_nulls(np.random.default_rng(10), 10)
    difference = detectable_difference(10, 0.02, 0.05 / M)
    assert difference is not None
    tables[:, 0] += difference
    found = np.mean([paired_differences(table, test=test)[0].verdict == "better" for table in tables])
    assert found == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("n_seeds", [10, 20])
def test_the_difference_that_a_report_calls_detectable_is_so_on_average(n_seeds: int) -> None:
    """A report knows only the sd of its own seeds, which is on average 2.7 % too small at 10 seeds and 1.3 % at 20."""
    tables = normal_nulls(np.random.default_rng(n_seeds), n_seeds)
    truth = detectable_difference(n_seeds, 0.02, 0.05 / M)
    assert truth is not None
    reported = [row.detectable for table in tables[:200] for row in paired_differences(table)]
    assert np.mean([value for value in reported if value is not None]) == pytest.approx(truth, rel=0.03)
