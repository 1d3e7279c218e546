"""Training dynamics -> which labeled examples are under-represented (minority) in their class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alvin_core.errors import SettingsError
from alvin_core.settings import GroupRule, GroupSettings
from alvin_core.types import BoolArray, FloatArray, Groups, IntArray

__all__ = ["infer_groups"]


def infer_groups(
    correct: ArrayLike,
    gold_prob: ArrayLike,
    classes: ArrayLike,
    *,
    rule: GroupRule = "forgetting",
    quantile: float = 0.25,
    min_minority: float = 0.05,
    min_majority: int = 1,
    attributes: Sequence[str] | NDArray[np.str_] | None = None,
) -> Groups:
    """Infer the minority examples of each class from how training went.

    Parameters
    ----------
    correct : array_like of bool, shape (n_epochs, n_labeled)
        Whether each labeled example was predicted right after each epoch.
    gold_prob : array_like of float, shape (n_epochs, n_labeled)
        The probability given to each example's own class, in [0, 1].
    classes : array_like of int, shape (n_labeled,)
    rule : {"forgetting", "confidence", "variability", "known"}
        ``forgetting``: right once and wrong after the next epoch, or never right. ``confidence``: among the
        lowest ``quantile`` of mean gold probability of its class. ``variability``: among the highest ``quantile``
        of the gold probability's standard deviation. ``known``: its attribute is not its class's most
        frequent one; an unknown attribute (``""``) counts as majority.
    quantile : float
        Share of each class for the two quantile rules, rounded up to whole examples, in (0, 1).
    min_minority : float
        Where the rule finds fewer than ``ceil(min_minority * n_class)``, the class's examples of lowest mean gold
        probability fill it up; `Groups.filled` and `Groups.filled_classes` say where.
    min_majority : int
        At least this many examples of each class, those of highest mean gold probability, stay majority.
    attributes : sequence of str, shape (n_labeled,), optional
        Needed by ``known`` alone.

    Returns
    -------
    Groups

    Raises
    ------
    SettingsError
        For a parameter out of its range, ``known`` without attributes, or dynamics that hold NaN.

    Notes
    -----
    Korakakis et al. (2024) infer the groups from the history of predictions during training. The rules: forgetting
    events of Toneva et al. (2019), as used by Yaghoobzadeh et al. (2021); confidence and variability of
    Swayamdipta et al. (2020). Filling up and the kept majority are this project's. Equal values go by row.
    """
    GroupSettings(rule, quantile, min_minority, min_majority)  # raises on values out of range
    dynamics = _Dynamics.checked(correct, gold_prob, classes, attributes)
    found = _RULES[rule](dynamics, quantile)
    is_minority = np.zeros(len(dynamics.classes), dtype=bool)
    filled = np.zeros_like(is_minority)
    filled_classes = []
    for class_ in np.unique(dynamics.classes):
        rows = np.flatnonzero(dynamics.classes == class_)
        minority, added = _balance(found[rows], dynamics.confidence[rows], min_minority, min_majority)
        is_minority[rows], filled[rows] = minority, added
        if added.any():
            filled_classes.append(int(class_))
    return Groups(is_minority, dynamics.classes, rule, filled, tuple(filled_classes))


@dataclass(frozen=True)
class _Dynamics:
    correct: BoolArray  # (n_epochs, n_labeled)
    gold_prob: FloatArray  # (n_epochs, n_labeled)
    classes: IntArray  # (n_labeled,)
    attributes: NDArray[np.str_] | None

    @classmethod
    def checked(
        cls, correct: ArrayLike, gold_prob: ArrayLike, classes: ArrayLike, attributes: ArrayLike | None
    ) -> _Dynamics:
        right, prob = np.asarray(correct, dtype=bool), np.asarray(gold_prob, dtype=np.float64)
        labels = np.asarray(classes, dtype=np.int64)
        if right.ndim != 2 or right.shape != prob.shape or labels.shape != right.shape[1:] or not len(right):
            raise SettingsError(
                f"correct {right.shape}, gold_prob {prob.shape} and classes {labels.shape} do not fit: "
                "they must be (n_epochs, n_labeled) twice and (n_labeled,), with at least one epoch"
            )
        if not ((prob >= 0) & (prob <= 1)).all():
            raise SettingsError("gold_prob holds NaN or values outside [0, 1]; pass probabilities")
        known = None if attributes is None else np.asarray(attributes, dtype=np.str_)
        if known is not None and known.shape != labels.shape:
            raise SettingsError(f"attributes {known.shape} and classes {labels.shape} must be of one length")
        return cls(right, prob, labels, known)

    @property
    def confidence(self) -> FloatArray:
        return np.asarray(self.gold_prob.mean(axis=0))

    @property
    def variability(self) -> FloatArray:
        return np.asarray(self.gold_prob.std(axis=0))


def _forgotten(dynamics: _Dynamics, quantile: float) -> BoolArray:
    lost = (dynamics.correct[:-1] & ~dynamics.correct[1:]).any(axis=0)
    never_right = ~dynamics.correct.any(axis=0)
    return np.asarray(lost | never_right)


def _least_confident(dynamics: _Dynamics, quantile: float) -> BoolArray:
    return _lowest_of_each_class(dynamics.confidence, dynamics.classes, quantile)


def _most_variable(dynamics: _Dynamics, quantile: float) -> BoolArray:
    return _lowest_of_each_class(-dynamics.variability, dynamics.classes, quantile)


def _against_the_attribute(dynamics: _Dynamics, quantile: float) -> BoolArray:
    if dynamics.attributes is None:
        raise SettingsError("the group rule 'known' needs attributes; add an attribute column or choose another rule")
    is_minority = np.zeros(len(dynamics.classes), dtype=bool)
    for class_ in np.unique(dynamics.classes):
        rows = np.flatnonzero(dynamics.classes == class_)
        values = dynamics.attributes[rows]
        counts = Counter(value for value in values.tolist() if value)
        if counts:
            # The most frequent value; of equally frequent ones the first by name.
            usual = min(counts, key=lambda value: (-counts[value], value))
            is_minority[rows] = (values != usual) & (values != "")
    return is_minority


_RULES: dict[str, Callable[[_Dynamics, float], BoolArray]] = {
    "forgetting": _forgotten,
    "confidence": _least_confident,
    "variability": _most_variable,
    "known": _against_the_attribute,
}


def _lowest_of_each_class(values: FloatArray, classes: IntArray, quantile: float) -> BoolArray:
    chosen = np.zeros(len(values), dtype=bool)
    for class_ in np.unique(classes):
        rows = np.flatnonzero(classes == class_)
        n_lowest = math.ceil(quantile * len(rows))
        chosen[rows[np.argsort(values[rows], kind="stable")[:n_lowest]]] = True
    return chosen


def _balance(
    found: BoolArray, confidence: FloatArray, min_minority: float, min_majority: int
) -> tuple[BoolArray, BoolArray]:
    """Fill one class's minority up, or give some of it back, and tell which examples were added."""
    most = max(len(found) - min_majority, 0)
    least = min(math.ceil(min_minority * len(found)), most)
    minority = found.copy()
    # Those that leave the minority first are those the model is surest of.
    by_confidence = np.argsort(confidence, kind="stable")
    surplus = int(minority.sum()) - most
    if surplus > 0:
        minority_by_confidence = by_confidence[minority[by_confidence]]
        minority[minority_by_confidence[-surplus:]] = False
    missing = least - int(minority.sum())
    added = np.zeros_like(minority)
    if missing > 0:
        others_by_confidence = by_confidence[~minority[by_confidence]]
        added[others_by_confidence[:missing]] = True
    return minority | added, added
