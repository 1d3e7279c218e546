"""The map of Explore with its tools: colours, search, filter, and what a lasso holds."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.acting import enqueue_job
from dashboard.at_hand import can_request_map, flagged_ids, index_of
from dashboard.colouring import COLOURINGS, color_by
from dashboard.components.representation_map import read_state, representation_map
from dashboard.filtering import Filter, choices, matches, read_filter, write_filter
from dashboard.maps import map_data
from dashboard.people import help_why_not
from dashboard.regions import region_rows
from dashboard.state import Color, Place, Space, go, notify, read_wish
from dashboard.views.explore_card import lit_points
from dashboard.views.explore_export import export_tools
from dashboard.views.explore_plain import render_without_webgl
from dashboard.views.fresh import draw_again
from dashboard.views.holding import hold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alvin_core import MapColumns

__all__ = ["chosen_points", "render_map"]

MAP_HEIGHT: Final = 562  # pixels, at least
BESIDE_MAP: Final = 238  # pixels of the screen's height that header, tools and strip take
REGION: Final = "_region"  # session key: what was drawn on the map, as the browser sent it
PICKED: Final = "_picked"  # session key: the stamp of the click that was answered last
WEBGL: Final = "_webgl"  # session key: False where the browser said that it has none
FILTER: Final = "filter"  # query parameter
LONGEST_SEARCH: Final = 200
FILTERS: Final = {
    "predicted": "Predicted class",
    "label": "Label",
    "attribute": "Attribute",
    "slice": "Slice",
    "status": "State",
}


def render_map(place: Place) -> None:
    """Draw the tools and the map."""
    columns = data.columns(place.run_id, place.round_no)
    _tools(place, columns)
    mask = _mask(place, columns)
    if not read_state(st.session_state.get("map")).webgl:
        st.session_state[WEBGL] = False  # the map's own state goes with the map
    if st.session_state.get(WEBGL, True):
        state = representation_map(
            {**_described(place, columns, mask), "beside": BESIDE_MAP},
            key="map",
            on_pick=lambda: _picked(place.run_id, place.round_no),
            on_region=_drawn,
        )
        # A run of the script that is cut off by the next can lose its callback; the click is still in the state.
        if state.picked_stamp != st.session_state.get(PICKED, 0) and _open_picked(place.run_id, place.round_no):
            st.rerun()
    else:
        render_without_webgl(place, columns, mask, height=MAP_HEIGHT)


def chosen_points(place: Place) -> tuple[NDArray[np.int64] | None, str]:
    """Return the points that a lasso, else a search or a filter, holds, and where they come from in words."""
    columns = data.columns(place.run_id, place.round_no)
    mask = _mask(place, columns)
    region = st.session_state.get(REGION)
    if region is not None:
        try:
            points = _points_of(place, columns, mask, region)
        except AlvinError as error:
            st.html(f'<div class="alvin-muted">{escape(str(error))}</div>')
        else:
            if mask is not None:
                return points[mask[points]], f"in the {region['kind']} match the search or filter"
            return points, f"in the {region['kind']}"
    if mask is not None:
        return np.flatnonzero(mask), "match the search or filter"
    return None, ""


def _points_of(
    place: Place, columns: MapColumns, mask: NDArray[np.bool_] | None, region: dict[str, Any]
) -> NDArray[np.int64]:
    projection, _ = data.shown_projection(place.run_id, place.round_no, place.space)
    codes = color_by(columns, place.color, match=mask)
    return region_rows(
        region,
        columns,
        codes,
        projection.xy,
        round_no=place.round_no,
        revision=projection.revision,
        view=f"{place.run_id}/{place.space}",
        other=_other(columns, place),
    )


def _mask(place: Place, columns: MapColumns) -> NDArray[np.bool_] | None:
    return matches(place.run_id, columns, place.search, _filter(place, columns))


def _filter(place: Place, columns: MapColumns) -> Filter:
    return read_filter(st.query_params.get(FILTER, ""), columns, _slices(place))


def _slices(place: Place) -> tuple[str, ...]:
    assert place.run is not None  # without one the page is another
    return place.run.slice_names()


def _described(place: Place, columns: MapColumns, mask: NDArray[np.bool_] | None) -> dict[str, Any]:
    at = index_of(place.run_id, place.round_no)
    projection, note = data.shown_projection(place.run_id, place.round_no, place.space)
    assert place.run is not None
    return map_data(
        place.run,
        place.round_no,
        space=place.space,
        color_by=place.color,
        match=mask,
        focus=at.get(place.example) if place.example else None,
        lit=lit_points(place),
        other=_other(columns, place),
        layers={"other": False},
        height=MAP_HEIGHT,
        projection=projection,
        note=note,
        columns=columns,
        flagged=flagged_ids(place.run_id),
    )


def _other(columns: MapColumns, place: Place) -> str | None:
    """The strategy whose choice can be ringed: the chosen one, by default the usual rival."""
    others = _others(columns, place)
    chosen = st.session_state.get("other")
    if chosen in others:
        return cast("str", chosen)
    return "entropy" if "entropy" in others else next(iter(others), None)


def _others(columns: MapColumns, place: Place) -> list[str]:
    own = data.record(place.run_id, place.round_no).strategy
    return [name for name in columns.ranks if name != own]


def _tools(place: Place, columns: MapColumns) -> None:
    with st.container(key="map_tools", horizontal=True, vertical_alignment="center", gap="small"):
        _color_tool(place)
        hold("search", place.search)
        st.text_input(
            "Search the texts",
            key="search",
            placeholder="Search texts …",
            label_visibility="collapsed",
            max_chars=LONGEST_SEARCH,
            on_change=_search,
            width=190,
        )
        with st.popover(_filter_label(place, columns), key="filter_menu", icon=":material/filter_alt:"):
            _filter_tool(place, columns)
        with st.popover("View", key="view_menu", icon=":material/tune:"):
            _view_tool(place, columns)


def _color_tool(place: Place) -> None:
    hold("color_by", place.color)
    st.selectbox(
        "Colour by",
        list(COLOURINGS),
        key="color_by",
        format_func=lambda how: f"Colour by {COLOURINGS[how]}",
        label_visibility="collapsed",
        on_change=lambda: _change(color=st.session_state["color_by"]),
        width=190,
    )


def _change(*, color: Color | None = None, space: Space | None = None, search: str | None = None) -> None:
    go(color=color, space=space, search=search)


def _search() -> None:
    sought = st.session_state["search"].strip()
    if sought != read_wish(st.query_params.to_dict()).search:
        _change(search=sought)
        _show_table()


def _show_table() -> None:
    st.session_state["side"] = "Table"
    draw_again("explore_side", "explore_map")


def _filter_label(place: Place, columns: MapColumns) -> str:
    n = _filter(place, columns).n_values
    return f"Filter · {n}" if n else "Filter"


def _filter_tool(place: Place, columns: MapColumns) -> None:
    chosen = _filter(place, columns)
    for name, options in choices(columns, _slices(place)).items():
        if options:
            hold(f"filter_{name}", list(getattr(chosen, name)))
            st.multiselect(FILTERS[name], options, key=f"filter_{name}", on_change=_filtered, placeholder="any")
    st.button("Clear", key="filter_clear", disabled=not chosen, on_click=_clear_filter)


def _filtered() -> None:
    _write_filter(Filter(**{name: tuple(st.session_state.get(f"filter_{name}") or ()) for name in FILTERS}))
    _show_table()


def _clear_filter() -> None:
    _write_filter(Filter())
    draw_again("explore_side", "explore_map")


def _write_filter(chosen: Filter) -> None:
    text = write_filter(chosen)
    if text:
        st.query_params[FILTER] = text
    else:
        st.query_params.pop(FILTER, None)


def _view_tool(place: Place, columns: MapColumns) -> None:
    hold("space", place.space)
    st.segmented_control(
        "Space",
        ["model", "encoder"],
        key="space",
        required=True,
        format_func={"model": "the model's", "encoder": "the encoder's"}.get,  # type: ignore[arg-type]
        help="The model's own representations move from round to round; the encoder's stay.",
        on_change=lambda: _change(space=st.session_state["space"]),
    )
    others = _others(columns, place)
    if others:
        st.selectbox(
            "Other strategy",
            others,
            key="other",
            index=others.index("entropy") if "entropy" in others else 0,
            help="Its choice, from the same model, is the layer beside “selected”.",
        )
    if can_request_map(place.run_id, place.round_no, place.space):
        refusal = help_why_not("owner")
        st.button(
            "Make this round's UMAP", key="request_map", on_click=_request_map, args=(place,), disabled=bool(refusal),
            help=refusal,
        )  # fmt: skip
    export_tools(place, columns)


def _request_map(place: Place) -> None:
    """Have the worker make a map whatever time it takes, which is not for those who only look."""
    try:
        enqueue_job(data.store(), "project", run=place.run_id, params={"round": place.round_no, "space": place.space})
    except AlvinError as error:
        notify(str(error), kind="error")


def _picked(run_id: str, round_no: int) -> None:
    if _open_picked(run_id, round_no):
        draw_again("explore_side", "explore_map")


def _open_picked(run_id: str, round_no: int) -> bool:
    """Put the example that was clicked into the address; return whether there is one."""
    state = read_state(st.session_state["map"])
    st.session_state[PICKED] = state.picked_stamp
    if state.picked is None or not state.picked_view.startswith(f"{run_id}/"):  # a click on a map that is gone
        return False
    ids = data.columns(run_id, round_no).ids  # in the same order in every round of the run
    if state.picked >= len(ids):
        return False
    go(example=str(ids[state.picked]))
    st.session_state["side"] = "Example"
    return True


def _drawn() -> None:
    """Show the table of what was drawn around; nothing drawn clears it."""
    region = read_state(st.session_state["map"]).region
    st.session_state[REGION] = region
    if region is not None:
        st.session_state["side"] = "Table"
    draw_again("explore_side")
