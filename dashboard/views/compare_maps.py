"""The maps side by side, linked in zoom, hover and lasso, and the one scrubber that moves them all."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final, cast

import streamlit as st

from dashboard import data
from dashboard.at_hand import flagged_ids, index_of
from dashboard.colouring import COLOURINGS
from dashboard.components.representation_map import read_state, representation_map
from dashboard.maps import map_data
from dashboard.state import Color, Place, go
from dashboard.theme import empty_state
from dashboard.views.compare_choice import AT, PLACES, Choice, set_param
from dashboard.views.fresh import draw_again, refreshed
from dashboard.views.holding import by_hand, hold

if TYPE_CHECKING:
    from alvin_core import Projection, SideBySide
    from dashboard.comparing import Side

__all__ = ["FRAGMENTS", "REGION", "color_of", "places_of", "render_maps", "render_tools"]

LINK: Final = "compare"
HEIGHTS: Final = {2: 372, 3: 340, 4: 300}  # pixels, by the number of maps
REGION: Final = "_compare_region"  # session key: (letter, what was drawn on its map)
PICKED: Final = "_compare_picked"  # session key: the stamp of the click that was answered last
OWN: Final = "own"  # value of the parameter `places`
SAME: Final = "same"
FRAGMENTS: Final = ["compare_maps", "compare_chosen"]


def places_of(choice: Choice, side: Side, place: Place) -> tuple[Projection, str]:
    """Return where a side's map shows the examples, and what to say of it."""
    of = side if st.query_params.get(PLACES) == OWN else choice.sides[0]
    projection, note = data.shown_projection(of.run_id, choice.round_no, place.space)
    if of is side:
        return projection, note
    return projection, " · ".join(filter(None, (f"places of {of.letter.upper()}", note)))


def render_maps(place: Place, choice: Choice, found: SideBySide) -> None:
    """Draw the maps; for a fragment."""
    place = refreshed(place)
    columns = st.columns(len(choice.sides), gap="small")
    for at, (column, side) in enumerate(zip(columns, choice.sides, strict=True)):
        with column:
            _title(side, found, at)
            _map(place, choice, side)
    _late_click(choice)


def render_tools(place: Place, choice: Choice, found: SideBySide) -> None:
    """Draw the scrubber and what else is the same for all maps."""
    with st.container(key="compare_tools", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<div class="alvin-rounds">Round<br><small>0 to {choice.newest}</small></div>', width="content")
        hold("compare_round", choice.round_no)
        st.slider(
            "Round of all",
            0,
            max(choice.newest, 1),
            key="compare_round",
            disabled=choice.newest < 1,
            on_change=by_hand("compare_round", lambda: _scrub(choice.newest)),
            label_visibility="collapsed",
            width=230,
        )
        if st.session_state.get("compare_color") != color_of(place):
            st.session_state["compare_color"] = color_of(place)
        st.selectbox(
            "Colour by",
            [how for how in COLOURINGS if how != "match"],
            key="compare_color",
            format_func=lambda how: f"Colour by {COLOURINGS[how]}",
            label_visibility="collapsed",
            on_change=lambda: go(color=cast("Color", st.session_state["compare_color"])),
            width=190,
        )
        now = OWN if st.query_params.get(PLACES) == OWN else SAME
        if st.session_state.get("compare_places") != now:
            st.session_state["compare_places"] = now
        st.segmented_control(
            "Places",
            [SAME, OWN],
            key="compare_places",
            required=True,
            format_func={SAME: "same places", OWN: "each its own"}.get,  # type: ignore[arg-type]
            on_change=_places_changed,
            label_visibility="collapsed",
            help="Same places: every map shows each example where A's map has it, so that selections can be compared "
            "by eye. Each its own: the map of each model's own space.",
        )
        st.html(f'<div class="alvin-muted compare-alike">In common: {escape(", ".join(found.alike))}.</div>')
    if found.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
        st.html(f'<ul class="compare-notes">{notes}</ul>')


def _scrub(newest: int) -> None:
    """Who looks at the newest round follows it when another one is finished."""
    now = st.session_state["compare_round"]
    set_param(AT, "" if now == newest else str(now))


def _places_changed() -> None:
    set_param(PLACES, OWN if st.session_state["compare_places"] == OWN else "")


def _title(side: Side, found: SideBySide, at: int) -> None:
    one = found.runs[at]
    sure = "" if one.mean_confidence is None else f" · mean confidence {one.mean_confidence:.2f}"
    st.html(
        f'<div class="compare-title"><b>{side.letter.upper()}</b> <span>{escape(side.label)}</span>'
        f"<small>{one.n_labeled:,} labels · {one.n_selected:,} selected{sure}</small></div>"
    )


def _map(place: Place, choice: Choice, side: Side) -> None:
    key = f"map_{side.letter}"
    if not read_state(st.session_state.get(key)).webgl:
        empty_state("This browser draws no maps.", "It gives no WebGL. Tables, curves and the verdict work without.")
        return
    representation_map(
        _described(place, choice, side),
        key=key,
        on_pick=lambda: _picked(choice, side.letter),
        on_region=lambda: _drawn(side.letter),
    )


def _described(place: Place, choice: Choice, side: Side) -> dict[str, Any]:
    run = data.opened(side.run_id)
    projection, note = places_of(choice, side, place)
    at = index_of(side.run_id, choice.round_no)
    return map_data(
        run,
        choice.round_no,
        space=place.space,
        color_by=color_of(place),
        focus=at.get(place.example) if place.example else None,
        layers={"anchors": False, "segments": False},
        link=LINK,
        height=HEIGHTS[len(choice.sides)],
        projection=projection,
        note=note,
        flagged=flagged_ids(side.run_id),
    )


def color_of(place: Place) -> Color:
    """Return what the maps are coloured by: there is no search on this page."""
    return "class" if place.color == "match" else place.color


def _picked(choice: Choice, letter: str) -> None:
    if _open_picked(choice, letter):
        draw_again(*FRAGMENTS)


def _late_click(choice: Choice) -> None:
    """A run of the script that is cut off by the next can lose its callback; the click is still in the state."""
    stamps = {side.letter: read_state(st.session_state.get(f"map_{side.letter}")).picked_stamp for side in choice.sides}
    newest = max(stamps, key=lambda letter: stamps[letter])
    if stamps[newest] > st.session_state.get(PICKED, 0) and _open_picked(choice, newest):
        st.rerun()


def _open_picked(choice: Choice, letter: str) -> bool:
    """Put the example that was clicked into the address; return whether there is one."""
    state = read_state(st.session_state.get(f"map_{letter}"))
    st.session_state[PICKED] = max(state.picked_stamp, st.session_state.get(PICKED, 0))
    side = next((side for side in choice.sides if side.letter == letter), None)
    if side is None or state.picked is None or not state.picked_view.startswith(f"{side.run_id}/"):
        return False
    ids = data.columns(side.run_id, choice.round_no).ids
    if state.picked >= len(ids):
        return False
    go(example=str(ids[state.picked]))
    return True


def _drawn(letter: str) -> None:
    """Keep what was drawn; a new outline on one map clears the other's, which must not clear what is kept."""
    region = read_state(st.session_state[f"map_{letter}"]).region
    kept = st.session_state.get(REGION)
    if region is not None:
        if kept is None or region["stamp"] >= kept[1]["stamp"]:
            st.session_state[REGION] = (letter, region)
    elif kept is not None and kept[0] == letter:
        st.session_state.pop(REGION, None)
    draw_again("compare_chosen")
