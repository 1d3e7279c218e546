"""Make stores for `dashboard.py`: runs of any size whose geometry is drawn by chance, and runs of the packaged sample.

What a large run holds: short made texts; vectors of 16 dimensions in 12 clusters, that drift a little from round to
round; predictions that follow from the vectors; anchors and selections by the project's own strategies; two rounds,
each with a stored map. The map is *not* a UMAP but the clusters' own plane, the first two dimensions of the vectors,
written by the project's own function: what the dashboard does with places does not depend on how they were found.

    python benchmarks/big_store.py                                      # 20,000 examples, made and removed
    python benchmarks/big_store.py --n 1000000 --folder DIR             # kept, for: dashboard.py --big-store DIR
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import alvin_core as alvin
from alvin_core.data.dataset import Dataset, Texts
from alvin_core.projection import neighbors_kept
from alvin_core.round import RoundResult
from alvin_core.run.engine import Engine
from alvin_core.run.projecting import _map_path, _rounds_up_to, _write_map
from alvin_core.strategies import LabeledSet, Pool
from alvin_core.strategies.selecting import select_alternatives, select_proposal
from alvin_core.summary import summarize
from alvin_core.types import Groups, TrainingDynamics

__all__ = ["make_big_store", "make_people_runs", "make_sample_store", "peer_points"]

RUN = "big"
N_TEST, N_CLUSTERS, DIM, N_EPOCHS, N_ROUNDS = 500, 12, 16, 5, 2
DRIFT = 0.03  # of a cluster's own radius, from round to round
SUBJECTS = ("film", "novel", "concert", "recipe", "hotel", "phone", "garden", "lecture")
VERBS = ("delighted", "bored", "surprised", "tired", "moved", "annoyed")


def make_dataset(n: int) -> Dataset:
    """Make ``n`` pool examples and some of a test split, of two classes and three attributes."""
    total, rng = n + N_TEST, np.random.default_rng(11)
    subjects, verbs = rng.integers(len(SUBJECTS), size=total), rng.integers(len(VERBS), size=total)
    return Dataset(
        ids=np.asarray([f"e{row:07d}" for row in range(total)]),
        texts=Texts.pack(
            f"The {SUBJECTS[subject]} of case {row} {VERBS[verb]} me from its first minute to its last."
            for row, (subject, verb) in enumerate(zip(subjects.tolist(), verbs.tolist(), strict=True))
        ),
        second_texts=None,
        labels=rng.integers(2, size=total),
        classes=("negative", "positive"),
        splits=np.asarray(["pool"] * n + ["test"] * N_TEST),
        attributes=np.asarray(["long", "short", "odd"])[rng.integers(3, size=total)],
    )


def drawn_vectors(n: int, round_no: int) -> NDArray[np.float32]:
    """Return the vectors of all rows in a round; the first two dimensions are the plane of the map."""
    rng = np.random.default_rng(5)
    centres = 4 * rng.standard_normal((N_CLUSTERS, DIM))
    vectors = centres[rng.integers(N_CLUSTERS, size=n)].astype(np.float32)
    vectors += rng.standard_normal((n, DIM), dtype=np.float32)
    for later in range(round_no):
        vectors += DRIFT * np.random.default_rng([5, later]).standard_normal((n, DIM), dtype=np.float32)
    return vectors


def _compute(
    engine: Engine,
    labeled_rows: NDArray[np.int64],
    labeled_classes: NDArray[np.int64],
    round_no: int,
    settings: alvin.RunSettings,
    progress: Any,
) -> tuple[RoundResult, dict[str, Any]]:
    """A round with nothing trained: drawn vectors and predictions, the project's own selection."""
    dataset = engine.dataset
    rng = np.random.default_rng([settings.seed, round_no])
    everything = drawn_vectors(len(dataset), round_no)
    pool_rows = np.setdiff1d(dataset.rows_of("pool"), labeled_rows)
    vector_rows = dataset.rows_of("pool")
    first = 1 / (1 + np.exp(-(everything @ np.random.default_rng(3).standard_normal(DIM)) / 4))
    probs = np.stack([first, 1 - first], axis=1).astype(np.float32)
    ids, n_labeled = dataset.ids[labeled_rows], len(labeled_rows)
    groups = Groups(rng.random(n_labeled) < 0.3, labeled_classes, "forgetting", np.zeros(n_labeled, dtype=bool))
    correct, confidence = rng.random((N_EPOCHS, n_labeled)) < 0.7, rng.random((N_EPOCHS, n_labeled))
    pool = Pool(
        ids=dataset.ids[pool_rows],
        probs=probs[pool_rows],
        vectors=everything[pool_rows],
        labeled=LabeledSet(ids, labeled_classes, everything[labeled_rows], groups),
    )
    selection = select_proposal(pool, settings, round_no)
    beside = select_alternatives(pool, settings, round_no)
    result = RoundResult(
        round_no=round_no,
        labeled_rows=labeled_rows,
        pool_rows=pool_rows,
        dynamics=TrainingDynamics(ids, correct, confidence),
        groups=groups,
        selection=selection,
        alternatives=beside.selections,
        probs=probs,
        vectors=everything[vector_rows],
        vector_rows=vector_rows,
        metrics={},
        summary=summarize(dataset, pool, pool_rows, selection, beside, settings),
        seconds={},
        warnings=(*selection.warnings, *beside.warnings),
    )
    return result, {"device": "drawn by chance"}


def make_big_store(folder: Path, n: int) -> Path:
    """Return a store under ``folder`` with one run of ``n`` pool examples, made where it is not there yet."""
    store, half_made = folder / f"store-{n}", folder / f"store-{n}.half-made"
    if store.exists():
        return store
    shutil.rmtree(half_made, ignore_errors=True)
    real, Engine.compute = Engine.compute, _compute  # type: ignore[method-assign]
    try:
        settings = alvin.RunSettings(initial=300, budget=50)
        run = alvin.create_run(half_made, make_dataset(n), settings, name=RUN, source="drawn by chance")
        for record in run.run_rounds(N_ROUNDS - 1):
            store_drawn_map(run, record.round)
    finally:
        Engine.compute = real  # type: ignore[method-assign]
    _skip_tour(half_made)
    half_made.rename(store)  # now it is whole
    return store


def store_drawn_map(run: alvin.Run, round_no: int) -> None:
    """Store the plane of the drawn vectors as the round's map, with what it truly keeps of the neighbours."""
    rows = run.dataset.rows_of("pool")
    vectors = drawn_vectors(len(run.dataset), round_no)[rows]
    xy = vectors[:, :2] - vectors[:, :2].mean(axis=0)
    xy /= np.float32(1.0001) * np.sqrt(np.square(xy, dtype=np.float64).sum(axis=1).max()).astype(np.float32)
    kept, n_checked = neighbors_kept(vectors, xy)
    made = alvin.Projection(run.dataset.ids[rows], xy, "umap", "model", round_no, kept, n_checked)
    _write_map(_map_path(run._handle, _rounds_up_to(run._handle, round_no), round_no, "model"), made)


def make_sample_store(folder: Path, given: Path | None = None) -> tuple[Path, str]:
    """Return a store with a run of the sample ``reviews``, three rounds with their UMAPs, and the run's name.

    Parameters
    ----------
    folder : Path
        Where it is made.
    given : Path, optional
        A store that has such a run; it is copied, so that nothing is written into it.
    """
    store = folder / "store-sample"
    if given is not None:
        shutil.copytree(given, store, ignore=shutil.ignore_patterns("worker.json", "*.lock", "worker.log"))
        infos = [info for info in alvin.list_runs(store) if info.annotator == "oracle" and info.n_rounds]
        if not infos:
            raise SystemExit(f"{given} has no run with an oracle and a trained round; leave --store out")
        run = alvin.open_run(store, infos[0].id)
    else:
        dataset = alvin.load_dataset(alvin.sample_path("reviews"))
        run = alvin.create_run(store, dataset, alvin.RunSettings(), name="reviews", source="reviews")
        for _ in run.run_rounds(2):
            pass
    for round_no in range(max(0, run.n_rounds - 2), run.n_rounds):
        run.project(round_no)  # returns the stored one where there is one
    _skip_tour(store)
    return store, run.name


def make_people_runs(store: Path, like: str, names: Sequence[str], n: int) -> None:
    """Make runs of the same data whose first ``n`` labels a person gives."""
    dataset = alvin.open_run(store, like).dataset
    settings = alvin.RunSettings(annotator="person", initial=n)
    for name in names:
        alvin.create_run(store, dataset, settings, name=name, source="reviews")


def peer_points(store: Path, run_name: str, folder: Path) -> Path:
    """Write what the peer draws, of the run's last two rounds: the same places and colours; and the texts."""
    run = alvin.open_run(store, run_name)
    arrays: dict[str, NDArray[Any]] = {}
    last_two = range(run.n_rounds - 2, run.n_rounds)
    for number, round_no in enumerate(last_two):
        projection, columns = run.projection(round_no), run.map_columns(round_no)
        if projection is None:
            raise SystemExit(f"round {round_no} of {run_name} in {store} has no stored map")
        arrays[f"xy_{number}"] = projection.xy
        arrays[f"codes_{number}"] = np.where(columns.labeled, columns.label, columns.predicted).astype(np.int8)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "points.npz", allow_pickle=False, **arrays)
    texts = [" ⫽ ".join(parts) for parts in run.texts(columns.rows)]
    (folder / "texts.json").write_text(json.dumps([list(columns.classes), texts]), encoding="utf-8")
    return folder


def _skip_tour(store: Path) -> None:
    (store / "dashboard").mkdir(exist_ok=True)
    (store / "dashboard" / "tour-seen").touch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20_000, help="examples of the pool")
    parser.add_argument("--folder", type=Path, default=None, help="where it is kept; by default it is removed")
    arguments = parser.parse_args()
    start, processor_start = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as temporary:
        store = make_big_store(arguments.folder or Path(temporary), arguments.n)
        size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    print(
        f"a run of {arguments.n:,} examples, {N_ROUNDS} rounds: {time.perf_counter() - start:.1f} s, "
        f"{time.process_time() - processor_start:.1f} s of processor, {size / 2**20:,.0f} MiB; {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
