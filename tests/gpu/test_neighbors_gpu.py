"""The torch search on every device this machine has, against brute force in float64."""

from __future__ import annotations

import numpy as np
import pytest

from alvin_core.neighbors import nearest_in_pool
from alvin_core.types import Anchors


def available(device: str) -> bool:
    import torch

    return {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }[device]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu), pytest.param("mps", marks=pytest.mark.gpu)])
def device(request) -> str:
    if not available(request.param):
        pytest.skip(f"no {request.param} device on this machine")
    return request.param


def make_world(n_pool: int, dim: int, n_anchors: int) -> tuple[np.ndarray, Anchors]:
    rng = np.random.default_rng([n_pool, dim])
    pool = (3 + rng.normal(size=(n_pool, dim))).astype(np.float32)
    parents = (3 + rng.normal(size=(40, dim))).astype(np.float32)
    first, second = rng.integers(0, 8, n_anchors), rng.integers(8, 40, n_anchors)
    weights = rng.beta(2, 2, n_anchors).astype(np.float32)
    return pool, Anchors(parents, np.arange(40), first, second, weights, np.zeros(n_anchors, dtype=np.int64))


@pytest.mark.parametrize(
    ("n_pool", "dim", "n_anchors", "k"), [(50, 4, 30, 50), (3000, 48, 200, 10), (20_000, 8, 60, 3)]
)
def test_a_device_finds_what_brute_force_finds(device, n_pool, dim, n_anchors, k) -> None:
    pool, anchors = make_world(n_pool, dim, n_anchors)
    weights = anchors.weights.astype(np.float64)[:, None]
    parents = anchors.parent_vectors.astype(np.float64)
    vectors = weights * parents[anchors.minority_rows] + (1 - weights) * parents[anchors.majority_rows]
    wide = pool.astype(np.float64)
    distances = np.stack([np.sqrt(((wide - vector) ** 2).sum(axis=1)) for vector in vectors])
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    found = nearest_in_pool(pool, np.arange(n_pool), anchors, k=k, backend="torch", device=device)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, np.take_along_axis(distances, rows, axis=1), rtol=1e-12)


@pytest.mark.parametrize("n_tiles", [1, 4])
def test_a_device_looks_at_enough_blocks_whatever_it_starts_with(device, n_tiles, monkeypatch) -> None:
    from alvin_core.neighbors import torch_exact

    pool, anchors = make_world(9000, 32, 250)
    pool[::3] = np.float32(3) + np.float32(1e-3) * pool[::3]  # a dense middle: bounds tell little apart there
    expected = nearest_in_pool(pool, np.arange(9000), anchors, k=10, backend="segments")
    monkeypatch.setattr(torch_exact, "BLOCKS_PER_KEPT", 1)
    monkeypatch.setattr(torch_exact, "MORE_BLOCKS", 2)
    monkeypatch.setattr(torch_exact, "TILE_NUMBERS", 40 * 9008 // n_tiles)
    looked_at = []
    real = torch_exact._look

    def look(tile, between, bars, n_kept, n_looked_at):
        looked_at.append(n_looked_at)
        return real(tile, between, bars, n_kept, n_looked_at)

    monkeypatch.setattr(torch_exact, "_look", look)
    found = nearest_in_pool(pool, np.arange(9000), anchors, k=10, backend="torch", device=device)
    np.testing.assert_array_equal(found.rows, expected.rows)
    assert max(looked_at) >= 4 * min(looked_at)


def test_a_device_holds_no_number_for_each_anchor_and_example(device, monkeypatch) -> None:
    from alvin_core.neighbors import torch_exact

    pool, anchors = make_world(6000, 8, 700)
    monkeypatch.setitem(torch_exact.VALUES_AT_ONCE, device, 50_000)
    largest = []
    real = torch_exact._look

    def look(tile, between, bars, n_kept, n_looked_at):
        largest.append(len(between.first) * tile.numbers_for(n_looked_at))
        return real(tile, between, bars, n_kept, n_looked_at)

    monkeypatch.setattr(torch_exact, "_look", look)
    nearest_in_pool(pool, np.arange(6000), anchors, k=10, backend="torch", device=device)
    assert len(largest) > 1
    assert max(largest) <= 50_000


@pytest.mark.parametrize(
    "name", [pytest.param("cuda", marks=pytest.mark.gpu), pytest.param("mps", marks=pytest.mark.gpu)]
)
def test_a_device_agrees_with_the_processor(name) -> None:
    if not available(name):
        pytest.skip(f"no {name} device on this machine")
    pool, anchors = make_world(30_000, 64, 3000)
    ours = nearest_in_pool(pool, np.arange(30_000), anchors, device=name)  # auto takes torch there
    processors = nearest_in_pool(pool, np.arange(30_000), anchors, backend="segments")
    np.testing.assert_array_equal(ours.rows, processors.rows)
    np.testing.assert_allclose(ours.distances, processors.distances, rtol=1e-12)
