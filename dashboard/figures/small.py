"""Small curves as SVG, which costs a page nothing: predictions over the rounds, and learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from dashboard.palette import CLASS_COLOURS, FONT, LIGHT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["curves", "sparkline"]

DASHES = ("", "6 3", "2 3", "8 3 2 3")
LINE_OF_TEXT = 12  # pixels


def sparkline(
    values: Sequence[float | None],
    *,
    label: str,
    color: str = LIGHT.accent,
    width: int = 96,
    height: int = 24,
    low: float = 0.0,
    high: float = 1.0,
) -> str:
    """Draw numbers as a line without axes.

    Parameters
    ----------
    values : sequence of float or None
        In order; a gap where one is missing.
    label : str
        What they are, for those who cannot see it; the values are added.
    color : str
        ``#RRGGBB``.
    width, height : int
        Pixels.
    low, high : float
        Values at the bottom and the top.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    known = [None if value is None or not math.isfinite(value) else float(value) for value in values]
    words = f"{label}: " + (", ".join("missing" if value is None else f"{value:.2f}" for value in known) or "none")
    step = (width - 8) / max(len(known) - 1, 1)
    places = [
        None if value is None else (4 + row * step, _height(value, low, high, 4, height - 4))
        for row, value in enumerate(known)
    ]
    last = next((place for place in reversed(places) if place is not None), None)
    dot = "" if last is None else f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.5" fill="{escape(color)}"/>'
    return _svg(width, height, words, _line(places, color, "") + dot)


@dataclass(frozen=True)
class _Curve:
    name: str
    x: list[float]
    y: list[float | None]
    color: str
    dash: str


def curves(metrics: pd.DataFrame, *, width: int = 360, height: int = 140) -> str:
    """Draw learning curves: accuracy on each split, and of the worst group of the first, by number of labels.

    Parameters
    ----------
    metrics : DataFrame
        As `Run.metrics` returns it: ``n_labeled, split, accuracy, worst_group_accuracy``.
    width, height : int
        Pixels.

    Returns
    -------
    str
        An ``<svg>`` element. Lines differ by colour and by dashes, and are named at their ends.
    """
    found = _curves(metrics)
    if not found:
        message = "No curve: no round was evaluated yet."
        return _svg(width, height, message, _text(8, height / 2, message))
    sizes = sorted({x for curve in found for x in curve.x})
    left, right, top, bottom = 28.0, width - 128.0, 8.0, height - 20.0
    span = max(sizes[-1] - sizes[0], 1)

    def place(x: float, y: float | None) -> tuple[float, float] | None:
        if y is None:
            return None
        across = left + (right - left) * ((x - sizes[0]) / span if len(sizes) > 1 else 0.5)
        return across, _height(y, 0, 1, top, bottom)

    parts = [_frame(left, right, top, bottom, sizes)]
    ends = []
    for curve in found:
        places = [place(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
        parts.append(_line(places, curve.color, curve.dash))
        last = next(one for one in reversed(places) if one is not None)
        value = next(y for y in reversed(curve.y) if y is not None)
        parts.append(f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.5" fill="{curve.color}"/>')
        ends.append((last[1], f"{curve.name} {value:.2f}", curve.color))
    parts += _named_ends(ends, right + 8, top, bottom)
    words = "; ".join(_told(curve) for curve in found)
    return _svg(width, height, f"Accuracy by number of labels. {words}", "".join(parts))


def _curves(metrics: pd.DataFrame) -> list[_Curve]:
    if not len(metrics) or "split" not in metrics or "accuracy" not in metrics:
        return []
    found = []
    known = metrics.dropna(subset=["split"])
    for row, (split, rows) in enumerate(known.groupby("split", sort=False)):
        rows = rows.sort_values("n_labeled")
        name = str(split).removeprefix("ood:")
        found.append(_curve(name, rows, "accuracy", CLASS_COLOURS[row % len(CLASS_COLOURS)], row))
        if row == 0 and "worst_group_accuracy" in rows:
            found.append(_curve("worst group", rows, "worst_group_accuracy", CLASS_COLOURS[5], 2))
    return [curve for curve in found if any(y is not None for y in curve.y)]


def _curve(name: str, rows: pd.DataFrame, column: str, color: str, dash: int) -> _Curve:
    values = [float(value) for value in rows[column].astype(float)]
    heights = [value if math.isfinite(value) else None for value in values]
    return _Curve(name, [float(n) for n in rows["n_labeled"]], heights, color, DASHES[dash % len(DASHES)])


def _told(curve: _Curve) -> str:
    values = [y for y in curve.y if y is not None]
    return f"{curve.name}: from {values[0]:.2f} to {values[-1]:.2f}"


def _frame(left: float, right: float, top: float, bottom: float, sizes: list[float]) -> str:
    """Draw grid lines at 0, ½ and 1, and the first and last number of labels."""
    parts = []
    for value in (0, 0.5, 1):
        y = _height(value, 0, 1, top, bottom)
        parts.append(
            f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-opacity="0.15"/>'
        )
        parts.append(_text(left - 5, y + 4, f"{value:g}", anchor="end", faint=True))
    if len(sizes) == 1:
        parts.append(_text((left + right) / 2, bottom + 15, f"{sizes[0]:,.0f} labels", anchor="middle", faint=True))
    else:
        parts.append(_text(left, bottom + 15, f"{sizes[0]:,.0f}", faint=True))
        parts.append(_text(right, bottom + 15, f"{sizes[-1]:,.0f} labels", anchor="end", faint=True))
    return "".join(parts)


def _named_ends(ends: list[tuple[float, str, str]], x: float, top: float, bottom: float) -> list[str]:
    """Name each line at its end, moved apart where they would overlap."""
    parts = []
    free = top
    room = bottom - LINE_OF_TEXT * (len(ends) - 1)  # what those below still need
    for row, (y, name, color) in enumerate(sorted(ends)):
        place = max(free, min(y, room + LINE_OF_TEXT * row))
        free = place + LINE_OF_TEXT
        parts.append(f'<rect x="{x:.1f}" y="{place - 3:.1f}" width="6" height="6" fill="{color}"/>')
        parts.append(_text(x + 10, place + 4, name if len(name) <= 18 else name[:17] + "…"))
    return parts


def _height(value: float, low: float, high: float, top: float, bottom: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return bottom - (bottom - top) * min(max(share, 0.0), 1.0)


def _line(places: Sequence[tuple[float, float] | None], color: str, dash: str) -> str:
    steps = []
    pen_down = False
    for place in places:
        if place is not None:
            steps.append(f"{'L' if pen_down else 'M'}{place[0]:.1f} {place[1]:.1f}")
        pen_down = place is not None
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="{"".join(steps)}" fill="none" stroke="{escape(color)}" stroke-width="1.8" '
        f'stroke-linejoin="round" stroke-linecap="round"{dashes}/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", faint: bool = False) -> str:
    opacity = ' fill-opacity="0.65"' if faint else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{opacity}>{escape(text)}</text>'


def _svg(width: int, height: int, words: str, content: str) -> str:
    """Text takes the page's colour, so one drawing serves both themes."""
    told = escape(words)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{told}" font-family="{escape(FONT)}" font-size="11"><title>{told}</title>'
        f"{content}</svg>"
    )
