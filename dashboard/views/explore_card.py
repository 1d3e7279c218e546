"""The example card: its text, what the model made of it, why it was picked or not, and what lies near it."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.at_hand import index_of, row_of
from dashboard.figures.small import sparkline
from dashboard.palette import class_colours
from dashboard.state import Place, go
from dashboard.theme import empty_state, picture, plain, section_title
from dashboard.views.attribution import render_attribution
from dashboard.views.fresh import draw_again

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core import AnchorReason, Explanation

__all__ = ["lit_points", "render_card"]

N_NEAREST = 5
LONGEST_QUOTE = 160  # characters of a neighbour's or a parent's text; a click shows all of it
LONGEST_TEXT = 100_000  # characters of the example itself; more would make the page crawl


def render_card(place: Place) -> None:
    """Draw the card of the example in the address, or what to do to get one."""
    if place.example is None:
        empty_state(
            "No example is open.",
            "Click a point on the map, or move through the points with the arrow keys and press Enter. "
            "Draw a lasso (or hold Shift and drag) for a table.",
        )
        return
    try:
        found = _explanation(place.run_id, place.round_no, place.example)
    except AlvinError as error:
        empty_state("This example cannot be shown.", str(error))
        return
    _title(found)
    _text(place, found)
    _model(place, found)
    render_attribution(place, found.id)
    _why(found)
    _parents(found)
    _ranks(found)
    _nearest(place)


def lit_points(place: Place) -> list[int]:
    """Return the places on the map of the open example's parents and neighbours, to be lit up."""
    if place.example is None:
        return []
    try:
        found = _explanation(place.run_id, place.round_no, place.example)
        near = _near(place.run_id, place.round_no, place.example)
    except AlvinError:
        return []
    at = index_of(place.run_id, place.round_no)
    parents = [one for anchor in found.anchors for one in (anchor.minority_id, anchor.majority_id)]
    return [at[one] for one in dict.fromkeys([*parents, *near["id"].tolist()]) if one in at]


@lru_cache(maxsize=512)
def _explanation(run_id: str, round_no: int, example_id: str) -> Explanation:
    return data.opened(run_id).explain(round_no, example_id)


@lru_cache(maxsize=512)
def _near(run_id: str, round_no: int, example_id: str) -> pd.DataFrame:
    return data.opened(run_id).nearest(round_no, example_id, N_NEAREST)


@lru_cache(maxsize=512)
def _predictions(run_id: str, n_rounds: int, example_id: str) -> pd.DataFrame:
    return data.opened(run_id).predictions(example_id)


def _title(found: Explanation) -> None:
    where = "labeled" if found.labeled else found.split
    chosen = " · selected in this round" if found.selected else ""
    st.html(
        f'<div class="alvin-card-title"><b>Example <bdi>{escape(found.id)}</bdi></b>'
        f"<span>{escape(where)}{chosen}</span></div>"
    )


def _text(place: Place, found: Explanation) -> None:
    assert place.run is not None
    row = row_of(place.run_id, found.id)
    parts = place.run.texts([row])[0]
    boxes = []
    for name, text in zip(("first text", "second text") if len(parts) == 2 else ("",), parts, strict=True):
        cut = len(text) > LONGEST_TEXT
        shown = escape(text[:LONGEST_TEXT])
        more = f"<small>… {len(text) - LONGEST_TEXT:,} more characters</small>" if cut else ""
        label = f"<small>{name}</small>" if name else ""
        boxes.append(f'<div class="alvin-text" dir="auto">{label}{shown}{more}</div>')
    st.html("".join(boxes))


def _given(place: Place, found: Explanation) -> str:
    """The label: the one that the round was trained on, or the one that was given since."""
    at = index_of(place.run_id, place.round_no).get(found.id)
    if found.label is not None or at is None:
        return f" · label <b>{escape(found.label)}</b>" if found.label is not None else ""
    columns = data.columns(place.run_id, place.round_no)  # what is kept of the explanation is of when it was made
    now = int(columns.label_now[at])
    return f" · labeled since <b>{escape(columns.classes[now])}</b>" if now >= 0 else ""


def _model(place: Place, found: Explanation) -> None:
    history = _predictions(place.run_id, place.n_rounds, found.id)
    classes = data.columns(place.run_id, place.round_no).classes
    colour = class_colours(len(classes))[classes.index(found.predicted)]
    values = history[f"prob_{found.predicted}"].tolist()
    told = f"probability of {found.predicted}, rounds 0 to {len(values) - 1}"
    line = picture(sparkline(values, label=told, color=colour), told) if len(values) > 1 else ""
    st.html(
        f'<div class="alvin-model"><span>Model: <i style="background:{colour}"></i><b>{escape(found.predicted)} '
        f"{found.confidence:.2f}</b>{_given(place, found)}</span>{line}</div>"
    )


def _why(found: Explanation) -> None:
    section_title(
        "Why this one" if found.selected else "Why not this one", help="The strategy's own reason, computed exactly."
    )
    with st.container(key="why"):
        st.html(f'<div class="alvin-why">{escape(found.reason)}</div>')


def _parents(found: Explanation) -> None:
    """The nearest anchors, each with both parents; a parent opens by a click."""
    anchors = sorted(found.anchors, key=lambda one: not one.retrieved)
    for number, anchor in enumerate(anchors[:1]):
        _anchor(number, anchor)
    if len(anchors) > 1:
        more = len(anchors) - 1
        with st.expander(f"{more} more anchor{'s' if more > 1 else ''}", key="more_anchors"):
            for number, anchor in enumerate(anchors[1:], start=1):
                _anchor(number, anchor)


def _anchor(number: int, anchor: AnchorReason) -> None:
    st.html(_anchor_line(anchor))
    for kind, mark, one, text, weight in (
        ("minority", "◆", anchor.minority_id, anchor.minority_text, anchor.weight),
        ("majority", "●", anchor.majority_id, anchor.majority_text, 1 - anchor.weight),
    ):
        _link(f"parent_{number}_{kind}", one, f"{mark} {kind} parent, weight {weight:.2f} — “{_quote(text)}”")


def _anchor_line(anchor: AnchorReason) -> str:
    verdict = "it retrieved this" if anchor.retrieved else f"it reaches {anchor.reach:.2f}, not this far"
    return (
        f'<div class="alvin-anchor">× anchor of class <b>{escape(anchor.class_)}</b>, {anchor.distance:.2f} away: '
        f"{verdict}</div>"
    )


def _ranks(found: Explanation) -> None:
    if not any(place for place, _ in found.ranks.values()):  # labeled, or kept for evaluation
        return
    section_title("Rank under each strategy", help="Place in each strategy's own order, from the same model.")
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{f'{place:,} of {n:,}' if place else f'not among its {n:,}'}</td></tr>"
        for name, (place, n) in found.ranks.items()
    )
    st.html(f'<table class="alvin-table">{rows}</table>')


def _nearest(place: Place) -> None:
    assert place.example is not None
    try:
        near = _near(place.run_id, place.round_no, place.example)
    except AlvinError:  # an example that is only evaluated on has no representation in the round
        return
    if near.empty:
        return
    section_title("Nearest in true space", help="Distances in the space itself, not on the map, which distorts them.")
    texts = near["text"] if "text" in near else near["text_a"] + " ⫽ " + near["text_b"]
    for number, (one, distance, text) in enumerate(zip(near["id"], near["distance"], texts, strict=True)):
        _link(f"near_{number}", one, f"{distance:.2f} “{_quote(text)}”")


def _link(key: str, example_id: str, label: str) -> None:
    st.button(plain(label), key=key, type="tertiary", on_click=_open, args=(example_id,), width="stretch")


def _open(example_id: str) -> None:
    go(example=example_id)
    draw_again("explore_side", "explore_map")


def _quote(text: str) -> str:
    """A text on one line, short enough for the card."""
    line = " ".join(text[: 4 * LONGEST_QUOTE].split())
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"
