"""Regions drawn on a map: which points lie inside, by the browser's polygon and the server's coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alvin_core import AlvinError
from dashboard.layers import LAYERS

if TYPE_CHECKING:
    from alvin_core import MapColumns
    from dashboard.colouring import Codes
    from dashboard.map_arrays import Mask

__all__ = ["Region", "RegionError", "points_in", "read_region", "region_rows"]

MOST_VERTICES = 2_000
FARTHEST = 1e4  # coordinates of a map are within 1; whoever zooms out draws somewhat outside
N_STRIPES = 4_096

_KINDS = ("lasso", "box")
_AGAIN = "draw it again"


class RegionError(AlvinError):
    """A region that is malformed, or was drawn on another map than the one that is shown."""


@dataclass(frozen=True)
class Region:
    """A region as a browser drew it.

    Attributes
    ----------
    kind : {"lasso", "box"}
    polygon : float64 array of shape (n_vertices, 2)
        Closed from the last vertex to the first.
    view : str
    round_no : int
    revision, codes_revision : str
        Of the coordinates and of the colours that were on screen.
    hidden : frozenset of int
        Codes that the legend hid.
    layers : dict of str to bool
    """

    kind: str
    polygon: NDArray[np.float64]
    view: str
    round_no: int
    revision: str
    codes_revision: str
    hidden: frozenset[int]
    layers: dict[str, bool]


def points_in(polygon: ArrayLike, xy: ArrayLike) -> NDArray[np.int64]:
    """Return which points lie in a polygon, by the even-odd rule.

    Parameters
    ----------
    polygon : array-like of shape (n_vertices, 2)
        At least 3; closed from the last to the first. May cross itself: what is enclosed twice is outside.
    xy : array-like of shape (n, 2)

    Returns
    -------
    int64 array of shape (n_inside,)
        Rows of ``xy``, ascending.

    Raises
    ------
    RegionError
        When a vertex is not finite, or there are too few or too many.

    Notes
    -----
    A point on a left or lower edge is inside, one on a right or upper edge is not, so that polygons that share an edge
    share no point. The side of an edge is decided by products in float64, without a division, and from the lower end
    whichever way the edge is walked: both neighbours of an edge see a point on the same side of it.

    Only points within the polygon's bounding box are looked at, sorted into horizontal stripes: an edge is compared
    with those in the stripes that it crosses.
    """
    corners = _corners(polygon)
    points = np.asarray(xy, dtype=np.float32)
    if points.ndim != 2 or points.shape[1] != 2:
        raise RegionError(f"points have the shape {points.shape}; it must be (n, 2)")
    (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
    x, y = points[:, 0], points[:, 1]
    # The bounds are float64 scalars, to which the points are widened: nothing is rounded to float32.
    boxed = np.flatnonzero((y >= bottom) & (y < top) & (x >= left) & (x < right))
    if not len(boxed):
        return boxed
    n_stripes = max(1, min(N_STRIPES, len(boxed)))
    scale = n_stripes / (float(top) - float(bottom))
    stripes = _stripes(y[boxed], float(bottom), scale, n_stripes)
    order = np.argsort(stripes, kind="stable")  # of 16-bit numbers, by their digits: linear time
    ends = np.cumsum(np.bincount(stripes, minlength=n_stripes))
    sorted_x, sorted_y = x[boxed][order].astype(np.float64), y[boxed][order].astype(np.float64)
    inside = np.zeros(len(boxed), dtype=bool)
    for low, high in _rising_edges(corners):
        first, last = _stripes(np.array([low[1], high[1]]), float(bottom), scale, n_stripes).tolist()
        start, stop = (int(ends[first - 1]) if first else 0), int(ends[last])
        part_x, part_y = sorted_x[start:stop], sorted_y[start:stop]
        crossed = (part_y >= low[1]) & (part_y < high[1])
        crossed &= (high[0] - low[0]) * (part_y - low[1]) > (part_x - low[0]) * (high[1] - low[1])
        inside[start:stop] ^= crossed
    return np.sort(boxed[order[inside]])


def _corners(polygon: ArrayLike) -> NDArray[np.float64]:
    try:
        corners = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise RegionError(f"the region's vertices are not pairs of numbers; {_AGAIN}") from error
    if corners.ndim != 2 or corners.shape[1] != 2:
        raise RegionError(f"the region's vertices have the shape {corners.shape}, not (n, 2); {_AGAIN}")
    if not 3 <= len(corners) <= MOST_VERTICES:
        raise RegionError(f"the region has {len(corners):,} vertices; it needs 3 to {MOST_VERTICES:,}: {_AGAIN}")
    if not (np.abs(corners) <= FARTHEST).all():  # False for NaN too
        raise RegionError(f"a vertex of the region is not finite, or farther out than {FARTHEST:g}; {_AGAIN}")
    return corners


def _stripes(
    y: NDArray[np.float32] | NDArray[np.float64], bottom: float, scale: float, n_stripes: int
) -> NDArray[np.uint16]:
    """Return each height's stripe. The same arithmetic for points and edges: rounding cannot part them."""
    places = (y.astype(np.float64) - bottom) * scale
    return np.clip(places, 0, n_stripes - 1).astype(np.uint16)


def _rising_edges(corners: NDArray[np.float64]) -> list[tuple[list[float], list[float]]]:
    """Return the edges that are not horizontal, lower end first: neighbours see a shared edge alike."""
    ends = corners.tolist()
    pairs = zip(ends, [*ends[1:], ends[0]], strict=True)
    return [(a, b) if a[1] < b[1] else (b, a) for a, b in pairs if a[1] != b[1]]


def read_region(value: Mapping[str, Any]) -> Region:
    """Check a region that came from a browser.

    Parameters
    ----------
    value : mapping
        The component's ``region``.

    Raises
    ------
    RegionError
        When it is malformed, in one line with what is wrong.
    """
    if not isinstance(value, Mapping):
        raise RegionError(f"the region is a {type(value).__name__}, not a mapping; {_AGAIN}")
    kind = value.get("kind")
    if kind not in _KINDS:
        raise RegionError(f"a region of kind {_shown(kind)} is unknown; it must be one of {', '.join(_KINDS)}")
    round_no = value.get("round")
    if not isinstance(round_no, int) or isinstance(round_no, bool) or round_no < 0:
        raise RegionError(f"the region's round is {_shown(round_no)}, not a whole number from 0; {_AGAIN}")
    return Region(
        kind=kind,
        polygon=_vertices(value.get("polygon")),
        view=_text(value, "view"),
        round_no=round_no,
        revision=_text(value, "revision"),
        codes_revision=_text(value, "codes_revision"),
        hidden=_hidden(value.get("hidden", ())),
        layers=_layers(value.get("layers", {})),
    )


def region_rows(
    region: Mapping[str, Any],
    columns: MapColumns,
    codes: Codes,
    xy: NDArray[np.float32],
    *,
    round_no: int,
    revision: str,
    other: str | None = None,
    view: str | None = None,
) -> NDArray[np.int64]:
    """Return the points of a region that the browser showed when it was drawn.

    Parameters
    ----------
    region : mapping
        The component's ``region``, as it came.
    columns : MapColumns
    codes : Codes
        The colouring that the map shows now.
    xy : float32 array of shape (n, 2)
    round_no : int
    revision : str
        Of ``xy``.
    other : str, optional
        The strategy whose choice the map rings.
    view : str, optional
        The ``view`` of the map that is shown; a fork has the same coordinates as its parent.

    Returns
    -------
    int64 array of shape (n_inside,)
        Indexes on the map, ascending: inside the polygon, not hidden by the legend, in a layer that was on or ringed.

    Raises
    ------
    RegionError
        When the region is malformed, or was drawn on other coordinates, or hides by colours that have changed since:
        rather none than the wrong points.
    """
    drawn = read_region(region)
    if view is not None and drawn.view != view:
        raise RegionError(f"the region was drawn on the map of another run or space; {_AGAIN}")
    if drawn.round_no != round_no:
        raise RegionError(f"the region was drawn on round {drawn.round_no}, the map shows round {round_no}; {_AGAIN}")
    if drawn.revision != revision:
        raise RegionError(f"the map has moved since the region was drawn on it; {_AGAIN}")
    if drawn.hidden and drawn.codes_revision != codes.revision:
        raise RegionError(f"the legend hid points by colours that have changed since; {_AGAIN}")
    rows = points_in(drawn.polygon, xy)
    if drawn.hidden:
        rows = rows[~np.isin(codes.values[rows], list(drawn.hidden))]
    return rows[_was_shown(columns, rows, drawn.layers, other)]


def _was_shown(columns: MapColumns, rows: NDArray[np.int64], layers: Mapping[str, bool], other: str | None) -> Mask:
    """A point is on screen with its layer, or by a ring around it."""
    labeled = columns.labeled[rows]
    shown = np.where(labeled, layers["labeled"], layers["pool"])
    if layers["selected"]:
        shown |= columns.selected[rows]
    if layers["other"] and other in columns.ranks:
        places = columns.ranks[other][rows]
        shown |= (places >= 1) & (places <= columns.budget)
    return shown


def _vertices(polygon: object) -> NDArray[np.float64]:
    if not isinstance(polygon, Sequence) or isinstance(polygon, str | bytes):
        raise RegionError(f"the region's polygon is a {type(polygon).__name__}, not a list of vertices; {_AGAIN}")
    for vertex in polygon[: MOST_VERTICES + 1]:
        if not isinstance(vertex, Sequence) or len(vertex) != 2 or not all(map(_is_number, vertex)):
            raise RegionError(
                f"the region's vertex {_shown(vertex)} is not a pair of finite numbers within ±{FARTHEST:g}; {_AGAIN}"
            )
    if not 3 <= len(polygon) <= MOST_VERTICES:
        raise RegionError(f"the region has {len(polygon):,} vertices; it needs 3 to {MOST_VERTICES:,}: {_AGAIN}")
    return np.asarray(polygon, dtype=np.float64)


def _hidden(codes: object) -> frozenset[int]:
    if not isinstance(codes, Sequence) or not all(_is_whole(code) and 0 <= code <= 255 for code in codes):
        raise RegionError(f"the region's hidden codes are {_shown(codes)}; they must be from 0 to 255: {_AGAIN}")
    return frozenset(codes)


def _layers(layers: object) -> dict[str, bool]:
    if not isinstance(layers, Mapping) or not all(isinstance(on, bool) for on in layers.values()):
        raise RegionError(f"the region's layers are {_shown(layers)}; each must be true or false: {_AGAIN}")
    return {name: layers.get(name, True) for name in LAYERS}


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise RegionError(f"the region's {name} is {_shown(text)}, not a text; {_AGAIN}")
    return text


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FARTHEST


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
