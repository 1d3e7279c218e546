"""What each kind of job does, by the same functions that the command line calls."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from alvin_core.data.columns import Columns
from alvin_core.data.dataset import Dataset
from alvin_core.data.samples import sample_names, sample_path
from alvin_core.errors import AlvinError, AnnotationNeeded, Cancelled, PoolError, RunBusyError, RunNotFoundError
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.run import Run, create_run, delete_run, open_run
from alvin_core.settings import RunSettings
from alvin_core.worker.lines import one_line
from alvin_core.worker.params import automatic_map_points, is_upload
from alvin_core.worker.timing import TimeLeft, round_seconds

__all__ = ["Desk", "Request", "Teller", "do_job"]

KEPT_RUNS = 2  # with encoder and features in memory
MAP = "map"


@dataclass(frozen=True)
class Request:
    """A job as the executor is told of it."""

    id: int
    kind: str
    run_id: str | None
    params: Mapping[str, Any]


class Teller(Protocol):
    """Hears how far a job is, and raises `Cancelled` when it is to stop."""

    time_left: TimeLeft
    place: str

    def __call__(self, event: ProgressEvent) -> None:
        """Take a step of progress."""

    def finished(self, result: dict[str, Any]) -> None:
        """Take what is finished so far."""


@dataclass
class Desk:
    """What stays at hand from one job to the next: the last runs with all that they have loaded.

    Attributes
    ----------
    store : Path
    """

    store: Path
    _runs: OrderedDict[str, Run] = field(default_factory=OrderedDict, repr=False)
    _map_seconds: dict[str, float] = field(default_factory=dict, repr=False)

    def run(self, run_id: str) -> Run:
        """Return a run, the one at hand where there is one; let go of those that were deleted.

        Raises
        ------
        RunNotFoundError
            When it was deleted.
        """
        for held in list(self._runs):
            try:
                open_run(self.store, held)
            except RunNotFoundError:
                self._runs.pop(held)
        opened = self._runs.get(run_id) or open_run(self.store, run_id)
        self.keep(opened)
        return opened

    def keep(self, run: Run) -> None:
        """Have a run at hand."""
        self._runs[run.id] = run
        self._runs.move_to_end(run.id)
        while len(self._runs) > KEPT_RUNS:
            self._runs.popitem(last=False)

    def map_seconds(self, run_id: str) -> float | None:
        """What the run's last map took; None before its first."""
        return self._map_seconds.get(run_id)

    def note_map(self, run_id: str, seconds: float) -> None:
        """Remember what a map took."""
        self._map_seconds[run_id] = seconds


def do_job(desk: Desk, request: Request, teller: Teller) -> dict[str, Any]:
    """Do one job and return its result."""
    return _WORK[request.kind](desk, request, teller)


def _do_rounds(desk: Desk, request: Request, teller: Teller) -> dict[str, Any]:
    assert request.run_id is not None
    run = desk.run(request.run_id)
    return _train(desk, run, request.params["n"], {"rounds": [], "notes": []}, teller)


def _do_project(desk: Desk, request: Request, teller: Teller) -> dict[str, Any]:
    assert request.run_id is not None
    run, round_no, space = desk.run(request.run_id), request.params["round"], request.params["space"]
    teller.place = f"round {round_no}"
    start = time.monotonic()
    made = run.project(round_no, space, "umap", _as_map(teller))
    desk.note_map(run.id, time.monotonic() - start)
    return {"round": round_no, "space": space, "revision": made.revision}


def _do_create(desk: Desk, request: Request, teller: Teller) -> dict[str, Any]:
    run = _create(desk, request.params, teller)
    desk.keep(run)
    result: dict[str, Any] = {"run_id": run.id, "run": run.name, "rounds": [], "notes": list(run.dataset.warnings)}
    rounds = request.params["rounds"]
    try:
        teller.finished(result)
        result = result if rounds is None else _train(desk, run, rounds + 1, result, teller)
    except (Cancelled, RunBusyError):
        raise
    except Exception:
        # As if it had never been: the corrected job can take the same name.
        if not run.n_rounds:
            with suppress(AlvinError):  # what went wrong first is what the user must hear of
                delete_run(desk.store, run.id)
                teller.finished({"run_id": None})
        raise
    _delete_upload(desk, request.params)  # not before: a start that fails can be tried again
    return result


def _do_compare(desk: Desk, request: Request, teller: Teller) -> dict[str, Any]:
    from alvin_core.worker.comparing import compare

    params = request.params
    data = None if params["path"] is None else _read(params, params["plan"]["seeds"][0], teller)
    return compare(desk.store, params, data, teller)


def _do_phase(desk: Desk, request: Request, teller: Teller) -> dict[str, Any]:
    from alvin_core.worker.comparing import sweep_worlds

    return sweep_worlds(desk.store, request.params, teller)


_WORK: dict[str, Callable[[Desk, Request, Teller], dict[str, Any]]] = {
    "rounds": _do_rounds,
    "create": _do_create,
    "project": _do_project,
    "compare": _do_compare,
    "phase": _do_phase,
}


def _create(desk: Desk, params: Mapping[str, Any], teller: Teller) -> Run:
    settings = RunSettings.from_dict(params["settings"])
    dataset = _read(params, settings.seed, teller)
    teller(ProgressEvent("create", 0, 0))
    return create_run(desk.store, dataset, settings, name=params["name"], source=params["source"])


def _read(params: Mapping[str, Any], seed: int, teller: Teller) -> Dataset:
    """Read a user's data; the seed decides a test split that has to be drawn."""
    from alvin_core.data.reading import load_dataset

    teller(ProgressEvent("read", 0, 0))
    data = params["path"]
    source = sample_path(data) if data in sample_names() else data
    return load_dataset(
        source,
        columns=Columns(**params["columns"]),
        strict=params["strict"],
        seed=seed,
        classes=params["classes"],
    )


def _delete_upload(desk: Desk, params: Mapping[str, Any]) -> None:
    if params["delete_after"] and is_upload(Path(params["path"]), desk.store):
        with suppress(OSError):  # the run is there; a file too many is no failure
            Path(params["path"]).unlink()


def _train(desk: Desk, run: Run, n: int, result: dict[str, Any], teller: Teller) -> dict[str, Any]:
    """Train ``n`` more rounds, each with its map where the run has maps; add to the result what is finished."""
    for place in range(1, n + 1):
        round_no = run.n_rounds
        wants_map = _wants_map(run, round_no, result)
        known = round_seconds(record.seconds for record in run.records())
        teller.place = f"round {round_no}" + (f" ({place} of {n})" if n > 1 else "")
        teller.time_left.begin_round(n - place, known, desk.map_seconds(run.id) if wants_map else 0.0)
        teller(ProgressEvent("load", 0, 0))  # the model, where it is not at hand; else the next stage follows at once
        try:
            record = run.step(teller)
        except AnnotationNeeded as needed:
            return result | {"waits_for": str(needed)}
        except PoolError as used_up:
            return result | {"ended": str(used_up)}
        result["rounds"].append(record.round)
        teller.finished(result)
        if wants_map:
            teller.time_left.begin_map(desk.map_seconds(run.id))
            _map(desk, run, record.round, result, teller)
    return result


def _wants_map(run: Run, round_no: int, result: dict[str, Any]) -> bool:
    if round_no == 0:
        return len(run.dataset.rows_of("pool")) <= automatic_map_points()
    try:
        return run.projection(round_no - 1) is not None
    except Exception as error:  # a map that cannot be read keeps no round from being trained
        result["notes"].append(f"the map of round {round_no - 1} cannot be read: {one_line(error)}")
        return False


def _map(desk: Desk, run: Run, round_no: int, result: dict[str, Any], teller: Teller) -> None:
    start = time.monotonic()
    try:
        run.project(round_no, "model", "umap", _as_map(teller))
    except Cancelled:
        raise
    except Exception as error:  # the round is done and stored, whatever becomes of its picture
        result["notes"].append(f"round {round_no} has no map: {one_line(error)}")
        teller.finished(result)
    else:
        desk.note_map(run.id, time.monotonic() - start)


def _as_map(teller: Teller) -> Progress:
    """Return a progress that says of every stage that it is part of the map."""
    teller(ProgressEvent(MAP, 0, 0))
    return lambda event: teller(replace(event, stage=MAP))
