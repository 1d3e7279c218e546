"""Tests of paired differences, and the correction for making many of them."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from alvin_core.types import BoolArray, FloatArray, IntArray

__all__ = [
    "benjamini_hochberg_corrected",
    "holm_corrected",
    "reachable_p",
    "sign_flip_p",
    "smallest_corrected",
    "t_test_p",
]

EXACT_SEEDS = 30  # up to here every sign pattern is counted; two halves of 2^15 sums make that a matter of milliseconds
N_DRAWS = 100_000  # random sign patterns beyond it
AT_ONCE = 10_000  # of them in memory, 80 bytes each at 10 seeds
ROUNDING = 1e-12  # a sum of flipped differences this near the observed one, relative to their size, is equal to it


def t_test_p(n: IntArray, mean: FloatArray, sd: FloatArray) -> NDArray[np.float64]:
    """Two-sided p of the paired t-test, of shape (n_rows,); 1 where the mean is 0 or n is below 2.

    Parameters
    ----------
    n, mean, sd : arrays of shape (n_rows,)
        Of the differences. A row whose sd is 0 while its mean is not has no t; the caller tests it otherwise.

    Notes
    -----
    Student (1908).
    """
    from scipy.special import stdtr

    tested = (n > 1) & (mean != 0) & (sd > 0)
    t = np.abs(mean[tested]) / (sd[tested] / np.sqrt(n[tested]))
    p = np.ones(len(n))
    p[tested] = 2 * stdtr(n[tested] - 1, -t)
    return p


def sign_flip_p(differences: FloatArray) -> float:
    """Two-sided p of the sign-flip test of a mean difference of 0.

    Parameters
    ----------
    differences : float array of shape (n_seeds,)
        Without NaN.

    Returns
    -------
    float
        The share of the ``2^n`` sign patterns that make the mean at least as far from 0 as it is, so at least
        ``2^(1 - n)``. Beyond 30 seeds 100,000 random patterns stand for all of them, always the same ones for one n,
        and the observed pattern counts as one more, so that p is never 0 and never too small on average.

    Notes
    -----
    Fisher (1935); the random version as in Phipson & Smyth (2010). Holds whenever differences are symmetric around 0
    under the null hypothesis, which exchanging the two arms guarantees. All patterns are counted without listing them:
    the sums of one half of the seeds are looked up among the sorted sums of the other.
    """
    sizes = np.sort(np.abs(np.asarray(differences, dtype=np.float64)))
    least = abs(float(np.sum(differences))) - ROUNDING * float(sizes.sum())
    if least <= 0:
        return 1.0
    if len(sizes) > EXACT_SEEDS:
        return (_n_drawn_beyond(sizes, least) + 1) / (N_DRAWS + 1)
    first, second = _sign_sums(sizes[::2]), np.sort(_sign_sums(sizes[1::2]))
    n_above = len(first) * len(second) - int(np.searchsorted(second, least - first).sum())
    return n_above * 0.5 ** (len(sizes) - 1)  # as many patterns lie as far below 0


def _sign_sums(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of ``sizes`` under each of the 2^n sign patterns."""
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums + size, sums - size])
    return sums


def _n_drawn_beyond(sizes: NDArray[np.float64], least: float) -> int:
    """How many of the random sign patterns bring the sum at least ``least`` away from 0."""
    rng = np.random.default_rng([len(sizes), crc32(b"sign-flip")])
    n_beyond = 0
    for _ in range(N_DRAWS // AT_ONCE):
        signs = 2 * rng.integers(2, size=(AT_ONCE, len(sizes)), dtype=np.int8) - 1
        n_beyond += int(np.count_nonzero(np.abs(signs @ sizes) >= least))
    return n_beyond


def reachable_p(n: IntArray, by_sign_flip: BoolArray) -> NDArray[np.float64]:
    """Smallest uncorrected p that each row's test can give at its n, of shape (n_rows,)."""
    patterns = np.maximum(0.5 ** (np.maximum(n, 1) - 1.0), np.where(n > EXACT_SEEDS, 1 / (N_DRAWS + 1), 0))
    return np.asarray(np.where(by_sign_flip, patterns, np.where(n > 1, 0.0, 1.0)))


def holm_corrected(p: FloatArray) -> NDArray[np.float64]:
    """Correct p-values for their number, so that one false claim among all of them is as rare as the level says.

    Parameters
    ----------
    p : float array of shape (n_comparisons,)

    Returns
    -------
    float64 array of shape (n_comparisons,)
        In the order of ``p``, never below it, at most 1.

    Notes
    -----
    Holm (1979): the i-th smallest of m is multiplied by m − i + 1, and none may be smaller than one before it. Needs no
    independence, which the measures of one run do not have.
    """
    order, stepped = _holm_steps(np.asarray(p, dtype=np.float64))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def benjamini_hochberg_corrected(p: FloatArray) -> NDArray[np.float64]:
    """Correct p-values for their number, so that of all claims made the level says what share is false on average.

    Parameters
    ----------
    p : float array of shape (n_comparisons,)

    Returns
    -------
    float64 array of shape (n_comparisons,)
        In the order of ``p``, never below it, at most 1.

    Notes
    -----
    Benjamini & Hochberg (1995): the i-th smallest of m is multiplied by m ÷ i, and none may be greater than one after
    it. Holds for independent tests and for those that depend on each other positively (Benjamini & Yekutieli 2001).
    Claims more than `holm_corrected`, and promises less.
    """
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given, kind="stable")[::-1]
    stepped = np.minimum.accumulate(given[order] * (len(given) / np.arange(len(given), 0, -1)))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def _holm_steps(p: NDArray[np.float64]) -> tuple[IntArray, NDArray[np.float64]]:
    """Rows by ascending p, and Holm's corrected p of each place, not yet cut at 1."""
    order = np.argsort(p, kind="stable")
    return order, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))


def smallest_corrected(p: NDArray[np.float64], reachable: NDArray[np.float64]) -> NDArray[np.float64]:
    """What Holm's correction would make of each row's smallest reachable p, the other rows being as they are.

    Parameters
    ----------
    p, reachable : float arrays of shape (n_comparisons,)
        With ``reachable <= p``.

    Returns
    -------
    float64 array of shape (n_comparisons,)
    """
    order, stepped = _holm_steps(p)
    n_before = np.searchsorted(p[order], reachable)  # rows that stay in front; never the row itself
    before = np.concatenate([[0.0], stepped])[n_before]
    return np.asarray(np.minimum(np.maximum(before, (len(p) - n_before) * reachable), 1))
