"""Seconds and peak memory of every registered strategy beside its public implementation, as a Markdown table.

    python benchmarks/strategies.py                                     # 100,000 × 384, 2 classes
    python benchmarks/strategies.py --quick                             # 5,000 × 384
    python benchmarks/strategies.py --full --classes 2 12               # slow peers on the whole pool, too: an hour
    python benchmarks/strategies.py --strategies bald --pool 1000000 --no-peers

Each measurement has a process of its own, in which the libraries are imported already. It selects from a small pool
first, which compiles what is needed (the column "first"), then from the large one, again and again for five seconds, at
least once and at most 20 times; the quickest counts. Memory is what the process grows by at its peak, the pool itself
not counted. Draws under dropout are those of one linear layer, and count as part of the strategy. A peer gets the same
arrays, and its picks are compared on a pool of 2,000 before: the share of equal picks, and where chance decides, the
ratio of ours to theirs of what both keep low, averaged over 5 seeds. Peers that take minutes are measured on a tenth of
the pool, as is the project's own strategy then, besides the whole pool. The ratio of times is theirs to ours, on the
clock and of the processor: below 0.91 ours would be more than 1.1 times slower.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import multiprocessing
import os
import resource
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import strategy_peers
from ceilings import machine

from alvin_core.device import apply_threads
from alvin_core.errors import AlvinError
from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool, PoolSlice, Readout, get_strategy, strategy_names
from alvin_core.types import Float32Array, Groups, IntArray

N_SMALL = 2_000
N_SEEDS = 5
SECONDS_OF_REPEATS, MOST_REPEATS = 5.0, 20
SMALLER = 10  # slow peers get so much less of the pool
PRELOADED = ["alvin_core.neighbors.segments", "alvin_core.strategies", "sklearn.cluster", "torch"]
PRELOADED_PEERS = ["skactiveml.pool", "small_text.query_strategies"]


@dataclass(frozen=True)
class Job:
    strategy: str
    n_classes: int
    n_pool: int
    dim: int
    n_labeled: int
    budget: int
    threads: int
    peer: bool = False

    @functools.cached_property
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
        slice_=PoolSlice("a tenth", np.arange(n_pool) % 10 == 0, shortcut_class=0),
        readout=Readout(vectors, labeled_vectors, weight, np.zeros(job.n_classes, dtype=np.float32)),
        draw_probs=draw_probs,
        draw_steps=job.dim * job.n_classes,
        settings=job.settings,
    )


def picks_of(job: Job, pool: Pool, seed: int) -> IntArray:
    """Rows that the strategy, or its peer, picks."""
    if job.peer:
        return strategy_peers.PEERS[job.strategy].pick(pool, job.budget, job.settings, seed)
    return get_strategy(job.strategy).select(pool, job.budget, job.settings, np.random.default_rng(seed)).rows


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
    while not seconds or (sum(seconds) < SECONDS_OF_REPEATS and len(seconds) < MOST_REPEATS):
        start, processor_start = time.perf_counter(), time.process_time()
        picks_of(job, pool, seed=0)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - processor_start)
    return Measured(min(seconds), min(processor), first, max(0, peak() - base), agreement)


def agreement_of(job: Job, pool: Pool) -> str:
    """Compare the picks of both on a small pool."""
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
    context = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(job, sender))
    process.start()
    sender.close()
    try:
        found: Measured | str = receiver.recv() if receiver.poll(limit) else f"more than {limit:.0f} s"
    except EOFError:
        found = "the process died"
    process.join(5 if isinstance(found, Measured) else 0)  # so that it tidies up
    process.kill()
    process.join()
    return found


def row_of(job: Job, found: Measured | str, theirs: Measured | str | None) -> str:
    """One line of the table: ours, the peer's, and their ratios."""
    cells = [f"**{job.strategy}**", str(job.n_classes), f"{job.n_pool:,}", *cells_of(found)]
    if theirs is None:
        return f"| {' | '.join([*cells, *['–'] * 5])} |"
    cells += [strategy_peers.PEERS[job.strategy].name, *cells_of(theirs)[::2]]
    if isinstance(found, Measured) and isinstance(theirs, Measured):
        ratios = theirs.seconds / found.seconds, theirs.processor / found.processor
        cells += [f"{ratios[0]:.2f} / {ratios[1]:.2f}", theirs.agreement]
    else:
        cells += ["–", "–"]
    return f"| {' | '.join(cells)} |"


def cells_of(found: Measured | str) -> list[str]:
    """Seconds on the clock and of the processor, seconds of the first call, megabytes."""
    if isinstance(found, str):
        return [found, "–", "–"]
    return [f"{found.seconds:.3f} / {found.processor:.3f}", f"{found.first:.2f}", f"{found.memory / 1e6:,.0f}"]


HEADER = (
    "| strategy | classes | pool | seconds, of processor | first | MB | peer | its seconds, of processor | its MB "
    "| its time ÷ ours, of processor | agreement |\n|---" + "|--:" * 5 + "|---" + "|--:" * 3 + "|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", default=",".join(strategy_names()))
    parser.add_argument("--classes", type=int, nargs="+", default=[2])
    parser.add_argument("--pool", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--labeled", type=int, default=400)
    parser.add_argument("--budget", type=int, default=50)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    parser.add_argument("--limit", type=float, default=240, help="seconds that one measurement may take")
    parser.add_argument("--no-peers", action="store_true", help="measure the project's own alone")
    parser.add_argument("--full", action="store_true", help="slow peers on the whole pool as well")
    parser.add_argument("--quick", action="store_true", help="a pool of 5,000")
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # read by libraries when a child imports them
    multiprocessing.set_forkserver_preload([*PRELOADED, *([] if options.no_peers else PRELOADED_PEERS)])
    n_pool = 5_000 if options.quick else options.pool
    print(
        f"{datetime.date.today()}, {machine()}, {options.threads} threads, vectors of {options.dim}, "
        f"{options.labeled} labeled, budget {options.budget}\n\n{HEADER}"
    )
    for strategy in options.strategies.split(","):
        for n_classes in options.classes:
            sizes = (options.dim, options.labeled, options.budget, options.threads)
            job = Job(strategy, n_classes, n_pool, *sizes)
            peer = None if options.no_peers else strategy_peers.PEERS.get(strategy)
            if peer is not None and peer.is_slow and not (options.full or options.quick):
                print(row_of(job, in_child(job, options.limit), None), flush=True)
                job = replace(job, n_pool=max(N_SMALL, n_pool // SMALLER))
            ours = in_child(job, options.limit)
            theirs = None if peer is None else in_child(replace(job, peer=True), options.limit)
            print(row_of(job, ours, theirs), flush=True)


if __name__ == "__main__":
    main()
