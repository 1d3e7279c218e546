"""What is chosen on the Shortcuts page: the cue in the address, how cues are counted, and what a lasso holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np
import streamlit as st

from dashboard import cue_data, data
from dashboard.at_hand import index_of
from dashboard.cue_data import CORRECTIONS, KINDS, SORTS, CueOptions
from dashboard.state import Place, go
from dashboard.views.fresh import draw_again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "FOLLOWERS",
    "Choice",
    "Lit",
    "choose",
    "chosen",
    "follow",
    "light",
    "lit",
    "lit_mask",
    "open_example",
    "put_out",
    "read_options",
    "set_param",
]

CUE, LABEL = "cue", "cue_label"  # query parameters, as those below
OF, SORT, KIND, LEAST, CORRECTION, FIND = "cue_of", "cue_sort", "cue_kinds", "cue_min", "cue_correction", "cue_find"
MOST_COUNT: Final = 1000
LONGEST_CUE: Final = 300
_LIT: Final = "_shortcuts_lit"  # session key: a Lit
Source = Literal["map", "dataset", "slice"]

# The fragments that show what was chosen; those that a click leaves as they are do not run.
FOLLOWERS: Final = ("shortcuts_table", "shortcuts_cue", "shortcuts_examples", "shortcuts_training", "shortcuts_slices")


@dataclass(frozen=True)
class Choice:
    """A cue, and the label that it is held against."""

    cue: str
    label: str


@dataclass(frozen=True)
class Lit:
    """Examples to point out in one round; ``source`` is the map that a lasso was drawn on, or a slice."""

    run_id: str
    round_no: int
    source: Source
    ids: tuple[str, ...]


def chosen(place: Place) -> Choice | None:
    """Return the cue of the address, else the strongest of the labeled set; None where there is none."""
    cue, label = st.query_params.get(CUE, ""), st.query_params.get(LABEL, "")
    classes = data.columns(place.run_id, place.round_no).classes
    if _is_cue(cue) and label in classes:
        return Choice(cue, label)
    if _is_cue(cue):
        return Choice(cue, cue_data.label_of(place.run_id, place.n_rounds, place.round_no, cue))
    found = cue_data.cue_table(place.run_id, place.round_no, CueOptions())
    return None if found.empty else Choice(str(found["cue"].iloc[0]), str(found["label"].iloc[0]))


def _is_cue(text: str) -> bool:
    kind, colon, name = text.partition(":")
    return kind in KINDS and bool(colon and name) and len(text) <= LONGEST_CUE


def choose(cue: str, label: str) -> None:
    """Put a cue into the address, and take the lasso away: the maps show the cue."""
    st.query_params.update({CUE: cue, LABEL: label})
    put_out()


def read_options() -> CueOptions:
    """Read how cues are counted from the address; what cannot be read is left as it is by default."""
    params, usual = st.query_params, CueOptions()
    kinds = tuple(kind for kind in KINDS if kind in params.get(KIND, "").split(","))
    least = params.get(LEAST, "")
    return CueOptions(
        of=_one_of(params.get(OF, ""), ("labeled", "pool")),
        kinds=kinds or usual.kinds,
        min_count=min(max(int(least), 1), MOST_COUNT) if least.isascii() and least.isdigit() else usual.min_count,
        correction=_one_of(params.get(CORRECTION, ""), CORRECTIONS),
        sort=_one_of(params.get(SORT, ""), SORTS),
        find=params.get(FIND, "")[:LONGEST_CUE],
    )


def _one_of(value: str, choices: Sequence[str]) -> Any:
    return value if value in choices else choices[0]


def set_param(name: str, value: str) -> None:
    """Put a value of the page's own into the address; an empty one takes it out."""
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def light(place: Place, source: Source, ids: Sequence[str]) -> None:
    """Keep what a lasso holds; nothing takes it away."""
    if ids:
        st.session_state[_LIT] = Lit(place.run_id, place.round_no, source, tuple(ids))
    else:
        put_out()


def put_out(shown: Lit | None = None) -> None:
    """Light up nothing but the cue; of ``shown``, only that: what was drawn since a button was shown stays.

    On a busy machine a press and the lasso after it come in one run of the page, in any order.
    """
    if shown is None or st.session_state.get(_LIT) == shown:
        st.session_state.pop(_LIT, None)


def lit(place: Place) -> Lit | None:
    """Return what a lasso of this run and round holds."""
    found = cast("Lit | None", st.session_state.get(_LIT))
    return found if found is not None and (found.run_id, found.round_no) == (place.run_id, place.round_no) else None


def lit_mask(place: Place, ids: Sequence[str]) -> NDArray[np.bool_]:
    """Return which points of the map have these ids."""
    at = index_of(place.run_id, place.round_no)
    mask = np.zeros(len(at), dtype=bool)
    mask[[at[one] for one in ids if one in at]] = True
    return mask


def open_example(example_id: str) -> None:
    """Bring an example into focus: on the map, and in the editor."""
    go(example=example_id)
    draw_again("shortcuts_cue", "shortcuts_examples", "counterfactual_panel")


def follow() -> None:
    """Run the fragments that show what was chosen."""
    draw_again(*FOLLOWERS)
