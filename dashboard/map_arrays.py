"""The arrays behind a map's addresses: places, colours, marks and anchors as bytes.

An address carries a hash of what it serves, so a browser may keep it for ever. Each array is put on a shelf under its
hash when a map is described, and a route finds it there; one that has left the shelf is made again where that is
possible, and is never answered with other bytes than its hash says. What depends on a search cannot be made again: the
next run of the page puts it back.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from alvin_core import AlvinError, SettingsError
from dashboard import colouring
from dashboard.shelf import Shelf

if TYPE_CHECKING:
    from alvin_core import MapAnchors, MapColumns, Projection, Run

__all__ = [
    "MapGoneError",
    "Mask",
    "Space",
    "anchors_json",
    "anchors_of",
    "codes_bytes",
    "columns_of",
    "forget_all",
    "map_marks",
    "marks_bytes",
    "positions_bytes",
    "projection_of",
    "run_of",
    "shelve_anchors",
    "shelve_codes",
    "shelve_marks",
    "shelve_positions",
]

MOST_BYTES = 256 * 2**20  # positions of a million points take 8 MB
MOST_SEARCHES = 64  # marks and colours of searches; each takes a byte a point
MOST_ANCHORS = 500

# Bits of a point's mark.
LABELED, MINORITY, SELECTED, MATCH, SINCE, FLAGGED, OTHER = (np.uint8(1 << bit) for bit in range(7))

Space = Literal["model", "encoder"]
Mask = NDArray[np.bool_]
_Key = tuple[str, ...]

_arrays: Shelf[_Key, bytes] = Shelf(512, MOST_BYTES, len)
_searches: Shelf[_Key, bytes] = Shelf(MOST_SEARCHES)
_anchors: Shelf[_Key, MapAnchors] = Shelf(64)


class MapGoneError(AlvinError):
    """An array that was served before and is held no more."""


def map_marks(
    columns: MapColumns, *, match: Mask | None = None, other: str | None = None, flagged: Collection[str] = ()
) -> NDArray[np.uint8]:
    """Return the marks of all points, of shape (n,): a bit for each thing that is drawn by shape.

    Raises
    ------
    SettingsError
        When the strategy ``other`` ranked nothing in the round.
    """
    marks = np.where(columns.labeled, LABELED, np.uint8(0))
    marks |= np.where(columns.labeled & (columns.is_minority == 1), MINORITY, np.uint8(0))
    marks |= np.where(columns.selected, SELECTED, np.uint8(0))
    marks |= np.where(~columns.labeled & (columns.label_now >= 0), SINCE, np.uint8(0))
    if match is not None:
        marks |= np.where(match, MATCH, np.uint8(0))
    if flagged:
        marks |= np.where(np.isin(columns.ids, list(flagged)), FLAGGED, np.uint8(0))
    if other is not None:
        if other not in columns.ranks:
            known = ", ".join(columns.ranks) or "none"
            raise SettingsError(f"the round has no ranking by {other!r}; it has: {known}")
        places = columns.ranks[other]
        marks |= np.where((places >= 1) & (places <= columns.budget), OTHER, np.uint8(0))
    return marks


def positions_bytes(run_id: str, round_no: int, space: Space, revision: str) -> bytes:
    """Return places as interleaved little-endian float32, ``x0 y0 x1 y1 …``.

    Raises
    ------
    MapGoneError
        When the round has other places now.
    """

    def make() -> bytes:
        projection, _ = projection_of(run_id, round_no, space)
        _check_revision("places", revision, projection.revision)
        return _position_bytes(projection)

    return _arrays.get(("positions", run_id, str(round_no), space, revision), make)


def codes_bytes(run_id: str, round_no: int, how: str, revision: str) -> bytes:
    """Return a colouring, a byte a point; raise `MapGoneError` when it is held no more and cannot be made again."""
    key = ("codes", run_id, str(round_no), how, revision)

    def make() -> bytes:
        if how not in colouring.COLOURINGS:
            raise MapGoneError(f"colour by {how!r} is unknown")
        columns = columns_of(run_id, round_no)
        for now in (False, True):
            codes = colouring.color_by(columns, how, now=now)
            if codes.revision == revision:
                return codes.values.tobytes()
        raise MapGoneError(f"the colours {revision} are held no more; reload the page")

    return _searches.peek(key) or _arrays.get(key, make)


def marks_bytes(run_id: str, round_no: int, revision: str) -> bytes:
    """Return marks, a byte a point; raise `MapGoneError` when they are held no more and cannot be made again."""
    key = ("marks", run_id, str(round_no), revision)

    def make() -> bytes:
        columns = columns_of(run_id, round_no)
        for other in (None, *columns.ranks):
            marks = map_marks(columns, other=other)
            if colouring.revision_of(marks) == revision:
                return marks.tobytes()
        raise MapGoneError(f"the marks {revision} are held no more; reload the page")

    return _searches.peek(key) or _arrays.get(key, make)


def anchors_json(run_id: str, round_no: int, space: Space, revision: str) -> bytes:
    """Return the anchors of a map, with their parents and picks, as JSON.

    Raises
    ------
    MapGoneError
        When the map has other places now.
    """

    def make() -> bytes:
        projection, _ = projection_of(run_id, round_no, space)
        content = _anchor_bytes(anchors_of(run_of(run_id), round_no, projection))
        _check_revision("anchors", revision, colouring.revision_of(content))
        return content

    return _arrays.get(("anchors", run_id, str(round_no), space, revision), make)


def shelve_positions(run_id: str, projection: Projection) -> str:
    """Put places on the shelf and return their address.

    It names the round that the places are of: rounds that share places share their bytes in the browser too.
    """
    at = ("positions", run_id, str(projection.round_no), projection.space, projection.revision)
    _arrays.get(at, lambda: _position_bytes(projection))
    return f"/api/maps/{run_id}/{projection.round_no}/{projection.space}/{projection.revision}/positions.bin"


def shelve_codes(run_id: str, round_no: int, codes: colouring.Codes) -> str:
    """Put a colouring on the shelf and return its address."""
    revision = codes.revision
    shelf = _searches if codes.how == "match" else _arrays
    shelf.get(("codes", run_id, str(round_no), codes.how, revision), codes.values.tobytes)
    return f"/api/maps/{run_id}/{round_no}/codes/{codes.how}/{revision}.bin"


def shelve_marks(run_id: str, round_no: int, marks: NDArray[np.uint8], *, plain: bool) -> dict[str, str]:
    """Put marks on the shelf; return their address and revision. They are ``plain`` without a search and flags."""
    revision = colouring.revision_of(marks)
    shelf = _arrays if plain else _searches
    shelf.get(("marks", run_id, str(round_no), revision), marks.tobytes)
    return {"url": f"/api/maps/{run_id}/{round_no}/marks/{revision}.bin", "revision": revision}


def shelve_anchors(run_id: str, round_no: int, space: Space, anchors: MapAnchors) -> dict[str, Any] | None:
    """Put anchors on the shelf; return what the component needs of them, None where the round has none."""
    if not anchors.n_total:
        return None
    content = _anchor_bytes(anchors)
    revision = colouring.revision_of(content)
    _arrays.get(("anchors", run_id, str(round_no), space, revision), lambda: content)
    return {
        "url": f"/api/maps/{run_id}/{round_no}/{space}/{revision}/anchors.json",
        "revision": revision,
        "n_shown": len(anchors.xy),
        "n_linked": int(anchors.n_linked),
        "n_total": int(anchors.n_total),
    }


def anchors_of(run: Run, round_no: int, projection: Projection) -> MapAnchors:
    """Return the anchors to draw on a map."""
    key = (run.id, str(round_no), projection.revision)
    return _anchors.get(key, lambda: run.map_anchors(round_no, projection, MOST_ANCHORS))


def forget_all() -> None:
    """Empty the shelves."""
    for shelf in (_arrays, _searches, _anchors):
        shelf.drop(lambda key: True)


def _position_bytes(projection: Projection) -> bytes:
    return np.ascontiguousarray(projection.xy, dtype="<f4").tobytes()


def _anchor_bytes(anchors: MapAnchors) -> bytes:
    columns = {
        "xy": np.round(anchors.xy.astype(np.float64), 5).tolist(),
        "minority": anchors.minority.tolist(),
        "majority": anchors.majority.tolist(),
        "weight": np.round(anchors.weight.astype(np.float64), 4).tolist(),
        "picks": np.asarray(anchors.picks, dtype=np.int64).reshape(-1, 2).tolist(),
    }
    return json.dumps(columns, separators=(",", ":"), allow_nan=False).encode()


def _check_revision(what: str, asked: str, there: str) -> None:
    if asked != there:
        raise MapGoneError(f"the {what} {asked} are held no more, they are {there} now; reload the page")


# Late, so that what only draws does not open the store.
def run_of(run_id: str) -> Run:
    """Return a run by its id."""
    from dashboard import data

    return data.opened(run_id)


def columns_of(run_id: str, round_no: int) -> MapColumns:
    """Return a round's columns, with the labels that hold now."""
    from dashboard import data

    return data.columns(run_id, round_no)


def projection_of(run_id: str, round_no: int, space: Space) -> tuple[Projection, str]:
    """Return the best places there are now, and what to say of them. A route reads: it asks the worker for nothing."""
    from dashboard import data

    return data.shown_projection(run_id, round_no, space, ask=False)
