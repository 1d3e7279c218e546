"""Who is in a slice: a rule evaluated over the whole data set once, and the members read back."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from alvin_core.data.dataset import UNLABELED
from alvin_core.errors import DataError, StoreError
from alvin_core.run.handle import RunHandle
from alvin_core.run.held import held_classes
from alvin_core.run.searching import holds_text, search_texts
from alvin_core.run.slice_rules import SliceRule, conditions_of
from alvin_core.shown import shown
from alvin_core.store.slices import find_slice, list_slices, stored_members
from alvin_core.store.tables import SliceRow
from alvin_core.types import BoolArray, IntArray

__all__ = ["get_slice", "holding", "known_labels", "members_by_name", "members_of"]

STATUSES = ("labeled", "unlabeled", "selected", "minority", "majority", "right", "wrong")


def get_slice(handle: RunHandle, name: str) -> SliceRow:
    """Return a slice of the run's data set.

    Raises
    ------
    StoreError
        When there is none of this name, with a close one.
    """
    with handle.store.read() as session:
        row = find_slice(session, handle.row.dataset, name)
        names = [] if row is not None else [one.name for one in list_slices(session, handle.row.dataset)]
    if row is None:
        near = difflib.get_close_matches(name, names, n=1)
        there = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none yet'}"
        raise StoreError(f"no slice of this data is called {name!r}; {there} (`alvin slices {handle.row.name}`)")
    return row


def members_by_name(handle: RunHandle) -> dict[str, BoolArray]:
    """Return the members of every slice of the run's data set, by name, oldest slice first; see `members_of`."""
    with handle.store.read() as session:
        rows = list_slices(session, handle.row.dataset)
    return {row.name: members_of(handle, row) for row in rows}


def members_of(handle: RunHandle, row: SliceRow) -> BoolArray:
    """Return which examples of a run a slice holds.

    Returns
    -------
    bool array of shape (n_dataset,)
        Those of the stored data set as they were when the slice was saved; for what people added to the run since,
        the rule is asked, as far as it can tell.
    """
    n_stored, n = len(handle.stored_dataset), len(handle.look())
    is_member = np.zeros(n, dtype=bool)
    is_member[:n_stored] = stored_members(row, n_stored)
    if n > n_stored:
        is_member[n_stored:] = holding(handle, SliceRule.from_dict(row.rule))[n_stored:n]
    return is_member


def holding(handle: RunHandle, rule: SliceRule) -> BoolArray:
    """Return which examples a rule holds for, of all splits.

    Returns
    -------
    bool array of shape (n_dataset,)

    Raises
    ------
    DataError
        When the rule names what the data set does not have.
    StoreError
        When it names a round that the run does not have.
    """
    n = len(handle.dataset)
    if rule.kind == "cue":
        from alvin_core.run.cue_tables import cue_table

        found = cue_table(handle).members(str(rule.value))[:n]
    elif rule.kind == "search":
        found = _searched(handle, str(rule.value))
    elif rule.kind == "filter":
        found = _filtered(handle, rule)
    else:
        from alvin_core.run.looking import row_of

        found = np.zeros(n, dtype=bool)
        found[[row_of(handle, one) for one in rule.value]] = True
    return np.concatenate([found, np.zeros(n - len(found), dtype=bool)])


def known_labels(handle: RunHandle) -> IntArray:
    """Return the class of every example as far as the run may know it, -1 where it may not; shape (n_dataset,).

    An oracle's are those of the data set. Where a person annotates, the pool's are the labels that hold now: those
    that the data set has besides are hidden.
    """
    dataset = handle.dataset
    if handle.row.annotator != "person":
        return dataset.labels
    held = held_classes(handle, None)[0][: len(dataset)]
    return np.where(dataset.splits == "pool", held, dataset.labels)


def _searched(handle: RunHandle, text: str) -> BoolArray:
    dataset, n_stored = handle.dataset, len(handle.stored_dataset)
    added = [dataset.text_of(row) for row in range(n_stored, len(dataset))]
    found = [holds_text((one,) if isinstance(one, str) else one, text) for one in added]
    return np.concatenate([search_texts(handle, text), np.asarray(found, dtype=bool)])


def _filtered(handle: RunHandle, rule: SliceRule) -> BoolArray:
    dataset, columns = handle.dataset, conditions_of(rule)
    kept = np.ones(len(dataset), dtype=bool)
    if wanted := columns.get("label"):
        kept &= np.isin(known_labels(handle), _classes(wanted, dataset.classes))
    if wanted := columns.get("attribute"):
        if dataset.attributes is None:
            raise DataError("the data set has no attributes, so no slice can be made of them; add an attribute column")
        kept &= np.isin(dataset.attributes, _known(wanted, np.unique(dataset.attributes).tolist(), "attribute"))
    if wanted := columns.get("split"):
        kept &= np.isin(dataset.splits, _known(wanted, np.unique(dataset.splits).tolist(), "split"))
    if rule.depends_on_round:
        kept &= _as_of_round(handle, columns)
    return kept


def _as_of_round(handle: RunHandle, columns: dict[str, tuple[str, ...]]) -> BoolArray:
    """Return what holds by a round's predictions and its labeled set; False for examples that it did not know."""
    (round_no,) = map(int, columns["round"])  # saving has set it
    _, arrays = handle.round(round_no)
    n = len(handle.dataset)
    predicted = np.full(n, UNLABELED)
    predicted[: len(arrays["probs"])] = arrays["probs"].argmax(axis=1)
    kept = predicted != UNLABELED
    if wanted := columns.get("predicted"):
        kept &= np.isin(predicted, _classes(wanted, handle.dataset.classes))
    if wanted := columns.get("status"):
        _known(wanted, STATUSES, "status")
        labeled, selected, minority = (np.zeros(n, dtype=bool) for _ in range(3))
        labeled[arrays["labeled_rows"]] = selected[arrays["selected_rows"]] = True
        minority[arrays["labeled_rows"]] = arrays["is_minority"]
        labels = known_labels(handle)
        holds = {
            "labeled": labeled,
            "unlabeled": (handle.dataset.splits == "pool") & ~labeled,
            "selected": selected,
            "minority": minority,
            "majority": labeled & ~minority,
            "right": predicted == labels,
            "wrong": (predicted != labels) & (labels != UNLABELED),
        }
        kept &= np.any([holds[one] for one in wanted], axis=0)
    return np.asarray(kept)


def _classes(wanted: Sequence[str], classes: Sequence[str]) -> list[int]:
    return [classes.index(one) for one in _known(wanted, classes, "class")]


def _known(wanted: Sequence[str], known: Sequence[str], what: str) -> list[str]:
    """Return the values asked for, all of which must be there."""
    for one in wanted:
        if one not in known:
            near = difflib.get_close_matches(one, [name for name in known if name], n=3) or sorted(known)[:8]
            raise DataError(f"no {what} is called {shown(one)}; there are: {', '.join(filter(None, near))}")
    return list(wanted)
