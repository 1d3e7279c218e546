"""One step of a run: annotate the pending proposal, train the next round, store it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sized
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from alvin_core.data.dataset import Dataset
from alvin_core.errors import AnnotationNeeded, PoolError
from alvin_core.progress import Progress
from alvin_core.run.archive import arrays_of
from alvin_core.run.engine import Engine
from alvin_core.run.handle import RunHandle, missing_labels
from alvin_core.run.number_format import in_recorded_format
from alvin_core.run.round_log import logged
from alvin_core.run.values import RoundRecord, plain
from alvin_core.store.added import COUNTERFACTUAL, count_added
from alvin_core.store.labels import HeldLabel, add_labels, current_labels, last_seq, now
from alvin_core.store.rounds import add_round, count_rounds, find_round, sweep_run
from alvin_core.store.tables import RoundRow

__all__ = ["check_reach", "record_of", "step_run", "why_waiting"]


@dataclass(frozen=True)
class Snapshot:
    """What the next round trains on: all label events up to one number, read in one transaction."""

    round_no: int
    last_seq: int
    dataset: Dataset  # with the examples that people have added by then
    labeled_rows: NDArray[np.int64]
    labeled_classes: NDArray[np.int64]
    environment: dict[str, Any] | None  # of the round before


@logged
def step_run(handle: RunHandle, engine: Engine, progress: Progress) -> RoundRecord:
    """Annotate the pending proposal and train the next round; see `Run.step`."""
    with handle.lock():
        sweep_run(handle.store, handle.row.id)
        if engine.slices is not None:
            engine.slices.check(handle.settings)  # before anything is annotated
        with handle.store.write() as session:
            snapshot = _annotate(session, handle)
        settings = handle.settings
        result, environment = engine.grown(snapshot.dataset).compute(
            snapshot.labeled_rows,
            snapshot.labeled_classes,
            snapshot.round_no,
            in_recorded_format(settings, snapshot.environment),
            progress,
        )
        row = RoundRow(
            run_id=handle.row.id,
            round_no=snapshot.round_no,
            # Resolved: a later version's defaults must not change what this round is said to have run with.
            settings=replace(settings, training=settings.training.resolved()).to_dict(),
            last_seq=snapshot.last_seq,
            n_labeled=len(snapshot.labeled_rows),
            metrics=plain(result.metrics),
            summary=plain(result.summary),
            seconds=plain(result.seconds),
            warnings=list(result.warnings),
            environment=environment,
            created_at=now(),
        )
        add_round(handle.store, row, result.selection.ids.tolist(), *arrays_of(result, settings.strategy))
        return record_of(handle, row)


def record_of(handle: RunHandle, row: RoundRow) -> RoundRecord:
    """Return a stored round's figures."""
    return RoundRecord(
        run=handle.row.name,
        round=row.round_no,
        strategy=str(row.settings["strategy"]),
        n_labeled=row.n_labeled,
        metrics=row.metrics,
        groups=row.summary.get("groups", {}),
        anchors=row.summary.get("anchors", {}),
        selection=row.summary.get("selection", {}),
        encoding=row.summary.get("encoding", {}),
        seconds=row.seconds,
        warnings=tuple(row.warnings),
        created_at=row.created_at,
    )


def why_waiting(handle: RunHandle) -> str:
    """Say in one line what a person must do before the run can go on; empty when it can."""
    with handle.store.read() as session:
        handle.check_exists(session)
        labels = current_labels(session, handle.row.id)
        missing, n_proposed = missing_labels(session, handle.row.id, labels)
    try:
        _check_answered(handle, missing, n_proposed)
        _check_classes(handle, {one.label for one in labels.values()})
    except AnnotationNeeded as needed:
        return str(needed)
    return ""


def check_reach(handle: RunHandle, n: int) -> None:
    """Raise when the pool is too small for an oracle to annotate ``n`` times, before hours of work show it.

    Raises
    ------
    PoolError
        With the number of rounds that the pool has examples for.
    """
    if handle.row.annotator != "oracle":
        return
    with handle.store.read() as session:
        handle.check_exists(session)
        n_rounds = count_rounds(session, handle.row.id)
        labels = current_labels(session, handle.row.id)
        missing, n_proposed = missing_labels(session, handle.row.id, labels)
        has_new = _has_new_example(session, handle.row.id, n_rounds)
    n_open = _n_open(handle, labels)
    budget = handle.settings.budget
    # What is proposed already makes one more round; it may be smaller than the budget, or annotated already. So does a
    # label that was taken back, or an example that was added, after the pool was used up.
    certain = n_rounds if n_proposed or not n_rounds or n_open or has_new else n_rounds - 1
    reach = certain + math.ceil((n_open - len(missing)) / budget)
    if n > reach:
        raise PoolError(
            f"rounds = {n} is too many: the pool, with {n_open} examples left and a budget of {budget}, is used up "
            f"after {reach}; lower the rounds or the budget"
        )


def _annotate(session: Session, handle: RunHandle) -> Snapshot:
    """Let the oracle answer the pending proposal, and read what the next round trains on."""
    run_id = handle.row.id
    handle.check_exists(session)
    labels = current_labels(session, run_id)
    missing, n_proposed = missing_labels(session, run_id, labels)
    _check_answered(handle, missing, n_proposed)
    if missing:
        dataset = handle.dataset
        codes = dataset.labels[handle.row_of_id.rows_of(missing)].tolist()
        answers = [(one, dataset.classes[code]) for one, code in zip(missing, codes, strict=True)]
        add_labels(session, run_id, answers, source="oracle", annotator="oracle")
        labels = current_labels(session, run_id)
    round_no = count_rounds(session, run_id)
    if round_no and not n_proposed and not _has_new_example(session, run_id, round_no):
        _check_open(handle, labels)
    _check_classes(handle, {one.label for one in labels.values()})
    rows, classes = handle.labeled(labels)
    dataset = handle.dataset_of(len(handle.stored_dataset) + count_added(session, run_id))
    newest = find_round(session, run_id, round_no - 1)
    environment = None if newest is None else newest.environment
    return Snapshot(round_no, last_seq(session, run_id), dataset, rows, classes, environment)


def _check_answered(handle: RunHandle, missing: Sized, n_proposed: int) -> None:
    if missing and handle.row.annotator == "person":
        have = "has" if len(missing) == 1 else "have"
        raise AnnotationNeeded(
            f"{len(missing)} of the {n_proposed} examples that the run {handle.row.name!r} proposed {have} no label "
            f"yet; annotate what is missing, then `alvin submit {handle.row.name} LABELS.csv`"
        )


def _has_new_example(session: Session, run_id: str, n_rounds: int) -> bool:
    """Return whether somebody added an example that no round has read yet."""
    newest = find_round(session, run_id, n_rounds - 1)
    read = 0 if newest is None else count_added(session, run_id, newest.last_seq)
    return count_added(session, run_id) > read


def _n_open(handle: RunHandle, labels: Mapping[str, HeldLabel]) -> int:
    """Return how many pool examples have no label."""
    n_of_pool = sum(one.source != COUNTERFACTUAL for one in labels.values())
    return len(handle.stored_dataset.rows_of("pool")) - n_of_pool


def _check_open(handle: RunHandle, labels: Mapping[str, HeldLabel]) -> None:
    if _n_open(handle, labels) <= 0:
        name = handle.row.name
        n_pool = len(handle.stored_dataset.rows_of("pool"))
        raise PoolError(
            f"all {n_pool} pool examples of the run {name!r} are labeled and trained on; nothing is left to "
            f"select: `alvin export {name}` writes the labels"
        )


def _check_classes(handle: RunHandle, classes: set[str]) -> None:
    if len(classes) < 2:
        name = handle.row.name
        found = f"only the class {classes.pop()!r}" if classes else "no label"
        raise AnnotationNeeded(
            f"the labeled set of the run {name!r} has {found}, at least 2 classes are needed to train; label any pool "
            f"example of another class with `alvin submit {name} LABELS.csv`, whether it was proposed or not"
        )
