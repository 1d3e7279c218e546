"""Seeded stratified draws: a test split where the data names none, and the initial labeled set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import PoolError, SettingsError
from alvin_core.types import FloatArray, IntArray

__all__ = ["draw_initial", "stratified_split"]


def stratified_split(labels: IntArray, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a share of the labeled rows, class by class in the classes' own proportions.

    Parameters
    ----------
    labels : int array of shape (n,)
        Class of each row; rows below 0 have no label and are never drawn.
    share : float
        Share of the labeled rows to draw, in (0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    int array of shape (n_drawn,)
        The drawn rows, ascending. A class with one row keeps it; a larger one gives and keeps at least one.

    Raises
    ------
    SettingsError
        When the share is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise SettingsError(f"share = {share} of the rows is out of range; it must be above 0 and below 1")
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    least = np.minimum(1, counts - 1)
    most = counts - 1
    n = int(np.clip(round(share * counts.sum()), least.sum(), most.sum()))
    return _draw(labels, classes, _allocate(share * counts, n, least, most), rng)


def draw_initial(labels: IntArray, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the initial labeled set: ``n`` random rows, stratified by class.

    Parameters
    ----------
    labels : int array of shape (n_pool,)
        Class of each pool row; rows below 0 have no label and are never drawn.
    n : int
        How many rows to draw.
    rng : numpy.random.Generator

    Returns
    -------
    int array of shape (n,)
        The drawn rows, ascending: each class in proportion by largest remainder (ties to the lower class), and
        at least one row of each class where ``n`` allows.

    Raises
    ------
    PoolError
        When ``n`` is negative or above the number of labeled rows.
    """
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    n_labeled = int(counts.sum())
    if n > n_labeled:
        raise PoolError(f"asked for {n} initial examples, {n_labeled} pool rows have a label; ask for fewer")
    if n < 0:
        raise PoolError(f"asked for {n} initial examples; ask for 0 or more")
    least = np.full(len(classes), 1 if n >= len(classes) else 0)
    return _draw(labels, classes, _allocate(n * counts / max(1, n_labeled), n, least, counts), rng)


def _allocate(quotas: FloatArray, n: int, least: NDArray[np.int64], most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Round quotas to integers that sum to ``n`` by largest remainder, each within its bounds; shape (n_classes,)."""
    seats: NDArray[np.int64] = np.clip(np.floor(quotas).astype(np.int64), least, most)
    while seats.sum() < n:
        remainders = np.where(seats < most, quotas - seats, -np.inf)
        seats[np.argmax(remainders)] += 1
    while seats.sum() > n:
        remainders = np.where(seats > least, quotas - seats, np.inf)
        seats[np.argmin(remainders)] -= 1
    return seats


def _draw(labels: IntArray, classes: IntArray, seats: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    order = np.argsort(labels, kind="stable")  # rows of one class stand together
    starts = np.searchsorted(labels[order], classes)
    stops = np.searchsorted(labels[order], classes, side="right")
    drawn = [
        rng.choice(order[start:stop], size=n_rows, replace=False)
        for start, stop, n_rows in zip(starts.tolist(), stops.tolist(), seats.tolist(), strict=True)
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int64) if drawn else np.empty(0, dtype=np.int64)
