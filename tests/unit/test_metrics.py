"""Metrics against hand-computed values and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.metrics import (
    accuracy,
    distances_to_labeled,
    evaluate,
    group_names,
    jaccard,
    macro_f1,
    share_of,
    uncertainty_of,
)

ONE_HOT = np.eye(2, dtype=np.float32)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_accuracy_and_macro_f1_equal_scikit_learn_s(pairs: list[tuple[int, int]]) -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    gold, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    assert accuracy(gold, predicted) == pytest.approx(sklearn_metrics.accuracy_score(gold, predicted))
    expected = sklearn_metrics.f1_score(gold, predicted, average="macro", zero_division=0)
    assert macro_f1(gold, predicted) == pytest.approx(expected)


def test_worst_group_is_the_group_with_the_lowest_accuracy() -> None:
    gold = np.array([0, 0, 0, 1, 1, 1])
    predicted = np.array([0, 0, 1, 1, 0, 0])
    attributes = np.array(["x", "x", "y", "x", "y", ""])
    found = evaluate(gold, ONE_HOT[predicted], ("neg", "pos"), attributes)
    assert found["groups"] == {
        "neg × x": {"n": 2, "accuracy": 1.0},
        "neg × y": {"n": 1, "accuracy": 0.0},
        "pos × x": {"n": 1, "accuracy": 1.0},
        "pos × y": {"n": 1, "accuracy": 0.0},
    }
    assert (found["worst_group"], found["worst_group_accuracy"]) == ("neg × y", 0.0)
    assert found["accuracy"] == 0.5


def test_without_attributes_there_is_no_worst_group() -> None:
    found = evaluate(np.array([0, 1]), ONE_HOT, ("a", "b"), None)
    assert found["worst_group_accuracy"] is None
    assert found["groups"] == {}


def test_a_fair_coin_has_confidence_a_half_and_entropy_ln_two() -> None:
    found = uncertainty_of(np.array([[0.5, 0.5], [0.5, 0.5]]))
    assert found["mean_confidence"] == 0.5
    assert found["mean_entropy"] == pytest.approx(np.log(2))


def test_certainty_has_entropy_zero() -> None:
    assert uncertainty_of(ONE_HOT) == {"mean_confidence": 1.0, "mean_entropy": 0.0}


def test_nothing_selected_has_no_confidence() -> None:
    assert uncertainty_of(np.empty((0, 2))) == {"mean_confidence": None, "mean_entropy": None}


def test_jaccard_is_the_intersection_over_the_union() -> None:
    assert jaccard(np.array(["a", "b"]), np.array(["b", "c"])) == pytest.approx(1 / 3)
    assert jaccard(np.array([]), np.array([])) is None


def test_shares_leave_out_what_is_unknown() -> None:
    assert share_of(["b", None, "a", "b"]) == {"a": pytest.approx(1 / 3), "b": pytest.approx(2 / 3)}
    assert share_of([]) == {}


SELECTED, LABELED = np.array([[0.0, 3.0], [10.0, 0.0]]), np.array([[0.0, 0.0], [10.0, 4.0]])


def test_the_distance_to_the_labeled_set_is_that_to_its_nearest_example() -> None:
    np.testing.assert_allclose(distances_to_labeled(SELECTED, LABELED), [3, 4])
    assert distances_to_labeled(SELECTED[:0], LABELED).tolist() == []


def test_distances_survive_vectors_far_from_the_origin() -> None:
    np.testing.assert_allclose(distances_to_labeled(SELECTED + 1e6, LABELED + 1e6), [3, 4])


def test_a_group_has_a_name_where_label_and_attribute_are_known() -> None:
    names = group_names(np.array([0, 1, -1, 0]), ("neg", "pos"), np.array(["x", "", "x", "y"]))
    assert names.tolist() == ["neg × x", None, None, "neg × y"]


def test_groups_without_a_single_known_attribute_are_none_at_all() -> None:
    found = evaluate(np.array([0, 1]), ONE_HOT, ("a", "b"), np.array(["", ""]))
    assert (found["groups"], found["worst_group"], found["worst_group_accuracy"]) == ({}, None, None)


def test_of_equally_bad_groups_the_first_by_name_is_the_worst() -> None:
    found = evaluate(np.array([1, 0]), ONE_HOT, ("b", "a"), np.array(["x", "x"]))
    assert found["worst_group"] == "a × x"


def test_the_sign_of_no_entropy_is_no_minus() -> None:
    assert str(uncertainty_of(ONE_HOT)["mean_entropy"]) == "0.0"
