import sys

import numpy as np
import pytest

from alvin_core.errors import SettingsError
from alvin_core.progress import silent
from alvin_core.projection import searching, space_neighbors
from alvin_core.projection.searching import nearest_rows


def test_nearest_rows_are_those_of_brute_force_in_blocks_and_with_ties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST_QUERIES_AT_ONCE", 7)
    vectors = np.random.default_rng(1).integers(0, 4, (90, 3)).astype(np.float32)  # hundreds of ties
    exact = np.linalg.norm(vectors[:, None].astype(float) - vectors[None], axis=2)
    np.fill_diagonal(exact, np.inf)
    _, distances = nearest_rows(vectors, vectors, 5, query_rows=np.arange(90))
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :5], atol=1e-6)
    rows, _ = nearest_rows(vectors, vectors, 89, query_rows=np.arange(90))
    np.testing.assert_array_equal(rows, np.argsort(exact, axis=1, kind="stable")[:, :89])


@pytest.mark.parametrize("kind", ["spread", "ties", "beyond float32"])
def test_among_many_rows_the_nearest_are_those_of_brute_force(kind: str) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((5000, 3)) if kind != "ties" else rng.integers(0, 3, (5000, 3))
    vectors = (vectors * (1e25 if kind == "beyond float32" else 1)).astype(np.float32)
    own = np.array([0, 17, 4999])
    with np.errstate(over="ignore", invalid="ignore"):
        rows, distances = nearest_rows(vectors, vectors[own], 10, query_rows=own)
    exact = np.linalg.norm(vectors[own][:, None].astype(float) - vectors[None], axis=2)
    exact[np.arange(3), own] = np.inf
    assert all(len(set(one)) == 10 for one in rows.tolist())
    if kind != "beyond float32":
        np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :10], rtol=1e-5)


def test_a_query_is_never_its_own_neighbour_among_duplicates() -> None:
    vectors = np.ones((20, 2), dtype=np.float32)
    rows, distances = nearest_rows(vectors, vectors, 10, query_rows=np.arange(20))
    assert not (rows == np.arange(20)[:, None]).any()
    assert not distances.any()


def test_many_examples_are_searched_by_an_inverted_file_that_finds_nearly_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((40, 12))[rng.integers(0, 40, 4000)] * 3 + rng.standard_normal((4000, 12))).astype(
        np.float32
    )
    vectors[:40] = vectors[0]  # more duplicates than neighbours
    exact, _ = space_neighbors.space_neighbors(vectors, 14, silent)
    monkeypatch.setattr(space_neighbors, "EXACT_UP_TO", 1000)
    found, distances = space_neighbors.space_neighbors(vectors, 14, silent)
    again, _ = space_neighbors.space_neighbors(vectors, 14, silent)
    np.testing.assert_array_equal(found, again)
    assert not (found == np.arange(4000)[:, None]).any()
    assert (np.diff(distances, axis=1) >= 0).all()
    assert (found[40:, :, None] == exact[40:, None, :]).any(axis=2).mean() > 0.95


def test_neighbours_that_the_inverted_file_does_not_find_are_no_rows_and_as_far_as_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(space_neighbors, "EXACT_UP_TO", 10)
    monkeypatch.setattr(space_neighbors, "N_LISTS_PER_ROOT", 1)
    monkeypatch.setattr(space_neighbors, "N_LISTS_READ", 1)
    rng = np.random.default_rng(0)
    vectors = np.r_[rng.standard_normal((90, 3)), rng.standard_normal((4, 3)) + 1000].astype(np.float32)
    rows, distances = space_neighbors.space_neighbors(vectors, 14, silent)
    assert set(rows[93].tolist()) == {90, 91, 92, -1}, "its list holds 4"
    assert (distances[93, 3:] == distances[93, 2]).all()


def test_without_faiss_many_examples_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_neighbors, "EXACT_UP_TO", 10)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(SettingsError, match=r"a map of 11 examples needs faiss.*pip install faiss-cpu.*'pca'"):
        space_neighbors.space_neighbors(np.eye(11, dtype=np.float32), 3, silent)
