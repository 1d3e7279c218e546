"""Named parts of the data set, known to every run on it: saved, listed, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from alvin_core.errors import DataError, StoreError
from alvin_core.run.handle import RunHandle
from alvin_core.run.marking import check_note
from alvin_core.run.slice_members import get_slice, holding, members_by_name, members_of
from alvin_core.run.slice_rules import SliceInfo, SliceRule
from alvin_core.store.rounds import count_rounds
from alvin_core.store.runs import check_name
from alvin_core.store.slices import add_slice, find_slice, list_slice_names, list_slices, stored_members
from alvin_core.store.tables import SliceRow
from alvin_core.types import BoolArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunSlices"]


class RunSlices:
    """The part of `Run` that names parts of the data set. Every run on the same data has the same slices."""

    _handle: RunHandle

    def slices(self) -> tuple[SliceInfo, ...]:
        """Return the slices of the run's data set, oldest first."""
        with self._handle.store.read() as session:
            self._handle.check_exists(session)
            rows = list_slices(session, self._handle.row.dataset)
        return _infos(self._handle, rows) if rows else ()

    def slice_names(self) -> tuple[str, ...]:
        """Return the names of the slices alone, which takes less time; oldest first."""
        with self._handle.store.read() as session:
            return list_slice_names(session, self._handle.row.dataset)

    def save_slice(self, name: str, rule: SliceRule, note: str = "") -> SliceInfo:
        """Save a slice: its rule is evaluated now, over all splits, and its members never change again.

        Parameters
        ----------
        name : str
            Letters, digits, ``-``, ``_`` and ``.``, at most 64.
        rule : SliceRule
        note : str
            For people.

        Raises
        ------
        StoreError
            When the name is bad or taken, or the rule names a round that the run does not have.
        DataError
            When the rule names what the data set does not have, or holds for nothing.
        LabelError
            When the note is too long.
        """
        handle = self._handle
        check_name(name, "slice")
        note = check_note(note)
        rule = self._with_round(rule)
        if rule.contradicts and rule.contradicts not in handle.dataset.classes:
            classes = ", ".join(handle.dataset.classes)
            raise DataError(f"no class is called {rule.contradicts!r}, so no shortcut can say it; there are: {classes}")
        is_member = holding(handle, rule)[: len(handle.stored_dataset)]
        if not is_member.any():
            raise DataError(
                f"the slice {name!r} would be empty: no example of the data set is what the rule asks for "
                f"({rule.words}); ask for less"
            )
        if rule.kind == "ids":
            rule = replace(rule, value=())  # the members are they
        with handle.store.write() as session:
            handle.check_exists(session)
            if find_slice(session, handle.row.dataset, name) is not None:
                raise StoreError(
                    f"there is a slice called {name!r} of this data already; choose another name, or delete that one"
                )
            row = add_slice(session, handle.row.dataset, name, rule.to_dict(), is_member, note)
        [info] = _infos(handle, [row])
        return info

    def delete_slice(self, name: str) -> None:
        """Delete a slice. A run whose strategy selects from it cannot go on until one of that name is saved again.

        Raises
        ------
        StoreError
            When there is none of this name.
        """
        get_slice(self._handle, name)
        with self._handle.store.write() as session:
            row = find_slice(session, self._handle.row.dataset, name)
            if row is not None:  # another process may have been quicker
                session.delete(row)

    def slice_members(self, name: str) -> BoolArray:
        """Return which examples a slice holds, of shape (n_dataset,), in the order of `Run.dataset`.

        Raises
        ------
        StoreError
            When there is none of this name.
        """
        return members_of(self._handle, get_slice(self._handle, name))

    def slice_metrics(self, name: str | None = None) -> pd.DataFrame:
        """Return how every round did on one slice, or on each; see `run.slice_figures.slice_metrics_frame`.

        Raises
        ------
        StoreError
            When there is none of this name.
        """
        from alvin_core.run.slice_figures import slice_metrics_frame

        members = members_by_name(self._handle) if name is None else {name: self.slice_members(name)}
        return slice_metrics_frame(self._handle, members)

    def _with_round(self, rule: SliceRule) -> SliceRule:
        """Return a rule that says of which round it is, where that matters; the newest unless it says."""
        if not rule.depends_on_round or any(one.partition("=")[0].strip() == "round" for one in rule.value):
            return rule
        with self._handle.store.read() as session:
            newest = count_rounds(session, self._handle.row.id) - 1
        if newest < 0:
            raise DataError(
                "the rule asks what a round knew, and the run has no round yet; train one with `alvin step`"
            )
        return replace(rule, value=(*rule.value, f"round={newest}"))


def _infos(handle: RunHandle, rows: Sequence[SliceRow]) -> tuple[SliceInfo, ...]:
    dataset = handle.stored_dataset
    in_split = {split: dataset.splits == split for split in ("pool", *dataset.evaluation_splits)}
    infos = []
    for row in rows:
        is_member = stored_members(row, len(dataset))
        counts = {split: int(np.sum(is_member & within)) for split, within in in_split.items()}
        n = {split: count for split, count in counts.items() if count}
        infos.append(SliceInfo(row.name, SliceRule.from_dict(row.rule), n, row.note, row.created_at))
    return tuple(infos)
