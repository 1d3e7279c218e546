"""One run as all its parts see it: where it lies, what it was made of, and its data set."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from alvin_core.data.dataset import Dataset
from alvin_core.errors import RunNotFoundError, StoreError
from alvin_core.run.growing import GrowingDataset, RowsOfIds
from alvin_core.run.values import RunState
from alvin_core.settings import RunSettings
from alvin_core.store.added import AddedExample, list_added
from alvin_core.store.arrays import load_arrays
from alvin_core.store.database import Store
from alvin_core.store.datasets import load_stored_dataset
from alvin_core.store.labels import HeldLabel, current_labels
from alvin_core.store.rounds import count_rounds, find_round, proposal
from alvin_core.store.runs import in_trash_message, is_trashed
from alvin_core.store.tables import RoundRow, RunRow

__all__ = ["RunHandle", "missing_labels", "pending_ids", "state_of"]

ROUNDS_AT_HAND = 4  # whose packed arrays are kept; those of a million examples take some 50 MB


@dataclass(frozen=True)
class RunHandle:
    """A run's row in the store. What can change (rounds, labels) is read anew each time."""

    store: Store
    row: RunRow

    @cached_property
    def settings(self) -> RunSettings:
        return RunSettings.from_dict(self.row.settings)

    @cached_property
    def stored_dataset(self) -> Dataset:
        """The data set that the run was created with: what is encoded, mapped, searched and sliced."""
        return load_stored_dataset(self.store.path, self.row.dataset)

    @property
    def dataset(self) -> Dataset:
        """The stored data set, and after its last row what people added to the run.

        As of the last `look`. Whoever meets an unknown id or a newer round looks by `row_of_id` and `round`.
        """
        return self._growing.now

    @property
    def added(self) -> tuple[AddedExample, ...]:
        """What people added to the run, as of the last `look`."""
        return self._growing.added

    @property
    def row_of_id(self) -> RowsOfIds:
        """Row in the data set of every example."""
        return self._growing.row_of_id

    def look(self) -> Dataset:
        """Return the data set as it is now, with what other processes have added meanwhile."""
        return self._growing.look()

    def dataset_of(self, n_rows: int) -> Dataset:
        """Return the data set as it was when it had so many rows: what a round of so many predictions knew."""
        return self._growing.first(n_rows)

    @cached_property
    def _growing(self) -> GrowingDataset:
        return GrowingDataset(self.stored_dataset, self._read_added)

    def _read_added(self, start: int) -> list[AddedExample]:
        with self.store.read() as session:
            return list_added(session, self.row.id, start)

    @property
    def parent(self) -> tuple[str, int] | None:
        """The run id and the round that this one was forked from."""
        if self.row.parent_id is None or self.row.parent_round is None:
            return None
        return self.row.parent_id, self.row.parent_round

    @property
    def folder(self) -> Path:
        return self.store.run_folder(self.row.id)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only process at work on the run.

        Raises
        ------
        RunBusyError
            When another is.
        RunNotFoundError
            When the run was deleted meanwhile, or put in the trash.
        """
        with self.store.run_lock(self.row.id, self.row.name):
            with self.store.read() as session:
                self.check_exists(session)
            yield

    def check_exists(self, session: Session) -> None:
        """Raise when the run was deleted since it was opened, or put in the trash."""
        trashed = is_trashed(session, self.row.id)
        if trashed is None:
            raise RunNotFoundError(f"the run {self.row.name!r} has been deleted")
        if trashed:
            raise RunNotFoundError(in_trash_message(self.row))

    def round_row(self, session: Session, round_no: int) -> RoundRow:
        """Return a finished round.

        Raises
        ------
        StoreError
            When the run has no such round.
        """
        found = find_round(session, self.row.id, round_no)
        if found is None:
            self.check_exists(session)
            last = count_rounds(session, self.row.id) - 1
            have = f"it has rounds 0 to {last}" if last >= 0 else "it has none yet; `alvin step` trains round 0"
            raise StoreError(f"the run {self.row.name!r} has no round {round_no}: {have}")
        return found

    def round(self, round_no: int) -> tuple[RoundRow, dict[str, NDArray[Any]]]:
        """Return a finished round and its packed arrays, which are read-only."""
        with self.store.read() as session:
            stored = self.round_row(session, round_no)
        arrays = dict(_arrays_of(self.folder / stored.folder))
        known = vars(self).get("_growing")  # where nothing is read yet, the first look is still to come
        if known is not None and len(arrays["probs"]) > len(known.now):  # another process trained on what was added
            known.look()
        return stored, arrays

    def labeled(self, labels: dict[str, HeldLabel]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return rows in the data set and classes of some labels, both of shape (n_labeled,), in their order."""
        class_of_name = {name: class_ for class_, name in enumerate(self.dataset.classes)}
        rows = self.row_of_id.rows_of(list(labels))
        classes = (class_of_name[one.label] for one in labels.values())
        return rows, np.fromiter(classes, dtype=np.int64, count=len(labels))


def missing_labels(session: Session, run_id: str, labels: Collection[str]) -> tuple[list[str], int]:
    """Return the ids of the newest proposal that have no label yet, in its order, and the proposal's size."""
    proposed = proposal(session, run_id, count_rounds(session, run_id) - 1)
    return [example_id for example_id in proposed if example_id not in labels], len(proposed)


def pending_ids(session: Session, run_id: str) -> list[str]:
    """Return the ids of the newest proposal that have no label yet, in its order."""
    proposed, _ = missing_labels(session, run_id, ())
    held = current_labels(session, run_id, example_ids=proposed)
    return [one for one in proposed if one not in held]


def state_of(session: Session, row: RunRow, labels: Mapping[str, HeldLabel]) -> RunState:
    """Return whether the run waits for a person: to answer its proposal, or to give it a second class."""
    if row.annotator != "person":
        return "ready"
    missing, _ = missing_labels(session, row.id, labels)
    return "waiting" if missing or len({one.label for one in labels.values()}) < 2 else "ready"


@lru_cache(maxsize=ROUNDS_AT_HAND)
def _arrays_of(folder: Path) -> dict[str, NDArray[Any]]:
    # A round's folder never changes and its name never comes again; a page asks for the same few all the time.
    arrays = load_arrays(folder)
    for array in arrays.values():
        array.setflags(write=False)
    return arrays
