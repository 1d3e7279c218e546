"""Which vectors are nearest, against all distances written out in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alvin_core.errors import DataError
from alvin_core.neighbors import sets
from alvin_core.neighbors.points import nearest_to_points
from alvin_core.neighbors.sets import nearest_sets
from alvin_core.types import Float32Array, IntArray


def drawn(n: int, dim: int, seed: int) -> Float32Array:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def by_brute_force(points: Float32Array, vectors: Float32Array, k: int) -> IntArray:
    distances = ((points[:, None].astype(np.float64) - vectors) ** 2).sum(axis=2)
    return np.sort(np.argsort(distances, axis=1, kind="stable")[:, :k], axis=1)


@pytest.fixture(params=["numba", "torch"], autouse=True)
def _backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways, the one without numba as well."""
    if request.param == "torch":
        monkeypatch.setattr(sets, "has_numba", lambda: False)


@pytest.mark.parametrize("offset", [0.0, 1e3, -3e4])
@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e18])
@pytest.mark.parametrize("k", [1, 7])
def test_they_are_those_of_all_distances(offset: float, scale: float, k: int) -> None:
    points, vectors = (
        drawn(n, 24, seed) * np.float32(scale) + np.float32(offset * scale) for n, seed in ((90, 0), (40, 1))
    )
    found = nearest_sets(points, vectors, k=k)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, by_brute_force(points, vectors, k))


def test_equally_near_ones_go_by_row_and_copies_of_a_vector_count_each() -> None:
    vectors = np.repeat(drawn(6, 5, 0), 4, axis=0)
    points = np.concatenate([vectors[::4], np.zeros((1, 5), np.float32)])
    np.testing.assert_array_equal(
        nearest_sets(points, vectors, k=6), np.sort(nearest_to_points(points, vectors, k=6)[0])
    )
    np.testing.assert_array_equal(
        nearest_sets(np.zeros((3, 2), np.float32), np.zeros((9, 2), np.float32), k=4), [[0, 1, 2, 3]] * 3
    )


def test_ties_that_float32_cannot_tell_apart_are_decided_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = sets.nearest_to_points

    def counted(points: Float32Array, *arguments: object, **options: object) -> object:
        asked.append(len(points))
        return real(points, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(sets, "nearest_to_points", counted)
    points = np.full((4, 3), 1000.0, np.float32)
    vectors = np.array([[0, 0, 0], [0, 0, 1e-4], [0, 1e-4, 1e-4], [900, 900, 900]], np.float32)
    np.testing.assert_array_equal(nearest_sets(points, vectors, k=2), by_brute_force(points, vectors, 2))
    assert asked == [4]
    asked.clear()
    nearest_sets(drawn(500, 64, 0), drawn(50, 64, 1), k=5)
    assert sum(asked) < 50


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    points, vectors = drawn(50, 8, 0), drawn(20, 8, 1)
    whole = nearest_sets(points, vectors, k=3)
    monkeypatch.setattr(sets, "NUMBERS_AT_ONCE", 60)
    np.testing.assert_array_equal(nearest_sets(points, vectors, k=3), whole)


def test_all_of_them_none_to_search_for_and_what_is_not_finite() -> None:
    points, vectors = drawn(3, 4, 0), drawn(5, 4, 1)
    np.testing.assert_array_equal(nearest_sets(points, vectors, k=5), [[0, 1, 2, 3, 4]] * 3)
    assert nearest_sets(points[:0], vectors, k=2).shape == (0, 2)
    points[1, 2] = np.nan
    with pytest.raises(DataError):
        nearest_sets(points, vectors, k=2)


@given(
    arrays(np.float32, (6, 3), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    arrays(np.float32, (7, 3), elements=st.floats(-4, 4, width=32)),
    st.integers(1, 6),
)
def test_for_any_numbers_they_are_those_of_the_search_that_measures(
    points: Float32Array, vectors: Float32Array, k: int
) -> None:
    np.testing.assert_array_equal(
        nearest_sets(points, vectors, k=k), np.sort(nearest_to_points(points, vectors, k=k)[0])
    )
