"""Maps of a run's rounds: made, kept beside the round's arrays, and read again.

::

    runs/<id>/<round's folder>/map-model.npz                  the model's space in that round
    runs/<id>/<round 0's folder>/map-encoder-<digest>.npz     the encoder's space, which no round changes

A map is derived: whoever deletes it loses time. Within the folder of a round it goes where the round goes, to the forks
that share the round as well. The digest tells the encoder's settings, which a fork may change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError, StoreError
from alvin_core.progress import Progress, silent
from alvin_core.projection import Method, Projection, Space, place_by_neighbors, project_vectors
from alvin_core.run.archive import VECTORS
from alvin_core.run.engine import Engine
from alvin_core.run.handle import RunHandle
from alvin_core.run.number_format import in_recorded_format
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import NEW, disk_reason, load_array, load_arrays, load_packed, save_packed, sync_folder
from alvin_core.store.mirror import is_there, mirror_of
from alvin_core.store.rounds import list_rounds
from alvin_core.store.tables import RoundRow
from alvin_core.types import Float32Array

__all__ = ["place_vectors", "project_round", "stored_projection"]

SPACES = ("model", "encoder")
LEFTOVER_AFTER = 3600.0  # seconds: by then the process that was writing is gone
MAP_FORMAT = 1  # raise when a map that was stored means something else


def stored_projection(handle: RunHandle, round_no: int, space: Space = "model") -> Projection | None:
    """Return the stored map of a round's space.

    Where the round's model was trained beside the encoder's space (``space = "encoder"`` in the run's settings), that
    is the space of the round, whichever is asked for.

    Returns
    -------
    Projection or None
        None where none was made, or what is there is damaged or of another version: a map can be made again.

    Raises
    ------
    SettingsError
        When there is no such space.
    StoreError
        When there is no such round.
    """
    rounds = _rounds_up_to(handle, round_no)
    return _read_map(handle, rounds, round_no, _space_of(rounds[round_no], space))


def project_round(
    handle: RunHandle,
    engine: Engine,
    round_no: int,
    space: Space = "model",
    method: Method = "umap",
    progress: Progress = silent,
) -> Projection:
    """Map a round's representation space.

    Parameters
    ----------
    handle, engine
        The engine is used for the encoder's space alone.
    round_no : int
    space : {"model", "encoder"}
        What the round's model makes of the texts, or what the frozen encoder does.
    method : {"umap", "pca"}
        UMAP is stored, and one that is stored is returned as it is. It continues the map of the nearest earlier round
        that has one; rounds between are not filled in. PCA takes no time and is not stored.
    progress : Progress
        Stages ``neighbours`` and ``layout``, after those of encoding; may raise Cancelled. Nothing is stored then.
        A layout that continues no map is told of at its start and its end alone.

    Raises
    ------
    SettingsError
        When there is no such space or method, or what UMAP needs is not installed.
    StoreError
        When there is no such round, its arrays are damaged, or the disk refuses.
    DataError
        When the vectors hold NaN or infinity.
    """
    if method not in ("umap", "pca"):
        raise SettingsError(f"the method {method!r} is unknown; choose 'umap' or 'pca'")
    rounds = _rounds_up_to(handle, round_no)
    space = _space_of(rounds[round_no], space)
    stored = _read_map(handle, rounds, round_no, space) if method == "umap" else None
    if stored is not None:
        return stored
    made = project_vectors(
        handle.dataset.ids[handle.dataset.rows_of("pool")],
        _pool_vectors(handle, engine, rounds[round_no], space, progress),
        method=method,
        space=space,
        round_no=round_no,
        seed=handle.settings.seed,
        home=_home(handle, rounds, space) if method == "umap" else None,
        progress=progress,
    )
    if method == "umap":
        with handle.store.read() as session:
            handle.check_exists(session)  # or writing would bring the folder of a deleted run back
        _sweep_leftovers(handle.folder)
        _write_map(_map_path(handle, rounds, round_no, space), made)
    return made


def place_vectors(handle: RunHandle, round_no: int, vectors: NDArray[Any], projection: Projection) -> Float32Array:
    """Return approximate places on a map for vectors of a round's space, such as anchors.

    Parameters
    ----------
    vectors : array of shape (m, dim)
        In the space in which the round retrieved.
    projection : Projection
        Of this run, of any round and space: what counts is who the 10 true neighbours are in *this* round.

    Returns
    -------
    float32 array of shape (m, 2)

    Raises
    ------
    DataError
        When a vector holds NaN or infinity.
    SettingsError
        When the vectors are not of the round's space, or the map is not of this run's pool.
    StoreError
        When there is no such round.
    """
    row = _rounds_up_to(handle, round_no)[round_no]
    known = _round_vectors(handle, row)
    if vectors.ndim != 2 or vectors.shape[1] != known.shape[1]:
        raise SettingsError(
            f"vectors of shape {vectors.shape} have no place in round {round_no}, whose space has {known.shape[1]} "
            "dimensions; take them from the same round"
        )
    if len(projection) != len(known):
        raise SettingsError(
            f"the map shows {len(projection):,} examples, the pool of the run {handle.row.name!r} has {len(known):,}; "
            "use a map of this run"
        )
    return place_by_neighbors(known, projection.xy, vectors)


def _rounds_up_to(handle: RunHandle, round_no: int) -> list[RoundRow]:
    with handle.store.read() as session:
        handle.round_row(session, round_no)  # raises where there is none
        return list_rounds(session, handle.row.id)[: round_no + 1]


def _space_of(row: RoundRow, space: Space) -> Space:
    if space not in SPACES:
        raise SettingsError(f"the space {space!r} is unknown; choose 'model' or 'encoder'")
    return "encoder" if row.settings.get("space") == "encoder" else space


def _home(handle: RunHandle, rounds: list[RoundRow], space: Space) -> Projection | None:
    """Return the map that the last round's continues; the encoder's space does not go on."""
    if space == "encoder":
        return None
    return next(_earlier_maps(handle, rounds, space), None)


def _earlier_maps(handle: RunHandle, rounds: list[RoundRow], space: Space) -> Iterator[Projection]:
    for round_no in range(len(rounds) - 2, -1, -1):
        if _space_of(rounds[round_no], space) != space:
            continue
        found = _read_map(handle, rounds, round_no, space)
        if found is not None:
            yield found


def _round_vectors(handle: RunHandle, row: RoundRow) -> Float32Array:
    """Return the vectors that a round stored, of the pool split alone, in its order."""
    folder = handle.folder / row.folder
    stored_rows, pool_rows = load_arrays(folder, ("vector_rows",))["vector_rows"], handle.dataset.rows_of("pool")
    vectors: Float32Array = load_array(folder, VECTORS)
    # As a rule, for a copy may be gigabytes; what people added comes after all others.
    if np.array_equal(stored_rows[: len(pool_rows)], pool_rows):
        return vectors[: len(pool_rows)]
    places = np.searchsorted(stored_rows, pool_rows)
    found = stored_rows[np.minimum(places, len(stored_rows) - 1)] if len(stored_rows) else pool_rows - 1
    if not np.array_equal(found, pool_rows):
        n_missing = int((found != pool_rows).sum())
        raise StoreError(
            f"{folder} lacks the vectors of {n_missing:,} of {len(pool_rows):,} pool examples; restore the store from "
            "a copy, or fork the run before this round"
        )
    return np.asarray(vectors[places])


def _pool_vectors(handle: RunHandle, engine: Engine, row: RoundRow, space: Space, progress: Progress) -> Float32Array:
    if space == "model" or row.settings.get("space") == "encoder":
        return _round_vectors(handle, row)
    return engine.embed(_encoding_settings(handle, row), progress)[handle.dataset.rows_of("pool")]


def _encoding_settings(handle: RunHandle, row: RoundRow) -> RunSettings:
    """Return the run's settings where they name the round's encoder: for these it may be loaded already."""
    recorded = RunSettings.from_dict(row.settings)
    settings = handle.settings if handle.settings.encoder == recorded.encoder else recorded
    return in_recorded_format(settings, row.environment)


def _map_path(handle: RunHandle, rounds: list[RoundRow], round_no: int, space: Space) -> Path:
    if space == "model":
        return handle.folder / rounds[round_no].folder / "map-model.npz"
    described = json.dumps(asdict(RunSettings.from_dict(rounds[round_no].settings).encoder), sort_keys=True)
    digest = hashlib.sha256(described.encode()).hexdigest()[:8]
    return handle.folder / rounds[0].folder / f"map-encoder-{digest}.npz"


def _read_map(handle: RunHandle, rounds: list[RoundRow], round_no: int, space: Space) -> Projection | None:
    path = _map_path(handle, rounds, round_no, space)
    try:
        if not is_there(path):
            return None
        return _unpacked(load_packed(path), handle, round_no, space)
    except (StoreError, KeyError, TypeError, ValueError, IndexError):  # damaged, of another version, out of reach
        return None


def _unpacked(arrays: dict[str, NDArray[Any]], handle: RunHandle, round_no: int, space: Space) -> Projection | None:
    figures = json.loads(arrays["figures"].tobytes())
    if figures["format"] != MAP_FORMAT or figures["method"] not in ("umap", "pca"):
        return None
    return Projection(
        ids=handle.dataset.ids[handle.dataset.rows_of("pool")],
        xy=arrays["xy"],
        method=figures["method"],
        space=space,
        round_no=round_no,
        neighbors_kept=float(figures["neighbors_kept"]),
        n_neighbors_checked=int(figures["n_neighbors_checked"]),
        displacement=None if figures["displacement"] is None else float(figures["displacement"]),
        kept_freely=None if figures["kept_freely"] is None else float(figures["kept_freely"]),
        units=float(figures["units"]),
    )


def _write_map(path: Path, made: Projection) -> None:
    figures = {
        "format": MAP_FORMAT,
        "method": made.method,
        "neighbors_kept": made.neighbors_kept,
        "n_neighbors_checked": made.n_neighbors_checked,
        "displacement": made.displacement,
        "kept_freely": made.kept_freely,
        "units": made.units,
    }
    packed = np.frombuffer(json.dumps(figures, allow_nan=False).encode(), dtype=np.uint8)
    # Under a name of its own first: no lock is held, and two processes may make the same map at once.
    temporary = path.with_name(f"{path.stem}-{secrets.token_hex(4)}{NEW}")
    try:
        save_packed(temporary, {"xy": made.xy, "figures": packed})
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"could not write {path}: {disk_reason(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)
    mirror = mirror_of(path)
    if mirror is not None:
        mirror.publish_map(path)


def _sweep_leftovers(folder: Path) -> None:
    """Remove what processes that were killed left of maps in a run's folder.

    By age, for others may be writing now; without errors, for others may be sweeping now.
    """
    for path in folder.glob(f"round-*/map-*{NEW}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_AFTER:
                path.unlink()
