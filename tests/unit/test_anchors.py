"""Anchors with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.anchors import _unordered_pair, count_anchors, make_anchors
from alvin_core.errors import SettingsError

VECTORS = np.array([[0, 0], [1, 0], [0, 1], [5, 5], [6, 5], [5, 6]], dtype=np.float32)
IDS = np.array(["a", "b", "c", "d", "e", "f"])
CLASSES = np.array([0, 0, 0, 1, 1, 1])
MINORITY = np.array([True, False, False, True, True, False])


def anchors_of(pairing: str = "minority-majority", *, seed: int = 0, **changes: object):
    rng = np.random.default_rng(seed)
    return make_anchors(VECTORS, IDS, CLASSES, MINORITY, pairing=pairing, rng=rng, **changes)


def pairs_of(anchors) -> set[tuple[str, str]]:
    return set(zip(anchors.minority_ids.tolist(), anchors.majority_ids.tolist(), strict=True))


def test_every_minority_majority_pair_of_one_class_gets_its_anchors() -> None:
    anchors = anchors_of(n_anchors=4)
    assert pairs_of(anchors) == {("a", "b"), ("a", "c"), ("d", "f"), ("e", "f")}
    assert len(anchors) == 4 * 4


def test_both_parents_are_of_the_anchor_s_class() -> None:
    anchors = anchors_of()
    assert (CLASSES[anchors.minority_rows] == anchors.classes).all()
    assert (CLASSES[anchors.majority_rows] == anchors.classes).all()


def test_an_anchor_lies_at_its_weight_between_its_parents() -> None:
    anchors = anchors_of()
    minority, majority = VECTORS[anchors.minority_rows], VECTORS[anchors.majority_rows]
    expected = anchors.weights[:, None] * minority + (1 - anchors.weights[:, None]) * majority
    np.testing.assert_allclose(anchors.vectors, expected, rtol=1e-6)


def test_weight_one_is_the_minority_example_itself() -> None:
    anchors = anchors_of("no-interpolation")
    assert anchors.minority_ids.tolist() == ["a", "d", "e"]
    np.testing.assert_array_equal(anchors.vectors, VECTORS[MINORITY])


def test_vectors_of_some_rows_equal_those_of_all() -> None:
    anchors = anchors_of()
    np.testing.assert_array_equal(anchors.vectors_of(np.array([3, 1])), anchors.vectors[[3, 1]])
    np.testing.assert_array_equal(anchors.vectors_of(slice(2, 5)), anchors.vectors[2:5])


@pytest.mark.parametrize(
    ("pairing", "expected"),
    [
        ("minority-minority", {("d", "e")}),
        ("majority-majority", {("b", "c")}),
        ("across-classes", {("a", "f"), ("d", "b"), ("d", "c"), ("e", "b"), ("e", "c")}),
        ("no-interpolation", {("a", "a"), ("d", "d"), ("e", "e")}),
    ],
)
def test_each_ablation_pairs_as_it_says(pairing: str, expected: set[tuple[str, str]]) -> None:
    assert pairs_of(anchors_of(pairing)) == expected


def test_max_pairs_draws_distinct_pairs_of_each_class() -> None:
    n = 40
    vectors = np.random.default_rng(0).normal(size=(n, 3))
    minority = np.arange(n) % 4 == 0
    anchors = make_anchors(
        vectors, np.arange(n), np.zeros(n), minority, n_anchors=2, max_pairs=25, rng=np.random.default_rng(1)
    )
    assert len(pairs_of(anchors)) == 25
    assert len(anchors) == 50


@pytest.mark.parametrize(
    "pairing", ["minority-majority", "minority-minority", "majority-majority", "across-classes", "no-interpolation"]
)
@pytest.mark.parametrize("max_pairs", [None, 1])
def test_anchors_are_counted_without_being_made(pairing: str, max_pairs: int | None) -> None:
    expected = len(anchors_of(pairing, n_anchors=3, max_pairs=max_pairs))
    assert count_anchors(CLASSES, MINORITY, n_anchors=3, max_pairs=max_pairs, pairing=pairing) == expected  # type: ignore[arg-type]


def test_class_names_are_refused() -> None:
    with pytest.raises(SettingsError, match="classes must be whole numbers, found <U3 such as neg"):
        make_anchors(VECTORS[:2], IDS[:2], ["neg", "pos"], [True, False], rng=np.random.default_rng(0))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    np.testing.assert_array_equal(anchors_of(seed=1).weights, anchors_of(seed=1).weights)
    assert not np.array_equal(anchors_of(seed=1).weights, anchors_of(seed=2).weights)


def test_weights_follow_the_symmetric_beta_distribution() -> None:
    weights = anchors_of(n_anchors=20_000, alpha=2.0).weights
    assert weights.mean() == pytest.approx(0.5, abs=0.01)
    assert weights.var() == pytest.approx(1 / 20, abs=0.002)  # variance of Beta(2, 2)


def test_a_class_with_one_example_gets_no_anchors() -> None:
    anchors = make_anchors(
        VECTORS[:3], IDS[:3], [0, 1, 1], [True, True, False], n_anchors=3, rng=np.random.default_rng(0)
    )
    assert pairs_of(anchors) == {("b", "c")}


def test_no_pair_at_all_gives_no_anchors() -> None:
    anchors = make_anchors(VECTORS[:2], IDS[:2], [0, 1], [False, False], rng=np.random.default_rng(0))
    assert len(anchors) == 0
    assert anchors.vectors.shape == (0, 2)


def test_inputs_are_not_written() -> None:
    frozen = [array.copy() for array in (VECTORS, IDS, CLASSES, MINORITY)]
    for array in frozen:
        array.setflags(write=False)
    make_anchors(*frozen, rng=np.random.default_rng(0))


def test_too_many_anchors_are_refused_with_the_remedy() -> None:
    n = 4000
    minority = np.arange(n) < 1000
    with pytest.raises(SettingsError, match=r"3,000,000 pairs with 15 anchors each .* set alvin.max_pairs"):
        make_anchors(np.zeros((n, 1)), np.arange(n), np.zeros(n), minority, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [(np.full((6, 2), np.nan), "hold NaN"), (VECTORS[:4], "do not fit"), (VECTORS[:, 0], "do not fit")],
)
def test_bad_vectors_are_refused(vectors: np.ndarray, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_anchors(vectors, IDS, CLASSES, MINORITY, rng=np.random.default_rng(0))


@pytest.mark.parametrize("changes", [{"alpha": 0.0}, {"n_anchors": 0}, {"max_pairs": 0}, {"pairing": "best friends"}])
def test_parameters_out_of_range_are_refused(changes: dict[str, object]) -> None:
    [(name, value)] = changes.items()
    with pytest.raises(SettingsError, match=f"alvin.{name} = {value!r} is"):
        anchors_of(**{"pairing": "minority-majority"} | changes)  # type: ignore[arg-type]


@given(st.integers(0, 10**15))
def test_the_number_of_a_pair_gives_the_pair(number: int) -> None:
    below, above = (int(row[0]) for row in _unordered_pair(np.array([number], dtype=np.int64)))
    assert 0 <= below < above
    assert above * (above - 1) // 2 + below == number
