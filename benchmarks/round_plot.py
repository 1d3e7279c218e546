"""A round's seconds and peak memory over the size of the pool, as an SVG that needs no library."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

__all__ = ["write_plot"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 340, 58, 14, 34, 46
INK, FAINT = "#333333", "#d9d9d9"
COLOURS = ("#1f6f8b", "#d1495b", "#6a4c93")


def write_plot(path: Path, points: Mapping[int, tuple[float, float, int]]) -> None:
    """Write two panels, both axes logarithmic, with a dashed line of slope 1 that ends in the largest pool.

    Parameters
    ----------
    path : Path
    points : mapping of pool size to (seconds, seconds of the processor, bytes at the peak)
    """
    sizes = sorted(points)
    clock, processor, memory = ([points[n][column] for n in sizes] for column in range(3))
    panels = (
        _panel("A whole round, seconds", sizes, {"on the clock": clock, "of the processor": processor}),
        _panel("Peak memory, MB", sizes, {"of the process": [one / 1e6 for one in memory]}, first=2),
    )
    moved = "".join(f'<g transform="translate({place * WIDTH} 0)">{panel}</g>' for place, panel in enumerate(panels))
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="{INK}"><rect width="100%" height="100%" fill="white"/>{moved}</svg>\n',
        encoding="utf-8",
    )


def _panel(title: str, sizes: list[int], series: Mapping[str, list[float]], first: int = 0) -> str:
    everything = [value for values in series.values() for value in values]
    low, high = 10 ** math.floor(math.log10(min(everything))), 10 ** math.ceil(math.log10(max(everything)))
    left, right = 10 ** math.floor(math.log10(sizes[0])), 10 ** math.ceil(math.log10(sizes[-1]))
    right = right if right > left else 10 * left

    def x(size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(size / left) / math.log(right / left)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(value / low) / math.log(high / low)

    parts = [f'<text x="{LEFT}" y="20" font-weight="bold">{title}</text>']
    for size in _decades(left, right):
        parts.append(_line(x(size), y(low), x(size), y(high), FAINT))
        parts.append(f'<text x="{x(size):.1f}" y="{y(low) + 18:.1f}" text-anchor="middle">{size:,.0f}</text>')
    for value in _decades(low, high):
        parts.append(_line(x(left), y(value), x(right), y(value), FAINT))
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:,.10g}</text>')
    parts.append(f'<text x="{(x(left) + x(right)) / 2:.1f}" y="{HEIGHT - 8}" text-anchor="middle">pool examples</text>')
    for number, (name, values) in enumerate(series.items()):
        colour = COLOURS[first + number]
        end, start = values[-1], max(left, sizes[-1] * low / values[-1])
        parts.append(_line(x(start), y(end * start / sizes[-1]), x(sizes[-1]), y(end), colour, dashed=True))
        places = [(x(size), y(value)) for size, value in zip(sizes, values, strict=True)]
        line = " ".join(f"{one:.1f},{other:.1f}" for one, other in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{one:.1f}" cy="{other:.1f}" r="3.5" fill="{colour}"/>' for one, other in places]
        row = TOP + 16 + 17 * number
        parts.append(_line(LEFT + 10, row - 4, LEFT + 32, row - 4, colour, width=2))
        parts.append(f'<text x="{LEFT + 38}" y="{row}">{name}; dashed: in proportion</text>')
    return "".join(parts)


def _decades(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False, width: float = 1) -> str:
    dashes = ' stroke-dasharray="4 4"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"'
        f"{dashes}/>"
    )
