"""Seconds and peak memory of every registered strategy on a made pool, as a Markdown table.

    python benchmarks/strategies.py                                     # all, 100,000 × 384, 2 and 12 classes
    python benchmarks/strategies.py --strategies badge,bald --peers     # beside the public implementations
    python benchmarks/strategies.py --pool 1000000 --classes 2 --strategies bald

Each measurement has a process of its own. It selects from a small pool first, which imports and compiles what is
needed (the column "first"), then from the large one. Memory is what the process grows by at its peak, the pool itself
not counted. Draws under dropout are those of one linear layer, and count as part of the strategy. A peer gets the same
arrays, and its picks are compared on a pool of 2,000: the share of equal picks, and where chance decides, the ratio of
ours to theirs of what both keep low, averaged over 5 seeds.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import platform
import resource
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import strategy_peers

from alvin_core.device import apply_threads
from alvin_core.errors import AlvinError
from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool, Readout, get_strategy, strategy_names
from alvin_core.types import Float32Array, Groups, IntArray

N_SMALL = 2_000
N_SEEDS = 5


@dataclass(frozen=True)
class Job:
    strategy: str
    n_classes: int
    n_pool: int
    dim: int
    n_labeled: int
    budget: int
    threads: int
    repeats: int
    peer: bool = False

    def settings(self) -> RunSettings:
        return RunSettings().with_values({"budget": self.budget, "strategy": self.strategy})


@dataclass(frozen=True)
class Measured:
    seconds: float
    processor: float
    first: float
    memory: int  # bytes
    agreement: str = ""


def made_pool(n_pool: int, job: Job, seed: int = 0) -> Pool:
    """Eight clusters of vectors, read by a linear layer that is fairly sure of itself."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((8, job.dim), dtype=np.float32)
    weight = 1.5 * rng.standard_normal((job.n_classes, job.dim), dtype=np.float32) / np.float32(np.sqrt(job.dim))

    def draw(n: int) -> Float32Array:
        vectors = rng.standard_normal((n, job.dim), dtype=np.float32)
        vectors += centres[rng.integers(0, len(centres), n)]
        return vectors

    def probs_of(vectors: Float32Array, layer: Float32Array) -> Float32Array:
        logits = vectors @ layer.T
        probs = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs /= probs.sum(axis=1, keepdims=True)
        return probs

    vectors, labeled_vectors = draw(n_pool), draw(job.n_labeled)

    def draw_probs(rows: IntArray, n_draws: int, seed: int) -> Float32Array:
        masks = np.random.default_rng(seed).random((n_draws, job.dim)) < 0.9
        taken = vectors if len(rows) == n_pool else vectors[rows[0] : rows[-1] + 1]  # blocks are consecutive
        layers = (weight * (mask / 0.9).astype(np.float32) for mask in masks)
        return np.stack([probs_of(taken, layer) for layer in layers])

    classes = np.arange(job.n_labeled) % job.n_classes
    minority = np.zeros(job.n_labeled, dtype=bool)
    minority[: job.n_labeled * 15 // 100] = True
    groups = Groups(minority, classes, "forgetting", np.zeros(job.n_labeled, dtype=bool))
    ids = np.array([f"labeled-{row}" for row in range(job.n_labeled)])
    return Pool(
        ids=np.array([f"pool-{row:07d}" for row in range(n_pool)]),
        probs=probs_of(vectors, weight),
        vectors=vectors,
        labeled=LabeledSet(ids, classes, labeled_vectors, groups, probs_of(labeled_vectors, weight)),
        readout=Readout(vectors, labeled_vectors, weight, np.zeros(job.n_classes, dtype=np.float32)),
        draw_probs=draw_probs,
        draw_steps=job.dim * job.n_classes,
        settings=job.settings(),
    )


def picks_of(job: Job, pool: Pool, seed: int) -> IntArray:
    """Rows that the strategy, or its peer, picks."""
    if job.peer:
        return strategy_peers.PEERS[job.strategy].pick(pool, job.budget, job.settings(), seed)
    return get_strategy(job.strategy).select(pool, job.budget, job.settings(), np.random.default_rng(seed)).rows


def measure(job: Job) -> Measured:
    apply_threads(job.threads)
    small = made_pool(N_SMALL, job, seed=1)
    start = time.perf_counter()
    picks_of(job, small, seed=0)
    first = time.perf_counter() - start
    agreement = agreement_of(job, small) if job.peer else ""
    pool = made_pool(job.n_pool, job)
    base = restart_peak()
    seconds, processor = [], []
    for seed in range(job.repeats):
        start, processor_start = time.perf_counter(), time.process_time()
        picks_of(job, pool, seed)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - processor_start)
    return Measured(min(seconds), min(processor), first, max(0, peak() - base), agreement)


def agreement_of(job: Job, pool: Pool) -> str:
    """Compare the picks of both on a small pool."""
    from dataclasses import replace

    kept_low = strategy_peers.PEERS[job.strategy].kept_low
    ours, theirs = (replace(job, peer=peer) for peer in (False, True))
    if kept_low is None:
        shared = np.intersect1d(picks_of(ours, pool, 0), picks_of(theirs, pool, 0))
        return f"{len(shared)} of {job.budget} picks"
    ratio = np.divide(
        *(np.mean([kept_low(pool, picks_of(one, pool, seed)) for seed in range(N_SEEDS)]) for one in (ours, theirs))
    )
    return f"{kept_low.__name__.replace('_', ' ')} × {ratio:.3f}"


def restart_peak() -> int:
    """Bytes that the process holds now; from here on the peak is counted anew, where the system can do that."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    return peak()


def peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def answer(job: Job, sender: Connection) -> None:
    try:
        sender.send(measure(job))
    except (AlvinError, MemoryError, ImportError) as error:
        sender.send(f"{type(error).__name__}: {error}")


def in_child(job: Job, limit: float) -> Measured | str:
    """Measure in a new process; a line that says why where that fails."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(job, sender))
    process.start()
    sender.close()
    try:
        found: Measured | str = receiver.recv() if receiver.poll(limit) else f"more than {limit:.0f} s"
    except EOFError:
        found = "the process died"
    process.kill()
    process.join()
    return found


def row_of(job: Job, found: Measured | str, ours: Measured | None = None) -> str:
    name = strategy_peers.PEERS[job.strategy].name if job.peer else f"**{job.strategy}**"
    if isinstance(found, str):
        return f"| {name} | {job.n_classes} | {found} |"
    ratio = f"{found.seconds / ours.seconds:.1f} × ours" if ours else ""
    return (
        f"| {name} | {job.n_classes} | {found.seconds:.2f} s | {found.processor:.2f} s | {found.first:.2f} s "
        f"| {found.memory / 1e6:,.0f} MB | {ratio} | {found.agreement} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", default=",".join(strategy_names()))
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 12])
    parser.add_argument("--pool", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--labeled", type=int, default=400)
    parser.add_argument("--budget", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    parser.add_argument("--limit", type=float, default=600, help="seconds that one measurement may take")
    parser.add_argument("--peers", action="store_true", help="measure public implementations as well")
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # read by numpy when a child imports it
    print(
        f"{datetime.date.today()}, {platform.machine()}, {options.threads} of {os.cpu_count()} cores, pool "
        f"{options.pool:,} × {options.dim}, {options.labeled} labeled, budget {options.budget}\n\n"
        "| strategy | classes | seconds | of processor | first | memory | time | agreement |\n" + "|---" * 8 + "|"
    )
    for strategy in options.strategies.split(","):
        for n_classes in options.classes:
            sizes = (n_classes, options.pool, options.dim, options.labeled, options.budget)
            job = Job(strategy, *sizes, options.threads, options.repeats)
            ours = in_child(job, options.limit)
            print(row_of(job, ours), flush=True)
            if options.peers and strategy in strategy_peers.PEERS and isinstance(ours, Measured):
                job = Job(strategy, *sizes, options.threads, repeats=1, peer=True)
                print(row_of(job, in_child(job, options.limit), ours), flush=True)


if __name__ == "__main__":
    main()
