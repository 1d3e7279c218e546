"""Time the retrieval of the pool examples nearest to each anchor, beside a brute force over the anchors' vectors.

Run it from the repository's root, on a machine that does little else::

    python benchmarks/anchor_retrieval.py                    # all cases, under two minutes on 2 cores
    python benchmarks/anchor_retrieval.py --quick            # small: does it still run and agree?
    python benchmarks/anchor_retrieval.py --case goal --kind gaussian --repeats 5
    python benchmarks/anchor_retrieval.py --case goal --vectors mine.npy      # your own encodings, of shape (n, dim)
    python benchmarks/anchor_retrieval.py --device cuda --case million        # torch, beside torch's brute force

The peer is faiss's `IndexFlatL2`, or with `--device` torch's own products and `topk`. Both sides get the same number
of threads, work in one process and take turns, so that whatever else the machine does slows both; the ratios of the
best times are what to read: of seconds on the clock, and of seconds of processor time, which a busy machine disturbs
less. The peer gets a sample of the anchors, their vectors ready made, and its time is scaled by their number: its work
is the same for each anchor, and its index is built before. The project's time is that of the whole public call on all
the anchors, proofs and float64 distances included.

Before, the answers are checked for some anchors against a brute force in float64: every distance to a billionth, and
every neighbor that is no tie. How many of the peer's neighbors are the same is printed too: where one is not, float32
is wrong.

The floor of operations is what no exact search by the parents can do without: products of parents and pool, and the
distances of the k nearest in float64, at the machine's own speed of matrix products in either. The floor of bytes is
the pool read once and the answer written. Memory is what the process grows by at its peak, the answer included, the
pool not; with `--device cuda` what it takes on the card, the card's copy of the pool included. *Brute force at the
ceiling* is what any brute force would take if it were nothing but one matrix product.
"""

from __future__ import annotations

import argparse
import datetime
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anchor_retrieval_peers as peers
from ceilings import machine, matmul_gflops, peak, read_bandwidth, restart_peak

KINDS = ("clusters", "decaying", "gaussian")


@dataclass(frozen=True)
class Case:
    n_pool: int
    n_pairs: int  # drawn from all pairs of minority and majority without replacement
    n_anchors: int  # of each pair
    sample: int  # anchors that the peer is given
    kinds: tuple[str, ...] = ("clusters",)
    n_labeled: int = 500
    dim: int = 384
    k: int = 10


CASES = {
    "goal": Case(100_000, 40_000, 15, sample=2048, kinds=KINDS),  # all pairs of one class
    "large": Case(100_000, 2_000, 15, sample=2048),  # a large pool
    "many": Case(3_000, 16_667, 15, sample=40_960),  # a quarter of a million anchors, a small pool
    "apart": Case(100_000, 5_000, 1, sample=2048),  # anchors that hardly share pairs
}
MORE_CASES = {"million": Case(1_000_000, 40_000, 15, sample=1024)}  # minutes; or a GPU


@dataclass(frozen=True)
class Ceilings:
    single: float  # matrix products in float32 and float64, GFLOP/s
    double: float
    bandwidth: float  # GB/s

    @classmethod
    def measured(cls, threads: int, device: str) -> Ceilings:
        single, double = (matmul_gflops(threads, dtype, device) for dtype in ("float32", "float64"))
        found = cls(single, double, read_bandwidth(threads, device))
        print(
            f"matrix products {found.single:,.0f} GFLOP/s in float32, {found.double:,.0f} in float64; "
            f"reading memory {found.bandwidth:,.0f} GB/s\n"
        )
        return found


@dataclass
class Times:
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def take(self, call: Callable[[], Any]) -> Any:
        start, processor_start = time.perf_counter(), time.process_time()
        found = call()
        self.clock.append(time.perf_counter() - start)
        self.processor.append(time.process_time() - processor_start)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[*CASES, *MORE_CASES, "all"], default="all")
    parser.add_argument("--kind", choices=KINDS, help="of the drawn vectors; each case has its own")
    parser.add_argument("--vectors", type=Path, help="an .npy file to draw pool and labeled set from")
    parser.add_argument("--backend", default="auto", help="of this project: auto, segments, torch, faiss-flat")
    parser.add_argument("--peer", choices=list(peers.PEERS), help="faiss on the processor, torch elsewhere")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a pool of 4,000 and a tenth of the pairs")
    arguments = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(arguments.threads)  # numpy's products read it when numpy is first imported

    from alvin_core.device import apply_threads

    apply_threads(arguments.threads)
    print(f"{datetime.date.today()}, {machine(arguments.device)}; {arguments.threads} threads; {arguments.device}")
    ceilings = Ceilings.measured(arguments.threads, arguments.device)
    print(
        "| anchors × pool × dim, k | vectors | peer, scaled from a sample: s, of processor | ours: s, of processor "
        "| ratio | by processor | share of the floors: operations, bytes | brute force at the ceiling ÷ ours | MB "
        "| same neighbors |\n|---|---" + "|--:" * 8 + "|"
    )
    for name in CASES if arguments.case == "all" else [arguments.case]:
        case = {**CASES, **MORE_CASES}[name]
        if arguments.quick:
            case = replace(case, n_pool=min(case.n_pool, 4_000), n_pairs=case.n_pairs // 10)
        for kind in [arguments.vectors or arguments.kind] if arguments.vectors or arguments.kind else case.kinds:
            print(compare(case, kind, arguments, ceilings), flush=True)


def compare(case: Case, kind: str | Path, arguments: argparse.Namespace, ceilings: Ceilings) -> str:
    """Check and time both sides in turns; return a row of the table."""
    import numpy as np

    from alvin_core.neighbors import nearest_in_pool

    pool, anchors = peers.make_world(case, kind)
    dim, n = pool.shape[1], len(anchors.weights)
    sample = np.sort(np.random.default_rng(1).choice(n, min(case.sample, n), replace=False))
    some = peers.take(anchors, sample)
    name = arguments.peer or ("faiss" if arguments.device == "cpu" else "torch")
    search = peers.PEERS[name](pool, some.vectors, case.k, arguments.threads, arguments.device)

    def ours(given: Any = anchors) -> Any:
        options = {"k": case.k, "backend": arguments.backend, "device": arguments.device}
        return nearest_in_pool(pool, np.arange(len(pool)), given, **options)

    ours(peers.take(anchors, np.arange(min(n, 300))))  # compile, load and warm up
    mine, theirs = Times(), Times()
    base = restart_peak(arguments.device)
    found = mine.take(ours)
    memory = peak(arguments.device) - base
    peers.check(pool, anchors, found)
    for _ in range(arguments.repeats):
        peer_rows = theirs.take(search)
        mine.take(ours)
    agree = np.mean([len(np.intersect1d(a, b)) for a, b in zip(found.rows[sample], peer_rows, strict=True)]) / case.k
    clock, processor = min(mine.clock), min(mine.processor)
    scale = n / len(sample)
    clocks, processors = min(theirs.clock) * scale, min(theirs.processor) * scale
    n_parents = len(np.union1d(anchors.minority_rows, anchors.majority_rows))
    products, distances = 2e-9 * n_parents * len(pool) * dim, 3e-9 * n * case.k * dim
    operations = products / ceilings.single + distances / ceilings.double
    n_bytes = (4e-9 * pool.size + 12e-9 * n * case.k) / ceilings.bandwidth
    return (
        f"| {n:,} of {case.n_pairs:,} pairs × {len(pool):,} × {dim}, {case.k} | {getattr(kind, 'stem', kind)} "
        f"| {name} {clocks:,.1f}, {processors:,.1f} | {clock:.2f}, {processor:.2f} | **{clocks / clock:.1f}** "
        f"| {processors / processor:.1f} | {operations / clock:.0%}, {n_bytes / clock:.0%} "
        f"| {2e-9 * n * pool.size / ceilings.single / clock:.1f} | {memory / 1e6:,.0f} | {agree:.5f} |"
    )


if __name__ == "__main__":
    main()
