"""A cue through the rounds as SVG: its z, and its label's share among the examples that hold it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from dashboard.palette import FONT, LIGHT, Theme, class_colours

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CHANCE", "CueLine", "cue_lines"]

CHANCE: Final = 1.96  # |z| that chance passes for one cue in twenty
# Not the palette's green, which is near the accent.
OTHERS: Final = tuple(one for row, one in enumerate(class_colours(7)) if row != 2)
DASHES: Final = ("", "6 3", "2 3", "8 3 2 3")
LINE_OF_TEXT: Final = 13  # pixels
NAMES: Final = 112  # pixels right of the curves, for what they are called
LONGEST_NAME: Final = 17  # letters of that


@dataclass(frozen=True)
class CueLine:
    """One run's line.

    Attributes
    ----------
    name : str
        What it is called on screen: a strategy, or a run where two have one strategy.
    history : DataFrame
        ``round, n, share, base_share, z``, as `Run.cue_history` returns it for one cue.
    """

    name: str
    history: pd.DataFrame


@dataclass(frozen=True)
class _Panel:
    """A part of the drawing with scales of its own, in pixels and in values."""

    left: float
    right: float
    top: float
    bottom: float
    rounds: tuple[int, int]
    values: tuple[float, float]

    def x(self, round_no: float) -> float:
        first, last = self.rounds
        return self.left + (self.right - self.left) * ((round_no - first) / (last - first) if last > first else 0.5)

    def y(self, value: float) -> float:
        low, high = self.values
        share = (min(max(value, low), high) - low) / (high - low)
        return self.bottom - (self.bottom - self.top) * share


def cue_lines(
    lines: Sequence[CueLine],
    label: str,
    *,
    look: Theme = LIGHT,
    round_no: int = -1,
    width: int = 600,
    height: int = 156,
) -> str:
    """Draw a cue's z and its label's share among the examples that hold it, round by round.

    Parameters
    ----------
    lines : sequence of CueLine
        The run on the screen first; the others have the same start.
    label : str
        The class that the cue goes with.
    look : Theme
    round_no : int
        The round on the screen, marked; -1 marks none.
    width, height : int
        Pixels.

    Returns
    -------
    str
        An ``<svg>`` element. At the left z, with a line at 0 and a band for what chance alone does (|z| below
        `CHANCE`, for one cue); at the right the share, with the label's share in all of the first run's labeled set.
        Lines differ by colour and dashes, and are named at their ends.
    """
    known = [line for line in lines if len(line.history)]
    if not known:
        return _svg(width, height, "No round to draw.", _text(8, height / 2, "No round to draw.", look.muted))
    rounds = (
        int(min(line.history["round"].min() for line in known)),
        int(max(line.history["round"].max() for line in known)),
    )
    middle = 26 + (width - NAMES - 26) * 0.5
    zs = [float(z) for line in known for z in line.history["z"] if math.isfinite(z)]
    span = (min(-CHANCE, *zs, 0.0) * 1.08, max(CHANCE * 1.5, *zs, 0.0) * 1.08)
    left = _Panel(26, middle - 16, 22, height - 20, rounds, span)
    right = _Panel(middle + 34, width - NAMES, 22, height - 20, rounds, (0.0, 1.0))
    base = [
        (int(r), float(value))
        for r, value in zip(known[0].history["round"], known[0].history["base_share"], strict=True)
    ]
    parts = [
        _text(left.left - 20, 12, "z", look.muted),
        _text(right.left - 34, 12, f"share that is {_cut(label, 24)}", look.muted),
        _band(left, look),
        _axis(left, (0.0, _round_up(span[1])), look, "{:g}"),
        _axis(right, (0.0, 0.5, 1.0), look, "{:.0%}"),
        _path([(right.x(r), right.y(value)) for r, value in base], look.muted, "3 3", 1.2),
        *(_marker(panel, round_no, look) for panel in (left, right) if rounds[0] <= round_no <= rounds[1]),
    ]
    ends = []
    for row, line in reversed(list(enumerate(known))):  # the run on the screen above the others
        color, dash = _style(row, look)
        parts += [
            _curve(left, line, "z", color, dash, bold=row == 0),
            _curve(right, line, "share", color, dash, bold=row == 0),
        ]
        last = _last(line, "share")
        if last is not None:
            ends.append((right.y(last), f"{_cut(line.name, LONGEST_NAME)}", color, row == 0))
    ends.append((right.y(base[-1][1]), "all labeled", look.muted, False))
    parts += _named(ends, right, look)
    return _svg(width, height, _in_words(known, label), "".join(parts))


def _style(row: int, look: Theme) -> tuple[str, str]:
    """Return colour and dashes of the line of a row; the first is the run on the screen."""
    if row == 0:
        return look.accent, ""
    return OTHERS[row % len(OTHERS)], DASHES[row % len(DASHES)] or "1 2"


def _round_up(value: float) -> float:
    return max(1.0, math.floor(value))


def _band(panel: _Panel, look: Theme) -> str:
    top, bottom = panel.y(CHANCE), panel.y(-CHANCE)
    return (
        f'<rect x="{panel.left:.1f}" y="{top:.1f}" width="{panel.right - panel.left:.1f}" height="{bottom - top:.1f}" '
        f'fill="{look.muted}" fill-opacity="0.16"/>' + _text(panel.left + 4, bottom - 3, "chance", look.muted, size=10)
    )


def _axis(panel: _Panel, values: Sequence[float], look: Theme, form: str) -> str:
    parts = []
    for value in values:
        y = panel.y(value)
        parts.append(
            f'<line x1="{panel.left:.1f}" x2="{panel.right:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{look.muted}" '
            f'stroke-opacity="{0.7 if value == 0 else 0.25}"/>'
        )
        parts.append(_text(panel.left - 4, y + 4, form.format(value), look.muted, anchor="end"))
    first, last = panel.rounds
    parts.append(_text(panel.left, panel.bottom + 15, f"round {first}", look.muted))
    if last > first:
        parts.append(_text(panel.right, panel.bottom + 15, f"{last}", look.muted, anchor="end"))
    return "".join(parts)


def _marker(panel: _Panel, round_no: int, look: Theme) -> str:
    x = panel.x(round_no)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{panel.top}" y2="{panel.bottom}" stroke="{look.ink}" '
        'stroke-opacity="0.35" stroke-dasharray="1 3"/>'
    )


def _curve(panel: _Panel, line: CueLine, column: str, color: str, dash: str, *, bold: bool) -> str:
    places = [
        (panel.x(r), panel.y(value)) if math.isfinite(value) else None
        for r, value in zip(line.history["round"], line.history[column].astype(float), strict=True)
    ]
    path = _path(places, color, dash, 2.2 if bold else 1.5)
    last = next((place for place in reversed(places) if place is not None), None)
    return path + ("" if last is None else f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.8" fill="{color}"/>')


def _path(places: Sequence[tuple[float, float] | None], color: str, dash: str, stroke: float) -> str:
    steps, pen_down = [], False
    for place in places:
        if place is not None:
            steps.append(f"{'L' if pen_down else 'M'}{place[0]:.1f} {place[1]:.1f}")
        pen_down = place is not None
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="{"".join(steps)}" fill="none" stroke="{color}" stroke-width="{stroke}" stroke-linejoin="round" '
        f'stroke-linecap="round"{dashes}/>'
    )


def _named(ends: list[tuple[float, str, str, bool]], panel: _Panel, look: Theme) -> list[str]:
    """Name each line at its end, moved apart where names would overlap."""
    parts, free = [], panel.top
    room = panel.bottom - LINE_OF_TEXT * (len(ends) - 1)
    for row, (y, name, color, bold) in enumerate(sorted(ends)):
        place = max(free, min(y, room + LINE_OF_TEXT * row))
        free = place + LINE_OF_TEXT
        x = panel.right + 9
        parts.append(f'<rect x="{x:.1f}" y="{place - 3:.1f}" width="6" height="6" fill="{color}"/>')
        parts.append(_text(x + 10, place + 4, name, look.ink if bold else look.muted, bold=bold))
    return parts


def _last(line: CueLine, column: str) -> float | None:
    values = [float(value) for value in line.history[column] if math.isfinite(value)]
    return values[-1] if values else None


def _in_words(lines: Sequence[CueLine], label: str) -> str:
    told = []
    for line in lines:
        first, last = line.history.iloc[0], line.history.iloc[-1]
        told.append(
            f"{line.name}: z from {first['z']:.1f} to {last['z']:.1f}, share of {label} from {first['share']:.0%} to "
            f"{last['share']:.0%}"
        )
    return "; ".join(told)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _text(
    x: float, y: float, text: str, color: str, *, anchor: str = "start", size: float = 11, bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-size="{size}"{weight}>'
        f"{escape(text)}</text>"
    )


def _svg(width: int, height: int, words: str, content: str) -> str:
    told = escape(words)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{told}" font-family="{escape(FONT)}"><title>{told}</title>{content}</svg>'
    )
