"""The vectors nearest to points, against all distances written out."""

from __future__ import annotations

import numpy as np
import pytest

from alvin_core.neighbors import points as points_module
from alvin_core.neighbors.points import nearest_to_points
from alvin_core.progress import ProgressEvent
from alvin_core.types import Float32Array


def drawn(n: int, seed: int) -> Float32Array:
    return np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)


def test_they_are_those_of_all_distances_nearest_first() -> None:
    points, vectors = drawn(23, 0), drawn(9, 1)
    rows, distances = nearest_to_points(points, vectors, k=4)
    exact = np.sqrt(((points[:, None].astype(np.float64) - vectors) ** 2).sum(axis=2))
    np.testing.assert_array_equal(rows, np.argsort(exact, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :4], rtol=1e-12)


def test_of_two_at_one_distance_the_lower_row_comes_first() -> None:
    vectors = np.array([[3.0], [1.0], [-1.0], [1.0]], dtype=np.float32)
    assert nearest_to_points(np.zeros((1, 1), dtype=np.float32), vectors, k=4)[0].tolist() == [[1, 2, 3, 0]]


def test_more_points_than_a_block_holds_are_searched_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    points, vectors = drawn(23, 0), drawn(9, 1)
    whole = nearest_to_points(points, vectors, k=4)
    heard: list[ProgressEvent] = []
    monkeypatch.setattr(points_module, "POINTS_AT_ONCE", 10)
    blocks = nearest_to_points(points, vectors, k=4, progress=heard.append)
    for block, expected in zip(blocks, whole, strict=True):
        np.testing.assert_array_equal(block, expected)
    assert [event.done for event in heard] == sorted(event.done for event in heard)
    assert heard[-1] == ProgressEvent("retrieve", 23, 23)


def test_no_points_have_no_neighbors() -> None:
    rows, distances = nearest_to_points(drawn(0, 0), drawn(5, 1), k=2)
    assert rows.shape == distances.shape == (0, 2)
