"""The cues of a labeled set or a pool with their statistics, as a frame; kept, since rounds do not change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import UNLABELED
from alvin_core.errors import DataError, SettingsError
from alvin_core.run.cue_tables import CueTable, check_kinds, cue_table
from alvin_core.run.frames import class_names
from alvin_core.run.handle import RunHandle
from alvin_core.run.held import held_classes
from alvin_core.shortcuts import (
    BASES,
    CORRECTIONS,
    Base,
    Correction,
    CueCounts,
    CueKey,
    Kind,
    base_shares,
    binomial_p,
    competency_z,
    corrected,
    count_cues,
    local_mutual_information,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LEVEL", "CueQuery", "Part", "check_choice", "cues_frame", "labeled_classes"]

Part = Literal["labeled", "pool"]
PARTS: tuple[Part, ...] = get_args(Part)
LEVEL = 0.05  # of the corrected p, below which a cue is called significant [field]
KEPT_FRAMES = 48
KEPT_CUES = 500_000  # in all kept frames: some 200 MB
# Of equal cues the first: what is known of an example goes before what is read from its words.
KIND_ORDER: tuple[Kind, ...] = ("overlap", "attribute", "ngram", "token")

_frames: OrderedDict[tuple[object, ...], pd.DataFrame] = OrderedDict()
_keeping = threading.Lock()


@dataclass(frozen=True)
class CueQuery:
    """What is counted, and how; see `RunCues.cues`."""

    of: Part = "labeled"
    kinds: tuple[Kind, ...] = ("token", "attribute", "overlap")
    min_count: int = 5
    base: Base = "observed"
    correction: Correction = "holm"
    each_class: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", check_kinds(self.kinds))
        for name, known in (("of", PARTS), ("base", BASES), ("correction", CORRECTIONS)):
            check_choice(name, getattr(self, name), known)
        if self.min_count < 1:
            raise SettingsError(f"min_count = {self.min_count} is out of range: it must be at least 1")


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise when an argument is none of the known values.

    Raises
    ------
    SettingsError
    """
    if value not in known:
        raise SettingsError(f"{name} = {value!r} is unknown; choose one of: {', '.join(known)}")


@dataclass(frozen=True)
class _Cells:
    """Cues against classes: a row for each cue, a column for each class."""

    keys: list[CueKey]
    counts: CueCounts
    base: NDArray[np.float64]  # (n_classes,)
    n_class: NDArray[np.int64]  # (n_classes,)

    @property
    def n(self) -> NDArray[np.int64]:
        return self.counts.n[:, None]

    @property
    def z(self) -> NDArray[np.float64]:
        return competency_z(self.counts.n_label, self.n, self.base)

    def corrected_p(self, correction: Correction) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return p as it is and corrected, both of shape (n_cues, n_classes); NaN where nothing was tested."""
        p = binomial_p(self.counts.n_label, self.n, self.base)
        tested = ~np.isnan(p)
        # Of two classes one is what the other is not: each cue is one test, and counts once.
        once = tested & (np.arange(p.shape[1]) == 0) if tested.shape[1] == 2 else tested
        adjusted = np.full_like(p, np.nan)
        adjusted[once] = corrected(p[once], correction)
        if once is not tested:
            adjusted[tested[:, 0], 1] = adjusted[tested[:, 0], 0]
        return p, adjusted


def cues_frame(handle: RunHandle, round_no: int, query: CueQuery) -> pd.DataFrame:
    """Return cues with their statistics; see `RunCues.cues`."""
    with handle.store.read() as session:
        last_seq = handle.round_row(session, round_no).last_seq
    # What a round trained on never changes, and the pool's labels are the same in all of them.
    key = (str(handle.store.path), handle.row.id, round_no if query.of == "labeled" else -1, query)
    with _keeping:
        kept = _frames.get(key)
        if kept is not None:
            _frames.move_to_end(key)
            return kept.copy()
    held = _pool_classes(handle) if query.of == "pool" else labeled_classes(handle, last_seq)
    frame = _cues(cue_table(handle), held, query)
    with _keeping:
        _frames[key] = frame
        while len(_frames) > KEPT_FRAMES or sum(map(len, _frames.values())) > KEPT_CUES:
            _frames.popitem(last=False)
    return frame.copy()


def _cues(table: CueTable, held: NDArray[np.int16], query: CueQuery) -> pd.DataFrame:
    import pandas as pd

    cells = _cells(table, held, query)
    z = cells.z
    p, adjusted = cells.corrected_p(query.correction)
    if query.each_class:
        cue_rows, classes = np.nonzero(~np.isnan(z))
    else:
        cue_rows = np.flatnonzero(~np.isnan(z).all(axis=1))
        classes = np.where(np.isnan(z[cue_rows]), -np.inf, z[cue_rows]).argmax(axis=1)
    cell = (cue_rows, classes)
    n, n_label = cells.counts.n[cue_rows], cells.counts.n_label[cell]
    keys = [cells.keys[row] for row in cue_rows.tolist()]
    frame = pd.DataFrame(
        {
            "cue": [str(one) for one in keys],
            "kind": [one.kind for one in keys],
            "name": [one.name for one in keys],
            "label": class_names(table.dataset, classes),
            "n": n,
            "n_label": n_label,
            "share": n_label / n,
            "base_share": cells.base[classes],
            "z": z[cell],
            "p": p[cell],
            "p_adjusted": adjusted[cell],
            "significant": adjusted[cell] < LEVEL,
            "lmi": local_mutual_information(n_label, n, cells.n_class[classes], int(cells.n_class.sum())),
        }
    )
    order = frame.assign(kind=[KIND_ORDER.index(one.kind) for one in keys])
    best = order.sort_values(["z", "n", "kind", "name", "label"], ascending=[False, False, True, True, True])
    return frame.loc[best.index].reset_index(drop=True)


def _cells(table: CueTable, held: NDArray[np.int16], query: CueQuery) -> _Cells:
    """Count all cues of a query in a set of examples."""
    rows, n_classes = np.flatnonzero(held != UNLABELED), len(table.dataset.classes)
    classes = held[rows].astype(np.int64)
    keys: list[CueKey] = []
    found = [CueCounts(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, n_classes), np.int64))]
    for kind in query.kinds:
        if table.has(kind):
            holding = table.holding(kind)
            counts = count_cues(holding, rows, classes, n_classes, query.min_count)
            keys += [CueKey(kind, holding.name_of(code)) for code in counts.codes.tolist()]
            found.append(counts)
    joined = CueCounts(*(np.concatenate([getattr(one, name) for one in found]) for name in ("codes", "n", "n_label")))
    n_class = np.bincount(classes, minlength=n_classes)
    return _Cells(keys, joined, base_shares(n_class, query.base), n_class)


def labeled_classes(handle: RunHandle, last_seq: int) -> NDArray[np.int16]:
    """Return the class that a round trained on, of shape (n,), -1 where there was none."""
    [held] = held_classes(handle, last_seq)
    return held


def _pool_classes(handle: RunHandle) -> NDArray[np.int16]:
    """Return the class of every example of the pool, as the data set says, -1 of all others.

    Raises
    ------
    DataError
        When a person annotates: then the labels are not known, or not to be shown.
    """
    dataset = handle.dataset
    is_known = (dataset.splits == "pool") & (dataset.labels != UNLABELED)
    if handle.row.annotator == "person" or not is_known.any():
        raise DataError(
            f"the pool's labels are not known, since a person annotates the run {handle.row.name!r}; "
            'look at the labeled set (of="labeled", or --of labeled)'
        )
    return np.where(is_known, dataset.labels, UNLABELED).astype(np.int16)
