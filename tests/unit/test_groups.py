"""Training dynamics with known answers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.errors import SettingsError
from alvin_core.groups import infer_groups

NO_FILL = {"min_minority": 0.0}


def history(*examples: str) -> np.ndarray:
    """Write each example's epochs as '+' (right) and '-' (wrong); return (n_epochs, n_labeled)."""
    return np.array([[sign == "+" for sign in example] for example in examples]).T


def flat(correct: np.ndarray, right: float = 0.9, wrong: float = 0.1) -> np.ndarray:
    return np.where(correct, right, wrong)


def test_an_example_that_was_right_and_then_wrong_is_forgotten() -> None:
    correct = history("++++", "++-+", "--++", "----")
    groups = infer_groups(correct, flat(correct), [0, 0, 0, 0], **NO_FILL)
    assert groups.is_minority.tolist() == [False, True, False, True]


def test_wrong_after_the_last_right_epoch_counts_as_forgotten() -> None:
    correct = history("+-", "-+", "++")
    assert infer_groups(correct, flat(correct), [0, 0, 0], **NO_FILL).is_minority.tolist() == [True, False, False]


def test_with_one_epoch_only_what_was_never_right_is_minority() -> None:
    correct = history("+", "-", "+")
    assert infer_groups(correct, flat(correct), [0, 0, 0], **NO_FILL).is_minority.tolist() == [False, True, False]


def test_confidence_takes_the_lowest_quarter_of_each_class() -> None:
    gold_prob = np.array([[0.1, 0.9, 0.8, 0.7, 0.95, 0.3, 0.99, 0.98]])
    groups = infer_groups(gold_prob > 0.5, gold_prob, [0] * 4 + [1] * 4, rule="confidence", **NO_FILL)
    assert np.flatnonzero(groups.is_minority).tolist() == [0, 5]


def test_confidence_is_the_mean_over_the_epochs() -> None:
    gold_prob = np.array([[0.0, 0.4], [1.0, 0.4]])
    groups = infer_groups(gold_prob > 0.5, gold_prob, [0, 0], rule="confidence", quantile=0.5, **NO_FILL)
    assert groups.is_minority.tolist() == [False, True]


def test_variability_takes_the_highest_spread_of_each_class() -> None:
    gold_prob = np.array([[0.5, 0.1, 0.5, 0.5], [0.5, 0.9, 0.6, 0.5]])
    groups = infer_groups(gold_prob > 0.5, gold_prob, [0] * 4, rule="variability", **NO_FILL)
    assert np.flatnonzero(groups.is_minority).tolist() == [1]


def test_known_takes_what_differs_from_its_class_s_most_frequent_attribute() -> None:
    attributes = ["horror", "horror", "romance", "romance", "romance", "horror"]
    correct = np.ones((1, 6), dtype=bool)
    groups = infer_groups(correct, flat(correct), [0, 0, 0, 1, 1, 1], rule="known", attributes=attributes, **NO_FILL)
    assert np.flatnonzero(groups.is_minority).tolist() == [2, 5]


def test_known_counts_an_unknown_attribute_as_majority() -> None:
    correct = np.ones((1, 4), dtype=bool)
    groups = infer_groups(
        correct, flat(correct), [0] * 4, rule="known", attributes=["", "", "a", "b"], min_minority=0.0
    )
    assert np.flatnonzero(groups.is_minority).tolist() == [3]  # a and b tie: the first by name is the usual one


@pytest.mark.parametrize("unknown", [None, float("nan"), np.str_("")])
def test_known_counts_every_way_to_be_unknown_as_majority(unknown: object) -> None:
    correct = np.ones((1, 5), dtype=bool)
    attributes = [unknown, unknown, unknown, "a", "b"]
    groups = infer_groups(correct, flat(correct), [0] * 5, rule="known", attributes=attributes, **NO_FILL)  # type: ignore[arg-type]
    assert np.flatnonzero(groups.is_minority).tolist() == [4]


def test_a_share_that_makes_whole_examples_is_not_rounded_up_by_a_rounding_error() -> None:
    gold_prob = np.linspace(0.1, 0.9, 100)[None, :]
    found = infer_groups(gold_prob > 0, gold_prob, np.zeros(100), rule="confidence", quantile=0.07, **NO_FILL)
    assert found.is_minority.sum() == 7  # 0.07 * 100 is 7.000000000000001
    assert infer_groups(gold_prob > 0, gold_prob, np.zeros(100), min_minority=0.07).is_minority.sum() == 7


def test_a_class_without_forgotten_examples_is_filled_with_the_least_confident() -> None:
    gold_prob = np.linspace(0.6, 0.99, 40)[None, :]
    groups = infer_groups(gold_prob > 0.5, gold_prob, np.zeros(40, dtype=int))
    assert np.flatnonzero(groups.is_minority).tolist() == [0, 1]  # ceil(0.05 * 40)
    assert groups.filled_classes == (0,)
    assert groups.filled_share == 1.0


def test_only_the_class_that_falls_short_is_filled() -> None:
    correct = np.ones((2, 40), dtype=bool)
    correct[1, :2] = False  # class 0 forgets two
    groups = infer_groups(correct, flat(correct), np.repeat([0, 1], 20), min_minority=0.1)
    assert groups.filled_classes == (1,)
    assert groups.filled_share == 0.5


def test_when_all_are_forgotten_the_most_confident_stays_majority() -> None:
    correct = history("+-", "+-", "+-")
    gold_prob = np.array([[0.6, 0.9, 0.7], [0.4, 0.4, 0.4]])
    groups = infer_groups(correct, gold_prob, [0, 0, 0])
    assert groups.is_minority.tolist() == [True, False, True]
    assert groups.filled_share == 0.0


def test_a_class_of_one_example_is_all_majority() -> None:
    correct = history("--", "++", "++")
    groups = infer_groups(correct, flat(correct), [1, 0, 0])
    assert not groups.is_minority[0]


def test_inputs_are_not_written() -> None:
    correct, classes = history("+-", "++"), np.array([0, 0])
    gold_prob = flat(correct)
    for array in (correct, classes, gold_prob):
        array.setflags(write=False)
    infer_groups(correct, gold_prob, classes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "guess"}, "groups.rule = 'guess' is unknown"),
        ({"quantile": 0.0}, "groups.quantile = 0.0 is out of range"),
        ({"min_minority": 1.0}, "groups.min_minority = 1.0 is out of range"),
        ({"min_majority": 0}, "groups.min_majority = 0 is out of range"),
        ({"rule": "known"}, "'known' needs attributes"),
        ({"rule": "known", "attributes": ["a"]}, "must be of one length"),
        ({"gold_prob": np.array([[np.nan, 0.5]])}, "gold_prob holds NaN"),
        ({"gold_prob": np.array([[1.5, 0.5]])}, "outside [0, 1]"),
        ({"classes": [0]}, "do not fit"),
        ({"classes": ["neg", "pos"]}, "classes must be whole numbers, found <U3 such as neg"),
        ({"classes": [0.5, 1.0]}, "classes must be whole numbers, found float64 such as 0.5"),
        ({"classes": [np.nan, 1.0]}, "classes must be whole numbers"),
        ({"correct": np.ones((0, 2), bool), "gold_prob": np.ones((0, 2))}, "at least one epoch"),
    ],
)
def test_bad_input_is_refused_with_the_value(changes: dict[str, object], message: str) -> None:
    arguments = {"correct": np.ones((1, 2), bool), "gold_prob": np.ones((1, 2)), "classes": [0, 0]} | changes
    with pytest.raises(SettingsError) as caught:
        infer_groups(**arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)


@given(
    n=st.integers(2, 60),
    n_epochs=st.integers(1, 6),
    rule=st.sampled_from(["forgetting", "confidence", "variability"]),
    min_minority=st.floats(0, 0.6),
    min_majority=st.integers(1, 5),
    seed=st.integers(0, 2**16),
)
def test_every_class_keeps_its_bounds(
    n: int, n_epochs: int, rule: str, min_minority: float, min_majority: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    gold_prob, classes = rng.random((n_epochs, n)), rng.integers(0, 3, n)
    groups = infer_groups(
        gold_prob > 0.5,
        gold_prob,
        classes,
        rule=rule,  # type: ignore[arg-type]
        min_minority=min_minority,
        min_majority=min_majority,
    )
    assert not (groups.filled & ~groups.is_minority).any()
    assert 0 <= groups.filled_share <= 1
    for class_ in np.unique(classes):
        n_class, n_minority = (classes == class_).sum(), groups.is_minority[classes == class_].sum()
        most = max(n_class - min_majority, 0)
        assert min(math.ceil(Fraction(str(min_minority)) * int(n_class)), most) <= n_minority <= most
