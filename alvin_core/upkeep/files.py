"""What must hold between a run's records and the files that they name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Dataset
from alvin_core.errors import AlvinError, StoreError
from alvin_core.run.archive import VECTORS
from alvin_core.store.arrays import NEW, TEMPORARY, leftovers, load_array, load_arrays, load_packed
from alvin_core.store.rounds import ROUND_FOLDER
from alvin_core.store.sums import check_sums
from alvin_core.store.tables import RoundRow
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.records import RunRecords

__all__ = ["check_files", "damaged_maps", "run_leftovers"]

RETRAIN = "train it again from its record with --repair --retrain, or restore the store from a backup"


def check_files(
    records: RunRecords,
    dataset: Dataset,
    folder: Path,
    report: StoreReport,
    *,
    thorough: bool = True,
    leave: Collection[int] = (),
) -> list[int]:
    """Check the arrays of a run's rounds; return the rounds that are damaged.

    Parameters
    ----------
    records : RunRecords
    dataset : Dataset
        The stored one, without what people added.
    folder : Path
        The run's.
    report : StoreReport
        Gets what is found.
    thorough : bool
        Read every byte; else only what tells sizes.
    leave : collection of int
        Rounds that are not looked at.
    """
    ids = np.concatenate([dataset.ids, np.asarray([one.example_id for one in records.added], dtype=np.str_)])
    damaged = []
    for one in (one for one in records.rounds if one.round_no not in leave):
        subject = f"{records.subject}, round {one.round_no}"
        try:
            report.n_files += check_sums(folder / one.folder, every_byte=thorough)
            arrays = load_arrays(folder / one.folder, None if thorough else ("vector_rows", "selected_rows"))
            wrong = _wrong_arrays(one, arrays, records, ids) or _wrong_vectors(folder / one.folder, arrays)
        except StoreError as error:
            wrong = str(error).split(";")[0]
        if wrong:
            damaged.append(one.round_no)
            report.damage(subject, wrong, RETRAIN)
    for path in damaged_maps(folder, [one.folder for one in records.rounds]):
        what = f"the map {path.parent.name}/{path.name} cannot be read"
        report.damage(records.subject, what, "remove it with --repair: it is drawn again when asked for", mendable=True)
    return damaged


def damaged_maps(folder: Path, rounds: Iterable[str]) -> list[Path]:
    """Return the stored maps of a run that cannot be read. A map is derived from its round."""
    damaged = []
    for name in rounds:
        for path in sorted((folder / name).glob("map-*.npz")):
            try:
                load_packed(path)
            except AlvinError:
                damaged.append(path)
    return damaged


def run_leftovers(records: RunRecords, folder: Path) -> list[Path]:
    """Return what killed processes left in a run's folder. Ask while the run's lock is held: else it may be new."""
    named = {one.folder for one in records.rounds}
    found = leftovers(folder, named, ROUND_FOLDER)
    for name in sorted(named):
        found += sorted(path for path in (folder / name).glob("map-*") if NEW in path.name or TEMPORARY in path.name)
    return found


def _wrong_arrays(row: RoundRow, arrays: dict[str, NDArray[Any]], records: RunRecords, ids: NDArray[np.str_]) -> str:
    """Say what the packed arrays of a round contradict; nothing where they fit."""
    selected = arrays.get("selected_rows")
    if selected is None or "vector_rows" not in arrays:
        return "an array is missing"
    if len(selected) and not 0 <= selected.min() <= selected.max() < len(ids):
        return "it selected a row that the data has not"
    if ids[selected].tolist() != records.proposals[row.round_no]:
        return "its arrays and its proposal name other examples"
    probs, labeled = arrays.get("probs"), arrays.get("labeled_rows")
    if probs is not None and not np.isfinite(probs).all():
        return "a stored probability is not a number"
    if labeled is not None and len(labeled) != row.n_labeled:
        return f"its arrays hold {len(labeled)} labeled examples, its record {row.n_labeled}"
    return ""


def _wrong_vectors(folder: Path, arrays: dict[str, NDArray[Any]]) -> str:
    n_vectors, n_rows = len(load_array(folder, VECTORS)), len(arrays["vector_rows"])
    return "" if n_vectors == n_rows else f"{n_vectors:,} vectors are stored for {n_rows:,} examples"
