"""The chosen cue: where its examples are on the map, and its statistics through the rounds of each strategy."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import cue_data, data
from dashboard.at_hand import flagged_ids, index_of
from dashboard.colouring import color_by
from dashboard.components.representation_map import read_state, representation_map
from dashboard.cue_colours import cue_codes
from dashboard.cue_words import Change, added, change_of, cue_name, strategy_name
from dashboard.figures.cue_lines import CueLine, cue_lines
from dashboard.map_arrays import shelve_codes
from dashboard.maps import map_data
from dashboard.palette import theme
from dashboard.regions import region_rows
from dashboard.state import Place
from dashboard.theme import empty_state, picture
from dashboard.views import shortcuts_choice as choice

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.colouring import Codes

__all__ = ["render_cue"]

MAP_HEIGHT: Final = 330  # pixels
BESIDE_MAP: Final = 470  # pixels of the screen's height that the header and the rest of the panel take
MAP: Final = "shortcut_map"
LAYERS: Final = {"anchors": False, "segments": False}
MOST_RINGED: Final = 400
VERDICTS: Final[dict[Change, str]] = {"weaker": "weaker", "stronger": "stronger", "unchanged": "no clear change"}


def render_cue(place: Place) -> None:
    """Draw the chosen cue."""
    now = choice.chosen(place)
    if now is None:
        empty_state("No cue to show.", "There are too few labeled examples for any cue. Label more, then come back.")
        return
    histories = _histories(place, now)
    _title(place, now, histories[0].history)
    _map(place, now)
    drawing = cue_lines(histories, now.label, look=theme(place.dark), round_no=place.round_no)
    st.html(picture(drawing, f"{cue_name(now.cue)} through the rounds"))
    st.html(_told(histories, now))


def _histories(place: Place, now: choice.Choice) -> list[CueLine]:
    """The cue in this run, and in the runs that began with the same labels."""
    infos = cue_data.same_start(place.run_id)
    strategies = [info.strategy for info in infos]
    lines = []
    for info in infos:
        try:
            history = cue_data.history_of(info.id, info.n_rounds, now.cue, now.label)
        except AlvinError:
            if info.id == place.run_id:
                raise
            continue  # another that was deleted meanwhile
        one_of_a_kind = strategies.count(info.strategy) == 1
        lines.append(CueLine(strategy_name(info.strategy) if one_of_a_kind else info.name, history))
    return lines


def _title(place: Place, now: choice.Choice, history: pd.DataFrame) -> None:
    row = history[history["round"] == place.round_no]
    if row.empty or not row["n"].iloc[0]:
        figures = f"no labeled example of round {place.round_no} holds it"
    else:
        one = row.iloc[0]
        n, n_label = int(one["n"]), round(float(one["share"]) * int(one["n"]))
        figures = f"{n_label:,} of {n:,} labeled · z {one['z']:.1f} · LMI {one['lmi']:.3f}"
    # One line, whatever it says: the map below must not move.
    with st.container(key="cue_title", horizontal=True, vertical_alignment="center", gap="small"):
        lit = choice.lit(place)
        if lit is None:
            st.html(
                f'<div class="alvin-card-title"><b>{escape(cue_name(now.cue))} → {escape(now.label)}</b>'
                f"<span>{escape(figures)}</span></div>"
            )
        else:
            where = {"map": "this map", "dataset": "the dataset map", "slice": "a slice"}[lit.source]
            st.html(f'<div class="alvin-card-title"><b>{len(lit.ids):,} examples of {where}</b></div>')
            st.button(
                "Show the cue again", key="lit_clear", type="tertiary", on_click=_clear, args=(lit,), width="content"
            )


def _clear(shown: choice.Lit) -> None:
    choice.put_out(shown)
    choice.follow()


def _map(place: Place, now: choice.Choice) -> None:
    state = representation_map(
        _described(place, now), key=MAP, on_pick=lambda: _picked(place), on_region=lambda: _drawn(place, now)
    )
    if not state.webgl:
        st.html(
            '<div class="alvin-muted">This browser cannot draw the map; the table and the examples tell the same.</div>'
        )


def _described(place: Place, now: choice.Choice) -> dict[str, Any]:
    assert place.run is not None
    columns = data.columns(place.run_id, place.round_no)
    projection, note = data.shown_projection(place.run_id, place.round_no, place.space)
    focus = None if place.example is None else index_of(place.run_id, place.round_no).get(place.example)
    lit = choice.lit(place)
    found = map_data(
        place.run,
        place.round_no,
        space=place.space,
        match=choice.lit_mask(place, lit.ids) if lit is not None and _is_ringed(lit) else None,
        layers=LAYERS,
        focus=focus,
        height=MAP_HEIGHT,
        link="shortcuts",  # its legend is folded where there is little room
        projection=projection,
        note=note,
        columns=columns,
        flagged=flagged_ids(place.run_id),
    )
    codes = _codes(place, now)
    address = shelve_codes(place.run_id, place.round_no, codes)
    return {**found, "codes": codes.to_dict(address), "anchors": None, "beside": BESIDE_MAP}


def _is_ringed(lit: choice.Lit) -> bool:
    """A lasso on this very map is drawn on it already; rings around very many would hide them."""
    return lit.source != "map" and len(lit.ids) <= MOST_RINGED


def _codes(place: Place, now: choice.Choice) -> Codes:
    """The cue's examples in colour; those of a slice too large for rings instead, until they are put out."""
    columns, lit = data.columns(place.run_id, place.round_no), choice.lit(place)
    if lit is not None and lit.source != "map" and not _is_ringed(lit):
        return color_by(columns, "match", match=choice.lit_mask(place, lit.ids))
    held = cue_data.members_of(place.run_id, place.round_no, now.cue)
    return cue_codes(columns, held, now.label)


def _picked(place: Place) -> None:
    state = read_state(st.session_state[MAP])
    if state.picked is None or not state.picked_view.startswith(f"{place.run_id}/"):
        return
    ids = data.columns(place.run_id, place.round_no).ids
    if state.picked < len(ids):
        choice.open_example(str(ids[state.picked]))


def _drawn(place: Place, now: choice.Choice) -> None:
    """Light up in the dataset map what was drawn around here."""
    region = read_state(st.session_state[MAP]).region
    ids: list[str] = []
    if region is not None:
        columns = data.columns(place.run_id, place.round_no)
        projection, _ = data.shown_projection(place.run_id, place.round_no, place.space)
        try:
            rows = region_rows(
                region,
                columns,
                _codes(place, now),
                projection.xy,
                round_no=place.round_no,
                revision=projection.revision,
                view=f"{place.run_id}/{place.space}",
            )
        except AlvinError:  # drawn on what was shown before: as if nothing was drawn
            rows = columns.rows[:0]
        ids = columns.ids[rows].tolist()
    choice.light(place, "map", ids)
    choice.follow()


def _told(lines: list[CueLine], now: choice.Choice) -> str:
    """Say in words what each run did to the cue since round 0."""
    rows = "".join(_row(line) for line in lines)
    alone = (
        ""
        if len(lines) > 1
        else '<div class="alvin-muted">No other run began with the same labels. A fork of this one at round 0 with '
        "another strategy (on the page Explore) shows what that does to the cue.</div>"
    )
    head = (
        f"<tr><th>Since round 0</th><th>the cue is</th><th>share {escape(now.label)}</th><th>z</th>"
        f"<th>added: {escape(now.label)} / not</th></tr>"
    )
    return f'<table class="alvin-table alvin-verdicts">{head}{rows}</table>{alone}'


def _row(line: CueLine) -> str:
    """One run: z beside the share, since z also grows with the number of examples."""
    held = line.history[line.history["n"] > 0]
    name = f"<td><b>{escape(line.name)}</b></td>"
    if held.empty:
        return f'<tr>{name}<td colspan="4">no labeled example holds it</td></tr>'
    first, last = held.iloc[0], held.iloc[-1]
    with_label, without = added(held)
    verdict = VERDICTS[change_of(held)] if len(held) > 1 else "one round only"
    return (
        f"<tr>{name}<td>{verdict}</td><td>{first['share']:.0%} → {last['share']:.0%}</td>"
        f"<td>{first['z']:.1f} → {last['z']:.1f}</td><td>{with_label:,} / {without:,}</td></tr>"
    )
