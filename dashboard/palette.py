"""The look's colours: two themes, colours of classes, and ramps that grow evenly lighter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CLASS_COLOURS",
    "DARK",
    "FONT",
    "GREY",
    "LIGHT",
    "MAJORITY",
    "MATCH",
    "MINORITY",
    "OTHER",
    "RAMPS",
    "RIGHT",
    "WRONG",
    "Theme",
    "class_colours",
    "theme",
]

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'


@dataclass(frozen=True)
class Theme:
    """One theme's colours, as hexadecimal RGB."""

    name: str
    page: str
    card: str
    border: str
    ink: str
    muted: str
    accent: str
    accent_hover: str


LIGHT = Theme(
    name="light",
    page="#F5F6F8",
    card="#FFFFFF",
    border="#E2E6EB",
    ink="#1B2430",
    muted="#667080",
    accent="#0A8070",
    accent_hover="#086A5D",
)
DARK = Theme(
    name="dark",
    page="#12161C",
    card="#1A2029",
    border="#2C3540",
    ink="#E6EAF0",
    muted="#98A2B0",
    accent="#2CC3AE",
    accent_hover="#56D6C3",
)

# The palette of Okabe and Ito (2008), told apart with every common kind of colour blindness.
CLASS_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
GREY = "#A3ACB8"  # what a colouring has nothing to say of; recedes on white as on the dark card
MAJORITY, MINORITY = "#56B4E9", "#D55E00"
RIGHT, WRONG = "#0072B2", "#D55E00"
MATCH = "#CC79A7"
OTHER = "#7A8594"  # categories too many for a colour of their own

# Ottosson (2020): linear sRGB to the three cones, and their cube roots to OKLab; a row is what one channel adds.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.2119034982, 0.0883024619],
        [0.5363325363, 0.6806995451, 0.2817188376],
        [0.0514459929, 0.1073969566, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 1.9779984951, 0.0259040371],
        [0.7936177850, -2.4285922050, 0.7827717662],
        [-0.0040720468, 0.4505937099, -0.8086757660],
    ]
)

# Stops of viridis, cividis and plasma (matplotlib, CC0): even steps of lightness, readable without colour vision.
# Both ends are cut off, so that every stop stands out (contrast above 1.5) from the light and from the dark card.
RAMPS = {
    "confidence": ("#3E4989", "#31688E", "#26828E", "#1F9E89", "#35B779", "#6ECE58", "#B5DE2B"),
    "entropy": ("#3B496C", "#575D6D", "#707173", "#8A8678", "#A59C74", "#C3B369", "#E1CC55"),
    "forgetting": ("#7201A8", "#9C179E", "#BD3786", "#D8576B", "#ED7953", "#FB9F3A", "#FDCA26"),
}


def theme(dark: bool) -> Theme:
    """Return the dark or the light theme."""
    return DARK if dark else LIGHT


@lru_cache(maxsize=32)
def class_colours(n: int) -> tuple[str, ...]:
    """Return ``n`` different colours, always the same ones: the first seven are told apart by everybody.

    Parameters
    ----------
    n : int
        At most 1,000.

    Returns
    -------
    tuple of str
        As ``#RRGGBB``. The first of ``class_colours(n + 1)`` are those of ``class_colours(n)``.

    Notes
    -----
    The first seven are those of Okabe and Ito (2008). Each further one is that of a grid of colours which lies
    farthest, in OKLab (Ottosson 2020), from all before it and from the grey of missing values.
    """
    if n <= len(CLASS_COLOURS):
        return CLASS_COLOURS[:n]
    grid = _grid()
    places = _oklab(grid)
    taken = [*CLASS_COLOURS, GREY]
    gaps = np.full(len(grid), np.inf)
    for place in _oklab([*taken]):
        gaps = np.minimum(gaps, np.linalg.norm(places - place, axis=1))
    found = list(CLASS_COLOURS)
    while len(found) < n:
        farthest = int(gaps.argmax())
        found.append(grid[farthest])
        gaps = np.minimum(gaps, np.linalg.norm(places - places[farthest], axis=1))
    return tuple(found)


def _grid() -> list[str]:
    """Colours that are neither too pale for the light card nor too deep for the dark one, nor near grey."""
    levels = range(0, 256, 17)
    cube = np.array([(red, green, blue) for red in levels for green in levels for blue in levels])
    lightness, a, b = _oklab(cube).T
    kept = cube[(lightness > 0.45) & (lightness < 0.82) & (np.hypot(a, b) > 0.07)]
    return [f"#{red:02X}{green:02X}{blue:02X}" for red, green, blue in kept.tolist()]


def _oklab(colours: list[str] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return lightness, a and b of colours, of shape (n, 3)."""
    if isinstance(colours, list):
        colours = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours])
    shares = colours / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_CONES) @ _TO_OKLAB)
