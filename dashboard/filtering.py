"""Which points a search and a filter by columns hold, and the filter as a part of the address."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from dashboard import data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alvin_core import MapColumns

__all__ = ["STATUSES", "Filter", "choices", "matches", "read_filter", "write_filter"]

STATUSES: Final = ("labeled", "unlabeled", "selected", "minority", "majority", "wrong")


@dataclass(frozen=True)
class Filter:
    """What examples must be. Within a column any of the values will do, between columns all must hold.

    Attributes
    ----------
    predicted, label, attribute, slice, status : tuple of str
        Nothing chosen lets everything pass. Slices go by their names; status is one of `STATUSES`.
    """

    predicted: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    attribute: tuple[str, ...] = ()
    slice: tuple[str, ...] = ()
    status: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.n_values > 0

    @property
    def n_values(self) -> int:
        """How many values are asked for, in all columns."""
        return sum(len(getattr(self, field.name)) for field in fields(self))


def choices(columns: MapColumns, slices: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Return the values that each column of the filter can ask for; ``slices`` are the names of those there are."""
    return {
        "predicted": columns.classes,
        "label": columns.classes,
        "attribute": columns.attributes,
        "slice": slices,
        "status": STATUSES,
    }


def read_filter(text: str, columns: MapColumns, slices: tuple[str, ...] = ()) -> Filter:
    """Read the filter of an address; what this round does not know is left out, as after a change of the run.

    Parameters
    ----------
    text : str
        As `write_filter` makes it. Anything may be in it.
    columns : MapColumns
    slices : tuple of str
        The names of those there are.
    """
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return Filter()
    if not isinstance(found, dict):
        return Filter()
    wanted = {name: values for name, values in found.items() if isinstance(values, list)}
    known = choices(columns, slices).items()
    return Filter(**{name: tuple(one for one in values if one in wanted.get(name, ())) for name, values in known})


def write_filter(chosen: Filter) -> str:
    """Return the filter as a text for the address; empty where nothing is chosen."""
    values = {field.name: list(getattr(chosen, field.name)) for field in fields(chosen)}
    given = {name: names for name, names in values.items() if names}
    return json.dumps(given, ensure_ascii=False, separators=(",", ":")) if given else ""


def matches(run_id: str, columns: MapColumns, search: str, chosen: Filter) -> NDArray[np.bool_] | None:
    """Return which points hold the search's text and pass the filter; None where neither is set.

    Parameters
    ----------
    run_id : str
    columns : MapColumns
    search : str
        Any part of the text, in any case.
    chosen : Filter

    Returns
    -------
    bool array of shape (n,) or None
    """
    if not search and not chosen:
        return None
    kept = np.ones(len(columns.ids), dtype=bool)
    if search:
        kept &= _found(run_id, search)
    for codes, names, wanted in (
        (columns.predicted, columns.classes, chosen.predicted),
        (columns.label_now, columns.classes, chosen.label),
        (columns.attribute, columns.attributes, chosen.attribute),
    ):
        if wanted:
            kept &= np.isin(codes, [names.index(one) for one in wanted if one in names])
    if chosen.slice:
        run = data.opened(run_id)
        kept &= np.logical_or.reduce([run.slice_members(name)[columns.rows] for name in chosen.slice])
    if chosen.status:
        holds = _status(columns)
        kept &= np.logical_or.reduce([holds[one] for one in chosen.status])
    return kept


@lru_cache(maxsize=64)
def _found(run_id: str, search: str) -> NDArray[np.bool_]:
    found = data.opened(run_id).search(search)
    found.setflags(write=False)
    return found


def _status(columns: MapColumns) -> dict[str, NDArray[np.bool_]]:
    return {
        "labeled": columns.label_now >= 0,
        "unlabeled": columns.label_now < 0,
        "selected": columns.selected,
        "minority": columns.is_minority == 1,
        "majority": columns.is_minority == 0,
        "wrong": columns.correct == 0,
    }
