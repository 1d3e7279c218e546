"""What every example of a run's data set holds: made once in a process, and asked by every round."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Dataset
from alvin_core.errors import DataError, SettingsError
from alvin_core.run.handle import RunHandle
from alvin_core.shortcuts import (
    HIGH,
    KINDS,
    ONE_WAY,
    CueKey,
    Holding,
    Kind,
    OverlapCuts,
    WordTable,
    ngram_holding,
    overlap_cuts,
    overlap_holding,
    parse_cue,
    token_holding,
    tokenize,
    value_holding,
    word_overlap,
)
from alvin_core.types import BoolArray

__all__ = ["CueTable", "check_kinds", "cue_table"]

KEPT_DATASETS = 2  # whose words stay in memory: a million texts of 20 words take some 200 MB
NAMED_VALUES = 5  # of an attribute, in an error

_tables: OrderedDict[tuple[object, ...], CueTable] = OrderedDict()
_making = threading.Lock()


@dataclass(frozen=True)
class CueTable:
    """The cues of one data set. Each kind is counted when it is first asked for."""

    dataset: Dataset
    _holdings: dict[Kind, Holding] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def words(self) -> WordTable:
        """Every text as word codes."""
        columns = [self.dataset.texts, self.dataset.second_texts]
        return tokenize([one for one in columns if one is not None])

    @cached_property
    def overlaps(self) -> NDArray[np.float64]:
        """Word overlap of every pair, of shape (n, 2)."""
        return word_overlap(self.words)

    @cached_property
    def cuts(self) -> OverlapCuts:
        """Where high overlap begins: at the median of the pool, whatever else is looked at."""
        return overlap_cuts(self.overlaps[self.dataset.splits == "pool"])

    def has(self, kind: Kind) -> bool:
        """Whether the data set has cues of this kind at all."""
        if kind == "attribute":
            return self.dataset.attributes is not None
        return kind != "overlap" or self.dataset.is_pairs

    def holding(self, kind: Kind) -> Holding:
        """Return which examples hold which cues of a kind that the data set has."""
        with self._lock:
            if kind not in self._holdings:
                self._holdings[kind] = self._made(kind)
            return self._holdings[kind]

    def _made(self, kind: Kind) -> Holding:
        if kind == "token":
            return token_holding(self.words)
        if kind == "ngram":
            return ngram_holding(self.words)
        if kind == "overlap":
            return overlap_holding(self.overlaps, self.cuts)
        attributes = self.dataset.attributes
        return value_holding(np.empty(0, dtype=np.str_) if attributes is None else attributes)

    def members(self, cue: str) -> BoolArray:
        """Return which examples hold a cue, of shape (n,).

        Raises
        ------
        DataError
            When the cue cannot be read, or is of a kind or a value that the data set has not.
        """
        key = parse_cue(cue)
        if key.kind in ("token", "ngram"):
            return self.words.holds(key.name.split(" "))
        self.check(key)
        holding = self.holding(key.kind)
        names = [holding.name_of(code) for code in range(holding.n_cues)]
        if key.name not in names:
            some = ", ".join(names[:NAMED_VALUES]) + (", …" if len(names) > NAMED_VALUES else "")
            raise DataError(f"no example has the attribute {key.name!r}; its values are: {some}")
        found = np.zeros(len(self.dataset), dtype=bool)
        rows = np.repeat(np.arange(len(holding)), np.diff(holding.offsets))
        found[rows[holding.codes == names.index(key.name)]] = True
        return found

    def held_by(self, row: int, kinds: tuple[Kind, ...]) -> set[str]:
        """Return the keys of all cues that one example holds."""
        return {str(CueKey(kind, name)) for kind in kinds if self.has(kind) for name in self.holding(kind).held_by(row)}

    def check(self, key: CueKey) -> None:
        """Raise when the data set has no cues of this kind.

        Raises
        ------
        DataError
        """
        if self.has(key.kind):
            return
        if key.kind == "overlap":
            raise DataError(f"{key}: the data has single texts, and only pairs have a word overlap; name another cue")
        raise DataError(f"{key}: the data has no attribute column; name a token, or give one when the run is created")

    def in_words(self, cue: str) -> str:
        """Return what a cue is, in words for a person; raises as `members` does."""
        key = parse_cue(cue)
        self.check(key)
        if key.kind == "token":
            return f"the word “{key.name}”"
        if key.kind == "ngram":
            return f"the words “{key.name}”"
        if key.kind == "attribute":
            return f"the attribute “{key.name}”"
        is_high, second = key.name.endswith(HIGH), key.name.startswith(ONE_WAY)
        least = self.cuts.one_way if second else self.cuts.shared
        share = f"{'at least' if is_high else 'less than'} {least:.0%}"
        if second:
            return f"{share} of the second text's words are in the first"
        return f"{share} of the words in either text are in both"


def cue_table(handle: RunHandle) -> CueTable:
    """Return the cues of a run's data set as it is now, made once for all runs on it."""
    dataset = handle.dataset
    # Examples that people added are the run's own, and only ever more.
    own = handle.row.id if len(dataset) > len(handle.stored_dataset) else ""
    key = (str(handle.store.path), handle.row.dataset, len(dataset), own)
    with _making:
        if key not in _tables:
            _tables[key] = CueTable(dataset)
            while len(_tables) > KEPT_DATASETS:
                _tables.popitem(last=False)
        _tables.move_to_end(key)
        return _tables[key]


def check_kinds(kinds: tuple[str, ...]) -> tuple[Kind, ...]:
    """Return kinds of cues, each once, in the order of `KINDS`.

    Raises
    ------
    SettingsError
        When one is unknown, or there is none.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        said = f"kinds = {unknown[0]!r} is unknown" if unknown else "no kind of cue is named"
        raise SettingsError(f"{said}; choose from: {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in kinds)
