import numpy as np
import pytest

from alvin_core.errors import DataError
from alvin_core.projection import neighbors_kept, place_by_neighbors

GRID = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0)), axis=-1).reshape(-1, 2).astype(np.float32)


def test_a_vector_that_is_an_example_is_put_on_that_example() -> None:
    xy = np.random.default_rng(0).random((100, 2)).astype(np.float32)
    np.testing.assert_array_equal(place_by_neighbors(GRID, xy, GRID[[3, 50]]), xy[[3, 50]])


def test_a_vector_is_put_at_the_barycentre_of_its_nearest_weighed_by_inverse_distance() -> None:
    vectors = np.array([[0.0], [3.0]])
    xy = np.array([[0, 0], [0.9, 0]], dtype=np.float32)
    np.testing.assert_allclose(place_by_neighbors(vectors, xy, np.array([[1.0]])), [[0.3, 0]], atol=1e-6)


def test_only_the_ten_nearest_count() -> None:
    vectors = np.r_[np.zeros((10, 3)), np.full((50, 3), 9.0)]
    xy = np.r_[np.full((10, 2), 0.5), np.full((50, 2), -0.5)].astype(np.float32)
    np.testing.assert_allclose(place_by_neighbors(vectors, xy, np.full((1, 3), 4.0)), [[0.5, 0.5]])


def test_duplicates_share_a_vector_that_equals_them() -> None:
    xy = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)
    found = place_by_neighbors(np.array([[1.0], [1.0], [5.0]]), xy, np.array([[1.0]]))
    np.testing.assert_allclose(found, [[0.5, 0]])


def test_places_lie_within_the_hull_of_the_map_and_no_vectors_give_none() -> None:
    new = np.random.default_rng(1).random((40, 2)) * 30 - 10
    placed = place_by_neighbors(GRID, GRID / 10, new)
    assert (placed >= 0).all()
    assert (placed <= 0.9).all()
    assert place_by_neighbors(GRID, GRID / 10, new[:0]).shape == (0, 2)


def test_vectors_of_another_space_or_without_a_number_are_refused() -> None:
    with pytest.raises(ValueError, match="3 dimensions, the map's have 2"):
        place_by_neighbors(GRID, GRID, np.ones((1, 3)))
    with pytest.raises(DataError, match="new vectors cannot be mapped: row 0 of 1"):
        place_by_neighbors(GRID, GRID, np.array([[0, np.inf]]))


def test_a_map_that_is_the_space_keeps_every_neighbour_and_a_shuffled_one_keeps_chance() -> None:
    points = np.random.default_rng(0).standard_normal((1000, 2)).astype(np.float32)
    assert neighbors_kept(points, points) == (1.0, 1000)
    shuffled = points[np.random.default_rng(1).permutation(1000)]
    assert neighbors_kept(points, shuffled)[0] == pytest.approx(10 / 999, abs=0.01)


def test_half_the_neighbours_kept_are_counted_as_half() -> None:
    # Twenty rows of five; on the map, pairs of rows are told apart no more, and each takes the other's half.
    vectors = np.stack([np.repeat(np.arange(20) * 100.0, 11), np.tile(np.arange(11.0), 20)], axis=1)
    assert neighbors_kept(vectors, vectors.astype(np.float32))[0] == 1.0
    folded = vectors.astype(np.float32)
    folded[:, 0] = np.repeat(np.arange(20) // 2 * 100.0, 11)
    assert neighbors_kept(vectors, folded)[0] == pytest.approx(0.5, abs=0.06)


def test_of_many_examples_a_sample_is_checked_the_same_each_time() -> None:
    points = np.random.default_rng(0).standard_normal((6000, 2)).astype(np.float32)
    noisy = points + 0.02 * np.random.default_rng(1).standard_normal(points.shape).astype(np.float32)
    share, n_checked = neighbors_kept(points, noisy)
    assert n_checked == 2000
    assert neighbors_kept(points, noisy) == (share, 2000)
    assert 0.2 < share < 0.95


def test_a_single_example_has_lost_nothing() -> None:
    assert neighbors_kept(np.ones((1, 3)), np.zeros((1, 2))) == (1.0, 1)
