import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alvin_core.projection import umap_learn
from alvin_core.projection.umap_learn import N_PUSHED, fuzzy_graph, step

A, B = 1.5769434, 0.8950609  # of the curve 1 / (1 + a d^2b), for min_dist 0.1 and spread 1


def test_the_weights_of_a_neighbourhood_sum_to_the_logarithm_of_its_size_the_nearest_counting_whole() -> None:
    # A star: the leaves' own neighbours are each other in a ring, so the centre's row is that of one direction alone.
    rows = np.array([[1, 2, 3], [2, 3, 4], [3, 4, 1], [4, 1, 2], [1, 2, 3]])
    distances = np.array([[1.0, 2.0, 4.0]] + 4 * [[1.0, 1.0, 1.0]])
    first = fuzzy_graph(rows, distances).toarray()[0]
    assert first[1] == pytest.approx(1.0, abs=1e-4)
    assert first.sum() == pytest.approx(np.log2(4), abs=1e-3)
    assert first[3] == pytest.approx(first[2] ** 3, abs=1e-3)  # exp(-(4 - 1) / s) and exp(-(2 - 1) / s)


def test_an_edge_of_two_directions_gets_their_probabilistic_sum() -> None:
    rows = np.array([[1, 2], [0, 2], [1, 0]])
    distances = np.array([[1.0, 2.0], [1.0, 1.0], [3.0, 4.0]])
    weights = fuzzy_graph(rows, distances).toarray()
    assert weights[0, 1] == 1.0  # each is the other's nearest
    # The weights of a neighbourhood sum to log2(3), and the nearest's is 1; back, 0 is the second of 2.
    rest = np.log2(3) - 1
    assert weights[0, 2] == pytest.approx(rest + rest - rest**2, abs=1e-4)
    np.testing.assert_array_equal(weights, weights.T)
    assert not weights.diagonal().any()


def test_a_neighbour_that_was_not_found_is_no_edge() -> None:
    rows = np.array([[1, 2], [0, 2], [1, -1]])
    weights = fuzzy_graph(rows, np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 2.0]])).toarray()
    assert weights[2, 2] == 0
    assert weights[2, 1] == pytest.approx(1.0)


def test_a_step_uses_each_edge_once_and_pushes_five_points_away_from_its_head() -> None:
    # All points but the head lie at distance 1, so what is drawn at random makes no difference.
    xy = np.zeros((20_000, 2), dtype=np.float32)
    xy[1:, 0] = 1
    edge = np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)
    rate = 1e-3
    step(xy, *edge, rate, np.random.RandomState(0))
    pull = 2 * A * B / (1 + A)
    push = 2 * B / (1.001 * (1 + A))
    assert xy[0, 0] == pytest.approx(rate * (pull - N_PUSHED * push), rel=0.01)
    assert 1 - xy[1, 0] == pytest.approx(rate * pull, rel=0.01)
    assert not xy[:, 1].any()
    assert (xy[2:, 0] == 1).all()


def test_steps_follow_their_random_state() -> None:
    start = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    heads, tails = np.arange(49, dtype=np.int32), np.arange(1, 50, dtype=np.int32)

    def moved(seed: int) -> np.ndarray:
        xy = start.copy()
        step(xy, heads, tails, 0.5, np.random.RandomState(seed))
        return xy

    np.testing.assert_array_equal(moved(1), moved(1))
    assert not np.array_equal(moved(1), moved(2))


def test_a_second_process_loads_the_loops_that_the_first_compiled(tmp_path: Path) -> None:
    script = """
import numpy as np
from alvin_core.projection import warm_up
warm_up()
from alvin_core.projection.umap_learn import LOOPS, MODULES
from importlib import import_module
modules = [import_module(name) for name in MODULES]
loops = [next(getattr(module, loop) for module in modules if hasattr(module, loop)) for loop in LOOPS]
print([(sum(loop.stats.cache_hits.values()), sum(loop.stats.cache_misses.values())) for loop in loops])
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def told() -> str:
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert told() == "[(0, 1), (0, 1), (0, 1)]"
    assert told() == "[(1, 0), (1, 0), (1, 0)]"


def test_maps_are_made_where_compiled_loops_cannot_be_kept() -> None:
    class Unkept:
        def enable_caching(self) -> None:
            raise RuntimeError("cannot cache function: no locator available")

    umap_learn._keep_compiled(SimpleNamespace(__name__="other", **{umap_learn.LOOPS[0]: Unkept()}))
