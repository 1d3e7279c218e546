"""What the parts of the Label page share: the run, the desk, the annotator's name, and text made safe to show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.labelling_desk import Desk
from dashboard.labelling_opinions import Opinions
from dashboard.people import person, why_not
from dashboard.shelf import Shelf
from dashboard.state import DEFAULT_ANNOTATOR, Place

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from alvin_core import Run

__all__ = [
    "ANNOTATOR",
    "LISTED",
    "REGION",
    "Bench",
    "Pool",
    "bench_of",
    "opinions_of",
    "pool_of",
    "shown_text",
    "texts_of",
]

ANNOTATOR: Final = "annotator"  # key of the name's field, which keeps its value while other pages are shown
DESK: Final = "_label_desk"
REGION: Final = "_label_region"  # what was drawn on the map, as the browser sent it
LISTED: Final = "_label_listed"  # the list of what was found

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_ENDS = re.compile(r"\r\n?")

# Two rounds of a run at most are of use at a time: the newest, and the one before while a round ends.
_opinions: Shelf[tuple[Path, str, int], Opinions] = Shelf(4)
_pools: Shelf[tuple[Path, str], Pool] = Shelf(4)


@dataclass(frozen=True)
class Pool:
    """The examples that may be labeled, in the order of the map.

    Attributes
    ----------
    ids : str array of shape (n_pool,)
    rows : int64 array of shape (n_pool,)
        Of the data set.
    index_of : dict of id to index
        Into both.
    """

    ids: NDArray[np.str_]
    rows: NDArray[np.int64]
    index_of: dict[str, int]


@dataclass(frozen=True)
class Bench:
    """A run, the desk that this tab has for it, and who sits there.

    Attributes
    ----------
    run : Run
    desk : Desk
    annotator : str
        Under which name labels are stored; empty where nobody labels here.
    n_rounds : int
    refusal : str
        Why the person before the page may not label, whatever their name; empty when they may.
    """

    run: Run
    desk: Desk
    annotator: str
    n_rounds: int
    refusal: str = ""

    @property
    def can_label(self) -> bool:
        return bool(self.annotator)


def bench_of(place: Place) -> Bench:
    """Return this tab's bench; whoever comes from another run gets a new desk.

    Raises
    ------
    RunNotFoundError
        When the run has been deleted.
    """
    run = data.opened(place.run_id)
    desk = st.session_state.get(DESK)
    if desk is None or desk.run_id != place.run_id:
        if desk is not None:
            _leave(desk)
        desk = st.session_state[DESK] = Desk(place.run_id)
        for of_another_run in (LISTED, REGION):
            st.session_state.pop(of_another_run, None)
    refusal = why_not("annotator")
    return Bench(run, desk, "" if refusal else _annotator(place), run.n_rounds, refusal)


def _leave(desk: Desk) -> None:
    """Give back what was in hand in another run, where it is still there."""
    try:
        desk.leave(data.opened(desk.run_id))
    except AlvinError:  # it was deleted, or the person may not label any more: leases end by themselves
        return


def _annotator(place: Place) -> str:
    here = person()
    if here.signed_in:
        return here.name
    if ANNOTATOR not in st.session_state:
        st.session_state[ANNOTATOR] = "" if place.annotator == DEFAULT_ANNOTATOR else place.annotator
    return " ".join(str(st.session_state[ANNOTATOR]).split())


def opinions_of(bench: Bench) -> Opinions | None:
    """Return what the newest round's model says; None before the first round."""
    if not bench.n_rounds:
        return None
    newest, run = bench.n_rounds - 1, bench.run
    return _opinions.get(
        (data.store(), run.id, newest),
        lambda: Opinions(run.map_columns(newest), newest, data.record(run.id, newest).strategy),
    )


def pool_of(run: Run) -> Pool:
    """Return a run's pool; it never changes."""

    def make() -> Pool:
        rows = run.dataset.rows_of("pool")
        ids = run.dataset.ids[rows]
        return Pool(ids, rows, {example_id: index for index, example_id in enumerate(ids.tolist())})

    return _pools.get((data.store(), run.id), make)


def texts_of(run: Run, ids: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the texts of pool examples, one or two each."""
    pool = pool_of(run)
    return run.texts([int(pool.rows[pool.index_of[one]]) for one in ids])


def shown_text(text: str) -> str:
    """Return HTML that shows a text as it is: nothing in it is markup, and what has no shape gets a picture.

    It is one line, since Streamlit takes indentation away from the HTML it is given.
    """
    pictured = _CONTROLS.sub(lambda one: "␡" if one[0] == "\x7f" else chr(0x2400 + ord(one[0])), text)
    return escape(_LINE_ENDS.sub("\n", pictured)).replace("\n", "&#10;")
