"""Training dynamics -> which labeled examples are under-represented (minority) in their class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alvin_core.errors import SettingsError
from alvin_core.settings import GroupRule, GroupSettings
from alvin_core.types import BoolArray, FloatArray, Groups, IntArray, TrainingDynamics

__all__ = ["class_rows", "infer_groups"]

Attributes = Sequence[str | None] | NDArray[np.str_]


def infer_groups(
    correct: ArrayLike,
    gold_prob: ArrayLike,
    classes: ArrayLike,
    *,
    rule: GroupRule = "forgetting",
    quantile: float = 0.25,
    min_minority: float = 0.05,
    min_majority: int = 1,
    attributes: Attributes | None = None,
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
        frequent one; an unknown attribute (``""``, None or NaN) counts as majority.
    quantile : float
        Share of each class for the two quantile rules, rounded up to whole examples, in (0, 1).
    min_minority : float
        Where the rule finds fewer than ``ceil(min_minority * n_class)``, the class's examples of lowest mean gold
        probability fill it up; `Groups.filled` and `Groups.filled_classes` say where.
    min_majority : int
        At least this many examples of each class, those of highest mean gold probability, stay majority.
    attributes : sequence of str or None, shape (n_labeled,), optional
        Needed by ``known`` alone.

    Returns
    -------
    Groups

    Raises
    ------
    SettingsError
        For a parameter out of its range, ``known`` without attributes, classes that are no whole numbers, or dynamics
        that hold NaN.

    Notes
    -----
    Korakakis et al. (2024) infer the groups from the history of predictions during training. The rules: forgetting
    events of Toneva et al. (2019), as used by Yaghoobzadeh et al. (2021); confidence and variability of
    Swayamdipta et al. (2020). Filling up and the kept majority are this project's. Equal values go by row.
    """
    GroupSettings(rule, quantile, min_minority, min_majority)  # raises on values out of range
    evidence = _Evidence.checked(correct, gold_prob, classes, attributes)
    found = _RULES[rule](evidence, quantile)
    confidence = evidence.dynamics.confidence
    is_minority = np.zeros(len(evidence.classes), dtype=bool)
    filled = np.zeros_like(is_minority)
    filled_classes = []
    for class_ in np.unique(evidence.classes):
        rows = np.flatnonzero(evidence.classes == class_)
        minority, added = _balance(found[rows], confidence[rows], min_minority, min_majority)
        is_minority[rows], filled[rows] = minority, added
        if added.any():
            filled_classes.append(int(class_))
    return Groups(is_minority, evidence.classes, rule, filled, tuple(filled_classes))


def class_rows(classes: ArrayLike) -> IntArray:
    """Return classes as whole numbers.

    Raises
    ------
    SettingsError
        When they are something else, such as names: cut down to whole numbers they would be other classes.
    """
    given = np.asarray(classes)
    if given.size and (given.dtype.kind not in "biuf" or not (given == np.floor(given)).all()):
        first = given.ravel()[0]
        raise SettingsError(f"classes must be whole numbers, found {given.dtype} such as {first!s}; number the classes")
    return given.astype(np.int64)


@dataclass(frozen=True)
class _Evidence:
    dynamics: TrainingDynamics
    classes: IntArray  # (n_labeled,)
    attributes: NDArray[np.str_] | None

    @classmethod
    def checked(
        cls, correct: ArrayLike, gold_prob: ArrayLike, classes: ArrayLike, attributes: Attributes | None
    ) -> _Evidence:
        right, prob = np.asarray(correct, dtype=bool), np.asarray(gold_prob, dtype=np.float64)
        labels = class_rows(classes)
        if right.ndim != 2 or right.shape != prob.shape or labels.shape != right.shape[1:] or not len(right):
            raise SettingsError(
                f"correct {right.shape}, gold_prob {prob.shape} and classes {labels.shape} do not fit: "
                "they must be (n_epochs, n_labeled) twice and (n_labeled,), with at least one epoch"
            )
        if not ((prob >= 0) & (prob <= 1)).all():
            raise SettingsError("gold_prob holds NaN or values outside [0, 1]; pass probabilities")
        known = None if attributes is None else _names(attributes)
        if known is not None and known.shape != labels.shape:
            raise SettingsError(f"attributes {known.shape} and classes {labels.shape} must be of one length")
        return cls(TrainingDynamics(np.arange(len(labels)), right, prob), labels, known)


def _names(attributes: Attributes) -> NDArray[np.str_]:
    """Return attributes as strings, ``""`` where unknown; a plain conversion makes a value of None."""
    given = np.asarray(attributes, dtype=object)
    known = ["" if one is None or (isinstance(one, float) and math.isnan(one)) else str(one) for one in given.flat]
    return np.asarray(known, dtype=np.str_).reshape(given.shape)


def _forgotten(evidence: _Evidence, quantile: float) -> BoolArray:
    never_right = ~evidence.dynamics.correct.any(axis=0)
    return np.asarray((evidence.dynamics.n_forgotten > 0) | never_right)


def _least_confident(evidence: _Evidence, quantile: float) -> BoolArray:
    return _lowest_of_each_class(evidence.dynamics.confidence, evidence.classes, quantile)


def _most_variable(evidence: _Evidence, quantile: float) -> BoolArray:
    return _lowest_of_each_class(-evidence.dynamics.variability, evidence.classes, quantile)


def _against_the_attribute(evidence: _Evidence, quantile: float) -> BoolArray:
    if evidence.attributes is None:
        raise SettingsError("the group rule 'known' needs attributes; add an attribute column or choose another rule")
    is_minority = np.zeros(len(evidence.classes), dtype=bool)
    for class_ in np.unique(evidence.classes):
        rows = np.flatnonzero(evidence.classes == class_)
        values = evidence.attributes[rows]
        counts = Counter(value for value in values.tolist() if value)
        if counts:
            # The most frequent value; of equally frequent ones the first by name.
            usual = min(counts, key=lambda value: (-counts[value], value))
            is_minority[rows] = (values != usual) & (values != "")
    return is_minority


_RULES: dict[str, Callable[[_Evidence, float], BoolArray]] = {
    "forgetting": _forgotten,
    "confidence": _least_confident,
    "variability": _most_variable,
    "known": _against_the_attribute,
}


def _lowest_of_each_class(values: FloatArray, classes: IntArray, quantile: float) -> BoolArray:
    chosen = np.zeros(len(values), dtype=bool)
    for class_ in np.unique(classes):
        rows = np.flatnonzero(classes == class_)
        n_lowest = _rounded_up(quantile, len(rows))
        chosen[rows[np.argsort(values[rows], kind="stable")[:n_lowest]]] = True
    return chosen


def _rounded_up(share: float, n: int) -> int:
    """Return a share of n, rounded up: 0.07 of 100 are 7, although the floating-point product is a little more."""
    return math.ceil(Fraction(str(float(share))) * n)


def _balance(
    found: BoolArray, confidence: FloatArray, min_minority: float, min_majority: int
) -> tuple[BoolArray, BoolArray]:
    """Fill one class's minority up, or give some of it back, and tell which examples were added."""
    most = max(len(found) - min_majority, 0)
    least = min(_rounded_up(min_minority, len(found)), most)
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
