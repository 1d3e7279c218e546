"""One cell on a node of a Ray cluster: computed in a store of its own, and sent home as a packed run.

A store is a folder with a database on one machine; a node never writes into it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Dataset
from alvin_core.encoding.cache import CachedEntry, lent_entries
from alvin_core.errors import AlvinError, RunBusyError
from alvin_core.experiments.ray_nodes import Home, check_node, other_weights
from alvin_core.progress import silent
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.bundle_records import Record
from alvin_core.run.creating import create_run
from alvin_core.run.engine import Engine
from alvin_core.run.handle import RunHandle
from alvin_core.run.slice_lookup import StoredSlices
from alvin_core.run.slice_packing import receive_slices
from alvin_core.run.stepping import check_reach, step_run
from alvin_core.run.values import RoundRecord
from alvin_core.settings import RunSettings
from alvin_core.store.database import Store, open_store
from alvin_core.store.locks import file_lock
from alvin_core.store.rounds import count_rounds
from alvin_core.store.runs import find_run
from alvin_core.store.tables import RoundRow

__all__ = ["CellError", "CellWork", "compute_cell"]


@dataclass(frozen=True)
class CellWork:
    """What a cell's task is told, beside the data.

    Attributes
    ----------
    name, source : str
        Of the run.
    settings : RunSettings
    rounds : int
        Rounds 0 to this one are trained.
    digest : str
        Of the data set.
    home : Home
    fingerprint : str
        Of the encoder; empty where the encodings that come along tell whether the node has the same one.
    slices : tuple of dict
        The record of the slice that the settings name, where they name one.
    """

    name: str
    source: str
    settings: RunSettings
    rounds: int
    digest: str
    home: Home
    fingerprint: str = ""
    slices: tuple[Record, ...] = ()


@dataclass(frozen=True)
class CellError:
    """Why a cell cannot be done: the message of an error that a second try would meet again."""

    text: str


def compute_cell(
    work: CellWork, dataset: Dataset, begun: NDArray[np.uint8] | None, lent: Mapping[str, CachedEntry]
) -> Iterator[int | CellError | NDArray[np.uint8]]:
    """Compute one cell: the body of a Ray task that tells how far it is.

    Parameters
    ----------
    work : CellWork
    dataset : Dataset
    begun : uint8 array or None
        The packed run of a cell that was begun; it is gone on with.
    lent : mapping of str to CachedEntry
        Encodings by key, in memory that all tasks of the node share.

    Yields
    ------
    int
        How many rounds are finished: at once, and after each.
    uint8 array or CellError
        Last: the bytes of the packed run, or why there is none.
    """
    try:
        check_node(work.home, work.settings.runtime)
        with lent_entries(lent), _scratch() as folder:
            store, handle = _open_cell(folder, work, dataset, begun)
            check_reach(handle, work.rounds)
            engine = _engine_of(work.digest, dataset)
            engine.cache, engine.slices = store.cache, StoredSlices(store, work.digest)
            while (n_rounds := _n_rounds(handle)) <= work.rounds:
                yield n_rounds
                record = step_run(handle, engine, silent)
                _check_weights(work, record, _stored_round(handle, n_rounds), lent)
            yield n_rounds
            yield np.fromfile(pack_run(store.path, handle.row.id, folder / "run.zip"), dtype=np.uint8)
    except AlvinError as error:
        yield CellError(str(error))


def _open_cell(
    folder: Path, work: CellWork, dataset: Dataset, begun: NDArray[np.uint8] | None
) -> tuple[Store, RunHandle]:
    if begun is None:
        receive_slices(open_store(folder, create=True), work.digest, dataset, work.slices)
        run = create_run(folder, dataset, work.settings, name=work.name, source=work.source)
    else:
        bundle = folder / "begun.zip"
        begun.tofile(bundle)
        run = unpack_run(folder, bundle)
    store = open_store(folder)
    with store.read() as session:
        handle = RunHandle(store, find_run(session, run.id))
    vars(handle)["stored_dataset"] = dataset  # as it came; its copy in the folder need not be read
    return store, handle


def _check_weights(work: CellWork, record: RoundRecord, row: RoundRow, lent: Mapping[str, CachedEntry]) -> None:
    """Raise where this node means something else by the encoder's name: what came was not what it reads."""
    is_other = bool(lent and record.encoding.get("n_encoded"))
    if is_other or (work.fingerprint and row.environment["encoder"] != work.fingerprint):
        raise other_weights(work.settings.encoder.name)


def _stored_round(handle: RunHandle, round_no: int) -> RoundRow:
    with handle.store.read() as session:
        return handle.round_row(session, round_no)


def _n_rounds(handle: RunHandle) -> int:
    with handle.store.read() as session:
        return count_rounds(session, handle.row.id)


_engines: dict[str, Engine] = {}


def _engine_of(digest: str, dataset: Dataset) -> Engine:
    """Return the engine of a data set: a worker process keeps the encoder from one cell to the next."""
    if digest not in _engines:
        _engines.clear()
        _engines[digest] = Engine(dataset, Path())
    return _engines[digest]


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yield a folder of this task's own. What tasks that were killed have left is removed as well."""
    user = os.getuid() if hasattr(os, "getuid") else "all"
    root = Path(tempfile.gettempdir()) / f"alvin-cells-{user}"
    root.mkdir(mode=0o700, exist_ok=True)
    for lock in root.glob("*.lock"):
        with suppress(RunBusyError), file_lock(lock, subject="a cell"):  # a lock that is free has no living owner
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    folder = root / token_hex(8)
    lock = folder.with_suffix(".lock")
    with file_lock(lock, subject="a cell", wait_seconds=5):
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
