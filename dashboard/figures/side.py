"""Small drawings of runs side by side: a histogram as bars of HTML, and shares over the rounds as lines of SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dashboard.palette import GREY

__all__ = ["histogram_bars", "share_lines"]

WIDTH, HEIGHT = 92, 26  # pixels of the lines


def histogram_bars(
    name: str, counts: Sequence[int], edges: Sequence[float], top: int, color: str, mean: float | None
) -> str:
    """Return HTML of a histogram, in the text's colours of the page.

    Parameters
    ----------
    name : str
        Whose it is.
    counts : sequence of int
        Of each bin.
    edges : sequence of float
        Ends of the bins, one more than they are.
    top : int
        The count of a bar of full height, the same for all that are compared.
    color : str
        ``#RRGGBB``.
    mean : float or None
        Marked by a line.
    """
    bars = "".join(
        f'<i title="{count:,} with {low:.2f} to {high:.2f}" style="height:{100 * count / max(top, 1):.1f}%"></i>'
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    )
    told = ", ".join(
        f"{count} at {low:.2f} to {high:.2f}"
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
        if count
    )
    mark, words = "", "nothing selected"
    if mean is not None:
        share = (mean - edges[0]) / (edges[-1] - edges[0])
        mark = f'<em style="left:{100 * min(max(share, 0), 1):.1f}%"></em>'
        words = f"mean {mean:.2f}"
    return (
        f'<div class="compare-histogram" style="--bar:{escape(color)}">'
        f"<div><span>{escape(name)}</span><small>{words}</small></div>"
        f'<div class="compare-bars" role="img" aria-label="{escape(f"{name}: {words}; {told}")}">{bars}{mark}</div>'
        "</div>"
    )


def share_lines(selected: Sequence[float | None], labeled: Sequence[float | None], *, label: str, color: str) -> str:
    """Draw a share of what was selected over the rounds, and below it, dashed, that of the labels.

    Parameters
    ----------
    selected, labeled : sequence of float or None
        Of each round, in [0, 1]; a gap where one is missing.
    label : str
        What it is, for those who cannot see it; the values are added.
    color : str
        ``#RRGGBB``, of the selected.

    Returns
    -------
    str
        An ``<svg>`` element, readable on a light and on a dark card.
    """
    said = ", ".join("missing" if value is None else f"{value:.0%}" for value in selected)
    words = escape(f"{label}: selected {said}")
    lines = _line(labeled, GREY, ' stroke-dasharray="3 2"') + _line(selected, color, "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{words}"><title>{words}</title>{lines}</svg>'
    )


def _line(values: Sequence[float | None], color: str, dashes: str) -> str:
    step = (WIDTH - 8) / max(len(values) - 1, 1)
    places = [
        None if value is None else (4 + row * step, HEIGHT - 4 - (HEIGHT - 8) * min(max(value, 0.0), 1.0))
        for row, value in enumerate(values)
    ]
    path, pen_down = "", False
    for place in places:
        if place is not None:
            path += f"{'L' if pen_down else 'M'}{place[0]:.1f} {place[1]:.1f}"
        pen_down = place is not None
    last = next((place for place in reversed(places) if place is not None), None)
    dot = "" if last is None else f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.2" fill="{escape(color)}"/>'
    return f'<path d="{path}" fill="none" stroke="{escape(color)}" stroke-width="1.7"{dashes}/>{dot}'
