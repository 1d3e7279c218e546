import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.projection import displacement, rms_radius
from alvin_core.projection.aligning import align, held_near

SQUARE = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=np.float32)


def test_the_radius_is_the_rms_distance_from_the_centroid() -> None:
    assert rms_radius(SQUARE + 100) == pytest.approx(2**0.5)


def test_displacement_is_the_mean_way_in_radii_of_the_earlier_map() -> None:
    moved = SQUARE + np.array([[0, 0], [0, 0], [0, 0], [4, 3]], dtype=np.float32)
    assert displacement(moved, SQUARE) == pytest.approx(5 / 4 / 2**0.5)


def test_displacement_from_one_point_is_nothing_or_without_bound() -> None:
    point = np.zeros((3, 2), dtype=np.float32)
    assert displacement(point, point) == 0
    assert displacement(point + 1, point) == float("inf")


def test_a_map_turned_mirrored_scaled_and_shifted_is_aligned_back() -> None:
    before = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    turn = np.array([[0.6, 0.8], [0.8, -0.6]])  # a reflection as well
    np.testing.assert_allclose(align(3 * before @ turn + 5, before), before, atol=1e-5)


def test_points_that_moved_least_are_put_back_and_the_others_lose_as_much_each() -> None:
    home = np.zeros((3, 2), dtype=np.float32)
    xy = np.array([[1, 0], [0, 3], [-4, 0]], dtype=np.float32)
    np.testing.assert_allclose(held_near(xy, home, most=1.0), [[0, 0], [0, 1], [-2, 0]], atol=1e-6)


def test_a_map_that_is_near_enough_is_left_as_it_is() -> None:
    np.testing.assert_array_equal(held_near(SQUARE, SQUARE * 0.9, most=1.0), SQUARE)


@given(st.integers(0, 10_000), st.floats(0.0, 2.0))
def test_no_held_map_lies_further_than_allowed_and_none_of_its_points_overshoots(seed: int, most: float) -> None:
    rng = np.random.default_rng(seed)
    home, xy = rng.standard_normal((2, 30, 2)).astype(np.float32)
    ways, before = np.hypot(*(held_near(xy, home, most) - home).T), np.hypot(*(xy - home).T)
    assert ways.mean() <= most + 1e-5
    assert (ways <= before + 1e-5).all()
    if before.mean() > most:
        assert ways.mean() == pytest.approx(most, abs=1e-5)
