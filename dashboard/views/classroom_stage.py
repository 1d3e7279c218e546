"""What happens at a stage, told and drawn beside the world: dynamics, Beta density, one anchor, ranking, labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

import streamlit as st

from dashboard.figures.world import STAGES
from dashboard.figures.world_layers import unlabeled_rows
from dashboard.figures.world_small import beta_svg, dynamics_svg, ranking_svg
from dashboard.palette import theme as look_of
from dashboard.state import Place
from dashboard.theme import picture
from dashboard.views.classroom_address import STRATEGIES, Spot, redraw
from dashboard.views.classroom_words import STAGE_NAMES, against, ambiguous, told
from dashboard.views.holding import by_hand, hold

__all__ = ["render_stage"]

World = Mapping[str, Any]
Row = tuple[str, Sequence[str]]


def render_stage(place: Place, spot: Spot, world: World) -> None:
    """Draw the stage's title, its words, and its picture or table."""
    number = STAGES.index(spot.stage) + 1
    st.html(
        f'<div class="classroom-title" role="heading" aria-level="2">{number}. {STAGE_NAMES[spot.stage]}'
        f"<span>round {spot.turn}</span></div>"
    )
    round_ = world["runs"]["alvin"][spot.turn]
    st.html(told(world, spot.stage, round_))
    _DRAWN[spot.stage](place, spot, world)


def _train(place: Place, spot: Spot, world: World) -> None:
    if spot.turn > 0:  # before that both have the same labels
        rounds = [world["runs"][name][spot.turn] for name in STRATEGIES]
        rows: list[Row] = [("contradict the shortcut", [str(against(world, one["labeled"])) for one in rounds])]
        if any(world["points"]["ambiguous"]):
            rows.append(("are ambiguous", [str(ambiguous(world, one["labeled"])) for one in rounds]))
        st.html(_table("of the labeled points", rows))


def _groups(place: Place, spot: Spot, world: World) -> None:
    round_ = world["runs"]["alvin"][spot.turn]
    minority = set(round_["minority"])
    svg = dynamics_svg(
        round_["dynamics"]["gold_prob"], [row in minority for row in round_["labeled"]], look_of(place.dark)
    )
    st.html(picture(svg, "Training dynamics"))
    n_right = against(world, round_["minority"])
    st.html(
        f'<div class="classroom-words"><b>{n_right}</b> of the {len(minority)} inferred minority points truly '
        "contradict "
        f"the shortcut; {against(world, round_['labeled'])} of all labeled ones do. Uncertainty sampling infers no "
        "groups.</div>"
    )


def _interpolate(place: Place, spot: Spot, world: World) -> None:
    round_ = world["runs"]["alvin"][spot.turn]
    if not round_["anchors"]:
        return
    weights = [float(anchor["weight"]) for anchor in round_["anchors"]]
    svg = beta_svg(float(world["settings"]["alpha"]), weights, look_of(place.dark))
    st.html(picture(svg, "Density of the weight, and the weights drawn"))
    st.html(
        '<div class="classroom-words alvin-muted">anchor = w · minority + (1 − w) · majority. The ticks are the '
        "weights of the "
        "anchors in the world. Move alpha under “More settings”.</div>"
    )


def _retrieve(place: Place, spot: Spot, world: World) -> None:
    round_ = world["runs"]["alvin"][spot.turn]
    anchors = round_["anchors"]
    if not anchors:
        return
    at = min(spot.anchor, len(anchors) - 1)
    if len(anchors) > 1:
        hold("anchor", at + 1)
        st.slider(
            f"Look at anchor, 1 to {len(anchors)}",
            1,
            len(anchors),
            key="anchor",
            help="It is drawn large, with lines to its neighbours and dots to its two parents.",
            on_change=by_hand("anchor", lambda: redraw(anchor=st.session_state["anchor"] - 1)),
        )
    anchor, found = anchors[at], round_["neighbors"][at]
    places = world["points"]["xy"]
    near = ", ".join(f"{math.dist(anchor['xy'], places[row]):.2f}" for row in found)
    n_against = against(world, found)
    st.html(
        f'<div class="classroom-words">Anchor {at + 1}: weight <b>{float(anchor["weight"]):.2f}</b> of its minority '
        "parent, between "
        f"two {escape(_class_name(world, anchor['class']))}s. It found points at distance {near}; <b>{n_against}</b> "
        f"of these {len(found)} contradict the shortcut, and {_same_class(world, anchor, found)} are of its "
        "class.</div>"
    )


def _class_name(world: World, which: Any) -> str:
    return str(which) if isinstance(which, str) else str(world["classes"][int(which)])


def _same_class(world: World, anchor: Mapping[str, Any], rows: Sequence[int]) -> int:
    labels = world["points"]["label"]
    return sum(_class_name(world, labels[row]) == _class_name(world, anchor["class"]) for row in rows)


def _rank(place: Place, spot: Spot, world: World) -> None:
    columns = st.columns(2, gap="small")
    for column, name, title in zip(columns, STRATEGIES, ("ALVIN: candidates", "Uncertainty: the pool"), strict=True):
        round_ = world["runs"][name][spot.turn]
        scores = {int(row): float(score) for row, score in round_["scores"].items()}
        svg = ranking_svg(round_["ranking"], scores, len(round_["selected"]), look_of(place.dark))
        with column:
            st.html(f'<div class="classroom-small-title">{title}</div>' + picture(svg, f"Ranking, {title}"))


def _annotate(place: Place, spot: Spot, world: World) -> None:
    rounds = [world["runs"][name][spot.turn] for name in STRATEGIES]
    chosen = [one["selected"] for one in rounds]
    rows: list[Row] = [("contradict the shortcut", [str(against(world, one)) for one in chosen])]
    if any(world["points"]["ambiguous"]):
        rows.append(("are ambiguous", [str(ambiguous(world, one)) for one in chosen]))
    pools = [unlabeled_rows(world, one) for one in rounds]
    rows.append(("contradict it, in the pool", [_share(against(world, pool), len(pool)) for pool in pools]))
    rows.append(("model's mean confidence", [_number(one["confidence"]) for one in rounds]))
    both = len(set(chosen[0]) & set(chosen[1]))
    st.html(_table("of the newly labeled points", rows))
    if spot.turn == 0:
        st.html(f'<div class="classroom-words alvin-muted">{both} points are selected by both.</div>')


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def _number(value: Any) -> str:
    return "–" if value is None else f"{float(value):.2f}"


def _table(title: str, rows: Sequence[Row]) -> str:
    head = f"<tr><td>{escape(title)}</td><td>ALVIN</td><td>Uncertainty</td></tr>"
    body = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{escape(value)}</td>' for value in values)}</tr>"
        for name, values in rows
    )
    return f'<table class="classroom-table">{head}{body}</table>'


_DRAWN: Final[Mapping[str, Callable[[Place, Spot, World], None]]] = {
    "train": _train,
    "groups": _groups,
    "interpolate": _interpolate,
    "retrieve": _retrieve,
    "rank": _rank,
    "annotate": _annotate,
}
