"""What the store holds, kept at hand for the pages and the routes of one process.

Everything here may be called from any thread. What can change in the store is looked at again: whether a run is still
there, which labels hold now, and whether a better map was made meanwhile.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alvin_core import RunNotFoundError, automatic_map_points, enqueue_job, list_jobs, list_runs, open_run
from alvin_core import has_store as store_exists
from dashboard.acting import guarded
from dashboard.own_store import store, why_closed
from dashboard.shelf import Shelf

if TYPE_CHECKING:
    from alvin_core import Job, MapColumns, Projection, RoundRecord, Run, RunInfo

__all__ = [
    "columns",
    "forget_run",
    "has_store",
    "labels_changed",
    "labels_file",
    "opened",
    "record",
    "request_projection",
    "runs",
    "shown_projection",
    "store",
]

Space = Literal["model", "encoder"]

STILL_THERE = 1.0  # seconds for which a run is taken to be there without asking the store
LABELS_HOLD = 5.0  # seconds after which labels given by other processes are looked for
MEMORY = 512 * 2**20  # bytes of columns; those of a million points take about 60 MB

_RunKey = tuple[Path, str]
_RoundKey = tuple[Path, str, int]

_runs: Shelf[_RunKey, tuple[Run, float, bool]] = Shelf(16)  # when it was seen last; whether it can only be read
_records: Shelf[_RoundKey, RoundRecord] = Shelf(512)
_columns: Shelf[_RoundKey, tuple[str, MapColumns, float]] = Shelf(12, MEMORY, lambda entry: _size(entry[1]))
_stored: Shelf[tuple[Path, str, int, str], Projection] = Shelf(24, MEMORY, lambda map_: _size(map_))
_pca: Shelf[tuple[Path, str, int, str], Projection] = Shelf(6, MEMORY, lambda map_: _size(map_))


def has_store() -> bool:
    """Return whether anything was ever put into the store."""
    return store_exists(store())


def runs(*, of_comparisons: bool = False) -> list[RunInfo]:
    """Return the runs of the store, oldest first; none where there is no store yet.

    Those of comparisons, which may be hundreds, are among them only when asked for.
    """
    return list_runs(store(), of_comparisons=of_comparisons) if has_store() else []


def opened(run: str) -> Run:
    """Return a run by its id or name. Its data set is read once and kept.

    Raises
    ------
    RunNotFoundError
        When there is none, or it was deleted.
    """
    folder = store()
    if not has_store():
        raise RunNotFoundError(f"no run is called {run!r}: there are no runs yet")
    closed = bool(why_closed())  # a run that was opened while the store was closed cannot write after that
    entry = _runs.peek((folder, run))
    if entry is not None and monotonic() - entry[1] < STILL_THERE and entry[2] == closed:
        return entry[0]
    try:
        found = guarded(open_run(folder, run))
    except RunNotFoundError:
        forget_run(run)
        raise
    known = _runs.peek((folder, found.id))
    kept = found if known is None or known[2] != closed else known[0]  # the one that has read its data set
    _runs.put((folder, found.id), (kept, monotonic(), closed))
    return kept


def forget_run(run_id: str) -> None:
    """Let go of everything about a run, after it was deleted or renamed."""
    for shelf in (_runs, _records, _columns, _stored, _pca):
        shelf.drop(lambda key: key[1] == run_id)


def record(run_id: str, round_no: int) -> RoundRecord:
    """Return a round's figures; they never change."""
    return _records.get((store(), run_id, round_no), lambda: opened(run_id).record(round_no))


def columns(run_id: str, round_no: int) -> MapColumns:
    """Return a round's columns with the labels that hold now.

    Call `labels_changed` after labels were given or taken back; those of other processes show within seconds.
    """
    run = opened(run_id)
    key = (store(), run_id, round_no)
    # The fingerprint is read first: a label that comes between the two is then found at the next look, not missed.
    entry = _columns.get(key, lambda: (_labels_of(run), run.map_columns(round_no), monotonic()))
    if monotonic() - entry[2] > LABELS_HOLD:
        labels = _labels_of(run)
        entry = (labels, entry[1] if labels == entry[0] else run.map_columns(round_no), monotonic())
        _columns.put(key, entry)
    return entry[1]


def labels_changed(run_id: str) -> None:
    """Look at a run's labels anew, because this process has just changed them."""
    _columns.drop(lambda key: key[1] == run_id)


def _labels_of(run: Run) -> str:
    """A fingerprint of the labels that hold now."""
    import hashlib

    labels = run.labels()
    text = "\0".join(f"{id_}\0{label}" for id_, label in zip(labels["id"], labels["label"], strict=True))
    return hashlib.sha256(text.encode()).hexdigest()


def labels_file(run_id: str, format_: str) -> bytes:
    """Return the labels that hold now as a file's content; ``format_`` is csv, jsonl or parquet."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "labels"
        opened(run_id).export(path, format_)
        return path.read_bytes()


def shown_projection(run_id: str, round_no: int, space: Space = "model", *, ask: bool = True) -> tuple[Projection, str]:
    """Return the best map of a round there is now, and a note where it is not the round's own UMAP.

    The stored UMAP; else that of the nearest earlier round; else PCA, which takes no time. Where the worker can make
    the missing one, it is asked to, unless ``ask`` is false: reading alone changes nothing.

    Returns
    -------
    projection : Projection
    note : str
        Empty where the map is the round's own UMAP.
    """
    exact = _stored_projection(run_id, round_no, space)
    if exact is not None:
        return exact, ""
    state = _wanted(run_id, round_no, space, ask=ask)
    for earlier in range(round_no - 1, -1, -1):
        found = _stored_projection(run_id, earlier, space)
        if found is not None:
            return found, _note(f"places of round {earlier}", f"round {round_no} has its own", state)
    key = (store(), run_id, round_no, space)
    pca = _pca.get(key, lambda: opened(run_id).project(round_no, space, method="pca"))
    return pca, _note("PCA", "UMAP is ready", state)


def _note(what: str, until: str, state: str) -> str:
    return f"{what} until {until}" if state == "coming" else f"{what}; {state}"


def _stored_projection(run_id: str, round_no: int, space: Space) -> Projection | None:
    key = (store(), run_id, round_no, space)
    kept = _stored.peek(key)
    if kept is not None:
        return kept
    found = opened(run_id).projection(round_no, space)
    if found is not None:
        _stored.put(key, found)
    return found


def _wanted(run_id: str, round_no: int, space: Space, *, ask: bool) -> str:
    """Ask for a missing map unless it is coming, failed before, or would keep the worker too long; say what is so."""
    jobs = list_jobs(store(), run=run_id, limit=50)
    if any(job.active and (job.kind == "rounds" or _asks_for(job, round_no, space)) for job in jobs):
        return "coming"
    tried = next((job for job in jobs if _asks_for(job, round_no, space)), None)
    if tried is not None and tried.state in ("failed", "cancelled"):
        return f"making the UMAP {'failed' if tried.state == 'failed' else 'was cancelled'}"
    if why_closed():
        return "no UMAP is made where the store may only be read"
    n_points = len(opened(run_id).dataset.rows_of("pool"))
    if n_points > automatic_map_points():
        return f"a UMAP of {n_points:,} points takes minutes and is made when asked for"
    # One at a time while a user looks through rounds.
    if ask and not any(job.active and job.kind == "project" for job in jobs):
        request_projection(run_id, round_no, space)
    return "coming"


def _asks_for(job: Job, round_no: int, space: Space) -> bool:
    return job.kind == "project" and job.params.get("round") == round_no and job.params.get("space", "model") == space


def request_projection(run_id: str, round_no: int, space: Space = "model") -> Job:
    """Ask the worker for a round's UMAP. A request that is there already is returned as it is."""
    return enqueue_job(store(), "project", run=run_id, params={"round": round_no, "space": space})


def _size(value: Any) -> int:
    """Bytes of the arrays in a frozen dataclass, those of its dictionaries with them."""
    total = 0
    for field in fields(value):
        item = getattr(value, field.name)
        for array in item.values() if isinstance(item, dict) else (item,):
            total += array.nbytes if isinstance(array, np.ndarray) else 0
    return total
