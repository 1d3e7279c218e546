"""What every neighbor backend must do, and what the public function refuses for all of them."""

from __future__ import annotations

import builtins
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvin_core.errors import Cancelled, DataError, DeviceError, PoolError, SettingsError
from alvin_core.neighbors import BACKENDS, nearest_in_pool
from alvin_core.neighbors.candidates import candidates_of
from alvin_core.types import Anchors, Neighbors

EXACT = ["segments", "torch", "faiss-flat"]
RECALL_OF_GRAPH = 0.95


def make_world(n_pool: int = 1500, dim: int = 12, n_anchors: int = 120, seed: int = 0) -> tuple[np.ndarray, Anchors]:
    rng = np.random.default_rng(seed)
    pool = rng.normal(size=(n_pool, dim)).astype(np.float32)
    parents = rng.normal(size=(15, dim)).astype(np.float32)
    first, second = rng.integers(0, 5, n_anchors), rng.integers(5, 15, n_anchors)
    weights = rng.beta(2, 2, n_anchors).astype(np.float32)
    return pool, Anchors(parents, np.arange(15), first, second, weights, np.zeros(n_anchors, dtype=np.int64))


def brute_force(pool: np.ndarray, anchors: Anchors, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and distances (n_anchors, k) in float64; ties by row."""
    weights = anchors.weights.astype(np.float64)[:, None]
    parents = anchors.parent_vectors.astype(np.float64)
    vectors = weights * parents[anchors.minority_rows] + (1 - weights) * parents[anchors.majority_rows]
    distances = np.sqrt(((pool.astype(np.float64)[None] - vectors[:, None]) ** 2).sum(axis=2))
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(distances, rows, axis=1)


@pytest.mark.parametrize("backend", [*EXACT, "auto"])
def test_an_exact_backend_finds_what_brute_force_finds(backend) -> None:
    pool, anchors = make_world()
    rows, distances = brute_force(pool, anchors, 10)
    found = nearest_in_pool(pool, np.arange(len(pool)), anchors, k=10, backend=backend)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)


def test_the_graph_finds_nearly_all_that_brute_force_finds_and_measures_exactly() -> None:
    pool, anchors = make_world(n_pool=3000)
    rows, _ = brute_force(pool, anchors, 10)
    found = nearest_in_pool(pool, np.arange(len(pool)), anchors, k=10, backend="faiss-hnsw")
    recall = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found.rows, rows, strict=True)])
    assert recall >= RECALL_OF_GRAPH
    assert (np.sort(found.rows, axis=1)[:, 1:] != np.sort(found.rows, axis=1)[:, :-1]).all()
    vectors = anchors.vectors.astype(np.float64)
    measured = np.sqrt(((pool[found.rows].astype(np.float64) - vectors[:, None]) ** 2).sum(axis=2))
    np.testing.assert_allclose(found.distances, measured, rtol=1e-5)


@pytest.mark.parametrize("backend", list(BACKENDS))
class TestEveryBackend:
    @pytest.mark.parametrize("k", [1, 7, 40])
    def test_shapes_types_and_order(self, backend, k) -> None:
        pool, anchors = make_world(n_pool=300)
        ids = np.array([f"example-{row}" for row in range(300)])
        found = nearest_in_pool(pool, ids, anchors, k=k, backend=backend)
        assert found.rows.shape == found.distances.shape == (len(anchors), k)
        assert found.rows.dtype == np.int32
        assert found.distances.dtype == np.float64
        assert (np.diff(found.distances, axis=1) >= 0).all()
        assert (found.ids == ids[found.rows]).all()
        assert found.anchors is anchors

    def test_k_may_be_the_whole_pool(self, backend) -> None:
        pool, anchors = make_world(n_pool=200)
        found = nearest_in_pool(pool, np.arange(200), anchors, k=200, backend=backend)
        rows, distances = brute_force(pool, anchors, 200)
        np.testing.assert_array_equal(np.sort(found.rows, axis=1), np.tile(np.arange(200), (len(anchors), 1)))
        np.testing.assert_array_equal(found.rows, rows)
        np.testing.assert_allclose(found.distances, distances, rtol=1e-12)

    def test_a_pool_of_one_is_every_anchors_neighbor(self, backend) -> None:
        _, anchors = make_world(dim=12)
        found = nearest_in_pool(np.ones((1, 12), np.float32), np.array(["only"]), anchors, k=1, backend=backend)
        assert (found.ids == "only").all()

    def test_ties_go_to_the_lower_id(self, backend) -> None:
        _, anchors = make_world()
        ids = np.random.default_rng(1).permutation(500)
        found = nearest_in_pool(np.ones((500, 12), np.float32), ids, anchors, k=20, backend=backend)
        np.testing.assert_array_equal(found.ids, np.tile(np.arange(20), (len(anchors), 1)))

    def test_no_anchors_have_no_neighbors(self, backend) -> None:
        pool, anchors = make_world()
        none = replace(anchors, minority_rows=np.empty(0, int), majority_rows=np.empty(0, int),
                       weights=np.empty(0, np.float32), classes=np.empty(0, int))  # fmt: skip
        found = nearest_in_pool(pool, np.arange(len(pool)), none, k=10, backend=backend)
        assert found.rows.shape == found.distances.shape == (0, 10)

    def test_inputs_are_not_written_even_when_they_could_not_be(self, backend) -> None:
        pool, anchors = make_world()
        ids = np.arange(len(pool))
        arrays = [pool, ids, anchors.parent_vectors, anchors.minority_rows, anchors.majority_rows, anchors.weights]
        before = [array.copy() for array in arrays]
        for writable in (True, False):
            for array in arrays:
                array.flags.writeable = writable
            nearest_in_pool(pool, ids, anchors, backend=backend)
        for array, copy in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, copy)

    def test_arrays_may_be_strided_and_of_other_types(self, backend) -> None:
        pool, anchors = make_world(n_pool=400)
        expected = nearest_in_pool(pool, np.arange(400), anchors, k=1, backend=backend)
        turned = np.asfortranarray(pool.astype(np.float64))
        narrow = replace(anchors, minority_rows=anchors.minority_rows.astype(np.uint8))
        found = nearest_in_pool(turned, np.arange(800)[::2], narrow, k=1, backend=backend)
        np.testing.assert_array_equal(found.rows, expected.rows)

    def test_progress_counts_all_anchors_and_can_stop_the_work(self, backend) -> None:
        pool, anchors = make_world()
        events = []
        nearest_in_pool(pool, np.arange(len(pool)), anchors, backend=backend, progress=events.append)
        assert {event.stage for event in events} == {"retrieve"}
        assert (events[-1].done, events[-1].total) == (len(anchors), len(anchors))
        done = [event.done for event in events]
        assert done == sorted(done)

        def stop(event) -> None:
            raise Cancelled("stopped")

        with pytest.raises(Cancelled, match="stopped"):
            nearest_in_pool(pool, np.arange(len(pool)), anchors, backend=backend, progress=stop)

    def test_the_same_call_gives_the_same_answer(self, backend) -> None:
        if backend == "faiss-hnsw":
            pytest.skip("a graph built by several threads may differ from call to call, as documented")
        pool, anchors = make_world()
        one, other = (nearest_in_pool(pool, np.arange(len(pool)), anchors, backend=backend) for _ in range(2))
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.distances, other.distances)

    def test_a_missing_library_is_named_with_the_way_to_get_it(self, backend, monkeypatch) -> None:
        library, remedy = BACKENDS[backend][2:]
        hide(monkeypatch, library)
        pool, anchors = make_world(n_pool=20)
        with pytest.raises(SettingsError, match=f"needs {library}.*{remedy}"):
            nearest_in_pool(pool, np.arange(20), anchors, backend=backend)


def hide(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Make ``import library`` fail, as where it is not installed."""
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.partition(".")[0] == library:
            raise ImportError(f"No module named {library!r}")
        return real(name, *arguments, **options)

    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(builtins, "__import__", refuse)


def test_auto_searches_by_torch_where_numba_is_absent(monkeypatch) -> None:
    import torch  # noqa: F401  (before numba is hidden: parts of torch look for it)

    pool, anchors = make_world()
    expected = nearest_in_pool(pool, np.arange(len(pool)), anchors, backend="torch")
    hide(monkeypatch, "numba")
    for module in ("alvin_core.neighbors.segments", "alvin_core.neighbors.segment_kernels"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    found = nearest_in_pool(pool, np.arange(len(pool)), anchors, backend="auto")
    assert "alvin_core.neighbors.segments" not in sys.modules
    np.testing.assert_array_equal(found.rows, expected.rows)


def test_torch_gives_the_same_in_tiles_and_parts(monkeypatch) -> None:
    from alvin_core.neighbors import torch_exact

    pool, anchors = make_world(n_pool=5000)
    whole = nearest_in_pool(pool, np.arange(5000), anchors, backend="segments")
    monkeypatch.setattr(torch_exact, "TILE_NUMBERS", 15 * 1024)
    monkeypatch.setitem(torch_exact.VALUES_AT_ONCE, "cpu", 7 * 1024)
    monkeypatch.setattr(torch_exact, "BLOCKS_PER_KEPT", 1)  # too few: more are looked at
    monkeypatch.setattr(torch_exact, "MORE_BLOCKS", 2)
    monkeypatch.setitem(torch_exact.LINK_NUMBERS_AT_ONCE, "cpu", 3 * 17 * 12)
    found = nearest_in_pool(pool, np.arange(5000), anchors, backend="torch")
    np.testing.assert_array_equal(found.rows, whole.rows)
    np.testing.assert_allclose(found.distances, whole.distances, rtol=1e-12)


def test_faiss_gives_the_same_in_tiles(monkeypatch) -> None:
    from alvin_core.neighbors import faiss_index

    pool, anchors = make_world(n_pool=1000)
    whole = nearest_in_pool(pool, np.arange(1000), anchors, backend="segments")
    monkeypatch.setattr(faiss_index, "TILE_ROWS", 9)  # fewer than are kept
    monkeypatch.setattr(faiss_index, "LINKS_PER_SEARCH", 1)
    found = nearest_in_pool(pool, np.arange(1000), anchors, backend="faiss-flat")
    np.testing.assert_array_equal(found.rows, whole.rows)


def test_torch_halves_the_batch_when_memory_runs_out_and_says_so(monkeypatch) -> None:
    import torch

    from alvin_core.neighbors import torch_exact

    pool, anchors = make_world()
    expected = nearest_in_pool(pool, np.arange(len(pool)), anchors, backend="torch")
    real = torch_exact._lowest

    def cramped(tile, anchors, *arguments):
        if len(anchors.first) > 40:
            raise torch.OutOfMemoryError("out of memory")
        return real(tile, anchors, *arguments)

    monkeypatch.setattr(torch_exact, "_lowest", cramped)
    notes = []
    found = nearest_in_pool(
        pool, np.arange(len(pool)), anchors, backend="torch", progress=lambda event: notes.append(event.note)
    )
    np.testing.assert_array_equal(found.rows, expected.rows)
    assert any("out of memory" in note for note in notes)


def test_torch_keeps_full_precision_under_a_callers_shortcuts() -> None:
    import torch

    pool, anchors = make_world()
    expected = nearest_in_pool(pool, np.arange(len(pool)), anchors, backend="segments")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = nearest_in_pool(pool, np.arange(len(pool)), anchors, backend="torch")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    np.testing.assert_array_equal(found.rows, expected.rows)


def test_where_the_graph_yields_too_few_the_anchor_is_searched_in_full(monkeypatch) -> None:
    import faiss

    pool, anchors = make_world()
    rows, distances = brute_force(pool, anchors, 10)
    real = faiss.IndexHNSWFlat.search

    def forgetful(index, vectors, k):
        found, places = real(index, vectors, k)
        places[:30, 4:] = -1  # what faiss writes where it found nothing
        return found, places

    monkeypatch.setattr(faiss.IndexHNSWFlat, "search", forgetful)
    found = nearest_in_pool(pool, np.arange(len(pool)), anchors, backend="faiss-hnsw")
    np.testing.assert_array_equal(found.rows[:30], rows[:30])
    np.testing.assert_allclose(found.distances[:30], distances[:30], rtol=1e-12)


def test_segments_work_where_compiled_code_cannot_be_kept() -> None:
    # In a process of its own: what was compiled here is compiled already.
    program = """
import numba.core.caching as caching
caching.CompileResultCacheImpl._locator_classes = []  # as where neither the installation nor the home may be written
import numpy as np
from alvin_core.neighbors import nearest_in_pool
from alvin_core.types import Anchors
pool = np.arange(400, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
row = np.zeros(1, int)
anchors = Anchors(pool[:2] + 100, np.arange(2), row, row + 1, np.array([0.25], np.float32), row)
print(nearest_in_pool(pool, np.arange(400), anchors, k=2, backend="segments").rows.tolist())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[[101, 100]]", 0), done.stderr


def test_several_threads_may_search_at_once(monkeypatch) -> None:
    from alvin_core.neighbors import segments

    monkeypatch.setattr(segments, "TOO_SMALL_FOR_THREADS", 0)
    worlds = [make_world(seed=seed) for seed in range(4)]
    found: dict[int, Neighbors] = {}

    def search(number: int) -> None:
        pool, anchors = worlds[number]
        found[number] = nearest_in_pool(pool, np.arange(len(pool)), anchors, backend="segments")

    threads = [threading.Thread(target=search, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, (pool, anchors) in enumerate(worlds):
        np.testing.assert_array_equal(found[number].rows, brute_force(pool, anchors, 10)[0])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_pool=st.integers(1, 400),
    dim=st.integers(1, 6),
    levels=st.sampled_from([2, 5, 1000]),  # few levels give many exact ties
    backend=st.sampled_from(EXACT),
)
def test_exact_backends_agree_on_distances_in_any_world(seed, n_pool, dim, levels, backend) -> None:
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, levels, (n_pool, dim)).astype(np.float32)
    parents = rng.integers(0, levels, (4, dim)).astype(np.float32)
    first, second = rng.integers(0, 4, 10), rng.integers(0, 4, 10)
    # Halves and quarters of small whole numbers: every distance is the same number whatever the order of summing.
    weights = rng.choice([0, 0.25, 0.5, 1], 10).astype(np.float32)
    anchors = Anchors(parents, np.arange(4), first, second, weights, np.zeros(10, dtype=np.int64))
    k = int(rng.integers(1, n_pool + 1))
    rows, distances = brute_force(pool, anchors, k)
    found = nearest_in_pool(pool, np.arange(n_pool), anchors, k=k, backend=backend)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.distances, distances)


BROKEN = {
    "k above the pool": ({"k": 1501}, PoolError, r"k = 1501 .* 1500 examples; lower k"),
    "k of zero": ({"k": 0}, SettingsError, r"k = 0 .* at least 1"),
    "k of one half": ({"k": 0.5}, SettingsError, r"k = 0\.5 .* whole number"),
    "k of true": ({"k": True}, SettingsError, r"k = True .* whole number"),
    "unknown backend": ({"backend": "annoy"}, SettingsError, r"'annoy' is unknown; choose one of: auto, segments"),
    "unknown device": ({"device": "gpu"}, DeviceError, r"'gpu' is unknown; choose one of: cpu, cuda"),
    "too few ids": ({"pool_ids": np.arange(9)}, DataError, r"shape \(9,\), but pool_vectors has 1500 rows"),
    "repeated ids": ({"pool_ids": np.zeros(1500, int)}, DataError, r"0\)? occurs more than once"),
    "mixed ids": ({"pool_ids": np.array([1, "b"] * 750, dtype=object)}, DataError, r"cannot be ordered"),
    "no vectors": ({"pool_vectors": np.empty((0, 12)), "pool_ids": np.empty(0)}, PoolError, r"the pool has 0 examples"),
    "one-dimensional vectors": ({"pool_vectors": np.ones(1500)}, DataError, r"shape \(n, dim\).*\(1500,\)"),
    "vectors of no dimension": ({"pool_vectors": np.ones((1500, 0))}, DataError, r"dim >= 1"),
    "vectors of words": ({"pool_vectors": np.full((1500, 12), "a")}, DataError, r"real numbers"),
    "another dimension": ({"pool_vectors": np.ones((1500, 9))}, DataError, r"dimension 9, but .* 12; encode both"),
}


@pytest.mark.parametrize("case", list(BROKEN))
@pytest.mark.parametrize("backend", ["segments", "torch", "faiss-flat", "faiss-hnsw"])
def test_what_cannot_be_searched_is_refused_with_value_limit_and_remedy(case, backend) -> None:
    changes, error, message = BROKEN[case]
    pool, anchors = make_world()
    arguments = {"pool_vectors": pool, "pool_ids": np.arange(1500), "anchors": anchors, "backend": backend, **changes}
    with pytest.raises(error, match=message) as caught:
        nearest_in_pool(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_pool_vector_that_is_not_finite_is_refused_by_its_row(value) -> None:
    pool, anchors = make_world()
    wide = pool.astype(np.float64)
    wide[77, 3] = value
    with pytest.raises(DataError, match="pool_vectors: row 77 holds NaN, infinite or too large"):
        nearest_in_pool(wide, np.arange(1500), anchors)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("parent_vectors", np.full((15, 12), np.nan, np.float32), "parent_vectors: row 0 holds NaN"),
        ("weights", np.full(120, 1.5, np.float32), r"weights must be .* in \[0, 1\]"),
        ("weights", np.full(120, np.nan, np.float32), r"weights must be .* in \[0, 1\]"),
        ("minority_rows", np.full(120, 15), "minority_rows runs from 15 to 15, but there are 15 parent_vectors"),
        ("majority_rows", np.full(120, -1), "majority_rows runs from -1 to -1"),
        ("majority_rows", np.full(120, 0.0), "majority_rows must be whole numbers"),
    ],
)
def test_anchors_that_do_not_fit_their_parents_are_refused(field, value, message) -> None:
    pool, anchors = make_world()
    with pytest.raises(DataError, match=message):
        nearest_in_pool(pool, np.arange(1500), replace(anchors, **{field: value}))


def test_a_device_that_is_not_there_is_refused() -> None:
    import torch

    pool, anchors = make_world(n_pool=20)
    with pytest.raises(DeviceError, match="is not there"):
        nearest_in_pool(pool, np.arange(20), anchors, device=f"cuda:{torch.cuda.device_count()}")


def test_candidates_are_the_union_with_counts_and_nearest_distances() -> None:
    pool, anchors = make_world()
    found = nearest_in_pool(pool, np.arange(len(pool)), anchors, k=4)
    candidates = candidates_of(found)
    expected: dict[int, list[float]] = {}
    for rows, distances in zip(found.rows, found.distances, strict=True):
        for row, distance in zip(rows, distances, strict=True):
            expected.setdefault(int(row), []).append(distance)
    assert candidates.rows.tolist() == sorted(expected)
    assert candidates.n_anchors.tolist() == [len(expected[row]) for row in sorted(expected)]
    assert candidates.nearest.tolist() == [min(expected[row]) for row in sorted(expected)]


def test_no_anchors_give_no_candidates() -> None:
    _, anchors = make_world(n_anchors=0)
    nothing = Neighbors(np.empty((0, 3), np.int32), np.empty((0, 3)), np.arange(5), anchors)
    assert len(candidates_of(nothing).rows) == 0
