"""What `anchor_retrieval.py` compares with: worlds, a check in float64, and brute force by faiss and by torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alvin_core.types import Anchors, Float32Array, IntArray, Neighbors

N_CLUSTERS = 8
N_CHECKED = 64  # anchors compared with a brute force in float64
ROWS_AT_ONCE = 8192
POOL_AT_ONCE = {"cpu": 16_384, "cuda": 262_144, "mps": 65_536}
ANCHORS_AT_ONCE = {"cpu": 256, "cuda": 1024, "mps": 512}


def make_world(case: Any, kind: str | Path) -> tuple[Float32Array, Anchors]:
    """Draw pool and anchors.

    ``clusters``: Gaussian around 8 Gaussian centres; ``gaussian``: the same in every direction, so that distances
    hardly differ, which is the worst for bounds; ``decaying``: the i-th direction has a variance of 1 / i, as
    encodings of text have few strong directions and many weak ones; a path: vectors from that file.
    """
    rng = np.random.default_rng(0)
    if isinstance(kind, Path):
        vectors = np.asarray(np.load(kind), dtype=np.float32)
        vectors = vectors[rng.permutation(len(vectors))[: case.n_pool + case.n_labeled]]
        labeled, pool = vectors[: case.n_labeled].copy(), vectors[case.n_labeled :]
    else:
        centres = rng.standard_normal((N_CLUSTERS, case.dim), np.float32)
        pool, labeled = (draw(n, centres, kind, rng) for n in (case.n_pool, case.n_labeled))
    n_minority = case.n_labeled // 5
    pairs = rng.choice(n_minority * (case.n_labeled - n_minority), case.n_pairs, replace=False)
    minority, majority = np.divmod(np.sort(pairs), case.n_labeled - n_minority)
    weights = rng.beta(2, 2, case.n_pairs * case.n_anchors).astype(np.float32)
    first, second = np.repeat(minority, case.n_anchors), np.repeat(majority + n_minority, case.n_anchors)
    ids, classes = np.arange(case.n_labeled), np.zeros(len(weights), dtype=np.int64)
    return pool, Anchors(labeled, ids, first, second, weights, classes)


def draw(n: int, centres: Float32Array, kind: str, rng: np.random.Generator) -> Float32Array:
    """Draw n vectors in place: a million of them fit once, not twice."""
    vectors = rng.standard_normal((n, centres.shape[1]), np.float32)
    if kind == "decaying":
        vectors /= np.sqrt(np.arange(1, centres.shape[1] + 1, dtype=np.float32))
    if kind == "clusters":
        for start in range(0, n, ROWS_AT_ONCE):
            part = vectors[start : start + ROWS_AT_ONCE]
            part += centres[rng.integers(0, N_CLUSTERS, len(part))]
    return vectors


def take(anchors: Anchors, rows: IntArray) -> Anchors:
    """Return some of the anchors."""
    first, second = anchors.minority_rows[rows], anchors.majority_rows[rows]
    return replace(
        anchors, minority_rows=first, majority_rows=second, weights=anchors.weights[rows], classes=anchors.classes[rows]
    )


def check(pool: Float32Array, anchors: Anchors, found: Neighbors) -> None:
    """Stop unless distances and neighbors of some anchors are those of a brute force in float64."""
    rows = np.linspace(0, len(anchors.weights) - 1, N_CHECKED).astype(int)
    weights = anchors.weights[rows, None].astype(np.float64)
    parents = anchors.parent_vectors.astype(np.float64)
    vectors = weights * parents[anchors.minority_rows[rows]] + (1 - weights) * parents[anchors.majority_rows[rows]]
    squares = np.empty((len(rows), len(pool)))
    for start in range(0, len(pool), ROWS_AT_ONCE):
        wide = pool[start : start + ROWS_AT_ONCE].astype(np.float64)
        norms = np.einsum("xd,xd->x", wide, wide) + np.einsum("ad,ad->a", vectors, vectors)[:, None]
        squares[:, start : start + ROWS_AT_ONCE] = norms - 2 * vectors @ wide.T
    distances = np.sqrt(np.maximum(squares, 0))
    k = found.rows.shape[1]
    nearest = np.argpartition(distances, k, axis=1)[:, : k + 1]
    for row, candidates, own in zip(rows, nearest, distances, strict=True):
        expected = candidates[np.argsort(own[candidates])]
        np.testing.assert_allclose(found.distances[row], own[expected[:k]], rtol=1e-9)
        if own[expected[k]] > own[expected[k - 1]] * (1 + 1e-9):  # no tie at the border
            np.testing.assert_array_equal(np.sort(found.rows[row]), np.sort(expected[:k]))


Search = Callable[[], IntArray]


def by_faiss(pool: Float32Array, vectors: Float32Array, k: int, threads: int, device: str) -> Search:
    """faiss's exact flat index, built beforehand."""
    import faiss

    if device != "cpu":
        raise SystemExit("faiss is compared on the processor alone; leave --peer out, or say --peer torch")
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatL2(pool.shape[1])
    index.add(pool)

    def search() -> IntArray:
        rows: IntArray = index.search(vectors, k)[1]
        return rows

    return search


def by_torch(pool: Float32Array, vectors: Float32Array, k: int, threads: int, device: str) -> Search:
    """Products and ``topk`` of torch, in full float32, the pool on the device beforehand."""
    import torch

    place = torch.device(device)
    torch.set_float32_matmul_precision("highest")
    on_device = torch.from_numpy(pool).to(place)
    norms = on_device.square().sum(dim=1)

    @torch.inference_mode()
    def search() -> IntArray:
        rows = []
        for part in torch.from_numpy(np.ascontiguousarray(vectors)).to(place).split(ANCHORS_AT_ONCE[place.type]):
            values = torch.full((len(part), k), torch.inf, device=place)
            places = torch.zeros((len(part), k), dtype=torch.int64, device=place)
            for start in range(0, len(on_device), POOL_AT_ONCE[place.type]):
                stretch = slice(start, start + POOL_AT_ONCE[place.type])
                found = torch.addmm(norms[stretch], part, on_device[stretch].T, alpha=-2)
                lowest = found.topk(min(k, found.shape[1]), dim=1, largest=False, sorted=False)
                values, places = torch.cat([values, lowest.values], 1), torch.cat([places, lowest.indices + start], 1)
                values, columns = values.topk(k, dim=1, largest=False)
                places = places.gather(1, columns)
            rows.append(places.cpu().numpy())
        return np.concatenate(rows)

    return search


PEERS = {"faiss": by_faiss, "torch": by_torch}
