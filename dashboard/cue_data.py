"""What the Shortcuts page draws, computed once: cues, their members and history, groups and training, slices.

A round never changes, so what is computed of it is kept under the run and the round; slices and labels can change, and
are part of the key or asked for again.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from alvin_core import AlvinError
from dashboard import data
from dashboard.shelf import Shelf

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from alvin_core import RunInfo

__all__ = [
    "CORRECTIONS",
    "KINDS",
    "SORTS",
    "CueOptions",
    "cue_table",
    "examples_of",
    "forget_slices",
    "group_matrix",
    "history_of",
    "label_of",
    "members_of",
    "same_start",
    "slice_figures",
    "slices_of",
    "training_map",
]

Part = Literal["labeled", "pool"]
Kind = Literal["token", "ngram", "attribute", "overlap"]
KINDS: Final[tuple[Kind, ...]] = ("token", "ngram", "attribute", "overlap")
CORRECTIONS: Final = ("holm", "benjamini-hochberg")
SORTS: Final = ("z", "lmi")
MOST_EXAMPLES: Final = 60  # of a cue: those that contradict it come first
MOST_SIBLINGS: Final = 8  # lines that a small drawing can hold
MOST_CANDIDATES: Final = 60  # runs that are looked at to find those

_Key = tuple[Any, ...]


@dataclass(frozen=True)
class CueOptions:
    """Which cues are shown, and how they are counted.

    Attributes
    ----------
    of : {"labeled", "pool"}
    kinds : tuple of str
        Of `KINDS`, in their order.
    min_count : int
        A cue in fewer examples is left out.
    correction : {"holm", "benjamini-hochberg"}
    sort : {"z", "lmi"}
    find : str
        A part of the cue's name.
    """

    of: Part = "labeled"
    kinds: tuple[Kind, ...] = ("token", "attribute", "overlap")
    min_count: int = 5
    correction: Literal["holm", "benjamini-hochberg"] = "holm"
    sort: Literal["z", "lmi"] = "z"
    find: str = ""


_frames: Shelf[_Key, pd.DataFrame] = Shelf(96)
_members: Shelf[_Key, NDArray[np.bool_]] = Shelf(64)
_starts: Shelf[_Key, str] = Shelf(512)


def cue_table(run_id: str, round_no: int, options: CueOptions) -> pd.DataFrame:
    """Return the cues of a round as `Run.cues` does: found by name, and sorted as the options say.

    Raises
    ------
    AlvinError
        When the pool's labels are not known.
    """
    whole = _frames.get(_cues_key(run_id, round_no, options), lambda: _cues(run_id, round_no, options))
    wanted = options.find.casefold().strip()
    shown = whole[[wanted in str(name).casefold() for name in whole["name"]]] if wanted else whole
    if options.sort == "lmi":
        shown = shown.sort_values("lmi", ascending=False, kind="stable")
    return shown.reset_index(drop=True)


def _cues_key(run_id: str, round_no: int, options: CueOptions) -> _Key:
    # What is counted over the pool changes with the labels that hold now.
    n_known = int((data.columns(run_id, round_no).label_now >= 0).sum()) if options.of == "pool" else 0
    counted = (options.of, options.kinds, options.min_count, options.correction)
    return (data.store(), run_id, "cues", round_no, n_known, *counted)


def _cues(run_id: str, round_no: int, options: CueOptions) -> pd.DataFrame:
    return data.opened(run_id).cues(
        round_no,
        of=options.of,
        kinds=options.kinds,
        min_count=options.min_count,
        correction=options.correction,
    )


def history_of(run_id: str, n_rounds: int, cue: str, label: str) -> pd.DataFrame:
    """Return a cue's figures in the labeled set of each round, as `Run.cue_history` does."""
    key = (data.store(), run_id, "history", n_rounds, cue, label)
    return _frames.get(key, lambda: data.opened(run_id).cue_history([(cue, label)]))


def label_of(run_id: str, n_rounds: int, round_no: int, cue: str) -> str:
    """Return the class that a cue goes with most in a round's labeled set, by z."""
    classes = data.columns(run_id, round_no).classes
    scores = {}
    for one in classes:
        history = history_of(run_id, n_rounds, cue, one)
        scores[one] = float(history.loc[history["round"] == round_no, "z"].fillna(-math.inf).max())
    return max(classes, key=lambda one: scores[one])


def members_of(run_id: str, round_no: int, cue: str) -> NDArray[np.bool_]:
    """Return which points of the map hold a cue, of shape (n,)."""

    def make() -> NDArray[np.bool_]:
        held: NDArray[np.bool_] = data.opened(run_id).cue_members(cue)[data.columns(run_id, round_no).rows]
        held.setflags(write=False)
        return held

    return _members.get((data.store(), run_id, "members", cue), make)


def examples_of(run_id: str, round_no: int, cue: str, label: str) -> pd.DataFrame:
    """Return examples that hold a cue, those that contradict it first, as `Run.cue_examples` does."""
    key = (data.store(), run_id, "examples", round_no, cue, label)
    return _frames.get(key, lambda: data.opened(run_id).cue_examples(round_no, cue, label, most=MOST_EXAMPLES))


def group_matrix(run_id: str, round_no: int, split: str) -> pd.DataFrame:
    """Return size and accuracy of each class with each attribute value, as `Run.group_matrix` does.

    Raises
    ------
    AlvinError
        When the data have no attribute.
    """
    known = int((data.columns(run_id, round_no).label_now >= 0).sum())
    key = (data.store(), run_id, "groups", round_no, split, known)
    return _frames.get(key, lambda: data.opened(run_id).group_matrix(round_no, split=split))


def training_map(run_id: str, round_no: int) -> pd.DataFrame:
    """Return confidence, variability and correctness of each labeled example, as `Run.dataset_map` does."""
    key = (data.store(), run_id, "training", round_no)
    return _frames.get(key, lambda: data.opened(run_id).dataset_map(round_no))


def slices_of(run_id: str) -> tuple[Any, ...]:
    """Return the slices of a run's data, as they are in the store now."""
    return tuple(data.opened(run_id).slices())


def slice_figures(run_id: str, n_rounds: int) -> pd.DataFrame:
    """Return each slice's accuracy by round and split, and how much of it was labeled and selected."""
    slices = tuple((one.name, one.created_at) for one in slices_of(run_id))
    key = (data.store(), run_id, "slices", n_rounds, slices)
    return _frames.get(key, lambda: data.opened(run_id).slice_metrics())


def forget_slices(run_id: str) -> None:
    """Forget the figures of slices, after one was made or deleted."""
    _frames.drop(lambda key: key[1] == run_id and key[2] == "slices")


def same_start(run_id: str) -> list[RunInfo]:
    """Return the runs that began with the same labeled examples of the same data, this one first, then newest first.

    Those of comparisons are looked at only where the run itself is one of them.
    """
    infos = data.runs()
    if run_id not in {info.id for info in infos}:
        infos = data.runs(of_comparisons=True)
    own = next((info for info in infos if info.id == run_id), None)
    if own is None or own.n_rounds == 0:
        return []
    start = _start(own)
    near = [info for info in reversed(infos) if info.source == own.source and info.n_rounds and info.id != run_id]
    found = [info for info in near[:MOST_CANDIDATES] if _start(info) == start]
    return [own, *found[: MOST_SIBLINGS - 1]]


def _start(info: RunInfo) -> str:
    """Return what tells one beginning from another; nothing is equal to that of a run that was deleted meanwhile."""

    def make() -> str:
        columns = data.opened(info.id).map_columns(0)
        sha = hashlib.blake2b(digest_size=16)
        for part in (columns.ids.tolist(), columns.classes, columns.ids[columns.labeled].tolist()):
            sha.update(repr(part).encode("utf-8", "surrogatepass"))
        return sha.hexdigest()

    try:
        return _starts.get((Path(data.store()), info.id), make)
    except AlvinError:
        return info.id
