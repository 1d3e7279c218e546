"""Making a run: its initial labeled set, or the first examples that a person is asked for. Nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from alvin_core.data.dataset import UNLABELED, Dataset
from alvin_core.data.splitting import draw_initial
from alvin_core.errors import DataError, PoolError, SettingsError
from alvin_core.round_inputs import check_data
from alvin_core.run.environment import describe_environment
from alvin_core.run.handle import RunHandle
from alvin_core.run.run import Run
from alvin_core.run.slice_lookup import check_named_slice
from alvin_core.settings import RunSettings
from alvin_core.store.database import open_store
from alvin_core.store.datasets import save_dataset, send_ahead
from alvin_core.store.labels import add_labels, now
from alvin_core.store.rounds import add_proposal
from alvin_core.store.runs import check_name, default_name, free_name, new_run_id, refuse_taken, sweep_store
from alvin_core.store.tables import INITIAL_PROPOSAL, RunRow
from alvin_core.strategies import check_strategy

__all__ = ["AlongWithRun", "add_run", "create_run"]

AlongWithRun = Callable[[Session, RunRow], None]
"""Writes something in the very transaction that makes a run exist; what it raises undoes both."""


@dataclass(frozen=True)
class Start:
    """What a run begins with: who annotates, rows that have labels, rows that a person is asked for."""

    annotator: str
    labeled_rows: NDArray[np.int64]
    proposed_rows: NDArray[np.int64]


def create_run(
    store: Path | str, dataset: Dataset, settings: RunSettings, *, name: str | None = None, source: str = ""
) -> Run:
    """Create a run with its initial labeled set; train nothing yet.

    With an oracle (every pool example has a label, and ``settings.annotator`` allows it), the initial set is drawn
    at random, stratified by class. With a person, the pool's labels are the initial set; where there are none, or too
    few to train on, random examples are proposed and the run waits for their labels. With
    ``annotator="person"`` and a pool that is labeled throughout, its labels are hidden.

    Parameters
    ----------
    store : Path or str
        The folder where runs live; made when missing.
    dataset : Dataset
        Copied into the store.
    settings : RunSettings
    name : str, optional
        Letters, digits, ``-``, ``_`` and ``.``, at most 64; made of source and strategy by default.
    source : str
        Where the data came from, for people.

    Returns
    -------
    Run

    Raises
    ------
    SettingsError
        When the strategy is unknown, an oracle is asked for and the pool lacks labels, the group rule needs attributes
        and there are none, or a slice is named that the store does not have of this data.
    DataError
        When the data set has no pool, fewer than two classes, or an example to evaluate on without a label.
    PoolError
        When the initial set would take the whole pool.
    StoreError
        When the store cannot be used, or the name is bad or taken.
    """
    return add_run(store, dataset, settings, name=name, source=source)


def add_run(
    store: Path | str,
    dataset: Dataset,
    settings: RunSettings,
    *,
    name: str | None,
    source: str,
    suggested: str | None = None,
    along: AlongWithRun | None = None,
) -> Run:
    """Create a run as `create_run` does, perhaps together with something else, both or neither.

    Parameters
    ----------
    store, dataset, settings, name, source
        As `create_run` takes them.
    suggested : str, optional
        Where there is no ``name``: a name that gets a number if it is taken.
    along : callable, optional
    """
    check_strategy(settings)
    check_data(dataset, settings)
    if name is not None:
        check_name(name)
    start = _start(dataset, settings)
    opened = open_store(store, create=True)
    sent = send_ahead(opened, dataset)
    with opened.lock():
        sweep_store(opened, keep=sent)
        digest = save_dataset(opened.path, dataset)
        with opened.write() as session:
            check_named_slice(session, digest, settings)
            row = RunRow(
                id=new_run_id(),
                name=free_name(session, suggested or default_name(source, settings.strategy))
                if name is None
                else refuse_taken(session, name),
                settings=settings.to_dict(),
                annotator=start.annotator,
                dataset=digest,
                # A file's name need not be Unicode, a database's text must.
                source=source.encode("utf-8", "replace").decode(),
                environment=describe_environment(),
                created_at=now(),
            )
            session.add(row)
            session.flush()  # the run before what refers to it
            known = ((dataset.ids[row_], dataset.classes[dataset.labels[row_]]) for row_ in start.labeled_rows)
            labels = ((str(example_id), label) for example_id, label in known)
            add_labels(session, row.id, labels, source="initial", annotator="data")
            add_proposal(session, row.id, INITIAL_PROPOSAL, dataset.ids[start.proposed_rows].tolist())
            if along is not None:
                along(session, row)
    return Run(RunHandle(opened, row))


def _start(dataset: Dataset, settings: RunSettings) -> Start:
    if len(dataset.classes) < 2:
        raise DataError(f"the data set has the classes {list(dataset.classes)}; at least 2 are needed")
    pool_rows = dataset.rows_of("pool")
    labels = dataset.labels[pool_rows]
    n_labeled, n_pool = int((labels != UNLABELED).sum()), len(pool_rows)
    rng = np.random.default_rng([settings.seed, 0, crc32(b"initial")])
    nothing = np.empty(0, dtype=np.int64)
    if settings.annotator == "oracle" and n_labeled < n_pool:
        raise SettingsError(
            f"annotator = 'oracle' needs a label for every pool example, {n_pool - n_labeled} of {n_pool} have none; "
            "use annotator = 'person'"
        )
    if settings.annotator != "person" and n_labeled == n_pool:
        _check_initial(settings.initial, n_pool, "examples")
        return Start("oracle", pool_rows[draw_initial(labels, settings.initial, rng)], nothing)
    given = nothing if n_labeled == n_pool else pool_rows[labels != UNLABELED]
    if len(np.unique(dataset.labels[given])) >= 2:
        return Start("person", given, nothing)
    open_rows = np.setdiff1d(pool_rows, given)
    _check_initial(settings.initial, len(open_rows), "examples without a label")
    return Start("person", given, rng.choice(open_rows, size=settings.initial, replace=False))


def _check_initial(initial: int, n_open: int, what: str) -> None:
    if initial >= n_open:
        raise PoolError(
            f"initial = {initial} leaves nothing to select from: the pool has {n_open} {what}; "
            f"take at most {n_open - 1}, or add data"
        )
