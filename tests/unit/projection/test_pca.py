import time

import numpy as np
import pytest

from alvin_core.errors import DataError
from alvin_core.projection import principal_plane


@pytest.mark.parametrize("dim", [5, 40, 600])
def test_the_plane_is_that_of_the_singular_vectors_up_to_sign(dim: int) -> None:
    rng = np.random.default_rng(dim)
    scale = np.r_[5.0, 3.0, np.linspace(1.0, 0.1, dim - 2)]
    turn, _ = np.linalg.qr(rng.standard_normal((dim, dim)))
    vectors = (rng.standard_normal((300, dim)) * scale @ turn + 7).astype(np.float32)
    left, values, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    found = principal_plane(vectors)
    expected *= np.sign((expected * found).sum(axis=0))
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_signs_do_not_depend_on_the_order_of_the_examples() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((200, 10)) * np.arange(10, 0, -1)).astype(np.float32)
    order = rng.permutation(200)
    np.testing.assert_allclose(principal_plane(vectors)[order], principal_plane(vectors[order]), atol=1e-3)


def test_two_blocks_of_rows_give_the_plane_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    from alvin_core.projection import pca

    vectors = np.random.default_rng(3).standard_normal((50, 6)).astype(np.float32)
    whole = principal_plane(vectors)
    monkeypatch.setattr(pca, "ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(principal_plane(vectors), whole, atol=1e-4)


@pytest.mark.parametrize("n", [0, 1])
def test_no_example_and_one_lie_at_the_origin(n: int) -> None:
    np.testing.assert_array_equal(principal_plane(np.ones((n, 3))), np.zeros((n, 2)))


def test_two_examples_and_one_dimension_fill_a_line() -> None:
    np.testing.assert_allclose(np.abs(principal_plane(np.array([[0.0, 0], [3, 4]]))), [[2.5, 0], [2.5, 0]], atol=1e-5)
    np.testing.assert_allclose(principal_plane(np.array([[1.0], [2], [6]])), [[-2, 0], [-1, 0], [3, 0]], atol=1e-6)


@pytest.mark.parametrize("dim", [3, 600])
def test_equal_examples_lie_at_the_origin_whatever_rounding_leaves(dim: int) -> None:
    assert not principal_plane(np.full((1000, dim), 0.1, dtype=np.float32)).any()


def test_vectors_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="row 0 of 2 holds NaN"):
        principal_plane(np.array([[np.nan], [1.0]]))


def test_a_hundred_thousand_vectors_take_two_seconds_of_work_at_most() -> None:
    vectors = np.random.default_rng(0).standard_normal((100_000, 384), dtype=np.float32)
    start = time.process_time()
    principal_plane(vectors)
    assert time.process_time() - start < 2
