"""Small questions about a run that several pages ask, answered from what `dashboard.data` keeps."""

from __future__ import annotations

from dashboard import data
from dashboard.shelf import Shelf

__all__ = ["can_request_map", "flagged_ids", "index_of", "is_busy", "row_of"]

_indexes: Shelf[tuple[str, str], dict[str, int]] = Shelf(4)


def index_of(run_id: str, round_no: int) -> dict[str, int]:
    """Return each example's place on the map, which is the same in every round."""
    columns = data.columns(run_id, round_no)
    return _indexes.get(("map", run_id), lambda: {one: place for place, one in enumerate(columns.ids.tolist())})


def row_of(run_id: str, example_id: str) -> int:
    """Return an example's row in the data set, whatever split it is in.

    Raises
    ------
    KeyError
        When the run has no such example.
    """
    ids = data.opened(run_id).dataset.ids
    rows = _indexes.get(("rows", run_id), lambda: {one: row for row, one in enumerate(ids.tolist())})
    for row in range(len(rows), len(ids)):  # what people have added to the run since
        rows[str(ids[row])] = row
    return rows[example_id]


def flagged_ids(run_id: str) -> list[str]:
    """Return the ids of the examples that somebody flagged."""
    marks = data.opened(run_id).marks()
    return [] if marks.empty else marks.loc[marks["flagged"].astype(bool), "id"].tolist()


def is_busy(run_id: str) -> bool:
    """Return whether the worker trains the run, or is about to."""
    from alvin_core import list_jobs

    return any(job.kind == "rounds" for job in list_jobs(data.store(), run=run_id, active=True))


def can_request_map(run_id: str, round_no: int, space: data.Space) -> bool:
    """Return whether a map of its own is missing and is not being made."""
    from alvin_core import list_jobs

    if not data.shown_projection(run_id, round_no, space)[1]:
        return False
    return not any(job.kind in ("project", "rounds") for job in list_jobs(data.store(), run=run_id, active=True))
