"""Mending a store: what can be made right without losing what cannot be computed again."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from alvin_core.encoding.cache import entry_lock, read_entry
from alvin_core.errors import AlvinError, Cancelled, StoreError
from alvin_core.progress import Progress, silent
from alvin_core.run.engine import Engine
from alvin_core.run.handle import RunHandle
from alvin_core.run.replaying import retrain_round
from alvin_core.run.slice_lookup import StoredSlices
from alvin_core.store.arrays import make_folder, remove
from alvin_core.store.database import Store, open_store
from alvin_core.store.mirror import mirror_at
from alvin_core.store.runs import store_leftovers, sweep_here
from alvin_core.store.sweeping_elsewhere import sweep_elsewhere
from alvin_core.store.tables import RunRow
from alvin_core.upkeep.database import check_database, rebuild_indices
from alvin_core.upkeep.elsewhere import Elsewhere, look_elsewhere
from alvin_core.upkeep.files import check_files, damaged_maps, run_leftovers
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.mending_elsewhere import (
    SET_ASIDE,
    mend_datasets_elsewhere,
    mend_mark,
    mend_run_elsewhere,
)
from alvin_core.upkeep.records import RunRecords, check_records, read_records
from alvin_core.upkeep.verifying import cache_entries, ids_of, if_idle, verify_store

__all__ = ["repair_store"]


def repair_store(
    store: Path | str, *, retrain: bool = False, progress: Progress = silent
) -> tuple[list[str], StoreReport]:
    """Mend what `verify_store` calls mendable, and look again.

    Leftovers, damaged maps and damaged encodings are removed: maps and encodings are made anew when they are asked
    for. Indices of the database are rebuilt. A run that another process works on is left as it is.

    Parameters
    ----------
    store : Path or str
    retrain : bool
        Train each round whose arrays are damaged again, from its record, and keep what comes out where it selects
        what the round selected. The damaged arrays are moved to the store's folder ``damaged``.
    progress : Progress
        Stage ``verify``, of the second look; may raise Cancelled.

    Returns
    -------
    done : list of str
        What was done, a line each.
    report : StoreReport
        What is found after it.

    Raises
    ------
    StoreError
        When there is no store, or it may not be written to.
    StoreVersionError
        When a newer version wrote it.
    """
    opened, done, database = open_store(store), list[str](), StoreReport("")
    check_database(opened, database)
    if any(one.mendable for one in database.findings):
        rebuild_indices(opened)
        done.append("rebuilt the indices of the database")
    with opened.read() as session:
        rows = list(session.scalars(select(RunRow).order_by(RunRow.created_at, RunRow.id)))
    done += mend_mark(opened)
    elsewhere = look_elsewhere(opened, StoreReport(""), thorough=True)
    if elsewhere is not None:
        done += mend_datasets_elsewhere(opened, elsewhere)
    for row in rows:
        with if_idle(opened, row) as idle:
            if idle:
                done += _mend_run(opened, row, elsewhere, progress, retrain=retrain)
    done += _mend_cache(opened)
    with opened.lock():
        left = store_leftovers(opened)
        done += _removed(opened, left, sweep_here(opened), "of no run")
        if elsewhere is not None and elsewhere.reached:
            gone = sweep_elsewhere(opened)
            done += [f"removed {path.name} where the arrays are kept, of no run" for path in gone]
    return done, verify_store(store, progress=progress)


def _mend_run(
    store: Store, row: RunRow, elsewhere: Elsewhere | None, progress: Progress, *, retrain: bool
) -> list[str]:
    with store.read() as session:
        if session.get(RunRow, row.id) is None:
            return []
        records = read_records(session, row)
    folder, done = store.run_folder(row.id), []
    maps, left = damaged_maps(folder, [one.folder for one in records.rounds]), run_leftovers(records, folder)
    store.database.confirm_locks()  # else another process may have named since what was just listed
    done += _removed(store, maps, remove(maps), "a damaged map")
    done += _removed(store, left, remove(left), "of no round")
    if elsewhere is not None:
        elsewhere.mirror.discard(maps)
    if elsewhere is not None:
        done += mend_run_elsewhere(store, elsewhere, records, folder)
    if retrain:
        done += _retrain(store, records, progress)
    return done


def _removed(store: Store, wanted: list[Path], gone: list[Path], what: str) -> list[str]:
    """Say what was removed, and what was to be and is still there."""
    names = [path.relative_to(store.path) for path in wanted]
    return [
        f"removed {name}, {what}" if store.path / name in gone else f"{name}, {what}, stays: it could not be removed"
        for name in names
    ]


def _retrain(store: Store, records: RunRecords, progress: Progress) -> list[str]:
    run, done, found = records.run, list[str](), StoreReport("")
    handle = RunHandle(store, run)
    try:
        dataset = handle.stored_dataset
    except StoreError as error:
        return [f"the run {run.name!r} stays as it is: {error}"]
    damaged = check_files(records, dataset, handle.folder, StoreReport(""))
    check_records(records, ids_of(records, dataset), dataset.classes, found)
    if damaged and not found.sound:
        return [f"the rounds of the run {run.name!r} stay damaged, as its records are: {found.findings[0]}"]
    engine = Engine(dataset, store.cache, StoredSlices(store, run.dataset))
    for round_no in damaged:
        folder = next(one.folder for one in records.rounds if one.round_no == round_no)
        try:
            retrain_round(handle, engine, round_no, progress)
        except Cancelled:
            raise
        except AlvinError as error:
            done.append(f"round {round_no} of the run {run.name!r} stays damaged: {error}")
            continue
        aside = _set_aside(store, run.id, folder)
        kept = f"; what was left of its arrays is in {aside}, which may be deleted" if aside else ""
        done.append(f"trained round {round_no} of the run {run.name!r} again: it selects what it selected{kept}")
    return done


def _set_aside(store: Store, run_id: str, folder: str) -> str:
    """Move the arrays that a round's record named out of its run's folder; return where to, in the store."""
    source, aside = store.run_folder(run_id) / folder, store.path / SET_ASIDE
    make_folder(aside)
    with store.lock():  # a backup may be giving it a second name
        was_there = source.exists()
        if was_there:
            source.rename(aside / f"{run_id}-{folder}")
        mirror = mirror_at(store.path)
        if mirror is not None:
            mirror.discard([source])
    return f"{SET_ASIDE}/{run_id}-{folder}" if was_there else ""


def _mend_cache(store: Store) -> list[str]:
    done = []
    for key in cache_entries(store):
        if read_entry(store.cache, key) is not None:
            continue
        with entry_lock(store.cache, key, silent):
            if read_entry(store.cache, key) is not None:  # another process made it anew meanwhile
                continue
            gone = remove([store.cache / key])
        what = f"the encoding {key[:12]}…"
        done.append(f"removed {what}, which was damaged" if gone else f"{what} is damaged, and could not be removed")
    return done
