"""One cell of a comparison: computed here, or received from elsewhere; in either case its run counts exactly once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from sqlalchemy.orm import Session

from alvin_core.data.dataset import Dataset
from alvin_core.errors import StoreError
from alvin_core.experiments.plan import Cell, ComparisonPlan
from alvin_core.experiments.values import ROUND
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.run.bundle import unpack_along
from alvin_core.run.creating import add_run
from alvin_core.run.engine import Engine
from alvin_core.run.handle import RunHandle
from alvin_core.run.slice_lookup import StoredSlices
from alvin_core.run.stepping import check_reach, step_run
from alvin_core.settings import RunSettings
from alvin_core.store.comparisons import cell_run, get_comparison, link_cell
from alvin_core.store.database import Store, open_store
from alvin_core.store.datasets import load_stored_dataset
from alvin_core.store.rounds import count_rounds
from alvin_core.store.runs import LONGEST_NAME, delete_run_rows
from alvin_core.store.tables import ComparisonRow, RunRow

__all__ = ["CellTask", "do_cell", "encode_shared", "is_encoded_once", "receive_cell", "with_threads"]


@dataclass(frozen=True)
class CellTask:
    """What a backend is to do: one cell that is not finished.

    Attributes
    ----------
    key : str
        Of the cell, in its comparison.
    settings : RunSettings
        With the number of threads that the cell computes with, wherever it does.
    rounds : int
        Rounds 0 to this one are trained.
    run : str or None
        The id of the run already begun in the store.
    """

    key: str
    settings: RunSettings
    rounds: int
    run: str | None


class _HasRun(Exception):
    """The cell has a run that is as good; what was about to be added is not."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


def do_cell(store: Path | str, comparison_id: str, task: CellTask, progress: Progress = silent) -> str:
    """Bring one cell to its end in this process, and return its run's id.

    Killed at any moment and called again, it goes on from the last whole round. A cell that has a run goes on with the
    settings of that run.

    Parameters
    ----------
    store : Path or str
    comparison_id : str
    task : CellTask
    progress : Progress
        Hears of the stages of each round and, with the stage ``round``, how many rounds are finished.

    Returns
    -------
    str

    Raises
    ------
    StoreError
        When there is no such comparison, or the disk refuses.
    RunBusyError
        When another process works on the cell's run.
    PoolError, SettingsError, DataError, EncoderError, DeviceError
        As a run's rounds do.
    """
    opened = open_store(store)
    with opened.read() as session:
        comparison = get_comparison(session, comparison_id)
        begun = cell_run(session, comparison_id, task.key)
    engine = _engine_of(opened.path, comparison.dataset)
    run_id = _begin(opened, comparison, task, engine.dataset) if begun is None else begun.run_id
    with opened.read() as session:
        handle = RunHandle(opened, session.get_one(RunRow, run_id))
    vars(handle)["stored_dataset"] = engine.dataset  # read and checked once for all cells
    check_reach(handle, task.rounds)
    n_rounds = _n_rounds(handle)
    while n_rounds <= task.rounds:
        progress(ProgressEvent(ROUND, n_rounds, task.rounds + 1))
        step_run(handle, engine, progress)
        n_rounds = _n_rounds(handle)
    progress(ProgressEvent(ROUND, n_rounds, task.rounds + 1))
    return run_id


def receive_cell(store: Path | str, comparison_id: str, key: str, bundle: Path) -> str:
    """Make a run that was computed elsewhere a cell's own, and return the id of the run that the cell has now.

    Where the cell has a run with at least as many rounds, the new one is thrown away; a run with fewer rounds gives
    way to it. Either way the cell has one run, whenever the process is killed.

    Parameters
    ----------
    store : Path or str
    comparison_id : str
    key : str
        Of the cell.
    bundle : Path
        What `pack_run` wrote.

    Raises
    ------
    StoreError
        When there is no such comparison or cell; when the file is damaged, or holds a run of other data or settings.
    RunBusyError
        When another process works on the run that the cell has.
    """
    opened = open_store(store)
    with opened.read() as session:
        comparison = get_comparison(session, comparison_id)
        old = cell_run(session, comparison_id, key)
    plan = ComparisonPlan.from_dict(comparison.plan)
    cell = _cell(comparison, plan, key)
    if old is not None and old.n_rounds > plan.rounds:
        return old.run_id

    def take(session: Session, row: RunRow) -> None:
        _check_received(comparison, cell, row)
        held = cell_run(session, comparison_id, key)
        if held is not None:
            if held.n_rounds >= count_rounds(session, row.id):
                raise _HasRun(held.run_id)
            delete_run_rows(session, held.run_id)
        link_cell(session, comparison_id, key, row.id)

    try:
        if old is None:
            return unpack_along(opened.path, bundle, along=take).id
        with opened.run_lock(old.run_id, key):
            return unpack_along(opened.path, bundle, along=take).id
    except _HasRun as known:
        return known.run_id


def is_encoded_once(settings: RunSettings) -> bool:
    """Return whether a cell with these settings reads encodings from the cache, which all cells share."""
    return settings.training.trainable_layers != "all" or settings.space == "encoder"


def encode_shared(store: Path | str, comparison_id: str, settings: RunSettings, progress: Progress = silent) -> None:
    """Encode a comparison's data into the store's cache, so that no cell waits for another one.

    Parameters
    ----------
    store : Path or str
    comparison_id : str
    settings : RunSettings
        Of one of the cells; cells with the same encoder, depth, space, device and number format share the encodings.
        Their threads are those to encode with.
    progress : Progress

    Raises
    ------
    StoreError
        When there is no such comparison, or the cache cannot be written.
    EncoderError, DeviceError, SettingsError
        As encoding does.
    """
    from alvin_core.device import apply_threads, plan_device
    from alvin_core.encoding.features import compute_features
    from alvin_core.encoding.transformer import load_encoder

    opened = open_store(store)
    with opened.read() as session:
        dataset = _engine_of(opened.path, get_comparison(session, comparison_id).dataset).dataset
    plan = plan_device(settings.runtime)
    apply_threads(plan.threads)
    encoder = load_encoder(settings.encoder, plan)
    depths = {settings.training.trainable_layers, *((0,) if settings.space == "encoder" else ())}
    for depth in depths - {"all"}:  # all layers read token ids, which are not encoded
        compute_features(
            encoder,
            dataset.texts,
            dataset.second_texts,
            trainable_layers=depth,
            settings=settings.encoder,
            plan=plan,
            cache_dir=opened.cache,
            progress=progress,
        )


def with_threads(settings: RunSettings) -> RunSettings:
    """Return the settings with the number of threads that a cell takes, on this machine and on others.

    Where threads are given they stay. Else it is one for a small head on a CPU, where many cells at once are quicker
    than one with many threads, and every core for what trains layers or has a GPU [ours].

    Raises
    ------
    DeviceError
        When the named device is not there.
    """
    if settings.runtime.threads:
        return settings
    from alvin_core.device import plan_device

    plan = plan_device(settings.runtime)
    is_small = settings.training.trainable_layers == 0 and plan.kind == "cpu"
    return replace(settings, runtime=replace(settings.runtime, threads=1 if is_small else plan.threads))


@lru_cache(maxsize=1)
def _engine_of(store: Path, digest: str) -> Engine:
    """Return the engine of a data set: the encoder and what it read stay in memory from cell to cell."""
    return Engine(load_stored_dataset(store, digest), store / "cache", StoredSlices(Store(store), digest))


def _begin(store: Store, comparison: ComparisonRow, task: CellTask, dataset: Dataset) -> str:
    """Make the cell's run and link it to the cell, both or neither."""

    def link(session: Session, row: RunRow) -> None:
        held = cell_run(session, comparison.id, task.key)
        if held is not None:  # another process was quicker
            raise _HasRun(held.run_id)
        link_cell(session, comparison.id, task.key, row.id)

    name = f"{comparison.name[: max(1, LONGEST_NAME - len(task.key) - 1)]}-{task.key}"
    try:
        run = add_run(
            store.path, dataset, task.settings, name=None, source=comparison.source, suggested=name, along=link
        )
    except _HasRun as known:
        return known.run_id
    return run.id


def _n_rounds(handle: RunHandle) -> int:
    with handle.store.read() as session:
        return count_rounds(session, handle.row.id)


def _cell(comparison: ComparisonRow, plan: ComparisonPlan, key: str) -> Cell:
    for cell in plan.cells:
        if cell.key == key:
            return cell
    raise StoreError(f"the comparison {comparison.name!r} has no cell {key!r}")


def _check_received(comparison: ComparisonRow, cell: Cell, row: RunRow) -> None:
    """Raise unless a run is of the comparison's data, and has the cell's settings; where it ran does not matter."""
    settings = RunSettings.from_dict(row.settings)
    same = replace(settings, runtime=cell.settings.runtime) == cell.settings
    if row.dataset != comparison.dataset or not same:
        what = "settings" if row.dataset == comparison.dataset else "data"
        raise StoreError(
            f"the packed run {row.name!r} cannot be the cell {cell.key!r} of the comparison {comparison.name!r}: its "
            f"{what} are others; compute the cell again"
        )
