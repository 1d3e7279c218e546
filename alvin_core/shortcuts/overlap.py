"""How many words the two texts of a pair share: a feature of every pair, whatever its words are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alvin_core.shortcuts.holding import Holding, distinct
from alvin_core.shortcuts.words import WordColumn, WordTable
from alvin_core.types import FloatArray

__all__ = ["HIGH", "ONE_WAY", "OverlapCuts", "overlap_cuts", "overlap_holding", "overlap_names", "word_overlap"]

HIGH, LOW = "high", "low"
ONE_WAY = "one-way-"


class OverlapCuts(NamedTuple):
    """The least overlap that is called high, for each measure; NaN where all pairs share alike."""

    shared: float
    one_way: float


def overlap_names() -> tuple[str, ...]:
    """Return the names of the cues, two for each measure; ``one-way``: of the second text's words, in the first."""
    return (HIGH, LOW, ONE_WAY + HIGH, ONE_WAY + LOW)


def word_overlap(table: WordTable) -> NDArray[np.float64]:
    """Return how many words the texts of each pair share.

    Parameters
    ----------
    table : WordTable
        Of two columns.

    Returns
    -------
    float64 array of shape (n_rows, 2)
        First the words in both texts ÷ the words in either (Jaccard). Then the share of the second text's words that
        the first holds. Each distinct word counts once. In [0, 1]; NaN where nothing is to be divided by.

    Notes
    -----
    A share of 1 in the second column is the "lexical overlap" of HANS (McCoy et al. 2019); the first column suits tasks
    that know no order, as PAWS (Zhang et al. 2019).
    """
    first, second = (_keys(column, len(table.vocabulary)) for column in table.columns)
    n_rows, n_words = len(table), max(len(table.vocabulary), 1)
    shared = np.intersect1d(first, second, assume_unique=True)
    n_first, n_second, n_shared = (np.bincount(keys // n_words, minlength=n_rows) for keys in (first, second, shared))
    with np.errstate(invalid="ignore"):
        return np.column_stack([n_shared / (n_first + n_second - n_shared), n_shared / n_second])


def _keys(column: WordColumn, n_words: int) -> NDArray[np.int64]:
    """Return one number for each row and word in it, ascending, each once."""
    return distinct(column.rows.astype(np.int64) * n_words + column.codes)


def overlap_cuts(overlaps: FloatArray) -> OverlapCuts:
    """Return where high overlap begins: at the median, so that the two bins are as even as ties allow.

    Parameters
    ----------
    overlaps : float array of shape (n, 2)
        Of `word_overlap`, of the pairs that decide: the bins must not move when others are looked at.
    """
    return OverlapCuts(*(_cut(overlaps[:, measure]) for measure in range(2)))


def _cut(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan")
    values, n = np.unique(known, return_counts=True)
    if len(values) == 1:
        return float("nan")
    n_below = np.cumsum(n)[:-1]  # if the cut is at the next value
    return float(values[1:][np.abs(2 * n_below - len(known)).argmin()])


def overlap_holding(overlaps: FloatArray, cuts: OverlapCuts) -> Holding:
    """Return which pairs have a high and which a low overlap, by each measure."""
    names = overlap_names()
    codes = np.full(overlaps.shape, -1, dtype=np.int32)
    for measure, cut in enumerate(cuts):
        values = overlaps[:, measure]
        is_binned = ~np.isnan(values) & ~np.isnan(cut)
        codes[is_binned, measure] = 2 * measure + (values[is_binned] < cut)
    is_held = codes >= 0
    offsets = np.concatenate([[0], np.cumsum(is_held.sum(axis=1))])
    return Holding(codes[is_held], offsets, len(names), names.__getitem__)
