"""Time the retrieval of the pool examples nearest to each anchor, beside faiss's exact flat index.

Run it from the repository's root, on a machine that does little else::

    python benchmarks/anchor_retrieval.py                        # the large pool and the many anchors
    python benchmarks/anchor_retrieval.py --threads 2 --repeats 5
    python benchmarks/anchor_retrieval.py --case large --backends segments torch

Both sides get the same number of threads, work in one process and take turns, so that whatever else the
machine does slows both; the ratios of the best times are what to read: of seconds on the clock, and of seconds
of processor time, which a busy machine disturbs less. faiss gets the anchors' vectors ready
made and answers in float32; the project's time is that of the whole public call, proofs and float64
distances included. How many neighbors agree is printed as well: where they do not, float32 is wrong.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    n_labeled: int
    n_pool: int
    n_pairs: int
    n_anchors: int  # of each pair
    dim: int = 384
    k: int = 10


CASES = {
    "large": Case(n_labeled=500, n_pool=100_000, n_pairs=2_000, n_anchors=15),  # a large pool
    "many": Case(n_labeled=500, n_pool=3_000, n_pairs=16_667, n_anchors=15),  # a quarter of a million anchors
    "apart": Case(n_labeled=500, n_pool=100_000, n_pairs=5_000, n_anchors=1),  # no two anchors share a pair
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[*CASES, "all"], default="all")
    parser.add_argument("--backends", nargs="+", default=["segments"], help="of this project, beside plain faiss")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="for the torch backend: cpu, cuda, mps")
    arguments = parser.parse_args()

    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(arguments.threads)  # numpy's products read it when numpy is first imported

    from alvin_core.device import apply_threads

    apply_threads(arguments.threads)
    for name in CASES if arguments.case == "all" else [arguments.case]:
        compare(name, CASES[name], arguments.backends, arguments.device, arguments.repeats, arguments.threads)


def compare(name: str, case: Case, backends: list[str], device: str, repeats: int, threads: int) -> None:
    """Time every backend and plain faiss in turns, and print times, ratios and agreement."""
    import faiss
    import numpy as np

    from alvin_core.neighbors import nearest_in_pool
    from alvin_core.types import Anchors

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, case.dim))

    def draw(n: int) -> np.ndarray:
        return (centres[rng.integers(0, 8, n)] + rng.normal(size=(n, case.dim))).astype(np.float32)

    pool, labeled = draw(case.n_pool), draw(case.n_labeled)
    n_minority = case.n_labeled // 5
    first = np.repeat(rng.integers(0, n_minority, case.n_pairs), case.n_anchors)
    second = np.repeat(rng.integers(n_minority, case.n_labeled, case.n_pairs), case.n_anchors)
    weights = rng.beta(2, 2, len(first)).astype(np.float32)
    anchors = Anchors(labeled, np.arange(case.n_labeled), first, second, weights, np.zeros(len(first), np.int64))
    ids, vectors = np.arange(case.n_pool), anchors.vectors
    faiss.omp_set_num_threads(threads)

    def plain_faiss() -> np.ndarray:
        index = faiss.IndexFlatL2(case.dim)
        index.add(pool)
        return index.search(vectors, case.k)[1]

    def ours(backend: str) -> Callable[[], np.ndarray]:
        return lambda: nearest_in_pool(pool, ids, anchors, k=case.k, backend=backend, device=device).rows

    works = {"faiss IndexFlatL2": plain_faiss, **{backend: ours(backend) for backend in backends}}
    for backend in backends:  # compile, load and warm up on a few anchors
        few = Anchors(labeled, anchors.parent_ids, first[:300], second[:300], weights[:300], anchors.classes[:300])
        start = time.perf_counter()
        nearest_in_pool(pool, ids, few, k=case.k, backend=backend, device=device)
        print(f"{name}: first call of {backend}: {time.perf_counter() - start:.2f} s")
    seconds: dict[str, list[float]] = {work: [] for work in works}
    processor: dict[str, list[float]] = {work: [] for work in works}
    rows = {}
    for _ in range(repeats):
        for work, call in works.items():
            start, processor_start = time.perf_counter(), time.process_time()
            rows[work] = call()
            seconds[work].append(time.perf_counter() - start)
            processor[work].append(time.process_time() - processor_start)
    peer = "faiss IndexFlatL2"
    for work, times in seconds.items():
        agree = np.mean([len(np.intersect1d(a, b)) for a, b in zip(rows[work][::97], rows[peer][::97], strict=True)])
        print(
            f"{name}: {len(first):,} anchors × {case.n_pool:,} × {case.dim}, k {case.k}, {threads} threads: {work:17s} "
            f"{min(times):7.2f} s ({min(processor[work]):7.2f} s processor), "
            f"{min(seconds[peer]) / min(times):5.1f} × faiss's speed "
            f"({min(processor[peer]) / min(processor[work]):.1f} × by processor time), "
            f"same neighbors {agree / case.k:.5f}; all: {', '.join(f'{t:.2f}' for t in times)}"
        )


if __name__ == "__main__":
    main()
