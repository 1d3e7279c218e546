"""Maps of successive rounds on the samples: how far points jump, what a map keeps of the neighbours, CPU seconds.

Each round is mapped three times: freely, as if there were no map before it (then turned as near to the free map before
it as a whole can come); continuing the map of the round before, as a run does; and by PCA. Distances are in RMS radii
of the earlier map.

A second table has many made-up points: a layout of all of them beside one of landmarks, as `project_vectors` makes it
of more than 50,000; and the same after a round. Kept: the share of the 10, and of the 100, true nearest neighbours that
are among as many nearest on the map, of 2,000 examples. The third is what the first map waits for in a new process.

    python benchmarks/projection.py reviews occupations nli paraphrase
    python benchmarks/projection.py reviews --store DIR    # takes the encodings from there, and leaves its own
    python benchmarks/projection.py --quick                # two rounds of one sample, 51,000 points, no whole layout
    python benchmarks/projection.py --points 100000 --no-samples
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ceilings import machine

import alvin_core as alvin
from alvin_core.projection import Method, Projection, displacement, landmarks, neighbors_kept, project_vectors, warm_up
from alvin_core.projection.aligning import align
from alvin_core.projection.faithfulness import checked_rows, share_kept
from alvin_core.projection.searching import nearest_rows
from alvin_core.types import IdArray

N_NEAR, N_AROUND = 10, 100  # neighbours: those that a map says it keeps, and a wider circle
WARM_UP = """
import time
from alvin_core.projection import warm_up
warm_up()
print(time.process_time())
"""


@dataclass(frozen=True)
class Row:
    """One round: NaN where a figure has no meaning."""

    sample: str
    round_no: int
    refit: float
    ours: float
    kept_free: float
    kept_ours: float
    kept_stale: float
    kept_pca: float
    seconds_free: float
    seconds_ours: float


def rounds_of(sample: str, store: Path, n_rounds: int) -> Iterator[tuple[IdArray, np.ndarray]]:
    """Train the rounds and yield the ids and the vectors of the pool split in each."""
    dataset = alvin.load_dataset(alvin.sample_path(sample))
    run = alvin.create_run(store, dataset, alvin.RunSettings())
    for record in run.run_rounds(n_rounds - 1):
        ids, vectors = run.vectors(record.round)
        row_of = {example_id: row for row, example_id in enumerate(ids.tolist())}
        pool_ids = run.dataset.ids[run.dataset.rows_of("pool")]
        yield pool_ids, np.asarray(vectors)[[row_of[one] for one in pool_ids.tolist()]]


def timed(
    ids: IdArray, vectors: np.ndarray, round_no: int, home: Projection | None = None, method: Method = "umap"
) -> tuple[Projection, float]:
    start = time.process_time()  # of one thread: other programs on the machine do not count
    made = project_vectors(ids, vectors, round_no=round_no, home=home, method=method)
    return made, time.process_time() - start


def measure(sample: str, store: Path, n_rounds: int) -> Iterator[Row]:
    free_before: Projection | None = None
    ours_before: Projection | None = None
    for round_no, (ids, vectors) in enumerate(rounds_of(sample, store, n_rounds)):
        free, seconds_free = timed(ids, vectors, round_no)
        ours, seconds_ours = (free, seconds_free) if ours_before is None else timed(ids, vectors, round_no, ours_before)
        pca, _ = timed(ids, vectors, round_no, method="pca")
        yield Row(
            sample,
            round_no,
            refit=np.nan if free_before is None else displacement(align(free.xy, free_before.xy), free_before.xy),
            ours=np.nan if ours_before is None else displacement(ours.xy, ours_before.xy),
            kept_free=free.neighbors_kept,
            kept_ours=ours.neighbors_kept,
            kept_stale=np.nan if ours_before is None else neighbors_kept(vectors, ours_before.xy)[0],
            kept_pca=pca.neighbors_kept,
            seconds_free=seconds_free,
            seconds_ours=seconds_ours,
        )
        free_before, ours_before = free, ours


HEADS = ("sample", "round", "moved: refit", "moved: ours", "kept: free", "kept: ours", "kept: map before", "kept: PCA")


def head() -> str:
    heads = (*HEADS, "CPU s: free", "CPU s: ours")
    return f"| {' | '.join(heads)} |\n|---|{'--:|' * (len(heads) - 1)}"


def line(row: Row) -> str:
    shares = (row.refit, row.ours, row.kept_free, row.kept_ours, row.kept_stale, row.kept_pca)
    cells = ["–" if np.isnan(share) else f"{share:.3f}" for share in shares]
    times = [f"{row.seconds_free:.1f}", f"{row.seconds_ours:.1f}"]
    return f"| {row.sample} | {row.round_no} | {' | '.join(cells + times)} |"


def made_up(n: int, dim: int = 128, inner: int = 16, seed: int = 0) -> np.ndarray:
    """Return clusters of 16 inner dimensions, bent into 128: (n, dim) float32."""
    rng = np.random.default_rng(seed)
    places = 1.5 * rng.standard_normal((40, inner))[rng.integers(0, 40, n)] + 0.7 * rng.standard_normal((n, inner))
    first, second = rng.standard_normal((inner, 64)) / 4, rng.standard_normal((64, dim)) / 8
    return (np.tanh(places @ first) @ second + 0.01 * rng.standard_normal((n, dim))).astype(np.float32)


def compare_landmarks(n: int, *, whole: bool) -> bool:
    """Print the table of landmarks beside a whole layout; return whether landmarks keep at least as many neighbours."""
    vectors, ids = made_up(n), np.arange(n)
    moved = vectors + 0.005 * np.random.default_rng(1).standard_normal(vectors.shape, dtype=np.float32)
    rows = checked_rows(n)
    around = [nearest_rows(space, space[rows], N_AROUND, query_rows=rows)[0] for space in (vectors, moved)]
    print(f"\n| {n:,} × {vectors.shape[1]} | kept of 10 | kept of 100 | moved | CPU s |\n|---|--:|--:|--:|--:|")
    usual = landmarks.LAID_OUT_UP_TO
    kept = {}
    for name, most in (("landmarks", usual), *((("all", n),) if whole else ())):
        landmarks.LAID_OUT_UP_TO = most
        first, seconds = timed(ids, vectors, 0)
        then, seconds_then = timed(ids, moved, 1, first)
        for words, made, true, took in (
            (name, first, around[0], seconds),
            (f"{name}, a round later", then, around[1], seconds_then),
        ):
            shares = share_kept(true[:, :N_NEAR], rows, made.xy), share_kept(true, rows, made.xy)
            way = "–" if made.displacement is None else f"{made.displacement:.3f}"
            print(f"| {words} | {shares[0]:.3f} | {shares[1]:.3f} | {way} | {took:.1f} |", flush=True)
            kept[words] = shares[0], took
    landmarks.LAID_OUT_UP_TO = usual
    if not whole:
        return True
    print(
        f"\nratio: a whole layout takes {kept['all'][1] / kept['landmarks'][1]:.1f} times the CPU s of landmarks, ",
        end="",
    )
    print(f"and keeps {kept['all'][0] / kept['landmarks'][0]:.2f} times as many of the 10 nearest")
    return kept["landmarks"][0] >= 0.8 * kept["all"][0]


def time_warm_up() -> None:
    """Print what a new process spends before its first map, without and with compiled loops on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", WARM_UP]
        compiled, kept = (
            float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
            for _ in range(2)
        )
    print(
        f"\nimport and warm-up in a new process: {compiled:.1f} CPU s where it compiles, {kept:.1f} with kept loops; ",
        end="",
    )
    print(f"ratio {compiled / kept:.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", nargs="*", help="names of samples; by default all")
    parser.add_argument("--rounds", type=int, default=4, help="rounds to map, each after the other")
    parser.add_argument("--points", type=int, default=60_000, help="made-up points, of the second table")
    parser.add_argument("--store", type=Path, default=None, help="a store to work in; by default one that is removed")
    parser.add_argument("--no-samples", action="store_true", help="the second and the third table alone")
    parser.add_argument("--quick", action="store_true", help="two rounds of one sample, and 51,000 points by landmarks")
    arguments = parser.parse_args()
    print(f"{datetime.date.today()}, {machine()}", flush=True)
    time_warm_up()
    warm_up()
    if not arguments.no_samples:
        samples = arguments.samples or (["reviews"] if arguments.quick else list(alvin.sample_names()))
        compare_rounds(samples, arguments.store, 2 if arguments.quick else arguments.rounds)
    if compare_landmarks(51_000 if arguments.quick else arguments.points, whole=not arguments.quick):
        return 0
    print("landmarks keep far fewer neighbours than a whole layout")
    return 1


def compare_rounds(samples: list[str], store: Path | None, n_rounds: int) -> None:
    """Print the table of the samples' rounds."""
    print(f"\n{head()}", flush=True)
    furthest = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        for sample in samples:
            for row in measure(sample, store or Path(temporary), n_rounds):
                print(line(row), flush=True)
                furthest = np.fmax(furthest, row.ours)
    print(f"\nlargest displacement of ours: {furthest:.4f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
