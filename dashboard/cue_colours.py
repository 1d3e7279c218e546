"""The map's colours for a chosen cue: what follows it, what contradicts it, and what is without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dashboard.colouring import MISSING, Codes, LegendEntry
from dashboard.palette import GREY, RIGHT, WRONG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alvin_core import MapColumns

__all__ = ["AGAINST", "ALONG", "cue_codes", "known_class"]

AGAINST, ALONG = 0, 1  # codes


def known_class(columns: MapColumns) -> NDArray[np.int64]:
    """Return each point's class, of shape (n,): the label that the round trained on, else the prediction."""
    return np.where(columns.labeled, columns.label, columns.predicted).astype(np.int64)


def cue_codes(columns: MapColumns, held: NDArray[np.bool_], label: str) -> Codes:
    """Colour the points that hold a cue by whether they follow it.

    Parameters
    ----------
    columns : MapColumns
    held : bool array of shape (n,)
    label : str
        The class that the cue goes with.

    Returns
    -------
    Codes
        An unlabeled point follows or contradicts by its prediction; one without the cue is grey.
    """
    follows = known_class(columns) == columns.classes.index(label)
    values = np.where(held, np.where(follows, np.uint8(ALONG), np.uint8(AGAINST)), np.uint8(MISSING))
    entries = (
        LegendEntry(ALONG, "follows it", RIGHT, int((held & follows).sum())),
        LegendEntry(AGAINST, "contradicts it", WRONG, int((held & ~follows).sum())),
        LegendEntry(MISSING, "without it", GREY, int((~held).sum()), grey=True),
    )
    return Codes("match", "Cue (unlabeled: predicted)", values.astype(np.uint8), entries)
