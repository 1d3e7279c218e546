"""What a map's colours say: one small code a point, and the legend or ramp that explains it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core import SettingsError
from dashboard.palette import GREY, MAJORITY, MATCH, MINORITY, OTHER, RAMPS, RIGHT, WRONG, class_colours

if TYPE_CHECKING:
    from alvin_core import MapColumns

__all__ = ["COLOURINGS", "MISSING", "Codes", "LegendEntry", "Ramp", "color_by", "revision_of"]

MISSING = 255  # the code of points that a colouring says nothing of; they are grey
MOST_CATEGORIES = 200
FEW_CATEGORIES = 12  # of so few, those without a point are in the legend too: an empty group is news
LONGEST_LABEL = 60

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class LegendEntry:
    """One line of a legend: the points with this code, how many they are, and whether they are the grey ones."""

    code: int
    label: str
    color: str
    count: int
    grey: bool = False


@dataclass(frozen=True)
class Ramp:
    """A colour bar: code 0 is ``low``, code 254 is ``high``, even steps between."""

    colors: tuple[str, ...]
    low: str
    high: str
    label: str


@dataclass(frozen=True)
class Codes:
    """A colouring of all points.

    Attributes
    ----------
    how : str
        The key of `COLOURINGS` that made it.
    title : str
    values : uint8 array of shape (n,)
        In the order of the map; `MISSING` is grey.
    entries : tuple of LegendEntry
        Categories, then the grey points where there are any. Of a ramp only the grey ones.
    ramp : Ramp or None
    """

    how: str
    title: str
    values: Bytes
    entries: tuple[LegendEntry, ...]
    ramp: Ramp | None = None

    @property
    def kind(self) -> str:
        """``ramp`` or ``categories``."""
        return "categories" if self.ramp is None else "ramp"

    @property
    def revision(self) -> str:
        """Another one whenever a point's code changes."""
        return revision_of(self.values)

    def to_dict(self, url: str) -> dict[str, Any]:
        """Return what the map component needs, with the address that serves ``values``."""
        return {
            "url": url,
            "revision": self.revision,
            "title": self.title,
            "kind": self.kind,
            "entries": [asdict(entry) for entry in self.entries],
            "ramp": None if self.ramp is None else {**asdict(self.ramp), "colors": list(self.ramp.colors)},
            "missing": MISSING,
        }


def revision_of(values: NDArray[Any] | bytes) -> str:
    """Return 16 hexadecimal digits that tell one array's bytes from another's."""
    content = values if isinstance(values, bytes) else values.tobytes()
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def color_by(columns: MapColumns, how: str, *, match: NDArray[np.bool_] | None = None, now: bool = False) -> Codes:
    """Colour every point of a map.

    Parameters
    ----------
    columns : MapColumns
    how : str
        A key of `COLOURINGS`.
    match : bool array of shape (n,), optional
        What a search or a filter found; for ``match``.
    now : bool
        For ``class``: take labels that were given since the round as well.

    Returns
    -------
    Codes

    Raises
    ------
    SettingsError
        When there is no such colouring.

    Notes
    -----
    An unlabeled point shows what the model says of it, or nothing: its label is not known before somebody gives it.
    """
    if how not in COLOURINGS:
        raise SettingsError(f"colour by {how!r} is unknown; choose one of {', '.join(COLOURINGS)}")
    if how == "class":
        return _by_class(columns, now)
    if how == "match":
        return _by_match(columns, match)
    return _MAKERS[how](columns)


def _by_class(columns: MapColumns, now: bool) -> Codes:
    known = np.where(columns.labeled, columns.label, -1)
    if now:
        known = np.where(known >= 0, known, columns.label_now)
    shown = np.where(known >= 0, known, columns.predicted)
    return _categories("class", "Class (unlabeled: as predicted)", shown, columns.classes, "no prediction")


def _by_group(columns: MapColumns) -> Codes:
    shown = np.where(columns.labeled, columns.is_minority, -1)
    return _categories(
        "group", "Inferred group", shown, ("majority", "minority"), "unlabeled: no group", (MAJORITY, MINORITY)
    )


def _by_known_group(columns: MapColumns) -> Codes:
    n_values = len(columns.attributes)
    named = columns.labeled & (columns.label >= 0) & (columns.attribute >= 0)
    pairs = columns.label.astype(np.int64) * n_values + columns.attribute
    names = tuple(f"{class_} × {value}" for class_ in columns.classes for value in columns.attributes)
    grey = "unlabeled, or without the attribute" if names else "the data have no attribute column"
    return _categories("known", "Known group (class × attribute)", np.where(named, pairs, -1), names, grey)


def _by_right(columns: MapColumns) -> Codes:
    shown = np.where(columns.labeled, columns.correct, -1)
    return _categories(
        "right", "Model against label", shown, ("wrong", "right"), "unlabeled: not known", (WRONG, RIGHT)
    )


def _by_match(columns: MapColumns, match: NDArray[np.bool_] | None) -> Codes:
    if match is None:
        shown, grey = np.full(len(columns.ids), -1), "no search and no filter is set"
    else:
        shown, grey = np.where(match, 0, -1), "no match"
    return _categories("match", "Match of the search", shown, ("match",), grey, (MATCH,))


def _by_confidence(columns: MapColumns) -> Codes:
    lowest = 1 / max(len(columns.classes), 1)
    ramp = Ramp(RAMPS["confidence"], f"{lowest:.2f}", "1.00", "largest probability")
    return _ramp("confidence", "Confidence of the model", columns.confidence, (lowest, 1.0), ramp, "no prediction")


def _by_entropy(columns: MapColumns) -> Codes:
    highest = float(np.log(max(len(columns.classes), 2)))
    ramp = Ramp(RAMPS["entropy"], "0", f"{highest:.2f}", "entropy in nats")
    return _ramp("entropy", "Entropy of the prediction", columns.entropy, (0.0, highest), ramp, "no prediction")


def _by_forgetting(columns: MapColumns) -> Codes:
    counts = np.where(columns.labeled & (columns.n_forgotten >= 0), columns.n_forgotten, np.nan)
    highest = max(1, int(np.nanmax(counts, initial=0)))
    ramp = Ramp(RAMPS["forgetting"], "never", "once" if highest == 1 else f"{highest} times", "forgotten in training")
    return _ramp("forgetting", "Forgetting", counts, (0.0, float(highest)), ramp, "unlabeled: not trained on")


def _categories(
    how: str,
    title: str,
    shown: NDArray[Any],
    names: tuple[str, ...],
    grey: str,
    colours: tuple[str, ...] | None = None,
) -> Codes:
    """Code categories by their place in ``names``; −1 is grey. Too many: the most frequent, and the rest as one."""
    counts = np.bincount(shown[shown >= 0], minlength=len(names))
    n_codes = min(len(names), MOST_CATEGORIES)
    kept = np.arange(len(names))
    if len(names) > MOST_CATEGORIES:
        most = np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]
        kept = np.sort(most)
    # The last entry is for −1.
    table = np.full(len(names) + 1, n_codes, dtype=np.uint8)
    table[kept] = np.arange(n_codes)
    table[-1] = MISSING
    values = table[shown]
    colours = colours or class_colours(n_codes)
    entries = [
        LegendEntry(code, _short(names[row]), colours[code], int(counts[row]))
        for code, row in enumerate(kept.tolist())
        if counts[row] or len(names) <= FEW_CATEGORIES
    ]
    if len(names) > MOST_CATEGORIES:
        n_other = int(counts.sum() - counts[kept].sum())
        label = f"{len(names) - MOST_CATEGORIES:,} others, less frequent"
        entries.append(LegendEntry(n_codes, label, OTHER, n_other))
    return Codes(how, title, values, (*entries, *_grey_entry(values, grey)))


def _ramp(how: str, title: str, numbers: NDArray[Any], span: tuple[float, float], ramp: Ramp, grey: str) -> Codes:
    low, high = span
    share = (numbers.astype(np.float64) - low) / (high - low)
    known = np.isfinite(share)
    steps = np.rint(np.clip(np.where(known, share, 0), 0, 1) * (MISSING - 1)).astype(np.uint8)
    values = np.where(known, steps, np.uint8(MISSING))
    return Codes(how, title, values, _grey_entry(values, grey), ramp)


def _grey_entry(values: Bytes, label: str) -> tuple[LegendEntry, ...]:
    n_grey = int(np.count_nonzero(values == MISSING))
    return (LegendEntry(MISSING, label, GREY, n_grey, grey=True),) if n_grey else ()


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"


_MAKERS: dict[str, Callable[[MapColumns], Codes]] = {
    "group": _by_group,
    "known": _by_known_group,
    "confidence": _by_confidence,
    "entropy": _by_entropy,
    "forgetting": _by_forgetting,
    "right": _by_right,
}
COLOURINGS = {
    "class": "class",
    "group": "inferred group",
    "known": "known group",
    "confidence": "confidence",
    "entropy": "entropy",
    "forgetting": "forgetting",
    "right": "right or wrong",
    "match": "match",
}
"""Every colouring, and its name on screen."""
