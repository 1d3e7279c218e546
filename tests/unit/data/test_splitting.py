"""Stratified draws: known counts, bounds, seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.data.splitting import draw_initial, stratified_split
from alvin_core.errors import PoolError, SettingsError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_initial_draw_has_the_classes_in_proportion() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    rows = draw_initial(labels, 50, rng())
    assert np.bincount(labels[rows]).tolist() == [30, 15, 5]


def test_initial_draw_gives_the_left_over_seat_to_the_largest_remainder() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])  # quotas of 7: 3.5, 2.1, 1.4
    assert np.bincount(labels[draw_initial(labels, 7, rng())]).tolist() == [4, 2, 1]


def test_initial_draw_breaks_a_tie_of_remainders_to_the_lower_class() -> None:
    labels = np.repeat([0, 1], [10, 10])
    assert np.bincount(labels[draw_initial(labels, 5, rng())]).tolist() == [3, 2]


def test_initial_draw_takes_one_of_a_class_too_rare_for_a_seat() -> None:
    labels = np.repeat([0, 1], [999, 1])
    assert np.bincount(labels[draw_initial(labels, 10, rng())]).tolist() == [9, 1]


def test_initial_draw_below_the_number_of_classes_takes_the_largest() -> None:
    labels = np.repeat([0, 1, 2], [1, 50, 30])
    assert sorted(labels[draw_initial(labels, 2, rng())].tolist()) == [1, 2]


def test_initial_draw_of_everything_is_every_labeled_row() -> None:
    labels = np.array([1, -1, 0, 1, -1, 0])
    assert draw_initial(labels, 4, rng()).tolist() == [0, 2, 3, 5]


def test_initial_draw_of_none_is_empty() -> None:
    assert draw_initial(np.array([0, 1]), 0, rng()).tolist() == []


def test_initial_draw_of_more_than_there_are_is_refused_with_both_numbers() -> None:
    with pytest.raises(PoolError, match=r"asked for 5 initial examples, 3 pool rows have a label; ask for fewer"):
        draw_initial(np.array([0, 1, -1, 1]), 5, rng())


def test_initial_draw_of_a_negative_number_is_refused() -> None:
    with pytest.raises(PoolError, match="asked for -1 initial examples"):
        draw_initial(np.array([0, 1]), -1, rng())


def test_same_seed_draws_the_same_rows_and_another_seed_does_not() -> None:
    labels = np.arange(1000) % 2
    assert draw_initial(labels, 50, rng(1)).tolist() == draw_initial(labels, 50, rng(1)).tolist()
    assert draw_initial(labels, 50, rng(1)).tolist() != draw_initial(labels, 50, rng(2)).tolist()


@given(st.lists(st.integers(-1, 5), max_size=60), st.data())
def test_initial_draw_is_exact_labeled_without_repeats_and_within_one_seat_of_its_quota(
    values: list[int], data: st.DataObject
) -> None:
    labels = np.array(values, dtype=np.int64)
    n_labeled = int((labels >= 0).sum())
    n = data.draw(st.integers(0, n_labeled))
    rows = draw_initial(labels, n, rng())
    assert len(rows) == n == len(set(rows.tolist()))
    assert (labels[rows] >= 0).all()
    assert (np.diff(rows) > 0).all()
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    drawn = np.array([(labels[rows] == label).sum() for label in classes])
    if n >= len(classes):
        assert (drawn >= 1).all()
    if len(classes) and (n * counts >= n_labeled).all():  # no class is lifted to its one seat
        assert (np.abs(drawn - n * counts / n_labeled) < 1).all()


def test_split_takes_the_share_of_each_class() -> None:
    labels = np.repeat([0, 1], [100, 50])
    assert np.bincount(labels[stratified_split(labels, 0.2, rng())]).tolist() == [20, 10]


def test_split_leaves_a_class_of_one_row_whole_and_takes_one_of_two() -> None:
    labels = np.array([0] * 20 + [1] + [2] * 2)
    rows = stratified_split(labels, 0.1, rng())
    assert np.bincount(labels[rows], minlength=3).tolist() == [1, 0, 1]


def test_split_never_draws_an_unlabeled_row() -> None:
    labels = np.tile([0, -1, 1, -1], 25)
    rows = stratified_split(labels, 0.5, rng())
    assert len(rows) == 25
    assert (labels[rows] >= 0).all()


def test_split_of_nothing_is_empty() -> None:
    assert stratified_split(np.full(5, -1), 0.5, rng()).tolist() == []


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_split_by_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(SettingsError, match="it must be above 0 and below 1"):
        stratified_split(np.array([0, 1]), share, rng())


@given(st.lists(st.integers(-1, 4), max_size=60), st.floats(0.01, 0.99))
def test_split_gives_and_keeps_one_of_every_class_of_two_rows_or_more(values: list[int], share: float) -> None:
    labels = np.array(values, dtype=np.int64)
    rows = stratified_split(labels, share, rng())
    for label in set(values) - {-1}:
        n_drawn, n = int((labels[rows] == label).sum()), values.count(label)
        assert (0 if n == 1 else 1) <= n_drawn <= n - 1
