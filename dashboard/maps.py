"""What a map shows: a small description for the component, with the addresses of its arrays."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alvin_core import SettingsError
from dashboard import colouring, map_arrays
from dashboard.layers import LAYERS

if TYPE_CHECKING:
    from alvin_core import MapAnchors, MapColumns, Projection, Run
    from dashboard.map_arrays import Mask, Space

__all__ = ["map_data"]

ON_AT_FIRST = {name: name != "other" for name in LAYERS}

Mode = Literal["pan", "lasso", "box"]


def map_data(
    run: Run,
    round_no: int,
    *,
    space: Space = "model",
    color_by: str = "class",
    match: Mask | None = None,
    layers: Mapping[str, bool] | None = None,
    focus: int | None = None,
    lit: Sequence[int] = (),
    other: str | None = None,
    mode: Mode = "pan",
    link: str | None = None,
    height: int = 560,
    projection: Projection | None = None,
    note: str | None = None,
    columns: MapColumns | None = None,
    flagged: Collection[str] = (),
    now: bool = False,
) -> dict[str, Any]:
    """Describe a map for the component.

    Parameters
    ----------
    run : Run
    round_no : int
    space : {"model", "encoder"}
    color_by : str
        A key of `dashboard.colouring.COLOURINGS`.
    match : bool array of shape (n,), optional
        What a search or a filter found; None where none is set.
    layers : mapping of str to bool, optional
        Those that differ from `ON_AT_FIRST`.
    focus : int, optional
        The point whose card is open.
    lit : sequence of int
        Further points to point out, such as its neighbours.
    other : str, optional
        A strategy whose choice is ringed with dashes.
    mode : {"pan", "lasso", "box"}
    link : str, optional
        Maps of one name share zoom, hover and lasso.
    height : int
        Pixels.
    projection, note : optional
        Places, and what to say of them; by default the best there is now.
    columns : MapColumns, optional
        By default the round's, with the labels that hold now.
    flagged : collection of str
        Ids.
    now : bool
        Colour by class with the labels given since the round.

    Returns
    -------
    dict
        Plain values. The arrays are at the addresses in it.

    Raises
    ------
    SettingsError
        When a colouring, a strategy or a layer is unknown, or an array does not fit the map.
    """
    if columns is None:
        columns = map_arrays.columns_of(run.id, round_no)
    if projection is None:
        projection, found_note = map_arrays.projection_of(run.id, round_no, space)
        note = found_note if note is None else note
    n = len(columns.ids)
    _check(n, projection, match, focus, lit, layers)
    codes = colouring.color_by(columns, color_by, match=match, now=now)
    marks = map_arrays.map_marks(columns, match=match, other=other, flagged=flagged)
    searching = match is not None
    anchors = map_arrays.anchors_of(run, round_no, projection)
    shown = {**ON_AT_FIRST, "other": other is not None, **(layers or {})}
    return {
        "view": f"{run.id}/{space}",
        "round": round_no,
        "n": n,
        "positions": map_arrays.shelve_positions(run.id, projection),
        "revision": projection.revision,
        "place_note": note or "",
        "codes": codes.to_dict(map_arrays.shelve_codes(run.id, round_no, codes)),
        "marks": map_arrays.shelve_marks(run.id, round_no, marks, plain=not (searching or flagged)),
        "anchors": map_arrays.shelve_anchors(run.id, round_no, space, anchors),
        "layers": {name: bool(shown[name]) for name in LAYERS},
        "other_label": f"{other}'s choice" if other else "",
        "texts": f"/api/texts/{run.id}/{round_no}/",
        "focus": None if focus is None else int(focus),
        "lit": [int(index) for index in lit],
        "mode": mode,
        "link": link,
        "kept": float(projection.neighbors_kept) if math.isfinite(projection.neighbors_kept) else None,
        "searching": searching,
        "label": _in_words(run.name, round_no, columns, codes, anchors, match),
        "height": int(height),
    }


def _check(
    n: int,
    projection: Projection,
    match: Mask | None,
    focus: int | None,
    lit: Sequence[int],
    layers: Mapping[str, bool] | None,
) -> None:
    if projection.xy.shape != (n, 2):
        raise SettingsError(f"the projection has the shape {projection.xy.shape}; the map has {n:,} points")
    if match is not None and match.shape != (n,):
        raise SettingsError(f"the search has the shape {match.shape}; the map has {n:,} points")
    for index in (*lit, *(() if focus is None else (focus,))):
        if not 0 <= index < n:
            raise SettingsError(f"point {index:,} is not on the map, which has {n:,}")
    unknown = [name for name in layers or {} if name not in LAYERS]
    if unknown:
        raise SettingsError(f"layer {unknown[0]!r} is unknown; the layers are {', '.join(LAYERS)}")


def _in_words(
    name: str, round_no: int, columns: MapColumns, codes: colouring.Codes, anchors: MapAnchors, match: Mask | None
) -> str:
    """Say what the map shows, for those who cannot see it."""
    labeled, minority = columns.labeled, columns.labeled & (columns.is_minority == 1)
    n_labeled, n_minority = int(labeled.sum()), int(minority.sum())
    counts = np.bincount(columns.label[minority & (columns.label >= 0)], minlength=len(columns.classes))
    most = [f"{columns.classes[row]} {counts[row]:,}" for row in np.argsort(-counts, kind="stable")[:5] if counts[row]]
    by_class = f" ({', '.join(most)})" if most else ""
    parts = [
        f"Map of round {round_no} of {name}: {len(columns.ids):,} points, {n_labeled:,} labeled",
        f"{n_minority:,} of them minority{by_class}, {n_labeled - n_minority:,} majority",
        f"{int(columns.selected.sum()):,} selected",
    ]
    if anchors.n_total:
        parts.append(f"{len(anchors.xy):,} of {int(anchors.n_total):,} anchors drawn")
    if match is not None:
        parts.append(f"{int(match.sum()):,} match the search")
    return "; ".join(parts) + f". Colour: {codes.title}."
