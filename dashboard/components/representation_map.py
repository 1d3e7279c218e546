"""The map on a page: mounts the browser's part, and reads what comes back from it without trusting it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeGuard

import streamlit as st

from alvin_core import SettingsError
from dashboard.components.map import bundle
from dashboard.layers import LAYERS

__all__ = ["MapState", "read_state", "representation_map"]

MOST_VERTICES: Final = 2_000
MOST_CODES: Final = 256
FARTHEST: Final = 1e4  # coordinates of a map are within 1; whoever zooms out draws somewhat outside
LONGEST_NAME: Final = 200  # characters of a view or a revision
LARGEST: Final = 2**53  # whole numbers up to here survive JavaScript

# What the component reads, and of which type; None where it may be absent.
_FIELDS: Final[Mapping[str, tuple[type, ...]]] = {
    "view": (str,),
    "round": (int,),
    "n": (int,),
    "positions": (str,),
    "revision": (str,),
    "place_note": (str,),
    "codes": (Mapping,),
    "marks": (Mapping,),
    "anchors": (Mapping, type(None)),
    "layers": (Mapping,),
    "other_label": (str,),
    "texts": (str,),
    "focus": (int, type(None)),
    "lit": (list, tuple),
    "mode": (str,),
    "link": (str, type(None)),
    "kept": (float, int, type(None)),
    "searching": (bool,),
    "label": (str,),
    "height": (int,),
}


@dataclass(frozen=True)
class MapState:
    """What a person did on a map, checked.

    Attributes
    ----------
    picked : int or None
        Index on the map of the example that was clicked last.
    region : dict or None
        ``kind``, ``polygon``, ``view``, ``round``, ``revision``, ``codes_revision``, ``hidden``, ``layers``, ``count``
        and ``stamp`` of what was drawn around; for `dashboard.regions`, which finds the points.
    webgl : bool
        False where the browser said that it cannot draw the map.
    picked_view : str
        The view the click was made on.
    picked_round : int
        Its round; -1 without a click.
    picked_stamp : int
        Grows with each click: the same example clicked again is another click.
    """

    picked: int | None = None
    region: dict[str, Any] | None = None
    webgl: bool = True
    picked_view: str = ""
    picked_round: int = -1
    picked_stamp: int = 0


def representation_map(
    data: Mapping[str, Any],
    *,
    key: str,
    on_pick: Callable[[], None] | None = None,
    on_region: Callable[[], None] | None = None,
) -> MapState:
    """Show a map.

    Parameters
    ----------
    data : mapping
        As `dashboard.maps.map_data` makes it.
    key : str
        The element's key: the map lives on in the browser, with its zoom, while the key and its place stay.
    on_pick, on_region : callable, optional
        Called before the page's next run when an example was clicked, or a region drawn or cleared. They find what
        happened in ``read_state(st.session_state[key])``.

    Returns
    -------
    MapState

    Raises
    ------
    SettingsError
        When ``data`` lacks a field or has one of a wrong type.
    """
    _check(data)
    mounted = _component()(
        key=key,
        data=dict(data),
        height="content",
        on_picked_change=on_pick or _nothing,
        on_region_change=on_region or _nothing,
        on_webgl_change=_nothing,
    )
    return read_state(mounted, n=data["n"])


def read_state(value: object, *, n: int | None = None) -> MapState:
    """Read what a browser sent of a map.

    Parameters
    ----------
    value : object
        The component's state, as Streamlit keeps it under the map's key. Anything may be in it.
    n : int, optional
        The number of points: a larger index is no click.

    Returns
    -------
    MapState
        What is malformed is as if it had not been sent.
    """
    picked = _picked(_part(value, "picked"), n)
    return MapState(
        picked=None if picked is None else picked["index"],
        region=_region(_part(value, "region")),
        webgl=_part(value, "webgl") is not False,
        picked_view="" if picked is None else picked["view"],
        picked_round=-1 if picked is None else picked["round"],
        picked_stamp=0 if picked is None else picked["stamp"],
    )


def _nothing() -> None:
    """Streamlit keeps a state only where somebody listens to it."""


@lru_cache(maxsize=1)
def _component() -> Callable[..., object]:
    built = bundle()
    return st.components.v2.component("alvin_map", css=f"/* the map */\n{built.css}", js=built.loader)


def _check(data: Mapping[str, Any]) -> None:
    for name, types in _FIELDS.items():
        if name not in data:
            raise SettingsError(f"the map's data lack {name!r}; make them with dashboard.maps.map_data")
        value = data[name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            expected = " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in types)
            raise SettingsError(f"the map's {name!r} is a {type(value).__name__}; it must be {expected}")
    kept = data["kept"]
    if kept is not None and not math.isfinite(kept):
        raise SettingsError(f"the map's 'kept' is {kept}; it must be finite, or None where it is unknown")


def _part(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None


def _picked(value: object, n: int | None) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    index, stamp = value.get("index"), value.get("stamp")
    view, round_no = value.get("view"), value.get("round")
    sound = _whole(index, n) and _whole(round_no) and _whole(stamp) and _name(view)
    return {"index": index, "view": view, "round": round_no, "stamp": stamp} if sound else None


def _region(value: object) -> dict[str, Any] | None:
    if not isinstance(value, Mapping) or value.get("kind") not in ("lasso", "box"):
        return None
    polygon, hidden, layers = _polygon(value.get("polygon")), _codes(value.get("hidden")), _layers(value.get("layers"))
    names = {name: value.get(name) for name in ("view", "revision", "codes_revision")}
    numbers = {name: value.get(name) for name in ("round", "count", "stamp")}
    if polygon is None or hidden is None or layers is None:
        return None
    if not all(map(_name, names.values())) or not all(map(_whole, numbers.values())):
        return None
    return {"kind": value["kind"], "polygon": polygon, **names, **numbers, "hidden": hidden, "layers": layers}


def _polygon(value: object) -> list[list[float]] | None:
    if not _is_list(value) or not 3 <= len(value) <= MOST_VERTICES:
        return None
    corners = [corner for corner in value if _is_list(corner) and len(corner) == 2 and all(map(_place, corner))]
    return [[float(x), float(y)] for x, y in corners] if len(corners) == len(value) else None


def _codes(value: object) -> list[int] | None:
    if not _is_list(value) or len(value) > MOST_CODES or not all(_whole(code, MOST_CODES) for code in value):
        return None
    return sorted(set(value))


def _layers(value: object) -> dict[str, bool] | None:
    if not isinstance(value, Mapping) or not all(isinstance(value.get(name), bool) for name in LAYERS):
        return None
    return {name: value[name] for name in LAYERS}


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _whole(value: object, end: int | None = None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < (LARGEST if end is None else end)


def _place(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FARTHEST


def _name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME
