"""Maps of successive rounds on the samples: how far points jump, what a map keeps of the neighbours, CPU seconds.

Each round is mapped three times: freely, as if there were no map before it (then turned as near to the free map before
it as a whole can come); continuing the map of the round before, as a run does; and by PCA. Distances are in RMS radii
of the earlier map.

    python benchmarks/projection.py reviews occupations nli paraphrase
    python benchmarks/projection.py reviews --store DIR    # takes the encodings from there, and leaves its own
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import alvin_core as alvin
from alvin_core.projection import Method, Projection, displacement, neighbors_kept, project_vectors, warm_up
from alvin_core.projection.aligning import align
from alvin_core.types import IdArray


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("samples", nargs="*", default=list(alvin.sample_names()), help="names of samples")
    parser.add_argument("--rounds", type=int, default=4, help="rounds to map, each after the other")
    parser.add_argument("--store", type=Path, default=None, help="a store to work in; by default one that is removed")
    arguments = parser.parse_args()
    start = time.process_time()
    warm_up()
    print(f"{datetime.date.today()}, Python {platform.python_version()}, {os.cpu_count()} cores; ", end="")
    print(f"imported and compiled in {time.process_time() - start:.1f} CPU s\n\n{head()}", flush=True)
    furthest = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        for sample in arguments.samples:
            for row in measure(sample, arguments.store or Path(temporary), arguments.rounds):
                print(line(row), flush=True)
                furthest = np.fmax(furthest, row.ours)
    print(f"\nlargest displacement of ours: {furthest:.4f}")


if __name__ == "__main__":
    main()
