"""Looking through a store for what is lost, wrong or left over. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sqlalchemy import select

from alvin_core.data.dataset import Dataset
from alvin_core.encoding.cache import read_entry
from alvin_core.errors import RunBusyError, StoreError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.store.database import Store, open_store
from alvin_core.store.datasets import ANEW, load_stored_dataset
from alvin_core.store.read_only import may_write
from alvin_core.store.remote import RemoteError
from alvin_core.store.runs import store_leftovers
from alvin_core.store.slices import list_slices
from alvin_core.store.sweeping_elsewhere import leftovers_elsewhere
from alvin_core.store.tables import ComparisonRow, RunRow
from alvin_core.upkeep.database import check_database
from alvin_core.upkeep.elsewhere import Elsewhere, look_elsewhere
from alvin_core.upkeep.files import check_files, run_leftovers
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.records import LOST, RunRecords, check_records, read_records

__all__ = ["cache_entries", "ids_of", "if_idle", "verify_store"]


def verify_store(store: Path | str, *, thorough: bool = True, progress: Progress = silent) -> StoreReport:
    """Look through a whole store; others may go on working with it.

    Parameters
    ----------
    store : Path or str
    thorough : bool
        Read every byte of every file; else of arrays the sizes alone, and no cached encoding.
    progress : Progress
        Stage ``verify``; may raise Cancelled.

    Returns
    -------
    StoreReport

    Raises
    ------
    StoreError
        When there is no store.
    StoreVersionError
        When a newer version wrote it.

    Notes
    -----
    What must hold: the database is sound and every reference in it leads somewhere; events and rounds are counted
    without a gap; every label and proposal names an example and a class of the data; a round trained on the labels
    that its record names; its arrays are whole and select what its proposal says; a data set is what its digest says;
    no file is left that nothing names.
    """
    opened = open_store(store)
    report = StoreReport(str(opened.path))
    check_database(opened, report)
    try:
        with opened.read() as session:
            rows = list(session.scalars(select(RunRow).order_by(RunRow.created_at, RunRow.id)))
            comparisons = list(session.scalars(select(ComparisonRow).order_by(ComparisonRow.created_at)))
    except ValueError as error:  # JSON that is none: which runs there are cannot be told, so nothing else can
        report.damage("database", f"a run or a comparison cannot be read: {error}", LOST)
        return report
    entries = cache_entries(opened) if thorough else []
    steps = len(rows) + len(entries)
    elsewhere = look_elsewhere(opened, report, thorough=thorough)
    datasets = _Datasets(opened, report, elsewhere)
    for number, row in enumerate(rows):
        progress(ProgressEvent("verify", number, steps))
        _verify_run(opened, row, datasets, report, thorough=thorough)
    _verify_comparisons(opened, comparisons, {row.dataset for row in rows}, datasets, report)
    for number, key in enumerate(entries, len(rows)):
        progress(ProgressEvent("verify", number, steps))
        if read_entry(opened.cache, key) is None and (opened.cache / key).is_dir():
            report.damage(
                "cache",
                f"the encoding {key[:12]}… is damaged",
                "remove it with --repair: it is made anew",
                mendable=True,
            )
        report.n_files += 1
    _find_leftovers(opened, report, elsewhere)
    progress(ProgressEvent("verify", steps, steps))
    return report


def cache_entries(store: Store) -> list[str]:
    """Return the keys of the whole encodings in the cache."""
    if not store.cache.is_dir():
        return []
    return sorted(path.name for path in store.cache.iterdir() if path.is_dir() and len(path.name) == 64)


@contextmanager
def if_idle(store: Store, row: RunRow) -> Iterator[bool]:
    """Hold a run's lock where nobody else does; tell whether it is held."""
    try:
        lock = store.run_lock(row.id, row.name)
        lock.__enter__()
    except RunBusyError:
        yield False
        return
    try:
        yield True
    finally:
        lock.__exit__(None, None, None)


class _Datasets:
    """The data sets of a store, each read and checked once; the last one is kept, as runs of one come together."""

    def __init__(self, store: Store, report: StoreReport, elsewhere: Elsewhere | None) -> None:
        self._store, self._report, self.elsewhere = store, report, elsewhere
        self.unread: set[str] = set()  # not lost, but not to be read here either
        self._known: dict[str, Dataset | None] = {}
        self._checked: set[str] = set()

    def of(self, digest: str) -> Dataset | None:
        if digest not in self._known:
            self._known = {key: None for key, one in self._known.items() if one is None}
            self._known[digest] = self._load(digest)
        return self._known[digest]

    def _load(self, digest: str) -> Dataset | None:
        if not self._check(digest):
            return None
        try:
            dataset = load_stored_dataset(self._store.path, digest)
        except RemoteError:  # out of reach is not lost
            raise
        except StoreError as error:
            self._report.damage(f"data set {digest[:12]}…", str(error).split(";")[0], ANEW)
            return None
        if digest not in self._checked:
            self._check_slices(digest, dataset)
            self._checked.add(digest)
        return dataset

    def _check(self, digest: str) -> bool:
        """Compare a data set here and where arrays are kept, once; return whether it can be read here."""
        if digest in self._checked:
            return True
        self._report.n_files += 1
        if self.elsewhere is not None and not self.elsewhere.check_dataset(digest, self._report):
            self.unread.add(digest)
            return False
        return True

    def _check_slices(self, digest: str, dataset: Dataset) -> None:
        with self._store.read() as session:
            slices = list_slices(session, digest)
        for one in slices:
            if len(one.members) != -(-len(dataset) // 8):
                self._report.damage(f"slice {one.name!r}", "it is not of its data set", "save it anew by another name")


def _verify_run(store: Store, row: RunRow, datasets: _Datasets, report: StoreReport, *, thorough: bool) -> None:
    n_before = len(report.findings)
    try:
        with store.read() as session:
            if session.get(RunRow, row.id) is None:  # deleted meanwhile
                return
            records = read_records(session, row)
    except ValueError as error:  # JSON that is none
        report.damage(f"run {row.name!r}", f"its records cannot be read: {error}", LOST)
        return
    _check_run(store, row, records, datasets, report, thorough=thorough)
    if len(report.findings) > n_before and not _is_there(store, RunRow, row.id):
        del report.findings[n_before:]  # deleted meanwhile: what was not found is not lost


def _is_there(store: Store, table: type[RunRow | ComparisonRow], id_: str) -> bool:
    with store.read() as session:
        return session.get(table, id_) is not None


def _verify_comparisons(
    store: Store, rows: list[ComparisonRow], looked_at: set[str], datasets: _Datasets, report: StoreReport
) -> None:
    """Check the data of comparisons of which no cell was begun: no run has it."""
    for row in rows:
        n_before = len(report.findings)
        if row.dataset in looked_at or datasets.of(row.dataset) is not None or row.dataset in datasets.unread:
            continue
        what = f"its data set {row.dataset[:12]}… is lost"
        remedy = f"restore the store from a backup, or `alvin discard {row.name}`"
        report.damage(f"comparison {row.name!r}", what, remedy)
        if not _is_there(store, ComparisonRow, row.id):  # discarded meanwhile
            del report.findings[n_before:]


def _check_run(
    store: Store, row: RunRow, records: RunRecords, datasets: _Datasets, report: StoreReport, *, thorough: bool
) -> None:
    report.n_runs += 1
    report.n_rounds += len(records.rounds)
    report.n_labels += len(records.labels)
    dataset, elsewhere = datasets.of(row.dataset), datasets.elsewhere
    if row.dataset in datasets.unread:
        report.note(records.subject, "it was not looked at, as its data set cannot be read here", "see there")
        return
    if dataset is None:
        report.damage(records.subject, f"its data set {row.dataset[:12]}… is lost", ANEW)
        return
    check_records(records, ids_of(records, dataset), dataset.classes, report)
    folder = store.run_folder(row.id)
    leave = () if elsewhere is None else elsewhere.check_run(records, folder, report)
    check_files(records, dataset, folder, report, thorough=thorough, leave=leave)
    if not _left(records, folder, elsewhere):  # without the run's lock, for which others do not wait
        return
    if not may_write(store.path):
        report.note(records.subject, "it can be read only here: leftovers were not looked for", "look as its owner")
        return
    with if_idle(store, row) as idle:
        if not idle:
            report.note(records.subject, "a process works on it: leftovers were not looked for", "look again later")
            return
        for path, where in _left(_now(store, row, records), folder, elsewhere):
            report.leftover(records.subject, f"{path.relative_to(folder)}{where} belongs to no round")


def _left(records: RunRecords, folder: Path, elsewhere: Elsewhere | None) -> list[tuple[Path, str]]:
    """Return what killed processes left of a run, here and where its arrays are kept."""
    left = [(path, "") for path in run_leftovers(records, folder)]
    if elsewhere is not None:
        left += [(path, f" at {elsewhere.mirror.url}") for path in elsewhere.leftovers(records, folder)]
    return left


def _now(store: Store, row: RunRow, records: RunRecords) -> RunRecords:
    """Read the records again: a round that ended since belongs to the run."""
    with store.read() as session:
        return records if session.get(RunRow, row.id) is None else read_records(session, row)


def ids_of(records: RunRecords, dataset: Dataset) -> frozenset[str]:
    """Return the ids of the data set among those that the records name: a table of a million takes 150 MB."""
    asked = {one.example_id for log in (records.labels, records.opinions, records.marks) for one in log}
    asked.update(*records.proposals.values())
    named = np.asarray(sorted(asked), dtype=np.str_)
    return frozenset(named[np.isin(named, dataset.ids)].tolist()) if len(named) else frozenset()


def _find_leftovers(store: Store, report: StoreReport, elsewhere: Elsewhere | None) -> None:
    if not may_write(store.path):  # so that nothing can be locked
        report.note("store", "it can be read only here: leftovers of no run were not looked for", "look as its owner")
        return
    with store.lock():  # whoever makes a run holds it: what nothing names now is named by nothing
        for path in store_leftovers(store):
            report.leftover(path.parent.name, f"{path.name} belongs to no run")
        if elsewhere is not None and elsewhere.reached:
            for path in leftovers_elsewhere(store):
                what = f"{path.name} at {elsewhere.mirror.url} belongs to no run"
                report.leftover(path.parent.name, what)
