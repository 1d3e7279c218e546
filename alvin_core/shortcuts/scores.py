"""How strongly a cue goes with a class, and whether chance alone would make it so."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alvin_core.statistics import benjamini_hochberg_corrected, holm_corrected
from alvin_core.types import FloatArray, IntArray

__all__ = [
    "BASES",
    "CORRECTIONS",
    "Base",
    "Correction",
    "base_shares",
    "binomial_p",
    "competency_z",
    "corrected",
    "local_mutual_information",
]

Base = Literal["observed", "uniform"]
Correction = Literal["holm", "benjamini-hochberg"]
BASES: tuple[Base, ...] = get_args(Base)
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)


def base_shares(n_class: IntArray, base: Base = "observed") -> NDArray[np.float64]:
    """Return p₀, the share of each class that a cue which tells nothing has, of shape (n_classes,).

    Parameters
    ----------
    n_class : int array of shape (n_classes,)
        Examples of each class in the set.
    base : {"observed", "uniform"}
        ``observed`` [ours]: each class's share in the set, since classes are seldom even. ``uniform``: 1 ÷ the number
        of classes, as Gardner et al. (2021) have it.
    """
    if base == "uniform":
        return np.full(len(n_class), 1 / len(n_class))
    return np.asarray(n_class / max(int(n_class.sum()), 1), dtype=np.float64)


def competency_z(n_label: ArrayLike, n: ArrayLike, base: ArrayLike) -> NDArray[np.float64]:
    """Return the competency z-statistic: how far the class's share is from p₀, in standard errors.

    Parameters
    ----------
    n_label : array_like of int
        Examples of the class among those that hold the cue.
    n : array_like of int
        Examples that hold the cue.
    base : array_like of float
        p₀ of the class, in (0, 1).

    Returns
    -------
    float64 array, of the shape that the three make together
        NaN where ``n`` is 0, or p₀ is 0 or 1: then there is nothing to compare.

    Notes
    -----
    Gardner et al. (2021): ``z = (p̂ − p₀) / sqrt(p₀ (1 − p₀) / n)`` with ``p̂ = n_label / n``.
    """
    counts, total, p0 = (np.asarray(one, dtype=np.float64) for one in (n_label, n, base))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (counts / total - p0) / np.sqrt(p0 * (1 - p0) / total)
    return np.where((total > 0) & (p0 > 0) & (p0 < 1), z, np.nan)


def local_mutual_information(n_label: ArrayLike, n: ArrayLike, n_class: ArrayLike, n_set: int) -> NDArray[np.float64]:
    """Return the local mutual information of a cue and a class, in nats.

    Parameters
    ----------
    n_label, n : array_like of int
        Examples of the class that hold the cue, and all that hold it.
    n_class : array_like of int
        Examples of the class.
    n_set : int
        All examples of the set.

    Returns
    -------
    float64 array, of the shape that the first three make together
        0 where no example of the class holds the cue.

    Notes
    -----
    Schuster et al. (2019): ``p(cue, class) · log(p(class | cue) / p(class))``. Differs: counted in examples,
    theirs in occurrences. Unlike z it rates a frequent cue above a rare one of the same share.
    """
    counts, total, of_class = (np.asarray(one, dtype=np.float64) for one in (n_label, n, n_class))
    with np.errstate(divide="ignore", invalid="ignore"):
        information = counts / n_set * np.log(counts / total / (of_class / n_set))
    return np.where(counts > 0, information, 0.0)


def binomial_p(n_label: ArrayLike, n: ArrayLike, base: ArrayLike) -> NDArray[np.float64]:
    """Return the exact two-sided p of a share, if each holder of the cue had the class with chance p₀.

    It tests what the competency z measures; z itself is normal only where ``n`` is large, and a cue is often rare.

    Parameters
    ----------
    n_label, n : array_like of int
    base : array_like of float
        p₀ of the class, in (0, 1).

    Returns
    -------
    float64 array, of the shape that the three make together
        Twice the smaller tail of the binomial distribution, at most 1; NaN where p₀ is 0 or 1.

    Notes
    -----
    Clopper & Pearson (1934). With p₀ from the set itself, holders included, the test is on the safe side: the exact
    one (Fisher's, given how many of each class there are) would give smaller p for a cue that much of the set holds.
    """
    from scipy.special import betainc

    k, total, p0 = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (n_label, n, base)))
    can_be = (p0 > 0) & (p0 < 1)
    inner = np.where(can_be, p0, 0.5)
    # P(X ≥ k) and P(X ≤ k) as incomplete beta functions, which stay exact far out where a sum would be 1 − 1.
    at_least = np.where(k > 0, betainc(np.maximum(k, 1), total - k + 1, inner), 1.0)
    at_most = np.where(k < total, betainc(np.maximum(total - k, 1), k + 1, 1 - inner), 1.0)
    return np.where(can_be, np.minimum(2 * np.minimum(at_least, at_most), 1.0), np.nan)


def corrected(p: FloatArray, correction: Correction = "holm") -> NDArray[np.float64]:
    """Correct p-values for their number, by the named method; of shape (n,)."""
    if correction == "holm":
        return holm_corrected(p)
    return benjamini_hochberg_corrected(p)
