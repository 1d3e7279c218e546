"""Small drawings beside the classroom's world, as SVG: training dynamics, the Beta density, the ranking, the curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

from dashboard.figures.world import STRATEGY_NAMES
from dashboard.palette import CLASS_COLOURS, FONT, MINORITY, Theme

__all__ = ["beta_density", "beta_svg", "dynamics_svg", "ranking_svg", "rounds_svg"]

WIDTH: Final = 396  # pixels


class Line(NamedTuple):
    """How a strategy's curve is drawn."""

    color: str
    dash: str
    width: float


MEASURES: Final = {"balanced_accuracy": "balanced accuracy", "worst_group": "worst group"}
LINES: Final = {"alvin": Line(CLASS_COLOURS[2], "", 3.5), "entropy": Line(CLASS_COLOURS[5], "5 4", 2)}
DENSITY_STEPS: Final = 120
LONGEST_RANKING: Final = 13

Place = tuple[float, float]


def dynamics_svg(gold_prob: Sequence[Sequence[float]], is_minority: Sequence[bool], look: Theme) -> str:
    """Draw the gold probability of each labeled example over the epochs; minority examples stand out.

    Parameters
    ----------
    gold_prob : sequence of sequence of float, shape (n_labeled, n_epochs)
    is_minority : sequence of bool, shape (n_labeled,)
    look : Theme

    Returns
    -------
    str
        An ``<svg>`` element. Minority lines are thick, of another colour, and drawn last.
    """
    n_epochs = max((len(line) for line in gold_prob), default=0)
    frame = _Frame(WIDTH, 150, x=(1, max(n_epochs, 2)), y=(0, 1), look=look)
    parts = [frame.axes([(0, "0"), (0.5, "½"), (1, "1")], [(1, "epoch 1"), (n_epochs, f"epoch {n_epochs}")])]
    parts.append(frame.line([(1, 0.5), (n_epochs, 0.5)], look.muted, width=1, dash="2 3"))
    for minority in (False, True):
        color, width, opacity = (MINORITY, 2.0, 0.95) if minority else (look.muted, 1.0, 0.55)
        parts += [
            frame.line(list(enumerate(line, start=1)), color, width=width, opacity=opacity)
            for line, one in zip(gold_prob, is_minority, strict=True)
            if bool(one) == minority
        ]
    n_minority = sum(map(bool, is_minority))
    return frame.svg(
        parts,
        f"Probability of the right class over {n_epochs} epochs, for {len(gold_prob)} labeled examples; "
        f"{n_minority} are minority.",
    )


def beta_density(alpha: float, weight: float) -> float:
    """Return the density of Beta(alpha, alpha) at a weight between 0 and 1, both left out."""
    log_norm = math.lgamma(2 * alpha) - 2 * math.lgamma(alpha)
    return math.exp(log_norm + (alpha - 1) * (math.log(weight) + math.log1p(-weight)))


def beta_svg(alpha: float, weights: Iterable[float], look: Theme) -> str:
    """Draw the density of the weight of an anchor's minority parent, and the weights that were drawn, as ticks."""
    steps = [(row + 0.5) / DENSITY_STEPS for row in range(DENSITY_STEPS)]
    heights = [beta_density(alpha, step) for step in steps]
    # Below 1 the density grows without bound at both ends: the picture is cut there.
    highest = min(max(heights), 4.0) * 1.08
    frame = _Frame(WIDTH, 130, x=(0, 1), y=(0, highest), look=look)
    labels = [(0, "at the majority parent"), (0.5, "midway"), (1, "at the minority parent")]
    parts = [frame.axes([], labels)]
    parts += [
        frame.line([(weight, 0), (weight, 0.09 * highest)], look.accent, width=1, opacity=0.5) for weight in weights
    ]
    inside = [(step, min(height, highest)) for step, height in zip(steps, heights, strict=True)]
    parts.append(frame.line(inside, look.ink, width=2))
    return frame.svg(parts, f"Density of the weight w, Beta({alpha:g}, {alpha:g}), and the weights drawn.")


def ranking_svg(ranking: Sequence[int], scores: Mapping[int, float], n_selected: int, look: Theme) -> str:
    """Draw the scores of the first of a ranking as bars, with a line below those that are selected."""
    shown = [row for row in ranking[: max(LONGEST_RANKING, n_selected + 2)] if row in scores]
    values = [scores[row] for row in shown]
    highest = max((abs(value) for value in values), default=1.0) or 1.0
    width, row_height, left, right = 194, 13, 22, 40
    parts = []
    for number, value in enumerate(values):
        is_taken = number < n_selected
        y = 4 + number * row_height
        length = (width - left - right) * abs(value) / highest
        parts.append(_text(left - 5, y + 10, str(number + 1), look.muted, anchor="end"))
        parts.append(
            f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="9" rx="1.5" '
            f'fill="{look.accent if is_taken else look.muted}"/>'
        )
        parts.append(_text(left + length + 4, y + 10, f"{value:.2f}", look.ink if is_taken else look.muted))
    if 0 < n_selected < len(shown):
        y = 4 + n_selected * row_height
        parts.append(
            f'<line x1="0" x2="{width}" y1="{y}" y2="{y}" stroke="{look.ink}" stroke-width="1" stroke-dasharray="4 3"/>'
        )
    words = f"Scores of the first {len(shown)} of {len(ranking)} candidates; those above the line are selected."
    return _svg(width, row_height * max(len(shown), 1) + 8, words, parts)


def rounds_svg(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], turn: int, n_rounds: int, look: Theme, *, beside: bool = False
) -> str:
    """Draw balanced accuracy and worst group over the rounds up to ``turn``, a line for each strategy.

    Parameters
    ----------
    runs : mapping of str to sequence of mapping
        A world's rounds by strategy.
    turn : int
        The last round that is drawn, from 0; -1 draws none.
    n_rounds : int
        Number of the last round, where the axis ends.
    look : Theme
    beside : bool
        Whether the two frames stand beside each other instead of one below the other.

    Returns
    -------
    str
        An ``<svg>`` element with two frames. Lines differ by colour, dashes and the shape of their ends.
    """
    width, height = (378, 120) if beside else (236, 134)
    gap = 12
    parts = []
    told = []
    for number, (measure, name) in enumerate(MEASURES.items()):
        across, down = (number * (width + gap), 0) if beside else (0, number * (height + gap))
        frame = _Frame(width, height, x=(0, max(n_rounds, 1)), y=(0, 1), look=look, shift=(across, down), top=20)
        parts.append(_text(across + 26, down + 12, name, look.ink, bold=True))
        parts.append(frame.axes([(0, "0"), (0.5, ".5"), (1, "1")], [(0, "round 0"), (n_rounds, str(n_rounds))]))
        for strategy, rounds in runs.items():
            values = [one["metrics"].get(measure) for one in rounds[: turn + 1]]
            places = [(float(row), float(value)) for row, value in enumerate(values) if value is not None]
            if not places:
                continue
            # Two strategies may do the same: the wide line then shows beside the narrow one.
            style = LINES.get(strategy, Line(look.ink, "", 2))
            parts.append(frame.line(places, style.color, width=style.width, dash=style.dash))
            parts += [frame.mark(place, style.color, square=strategy != "alvin") for place in places]
            told.append(f"{STRATEGY_NAMES.get(strategy, strategy)}, {name}: {places[-1][1]:.2f}")
    whole = (2 * width + gap, height) if beside else (width, 2 * height + gap)
    return _svg(*whole, "; ".join(told) or "No round is shown yet.", parts)


class _Frame:
    """Axes of a small drawing: from values to pixels."""

    def __init__(
        self, width: float, height: float, *, x: Place, y: Place, look: Theme, shift: Place = (0, 0), top: float = 8
    ) -> None:
        self.width, self.height, self.look = width, height, look
        self._x, self._y = x, y
        self._left, self._right = shift[0] + 26, shift[0] + width - 8
        self._top, self._bottom = shift[1] + top, shift[1] + height - 18

    def place(self, x: float, y: float) -> Place:
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        up = (y - self._y[0]) / (self._y[1] - self._y[0])
        return self._left + across * (self._right - self._left), self._bottom - up * (self._bottom - self._top)

    def line(self, places: Sequence[Place], color: str, *, width: float, dash: str = "", opacity: float = 1.0) -> str:
        steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.place(*one) for one in places))
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        return (
            f'<polyline points="{steps}" fill="none" stroke="{color}" stroke-width="{width}" '
            f'stroke-opacity="{opacity}" stroke-linejoin="round"{dashes}/>'
        )

    def mark(self, place: Place, color: str, *, square: bool) -> str:
        x, y = self.place(*place)
        if square:
            return f'<rect x="{x - 2.5:.1f}" y="{y - 2.5:.1f}" width="5" height="5" fill="{color}"/>'
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.4" fill="{color}"/>'

    def axes(self, ys: Sequence[tuple[float, str]], xs: Sequence[tuple[float, str]]) -> str:
        parts = []
        for value, label in ys:
            _, y = self.place(self._x[0], value)
            parts.append(
                f'<line x1="{self._left}" x2="{self._right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{self.look.border}"/>'
            )
            parts.append(_text(self._left - 5, y + 4, label, self.look.muted, anchor="end"))
        if not ys:
            parts.append(
                f'<line x1="{self._left}" x2="{self._right}" y1="{self._bottom}" y2="{self._bottom}" '
                f'stroke="{self.look.border}"/>'
            )
        for value, label in xs:
            x, _ = self.place(value, self._y[0])
            anchor = "start" if value == self._x[0] else "end" if value == self._x[1] else "middle"
            parts.append(_text(x, self._bottom + 14, label, self.look.muted, anchor=anchor))
        return "".join(parts)

    def svg(self, parts: Iterable[str], words: str) -> str:
        return _svg(self.width, self.height, words, parts)


def _text(x: float, y: float, text: str, color: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}"{weight}>{escape(text)}</text>'


def _svg(width: float, height: float, words: str, parts: Iterable[str]) -> str:
    told = escape(words)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{told}" font-family="{escape(FONT)}" '
        f'font-size="11"><title>{told}</title>{"".join(parts)}</svg>'
    )
