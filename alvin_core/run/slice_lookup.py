"""The slice that a round's settings name, as strategies are handed it; refused before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from sqlalchemy.orm import Session

from alvin_core.data.dataset import ADDED, Dataset
from alvin_core.errors import SettingsError
from alvin_core.run.slice_rules import SliceRule
from alvin_core.settings import RunSettings
from alvin_core.store.database import Store
from alvin_core.store.slices import find_slice, list_slices, stored_members
from alvin_core.store.tables import SliceRow
from alvin_core.strategies import PoolSlice, needs_slice

__all__ = ["StoredSlices", "check_named_slice", "fingerprint"]


@dataclass(frozen=True)
class StoredSlices:
    """The slices of one data set in one store: what an engine asks for the one that settings name.

    Attributes
    ----------
    store : Store
    digest : str
        Of the data set.
    """

    store: Store
    digest: str

    def check(self, settings: RunSettings) -> None:
        """Raise where the strategy selects from a slice that is not there; see `check_named_slice`."""
        if needs_slice(settings):
            with self.store.read() as session:
                check_named_slice(session, self.digest, settings)

    def named(self, settings: RunSettings, dataset: Dataset) -> tuple[PoolSlice | None, str]:
        """Return the slice that settings name, of a data set that may have grown, and its fingerprint.

        None and an empty text where no slice is named, or where it is gone and the strategy does without.

        Raises
        ------
        SettingsError
            When the strategy selects from it and there is none, or must not select by it.
        """
        name = settings.counter_shortcut.slice
        if not name:
            return None, ""
        with self.store.read() as session:
            if needs_slice(settings):
                check_named_slice(session, self.digest, settings)
            row = find_slice(session, self.digest, name)
        if row is None or SliceRule.from_dict(row.rule).reads_labels:
            return None, ""
        rule = SliceRule.from_dict(row.rule)
        n_stored = int((dataset.splits != ADDED).sum())
        is_member = np.zeros(len(dataset), dtype=bool)  # what people added is in no pool
        is_member[:n_stored] = stored_members(row, n_stored)
        class_ = dataset.classes.index(rule.contradicts) if rule.contradicts else None
        return PoolSlice(name, is_member, class_), fingerprint(row)


def check_named_slice(session: Session, digest: str, settings: RunSettings) -> None:
    """Raise when settings name a slice that the data set does not have, or one that no strategy may select by.

    A new run and a fork are refused so whatever their strategy is: it is a wrong name most often.

    Raises
    ------
    SettingsError
    """
    name = settings.counter_shortcut.slice
    if not name:
        return
    row = find_slice(session, digest, name)
    if row is None:
        names = ", ".join(one.name for one in list_slices(session, digest)) or "none"
        raise SettingsError(
            f"counter_shortcut.slice = {name!r}: this data has no slice of that name in this store (it has: {names}); "
            f"save it with `alvin slices RUN --save {name}`, of any run on the same data, or name another one"
        )
    rule = SliceRule.from_dict(row.rule)
    if rule.reads_labels:
        raise SettingsError(
            f"counter_shortcut.slice = {name!r} was made by labels ({rule.words}), which a strategy must not know "
            "before it asks for them; name a slice made by a cue, a search, an attribute or a prediction"
        )


def fingerprint(row: SliceRow) -> str:
    """Return what tells a slice from another of its name: its members and the class that its shortcut says."""
    content = row.members + str(row.rule.get("contradicts", "")).encode()
    return f"{row.name} {sha256(content).hexdigest()[:12]}"
