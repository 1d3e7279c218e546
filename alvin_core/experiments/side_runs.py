"""Which runs and comparisons of a store are on the same data, so that they can stand side by side."""

from __future__ import annotations

from pathlib import Path

from alvin_core.run.opening import info_of
from alvin_core.run.values import RunInfo
from alvin_core.store.database import open_store
from alvin_core.store.runs import find_run, list_run_rows

__all__ = ["runs_alike"]


def runs_alike(store: Path | str, run: str) -> tuple[RunInfo, ...]:
    """Return the runs on the same data as one of them, itself included.

    Parameters
    ----------
    store : Path or str
    run : str
        Its name or id.

    Returns
    -------
    tuple of RunInfo
        First those of no comparison, then the cells of comparisons; each oldest first.

    Raises
    ------
    RunNotFoundError
        When there is no such run.
    StoreError
        When the store cannot be used.
    """
    opened = open_store(store)
    with opened.read() as session:
        digest = find_run(session, run).dataset
        own = [row for row in list_run_rows(session, cells=False) if row.dataset == digest]
        known = {row.id for row in own}
        cells = [row for row in list_run_rows(session, cells=True) if row.dataset == digest and row.id not in known]
        return tuple(info_of(opened, session, row) for row in [*own, *cells])
