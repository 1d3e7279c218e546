"""What lies on the classroom's world at each stage of a round, as Plotly traces, from the ground up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from dashboard.figures.texts import plain_text
from dashboard.palette import GREY, RAMPS, Theme, class_colours

__all__ = ["NO_SUCH_STAGE", "Panel", "panel_traces", "unlabeled_rows"]

CLASS_SYMBOLS: Final = ("circle", "square", "triangle-up", "pentagon")
NO_SUCH_STAGE: Final = ("groups", "interpolate")  # of a strategy that makes no anchors
SHADE: Final = 0.42  # of a class's colour in the probability shading, at certainty


@dataclass(frozen=True)
class Panel:
    """One strategy's picture, and where it goes."""

    world: Mapping[str, Any]
    round: Mapping[str, Any]
    strategy: str
    stage: str
    look: Theme
    suffix: str  # of the axes: "" or "2"
    focus: int
    truth: bool

    @property
    def xy(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.asarray(self.world["points"]["xy"], dtype=np.float64).reshape(-1, 2)

    @property
    def makes_anchors(self) -> bool:
        return self.strategy == "alvin"

    def points(self, places: Any, marker: dict[str, Any], **more: Any) -> go.Scatter:
        """A trace of markers at places of shape (n, 2)."""
        xy = np.asarray(places, dtype=np.float64).reshape(-1, 2)
        return go.Scatter(
            x=xy[:, 0], y=xy[:, 1], mode="markers", marker=marker, xaxis=f"x{self.suffix}", yaxis=f"y{self.suffix}",
            showlegend=False, **({"hoverinfo": "skip"} | more),
        )  # fmt: skip

    def at(self, rows: Sequence[int], marker: dict[str, Any], **more: Any) -> go.Scatter:
        """A trace of markers at the world's rows."""
        return self.points(self.xy[np.asarray(rows, dtype=np.int64)], marker, **more)


def panel_traces(panel: Panel) -> list[Any]:
    stage = panel.stage
    if not panel.makes_anchors and stage in NO_SUCH_STAGE:
        return [*_boundary(panel, shaded=False), *_pool(panel, 0.3), *_labeled(panel, 0.35)]
    if stage == "train":
        # A point lies on its own class's colour there: its rim and the grey of the pool are the ones that stand out.
        return [
            *_boundary(panel, shaded=True),
            *_pool(panel, 0.55, panel.look.muted),
            *_labeled(panel, rim=panel.look.ink),
        ]
    backdrop = [*_boundary(panel, shaded=False), *_pool(panel, 0.4)]
    if stage == "groups":
        return [*backdrop, *_labeled(panel), _minority(panel)]
    if stage == "interpolate":
        return [*backdrop, _segments(panel), _anchors(panel), *_labeled(panel), _minority(panel)]
    if stage == "retrieve":
        return [*backdrop, *_retrieved(panel), *_labeled(panel, 0.65)]
    if stage == "rank":
        return [*backdrop, *_labeled(panel, 0.55), *_ranked(panel)]
    return [*backdrop, *_labeled(panel, 0.65), *_revealed(panel)]


def _boundary(panel: Panel, *, shaded: bool) -> list[Any]:
    """The probability of the second class as shading, and the line where both classes are equally likely."""
    boundary = panel.round["boundary"]
    n = int(boundary["grid"])
    left, right, bottom, top = panel.world["bounds"]
    common = {
        "x": np.linspace(left, right, n),
        "y": np.linspace(bottom, top, n),
        "z": np.asarray(boundary["prob"], dtype=np.float64).reshape(n, n),
        "xaxis": f"x{panel.suffix}",
        "yaxis": f"y{panel.suffix}",
        "showscale": False,
        "hoverinfo": "skip",
    }
    line = go.Contour(
        **common,
        contours={"start": 0.5, "end": 0.5, "size": 1, "coloring": "none"},
        line={"color": panel.look.ink, "width": 1.4, "dash": "dash", "smoothing": 0.8},
        name="boundary",
    )
    if not shaded:
        return [line]
    first, second = class_colours(2)
    scale = [[0, _mixed(first, panel.look.card)], [0.5, panel.look.card], [1, _mixed(second, panel.look.card)]]
    shading = go.Heatmap(**common, zmin=0, zmax=1, colorscale=scale, zsmooth="best", name="probability")
    return [shading, line]


def _mixed(color: str, ground: str) -> str:
    parts = [
        round(SHADE * int(color[at : at + 2], 16) + (1 - SHADE) * int(ground[at : at + 2], 16)) for at in (1, 3, 5)
    ]
    return f"rgb({parts[0]}, {parts[1]}, {parts[2]})"


def _class_of(panel: Panel, row: int) -> int:
    label = panel.world["points"]["label"][row]
    return panel.world["classes"].index(label) if isinstance(label, str) else int(label)


def _by_class(panel: Panel, rows: Sequence[int]) -> list[tuple[int, list[int]]]:
    found: dict[int, list[int]] = {}
    for row in rows:
        found.setdefault(_class_of(panel, row), []).append(row)
    return sorted(found.items())


def unlabeled_rows(world: Mapping[str, Any], round_: Mapping[str, Any]) -> list[int]:
    """Return the pool's rows that have no label in a round, in order."""
    labeled = set(round_["labeled"])
    return [row for row, split in enumerate(world["points"]["split"]) if split == "pool" and row not in labeled]


def _pool(panel: Panel, opacity: float, grey: str = GREY) -> list[go.Scatter]:
    """Unlabeled points are grey discs: nobody has said what they are, unless the oracle is asked for all."""
    rows = unlabeled_rows(panel.world, panel.round)
    if not panel.truth:
        return [panel.at(rows, {"symbol": "circle", "size": 5, "color": grey, "opacity": opacity}, name="pool")]
    colours = class_colours(4)
    return [
        panel.at(
            of,
            {"symbol": f"{CLASS_SYMBOLS[code]}-open", "size": 5.5, "color": colours[code], "opacity": 0.75},
            name="pool",
        )
        for code, of in _by_class(panel, rows)
    ]


def _labeled(panel: Panel, opacity: float = 1.0, rim: str = "") -> list[go.Scatter]:
    return [_in_class(panel, code, rows, 9, opacity, rim) for code, rows in _by_class(panel, panel.round["labeled"])]


def _in_class(panel: Panel, code: int, rows: list[int], size: float, opacity: float = 1.0, rim: str = "") -> go.Scatter:
    marker = {
        "symbol": CLASS_SYMBOLS[code],
        "size": size,
        "color": class_colours(4)[code],
        "opacity": opacity,
        "line": {"width": 1, "color": rim or panel.look.card},
    }
    name = plain_text(str(panel.world["classes"][code]))
    return panel.at(
        rows, marker, name=name, hoverinfo=None, text=[_told(panel, row) for row in rows],
        hovertemplate=f"{name}<br>%{{text}}<extra></extra>",
    )  # fmt: skip


def _told(panel: Panel, row: int) -> str:
    points = panel.world["points"]
    if "ambiguous" in points and points["ambiguous"][row]:
        return "ambiguous: its class was a coin flip"
    return "follows the shortcut" if points["follows"][row] else "contradicts the shortcut"


def _minority(panel: Panel) -> go.Scatter:
    marker = {"symbol": "diamond-open", "size": 16, "color": panel.look.ink, "line": {"width": 1.6}}
    return panel.at(panel.round["minority"], marker, name="minority")


def _segments(panel: Panel) -> go.Scatter:
    pairs = np.asarray(panel.round["segments"], dtype=np.int64).reshape(-1, 2)
    ends = np.full((len(pairs), 3, 2), np.nan)
    ends[:, 0], ends[:, 1] = panel.xy[pairs[:, 0]], panel.xy[pairs[:, 1]]
    return go.Scatter(
        x=ends[..., 0].ravel(), y=ends[..., 1].ravel(), mode="lines", name="segments", hoverinfo="skip",
        line={"color": panel.look.muted, "width": 0.9}, opacity=float(np.clip(60 / max(len(pairs), 1), 0.25, 0.8)),
        xaxis=f"x{panel.suffix}", yaxis=f"y{panel.suffix}", showlegend=False,
    )  # fmt: skip


def _anchors(panel: Panel, opacity: float = 0.85) -> go.Scatter:
    places = [anchor["xy"] for anchor in panel.round["anchors"]]
    marker = {"symbol": "x-thin", "size": 6, "opacity": opacity, "line": {"width": 1.4, "color": panel.look.ink}}
    return panel.points(places, marker, name="anchors")


def _retrieved(panel: Panel) -> list[go.Scatter]:
    """Candidates with a ring; of one anchor its parents and the neighbours that it found."""
    look, round_ = panel.look, panel.round
    ring = {"symbol": "circle-open", "size": 9, "color": look.accent, "line": {"width": 1.3}}
    # Who makes no anchors has every unlabeled point for a candidate.
    rows = round_["candidates"] or unlabeled_rows(panel.world, round_)
    candidates = panel.at(rows, ring, name="candidates")
    anchors = round_["anchors"]
    if not panel.makes_anchors or not anchors:
        return [candidates]
    focus = min(max(panel.focus, 0), len(anchors) - 1)
    anchor = anchors[focus]
    found = round_["neighbors"][focus]
    place = np.asarray(anchor["xy"], dtype=np.float64)
    spokes = np.full((len(found), 3, 2), np.nan)
    spokes[:, 0], spokes[:, 1] = place, panel.xy[np.asarray(found, dtype=np.int64)]
    parents = [anchor["minority"], anchor["majority"]]
    axes = {"xaxis": f"x{panel.suffix}", "yaxis": f"y{panel.suffix}", "showlegend": False, "hoverinfo": "skip"}
    return [
        _anchors(panel, 0.3),
        candidates,
        go.Scatter(x=panel.xy[parents, 0], y=panel.xy[parents, 1], mode="lines", name="parents",
                   line={"color": look.muted, "width": 1.4, "dash": "dot"}, **axes),
        go.Scatter(x=spokes[..., 0].ravel(), y=spokes[..., 1].ravel(), mode="lines", name="spokes",
                   line={"color": look.accent, "width": 2}, **axes),
        panel.at(found, {"symbol": "circle", "size": 9, "color": look.accent}, name="neighbours"),
        panel.points([anchor["xy"]], {"symbol": "x", "size": 11, "color": look.ink,
                                      "line": {"width": 1, "color": look.card}}, name="focus"),
        *[_in_class(panel, code, rows, 11) for code, rows in _by_class(panel, parents)],
    ]  # fmt: skip


def _ranked(panel: Panel) -> list[go.Scatter]:
    """Candidates coloured by score, the selected ringed and numbered in the order of the ranking."""
    scores = {int(row): float(score) for row, score in panel.round["scores"].items()}
    rows = [row for row in panel.round["ranking"] if row in scores]
    colours = [[step / (len(RAMPS["entropy"]) - 1), colour] for step, colour in enumerate(RAMPS["entropy"])]
    marker = {
        "symbol": "circle", "size": 8, "color": [scores[row] for row in rows], "colorscale": colours,
        "line": {"width": 0.6, "color": panel.look.card},
    }  # fmt: skip
    place = {row: number for number, row in enumerate(panel.round["ranking"], start=1)}
    told = [f"rank {place[row]}<br>score {scores[row]:.3f}" for row in rows]
    candidates = panel.at(
        rows, marker, name="scores", hoverinfo=None, text=told, hovertemplate="%{text}<extra></extra>"
    )
    chosen = panel.round["selected"]
    numbers = go.Scatter(
        x=panel.xy[chosen, 0], y=panel.xy[chosen, 1], mode="text", text=[str(place.get(row, "")) for row in chosen],
        textposition="top center", textfont={"size": 11, "color": panel.look.ink}, cliponaxis=False, name="order",
        hoverinfo="skip", xaxis=f"x{panel.suffix}", yaxis=f"y{panel.suffix}", showlegend=False,
    )  # fmt: skip
    return [candidates, _selected(panel), numbers]


def _selected(panel: Panel) -> go.Scatter:
    marker = {"symbol": "circle-open", "size": 15, "color": panel.look.accent, "line": {"width": 2.2}}
    return panel.at(panel.round["selected"], marker, name="selected")


def _revealed(panel: Panel) -> list[go.Scatter]:
    chosen = _by_class(panel, panel.round["selected"])
    return [*[_in_class(panel, code, rows, 11) for code, rows in chosen], _selected(panel)]
