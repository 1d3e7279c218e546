"""Replay: every round computed again from what was recorded of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from alvin_core.progress import Progress, ProgressEvent
from alvin_core.run.engine import Engine
from alvin_core.run.environment import differences
from alvin_core.run.handle import RunHandle
from alvin_core.run.values import ReplayRound
from alvin_core.settings import RunSettings
from alvin_core.store.added import count_added
from alvin_core.store.labels import current_labels
from alvin_core.store.rounds import list_rounds, proposal
from alvin_core.store.tables import RoundRow

__all__ = ["replay_run"]


def replay_run(handle: RunHandle, engine: Engine, progress: Progress) -> list[ReplayRound]:
    """Compute every round again and compare selections; see `Run.replay`."""
    with handle.store.read() as session:
        handle.check_exists(session)
        rounds = list_rounds(session, handle.row.id)
    replayed = []
    for stored in rounds:
        progress(ProgressEvent("replay", stored.round_no, len(rounds)))
        replayed.append(_replay_round(handle, engine, stored, progress))
    return replayed


def _replay_round(handle: RunHandle, engine: Engine, stored: RoundRow, progress: Progress) -> ReplayRound:
    with handle.store.read() as session:
        labels = current_labels(session, handle.row.id, up_to=stored.last_seq)
        selected = proposal(session, handle.row.id, stored.round_no)
        n_added = count_added(session, handle.row.id, up_to=stored.last_seq)
    rows, classes = handle.labeled(labels)
    settings = RunSettings.from_dict(stored.settings)
    # What was added since is left out: it would change which examples are predicted together, and so the last digits.
    known = handle.dataset_of(len(handle.stored_dataset) + n_added)
    result, environment = engine.grown(known).compute(rows, classes, stored.round_no, settings, progress)
    anew: list[str] = result.selection.ids.tolist()
    n_different = sum(one != other for one, other in zip(selected, anew, strict=False)) + abs(len(selected) - len(anew))
    return ReplayRound(
        round_no=stored.round_no,
        same=n_different == 0,
        n_different=n_different,
        note=_note(handle, stored, rows, environment),
    )


def _note(handle: RunHandle, stored: RoundRow, rows: Any, environment: dict[str, Any]) -> str:
    notes = []
    if not np.array_equal(handle.round(stored.round_no)[1]["labeled_rows"], rows):
        notes.append("the label log does not give the labeled set that was stored")
    changed = differences(stored.environment, environment)
    return "; ".join([*notes, *([f"changed since: {changed}"] if changed else [])])
