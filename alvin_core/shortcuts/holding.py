"""Which examples hold which cues, as a sparse matrix of ones: tokens, n-grams, values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alvin_core.shortcuts.words import WordColumn, WordTable
from alvin_core.types import IntArray

__all__ = ["LONGEST_NGRAM", "Holding", "distinct", "ngram_holding", "rows_and_codes", "token_holding", "value_holding"]

LONGEST_NGRAM = 3  # words
WORDS_AT_ONCE = 4_000_000  # that are sorted together: 32 MB


@dataclass(frozen=True)
class Holding:
    """The cues of one kind that each example holds, each once: a sparse matrix of ones, by rows.

    Attributes
    ----------
    codes : int32 array of shape (n_held,)
        Cues, as codes from 0.
    offsets : int64 array of shape (n_rows + 1,)
        Example ``i`` holds ``codes[offsets[i]:offsets[i + 1]]``.
    n_cues : int
    name_of : callable
        From a code to the cue's name.
    """

    codes: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_cues: int
    name_of: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def held_by(self, row: int) -> list[str]:
        """Return the names of the cues that one example holds."""
        return [self.name_of(code) for code in self.codes[self.offsets[row] : self.offsets[row + 1]].tolist()]


def token_holding(table: WordTable) -> Holding:
    """Return which examples hold which tokens; of a pair, in either text."""
    return _holding(table.columns, len(table.vocabulary), table.vocabulary.__getitem__)


def ngram_holding(table: WordTable, longest: int = LONGEST_NGRAM) -> Holding:
    """Return which examples hold which n-grams of 2 to ``longest`` tokens; of a pair, within either text.

    N-grams that occur once alone are left out: they are most of all, and tell nothing.

    Parameters
    ----------
    table : WordTable
    longest : int

    Notes
    -----
    A longer n-gram can only occur twice where both shorter ones within it do (Agrawal & Srikant 1994), so that few are
    ever counted.
    """
    n_words = len(table.vocabulary)
    codes = np.concatenate([column.codes for column in table.columns])
    end_of = _text_ends(table)
    shorter, parts = codes.astype(np.int64), np.arange(n_words)[:, None]  # (n_grams, n): the words of each
    found, names, n_before = [], [], 0
    for n in range(2, longest + 1):
        starts = np.arange(max(len(codes) - n + 1, 0))
        starts = starts[(starts + n <= end_of[starts]) & (shorter[starts] >= 0) & (shorter[starts + 1] >= 0)]
        # A shorter n-gram and the word after it make the longer one.
        both = shorter[starts] * n_words + codes[starts + n - 1]
        grams, gram_of, times = np.unique(both, return_inverse=True, return_counts=True)
        is_kept = times > 1
        shorter = np.full(len(codes), -1)
        shorter[starts] = np.where(is_kept, np.cumsum(is_kept) - 1, -1)[gram_of]
        parts = np.column_stack([parts[grams[is_kept] // n_words], grams[is_kept] % n_words])
        names.append(parts)
        at = np.flatnonzero(shorter >= 0)
        found.append((at, shorter[at] + n_before))
        n_before += len(parts)
    return _ngrams(table, found, names)


def _text_ends(table: WordTable) -> NDArray[np.int64]:
    """Return, for each word of all columns one after the other, where the text that it is in ends."""
    ends, n_before = [], 0
    for column in table.columns:
        ends.append(np.repeat(column.offsets[1:] + n_before, np.diff(column.offsets)))
        n_before += len(column.codes)
    return np.concatenate(ends)


def _ngrams(
    table: WordTable, found: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], parts: Sequence[NDArray[np.int64]]
) -> Holding:
    """Bring n-grams, known by the place of their first word, to the examples that hold them."""
    sizes = np.cumsum([0, *map(len, parts)])

    def name_of(code: int) -> str:
        n = int(np.searchsorted(sizes, code, side="right")) - 1
        return " ".join(table.vocabulary[word] for word in parts[n][code - sizes[n]].tolist())

    columns, start = [], 0
    for column in table.columns:
        for at, grams in found:
            mine = (at >= start) & (at < start + len(column.codes))
            offsets = np.searchsorted(at[mine] - start, column.offsets)
            columns.append(WordColumn(grams[mine].astype(np.int32), offsets))
        start += len(column.codes)
    return _holding(columns, int(sizes[-1]), name_of)


def value_holding(values: NDArray[np.str_]) -> Holding:
    """Return which examples hold which value of an attribute; ``""`` is none."""
    names, codes = np.unique(values, return_inverse=True)
    is_known = values != ""
    n_empty = int(len(names) > 0 and names[0] == "")  # it sorts first
    known = (codes[is_known] - n_empty).astype(np.int32)
    kept = names[n_empty:].tolist()
    return Holding(known, np.concatenate([[0], np.cumsum(is_known)]), len(kept), kept.__getitem__)


def _holding(columns: Sequence[WordColumn], n_cues: int, name_of: Callable[[int], str]) -> Holding:
    """Merge columns of codes, each cue once for each row; codes ascend within a row."""
    n_rows = len(columns[0].offsets) - 1 if columns else 0
    n_codes = sum((column.offsets for column in columns), start=np.zeros(n_rows + 1, dtype=np.int64))
    codes, lengths = [np.empty(0, dtype=np.int32)], [np.zeros(1, dtype=np.int64)]
    start = 0
    while start < n_rows:
        stop = int(np.searchsorted(n_codes, n_codes[start] + WORDS_AT_ONCE, side="right")) - 1
        stop = min(max(stop, start + 1), n_rows)
        keys = distinct(np.concatenate([_keys(column, start, stop, n_cues) for column in columns]))
        rows, held = np.divmod(keys, max(n_cues, 1))
        codes.append(held.astype(np.int32))
        lengths.append(np.bincount(rows, minlength=stop - start))
        start = stop
    return Holding(np.concatenate(codes), np.cumsum(np.concatenate(lengths)), n_cues, name_of)


def distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct keys, ascending. Ten times and more as fast as ``np.unique``, which hashes them."""
    ordered = np.sort(keys)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def _keys(column: WordColumn, start: int, stop: int, n_cues: int) -> NDArray[np.int64]:
    """Return one number for each row and code of some rows."""
    offsets = column.offsets[start : stop + 1]
    rows = np.repeat(np.arange(stop - start, dtype=np.int64), np.diff(offsets))
    return rows * n_cues + column.codes[offsets[0] : offsets[-1]]


def rows_and_codes(holding: Holding, rows: IntArray) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return what some rows hold: places in ``rows`` and codes, both of shape (n_held,)."""
    starts = holding.offsets[rows]
    lengths = holding.offsets[np.asarray(rows) + 1] - starts
    places = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    at = np.arange(len(places)) + np.repeat(starts - before, lengths)
    return places, holding.codes[at]
