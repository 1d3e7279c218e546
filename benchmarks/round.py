"""Time one whole round of `alvin step` with a frozen encoder, stage by stage, and the memory that it takes.

    python benchmarks/round.py                                                   # pools of 10,000 and 100,000
    python benchmarks/round.py --quick                                           # 5,000
    python benchmarks/round.py --sizes 300000 1000000 --figures round.json --plot docs/pictures/round.svg

A round opens the store, reads and checks the data set, loads the encoder, reads its vectors from the cache, trains the
head on 200 labels, predicts, infers groups, makes anchors between 2,000 pairs of each class, retrieves, ranks, selects,
lets the other strategies select beside (`runtime.beside`: those that are cheap enough), measures, and writes to the
store. Each is the first round of a process of its own, with the libraries imported beforehand; memory is the peak of
the process (VmHWM). What stands in, see `round_store.py`: texts, encoder and vectors of width 384 are made, and
encoding is not part of it. There is no peer that does all this. The two floors are the operations of predicting and
retrieving at the machine's best matrix product, and the bytes of the vectors, each read once, at its best bandwidth.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from round_plot import write_plot
from round_stages import Stages

HIDDEN = 128  # what the head's representation has by default
COMBINED = 6  # operations for each anchor and pool example: the distance from those to its parents, and a comparison


@dataclass(frozen=True)
class Job:
    store: Path
    n_pool: int
    space: str = "model"
    beside: str = "all"


@dataclass(frozen=True)
class Measured:
    seconds: float
    processor: float
    libraries: int  # bytes held before the round
    peak: int  # bytes
    n_anchors: int
    left_out: tuple[str, ...]
    clock: dict[str, float] = field(repr=False)
    processor_of: dict[str, float] = field(repr=False)


def prepare(folder: Path, n_pool: int, threads: int, sender: Connection) -> None:
    from round_store import make_store

    sender.send(make_store(folder, n_pool, threads))


def measure(job: Job, name: str, sender: Connection) -> None:
    """Take one step of a run, in this process."""
    import sklearn.cluster  # noqa: F401
    import torch  # noqa: F401
    from transformers import BertModel, PreTrainedTokenizerFast  # noqa: F401

    import alvin_core as alvin
    import alvin_core.neighbors.segments
    import alvin_core.training.trainer

    stages = Stages()
    stages.wrap()
    libraries = bytes_of("VmRSS")
    start, processor_start = time.perf_counter(), time.process_time()
    record = stages.timed(lambda: alvin.open_run(job.store, name).step())
    seconds, processor = time.perf_counter() - start, time.process_time() - processor_start
    left_out = tuple(record.selection["left_out"])
    peak = bytes_of("VmHWM")
    sender.send(
        Measured(seconds, processor, libraries, peak, record.anchors["n"], left_out, stages.clock, stages.processor)
    )


def bytes_of(field_name: str) -> int:
    """Return a figure of this process as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field_name)).split()[1]) * 1024


def in_child(work, *args):  # type: ignore[no-untyped-def]
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*args, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def measured(job: Job, repeats: int) -> Measured:
    """Return the quickest of several first rounds, each of a run of its own."""
    from round_store import RUN

    import alvin_core as alvin

    found = []
    for _ in range(repeats):
        base = alvin.open_run(job.store, RUN)
        run = base.fork(0, changes={"space": job.space, "runtime.beside": job.beside})
        found.append(in_child(measure, job, run.id))
        alvin.delete_run(job.store, run.id)
    return min(found, key=lambda one: one.seconds)


def report(job: Job, found: Measured, gflops: float, bandwidth: float) -> str:
    from round_store import DIM, N_LABELED

    width = HIDDEN if job.space == "model" else DIM
    operations = 2 * job.n_pool * (DIM * HIDDEN + N_LABELED * width) + COMBINED * found.n_anchors * job.n_pool
    read = 4 * job.n_pool * (DIM + width)
    floors = operations / gflops / 1e9, read / bandwidth / 1e9
    vectors = 4 * job.n_pool * DIM
    return (
        f"| {job.n_pool:,} | {job.space} | {job.beside} | {found.n_anchors:,} | {found.seconds:.2f} | "
        f"{found.processor:.2f} | {floors[0]:.2f} ({floors[0] / found.seconds:.0%}) | {floors[1]:.3f} | "
        f"{found.peak / 1e6:,.0f} | {(found.peak - found.libraries) / 1e6:,.0f} | {vectors / 1e6:,.0f} |"
    )


def stage_table(found: Measured) -> str:
    lines = ["| stage | seconds | share | of processor |", "|---|--:|--:|--:|"]
    total = sum(found.clock.values())
    for stage, seconds in sorted(found.clock.items(), key=lambda one: -one[1]):
        lines.append(f"| {stage} | {seconds:.3f} | {seconds / total:.1%} | {found.processor_of[stage]:.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="examples of the pool")
    parser.add_argument("--quick", action="store_true", help="a pool of 5,000 alone")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    parser.add_argument("--folder", type=Path, help="where stores are kept; by default they are removed")
    parser.add_argument("--only-make", action="store_true", help="make the stores and measure nothing")
    parser.add_argument("--figures", type=Path, help="add the figures to this JSON file; other ways are left out")
    parser.add_argument("--plot", type=Path, help="draw seconds and memory of all figures into this SVG")
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # read by libraries when a child imports them
    sizes = [5_000] if options.quick else sorted(options.sizes)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        stores = {n: in_child(prepare, folder, n, options.threads) for n in sizes}
        if not options.only_make:
            found = compare(stores, options.repeats, options.threads, in_other_ways=options.figures is None)
            figures = {n: (one.seconds, one.processor, one.peak) for n, one in found.items()}
            if options.figures is not None:
                figures = with_kept(figures, options.figures)
            if options.plot is not None:
                write_plot(options.plot, figures)


def with_kept(figures: dict[int, tuple[float, float, int]], path: Path) -> dict[int, tuple[float, float, int]]:
    """Add figures to a file, the quicker of two of one size, and return all that it holds."""
    for size, (seconds, processor, peak) in json.loads(path.read_text() if path.exists() else "{}").items():
        if int(size) not in figures or figures[int(size)][0] > seconds:
            figures[int(size)] = (seconds, processor, peak)
    path.write_text(json.dumps(figures))
    return figures


def compare(stores: dict[int, Path], repeats: int, threads: int, *, in_other_ways: bool) -> dict[int, Measured]:
    """Measure each size, and the one nearest to 100,000 in other ways as well, and print tables."""
    from ceilings import machine, matmul_gflops, read_bandwidth

    gflops, bandwidth = matmul_gflops(threads), read_bandwidth(threads)
    print(f"{machine()}; {threads} threads; matrix product {gflops:.0f} GFLOP/s, memory {bandwidth:.1f} GB/s\n")
    print(
        "| pool | space | beside | anchors | seconds | of processor | floor of operations, s | floor of bytes, s "
        "| peak MB | beyond libraries MB | the pool's vectors MB |\n|--:|---|---|" + "--:|" * 8
    )
    found: dict[int, Measured] = {}
    for n_pool, store in stores.items():
        job = Job(store, n_pool)
        found[n_pool] = measured(job, repeats)
        print(report(job, found[n_pool], gflops, bandwidth), flush=True)
    shown = min(found, key=lambda n: abs(n - 100_000))
    others = (Job(stores[shown], shown, beside="entropy"), Job(stores[shown], shown, space="encoder"))
    for job in others if in_other_ways else ():
        print(report(job, measured(job, repeats), gflops, bandwidth), flush=True)
    left_out = ", ".join(found[shown].left_out) or "none"
    print(f"\nA pool of {shown:,}; too dear to stand beside: {left_out}.\n\n{stage_table(found[shown])}")
    return found


if __name__ == "__main__":
    main()
