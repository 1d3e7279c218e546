"""The classroom's world as a Plotly figure: true to scale, one stage of one round, one or two strategies.

Places are the world's own coordinates, so distances on the screen are the distances that the round computed with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from dashboard.figures.texts import plain_text
from dashboard.figures.world_layers import NO_SUCH_STAGE, Panel, panel_traces
from dashboard.palette import FONT, GREY, LIGHT, RAMPS, Theme, class_colours

__all__ = ["CLASS_GLYPHS", "STAGES", "STRATEGY_NAMES", "legend_marks", "world_figure"]

STAGES: Final = ("train", "groups", "interpolate", "retrieve", "rank", "annotate")
STRATEGY_NAMES: Final = {"alvin": "ALVIN", "entropy": "Uncertainty sampling"}
CLASS_GLYPHS: Final = ("●", "■", "▲", "⬟")
LETTERS: Final = "ABCD"
TITLE: Final = 22  # pixels above each world


def world_figure(
    world: Mapping[str, Any],
    strategies: Sequence[str],
    turn: int,
    stage: str,
    *,
    look: Theme = LIGHT,
    focus: int = 0,
    truth: bool = False,
    letters: Mapping[str, Sequence[int]] | None = None,
    height: int = 400,
) -> go.Figure:
    """Draw the world at one stage of a round.

    Parameters
    ----------
    world : mapping
        A world's answer: ``points``, ``bounds`` and, for each strategy, its rounds.
    strategies : sequence of str
        One or two of those in ``world["runs"]``; a second one is drawn below the first at the same scale.
    turn : int
        The round, from 0.
    stage : str
        One of `STAGES`.
    look : Theme
    focus : int
        Which of the anchors shown stands out at the stage ``retrieve``.
    truth : bool
        Whether unlabeled points show their classes, which only the oracle knows.
    letters : mapping of str to sequence of int, optional
        By strategy, rows of at most four points that a question is about: they get the letters A to D.
    height : int
        Pixels.

    Returns
    -------
    plotly.graph_objects.Figure
        Both axes have the same scale. Classes differ by colour and by shape; minority examples have a diamond around
        them, anchors are crosses, candidates have a thin ring and selected points a thick one.
    """
    figure = go.Figure()
    for number, strategy in enumerate(strategies):
        suffix = "" if number == 0 else str(number + 1)
        panel = Panel(world, world["runs"][strategy][turn], strategy, stage, look, suffix, focus, truth)
        figure.add_traces(panel_traces(panel))
        for letter, row in zip(LETTERS, (letters or {}).get(strategy, ()), strict=False):
            _mark(figure, letter, world["points"]["xy"][row], suffix, look)
    _lay_out(figure, world["bounds"], strategies, stage, look, height)
    return figure


def legend_marks(classes: Sequence[str], stage: str, look: Theme, *, truth: bool = False) -> list[tuple[str, str, str]]:
    """Return what is on the picture at a stage: a glyph, its colour, and what it means in words."""
    colours = class_colours(4)
    marks = [(CLASS_GLYPHS[code], colours[code], f"{name}, labeled") for code, name in enumerate(classes)]
    marks.append(("○", colours[0], "unlabeled, as the oracle sees it") if truth else ("●", GREY, "unlabeled"))
    marks.append(("╌", look.ink, "decision boundary"))
    more = {
        "groups": [("◇", look.ink, "minority (inferred)")],
        "interpolate": [("◇", look.ink, "minority"), ("×", look.ink, "anchor"), ("─", look.muted, "segment")],
        "retrieve": [("×", look.ink, "anchor"), ("○", look.accent, "candidate"), ("●", look.accent, "this anchor's")],
        "rank": [("●", RAMPS["entropy"][-2], "high score"), ("●", RAMPS["entropy"][0], "low score"),
                 ("◯", look.accent, "selected")],
        "annotate": [("◯", look.accent, "newly labeled")],
    }  # fmt: skip
    return [*marks, *more.get(stage, [])]


def _lay_out(
    figure: go.Figure, bounds: Sequence[float], strategies: Sequence[str], stage: str, look: Theme, height: int
) -> None:
    """Frame the panels one below the other: one scale for both axes of all of them, a name above each."""
    left, right, bottom, top = bounds
    n = len(strategies)
    title = TITLE / height
    for number, strategy in enumerate(strategies):
        suffix = "" if number == 0 else str(number + 1)
        end = 1 - number / n - title
        axis = {
            "showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "fixedrange": True,
            "showline": True, "mirror": True, "linecolor": look.border, "constrain": "domain",
        }  # fmt: skip
        across = {"domain": [0, 1], "range": [left, right], "anchor": f"y{suffix}", "constraintoward": "left"}
        upward = {"domain": [1 - (number + 1) / n, end], "range": [bottom, top], "anchor": f"x{suffix}"}
        # Equal scales: a centimetre is as far across as it is up.
        upward |= {"scaleanchor": f"x{suffix}", "scaleratio": 1, "constraintoward": "top"}
        figure.update_layout({f"xaxis{suffix}": axis | across, f"yaxis{suffix}": axis | upward})
        said = "" if strategy == "alvin" or stage not in NO_SUCH_STAGE else " has no such step"
        figure.add_annotation(
            text=f"<b>{plain_text(STRATEGY_NAMES.get(strategy, strategy))}</b>{said}", showarrow=False, xref="paper",
            yref="paper", x=0, y=end, yanchor="bottom", xanchor="left", font={"size": 13, "color": look.ink},
        )  # fmt: skip
        _name_axes(figure, suffix, look)
    figure.update_layout(
        template="none", height=height, margin={"l": 1, "r": 1, "t": 1, "b": 2}, showlegend=False,
        paper_bgcolor=look.card, plot_bgcolor=look.card, hovermode="closest", dragmode=False,
        hoverlabel={"bgcolor": look.card, "bordercolor": look.border, "font": {"color": look.ink}, "align": "left"},
        font={"family": FONT, "color": look.ink, "size": 12},
    )  # fmt: skip


def _mark(figure: go.Figure, letter: str, place: Sequence[float], suffix: str, look: Theme) -> None:
    """Point at a place with a letter."""
    figure.add_annotation(
        text=f"<b>{letter}</b>", x=place[0], y=place[1], xref=f"x{suffix}", yref=f"y{suffix}", showarrow=True,
        arrowhead=0, arrowwidth=1.5, arrowcolor=look.accent, ax=14, ay=-22, standoff=5, bgcolor=look.accent,
        font={"size": 12, "color": look.card}, borderpad=2,
    )  # fmt: skip


def _name_axes(figure: go.Figure, suffix: str, look: Theme) -> None:
    """Say inside of the panel which feature goes where."""
    common = {
        "showarrow": False, "font": {"size": 11.5, "color": look.muted},
        "xref": f"x{suffix} domain", "yref": f"y{suffix} domain",
    }  # fmt: skip
    figure.add_annotation(text="shortcut →", x=0.995, y=0.01, xanchor="right", yanchor="bottom", **common)
    figure.add_annotation(text="core →", x=0.003, y=0.99, xanchor="left", yanchor="top", textangle=-90, **common)
