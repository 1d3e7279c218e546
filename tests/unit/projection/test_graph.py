import sys

import numpy as np
import pytest

from alvin_core.errors import SettingsError
from alvin_core.progress import silent
from alvin_core.projection import graph as graphs
from alvin_core.projection.graph import fuzzy_graph, space_neighbors
from alvin_core.projection.layout_kernel import A, B
from alvin_core.projection.searching import nearest_rows


@pytest.mark.parametrize("kind", ["plain", "duplicates", "all equal but one", "far apart"])
def test_the_graph_is_that_of_umap_learn(kind: str) -> None:
    umap_ = pytest.importorskip("umap.umap_")
    vectors = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    if kind == "duplicates":
        vectors[:60] = vectors[60:120]
        vectors[120:150] = vectors[150]
    elif kind == "all equal but one":
        vectors[1:] = vectors[1]
    elif kind == "far apart":
        vectors[:5] *= 1000
    rows, distances = space_neighbors(vectors, 14, silent)
    with_own = np.hstack([np.arange(300)[:, None], rows]).astype(np.int32)
    measured = np.hstack([np.zeros((300, 1)), distances]).astype(np.float32)
    # Its Python code, for compiling it takes longer than all tests of maps.
    with np.errstate(over="ignore"):
        sigmas, rhos = umap_.smooth_knn_dist.py_func(measured, 15.0)
    heads, tails, weights, _ = umap_.compute_membership_strengths.py_func(with_own, measured, sigmas, rhos)
    directed = np.zeros((300, 300))
    directed[heads, tails] = weights
    theirs = directed + directed.T - directed * directed.T
    ours = fuzzy_graph(rows, distances)
    dense = np.zeros((300, 300))
    dense[ours.heads, ours.tails] = ours.weights
    np.testing.assert_allclose(dense, theirs, atol=2e-4)


def test_the_curve_of_the_layout_is_that_of_umap_learn_for_its_defaults() -> None:
    umap_ = pytest.importorskip("umap.umap_")
    np.testing.assert_allclose((A, B), umap_.find_ab_params(1.0, 0.1), rtol=1e-4)


def test_an_edge_of_two_directions_gets_their_probabilistic_sum() -> None:
    rows = np.array([[1, 2], [0, 2], [1, 0]])
    distances = np.array([[1.0, 2.0], [1.0, 1.0], [3.0, 4.0]])
    graph = fuzzy_graph(rows, distances)
    weight = {(int(a), int(b)): float(w) for a, b, w in zip(graph.heads, graph.tails, graph.weights, strict=True)}
    assert weight[0, 1] == 1.0  # each is the other's nearest
    # The weights of a neighbourhood sum to log2(3), and the nearest's is 1; back, 0 is the second of 2.
    rest = np.log2(3) - 1
    assert weight[0, 2] == pytest.approx(rest + rest - rest**2, abs=1e-5)
    assert weight == {(b, a): w for (a, b), w in weight.items()}


def test_nearest_rows_are_those_of_brute_force_in_blocks_and_with_ties(monkeypatch: pytest.MonkeyPatch) -> None:
    from alvin_core.projection import searching

    monkeypatch.setattr(searching, "MOST_QUERIES_AT_ONCE", 7)
    vectors = np.random.default_rng(1).integers(0, 4, (90, 3)).astype(np.float32)  # hundreds of ties
    exact = np.linalg.norm(vectors[:, None].astype(float) - vectors[None], axis=2)
    np.fill_diagonal(exact, np.inf)
    _, distances = nearest_rows(vectors, vectors, 5, query_rows=np.arange(90))
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :5], atol=1e-6)
    rows, _ = nearest_rows(vectors, vectors, 89, query_rows=np.arange(90))
    np.testing.assert_array_equal(rows, np.argsort(exact, axis=1, kind="stable")[:, :89])


def test_a_query_is_never_its_own_neighbour_among_duplicates() -> None:
    vectors = np.ones((20, 2), dtype=np.float32)
    rows, distances = nearest_rows(vectors, vectors, 10, query_rows=np.arange(20))
    assert not (rows == np.arange(20)[:, None]).any()
    assert not distances.any()


def test_many_examples_are_searched_by_an_inverted_file_that_finds_nearly_all(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((40, 12))[rng.integers(0, 40, 4000)] * 3 + rng.standard_normal((4000, 12))).astype(
        np.float32
    )
    vectors[:40] = vectors[0]  # more duplicates than neighbours
    exact, _ = space_neighbors(vectors, 14, silent)
    monkeypatch.setattr(graphs, "EXACT_UP_TO", 1000)
    found, distances = space_neighbors(vectors, 14, silent)
    again, _ = space_neighbors(vectors, 14, silent)
    np.testing.assert_array_equal(found, again)
    assert not (found == np.arange(4000)[:, None]).any()
    assert (np.diff(distances, axis=1) >= 0).all()
    assert (found[40:, :, None] == exact[40:, None, :]).any(axis=2).mean() > 0.95


def test_without_faiss_many_examples_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "EXACT_UP_TO", 10)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(SettingsError, match=r"a map of 11 examples needs faiss.*pip install faiss-cpu.*'pca'"):
        space_neighbors(np.eye(11, dtype=np.float32), 3, silent)
