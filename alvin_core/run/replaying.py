"""Replay: every round computed again from what was recorded of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import StoreError
from alvin_core.logs import facts, log_about, run_log
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.run.archive import VECTORS, arrays_of
from alvin_core.run.divergence import Divergence, explain_divergence
from alvin_core.run.engine import Engine
from alvin_core.run.environment import differences
from alvin_core.run.handle import RunHandle
from alvin_core.run.number_format import in_recorded_format
from alvin_core.run.stages import RoundArrays
from alvin_core.run.values import ReplayRound
from alvin_core.settings import RunSettings
from alvin_core.store.added import count_added
from alvin_core.store.arrays import load_array
from alvin_core.store.labels import current_labels
from alvin_core.store.rounds import list_rounds, proposal, store_arrays_again
from alvin_core.store.tables import RoundRow

if TYPE_CHECKING:
    from alvin_core.round import RoundResult

__all__ = ["replay_run", "retrain_round"]

log = logging.getLogger("alvin_core.run")


def replay_run(handle: RunHandle, engine: Engine, progress: Progress) -> list[ReplayRound]:
    """Compute every round again and compare selections; see `Run.replay`."""
    with handle.store.read() as session:
        handle.check_exists(session)
        rounds = list_rounds(session, handle.row.id)
    replayed = []
    for stored in rounds:
        progress(ProgressEvent("replay", stored.round_no, len(rounds)))
        with run_log(handle.row.id, handle.row.name), log_about(round=stored.round_no):
            replayed.append(_replay_round(handle, engine, stored, progress))
    return replayed


def retrain_round(handle: RunHandle, engine: Engine, round_no: int, progress: Progress) -> RoundRow:
    """Compute a round again from its record and store its arrays anew, where they were lost or damaged.

    The record, its proposal and its figures stay as they are. The caller holds the run's lock.

    Raises
    ------
    StoreError
        When there is no such round, when the new selection or its accuracy is not the recorded one (nothing is stored
        then), or when the disk refuses.
    """
    with handle.store.read() as session:
        stored = handle.round_row(session, round_no)
        selected = proposal(session, handle.row.id, round_no)
    result, environment, _ = _compute_again(handle, engine, stored, progress)
    if other := _what_differs(stored, selected, result):
        changed = differences(stored.environment, environment) or "nothing that is recorded"
        raise StoreError(
            f"round {round_no} of the run {handle.row.name!r}, trained again, {other}; changed since: {changed}; "
            "restore the store from a backup"
        )
    settings = RunSettings.from_dict(stored.settings)
    store_arrays_again(handle.store, stored, *arrays_of(result, settings.strategy))
    return stored


def _what_differs(stored: RoundRow, selected: list[str], result: RoundResult) -> str:
    """Say how a round that was computed again differs from its record; nothing where it does not."""
    n_different = _n_different(selected, result.selection.ids.tolist())
    if n_different:
        return f"selects {n_different} other examples than were proposed"
    # Some strategies select the same whatever the model is.
    for split, measured in stored.metrics.items():
        then, now = measured["accuracy"], result.metrics[split]["accuracy"]
        if then != now:
            return f"has an accuracy of {now:.3f} on {split!r}, not of {then:.3f}"
    return ""


def _replay_round(handle: RunHandle, engine: Engine, stored: RoundRow, progress: Progress) -> ReplayRound:
    with handle.store.read() as session:
        selected = proposal(session, handle.row.id, stored.round_no)
    result, environment, rows = _compute_again(handle, engine, stored, progress)
    n_different = _n_different(selected, result.selection.ids.tolist())
    divergence = _divergence(handle, stored, result, environment)
    told = facts(same=n_different == 0, n_different=n_different, identical=divergence.identical, first=divergence.first)
    log.info("round replayed", extra=told)
    return ReplayRound(
        round_no=stored.round_no,
        same=n_different == 0,
        n_different=n_different,
        note=_note(handle, stored, rows, environment),
        divergence=divergence,
    )


def _divergence(handle: RunHandle, stored: RoundRow, result: RoundResult, environment: dict[str, Any]) -> Divergence:
    _, arrays = handle.round(stored.round_no)
    then = RoundArrays(arrays, load_array(handle.folder / stored.folder, VECTORS), stored.environment)
    packed, mapped = arrays_of(result, stored.settings["strategy"])
    now = RoundArrays(packed, mapped[VECTORS], environment)
    return explain_divergence(then, now, stored.settings, handle.dataset.ids)


def _compute_again(
    handle: RunHandle, engine: Engine, stored: RoundRow, progress: Progress
) -> tuple[RoundResult, dict[str, Any], NDArray[np.int64]]:
    """Return what a round's record gives now, the environment that it was computed in, and its labeled rows."""
    with handle.store.read() as session:
        labels = current_labels(session, handle.row.id, up_to=stored.last_seq)
        n_added = count_added(session, handle.row.id, up_to=stored.last_seq)
    rows, classes = handle.labeled(labels)
    settings = in_recorded_format(RunSettings.from_dict(stored.settings), stored.environment)
    # What was added since is left out: it would change which examples are predicted together, and so the last digits.
    known = handle.dataset_of(len(handle.stored_dataset) + n_added)
    result, environment = engine.grown(known).compute(rows, classes, stored.round_no, settings, progress)
    return result, environment, rows


def _n_different(selected: list[str], anew: list[str]) -> int:
    """Count the places where two selections differ."""
    return sum(one != other for one, other in zip(selected, anew, strict=False)) + abs(len(selected) - len(anew))


def _note(handle: RunHandle, stored: RoundRow, rows: Any, environment: dict[str, Any]) -> str:
    notes = []
    if not np.array_equal(handle.round(stored.round_no)[1]["labeled_rows"], rows):
        notes.append("the label log does not give the labeled set that was stored")
    changed = differences(stored.environment, environment)
    return "; ".join([*notes, *([f"changed since: {changed}"] if changed else [])])
