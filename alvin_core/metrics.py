"""What is measured of a model and of a selection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.points import nearest_to_points
from alvin_core.strategies.ranking import entropy_of
from alvin_core.types import Float32Array, FloatArray, IdArray, IntArray

__all__ = [
    "accuracy",
    "distances_to_labeled",
    "evaluate",
    "group_names",
    "jaccard",
    "macro_f1",
    "share_of",
    "uncertainty_of",
]


def accuracy(gold: IntArray, predicted: IntArray) -> float:
    """Share of examples predicted right, in [0, 1]."""
    return float(np.mean(gold == predicted))


def macro_f1(gold: IntArray, predicted: IntArray) -> float:
    """Unweighted mean of the F1 of every class that is in ``gold`` or ``predicted``, in [0, 1]."""
    scores = []
    for class_ in np.union1d(gold, predicted):
        n_hit = np.count_nonzero((gold == class_) & (predicted == class_))
        n_seen = np.count_nonzero(gold == class_) + np.count_nonzero(predicted == class_)
        scores.append(2 * n_hit / n_seen)
    return float(np.mean(scores))


def group_names(labels: IntArray, classes: Sequence[str], attributes: NDArray[np.str_]) -> NDArray[np.object_]:
    """Name the group of each example, ``class × attribute``; None where the label or the attribute is unknown."""
    values, value_rows = np.unique(attributes, return_inverse=True)
    # One name for each class and value, made once; the last row is for -1, which is unlabeled.
    table = np.full((len(classes) + 1, len(values)), None, dtype=object)
    for column in np.flatnonzero(values != ""):
        table[:-1, column] = [f"{name} × {values[column]}" for name in classes]
    return np.asarray(table[labels, value_rows])


def evaluate(
    gold: IntArray, probs: FloatArray, classes: Sequence[str], attributes: NDArray[np.str_] | None
) -> dict[str, Any]:
    """Evaluate predictions on one split.

    Parameters
    ----------
    gold : int array of shape (n,)
    probs : float array of shape (n, n_classes)
    classes : sequence of str
    attributes : str array of shape (n,), optional
        Where given, accuracy for each group (class × attribute) as well.

    Returns
    -------
    dict
        ``n``, ``accuracy``, ``macro_f1``, ``groups`` (group -> ``{"n", "accuracy"}``), ``worst_group`` and
        ``worst_group_accuracy`` (both None without groups).

    Notes
    -----
    Worst-group accuracy as in Sagawa et al. (2020); of equally bad groups the first by name.
    """
    predicted = probs.argmax(axis=1)
    result: dict[str, Any] = {
        "n": len(gold),
        "accuracy": accuracy(gold, predicted),
        "macro_f1": macro_f1(gold, predicted),
        "groups": {},
        "worst_group": None,
        "worst_group_accuracy": None,
    }
    if attributes is None:
        return result
    names = group_names(gold, classes, attributes)
    in_group = names != None  # noqa: E711  (element by element)
    found, group_of = np.unique(names[in_group].astype(np.str_), return_inverse=True)
    sizes = np.bincount(group_of, minlength=len(found))
    n_right = np.bincount(group_of, weights=(gold == predicted)[in_group], minlength=len(found))
    for name, size, right in zip(found.tolist(), sizes.tolist(), n_right.tolist(), strict=True):
        result["groups"][name] = {"n": size, "accuracy": right / size}
    if result["groups"]:
        worst = min(result["groups"], key=lambda name: result["groups"][name]["accuracy"])
        result["worst_group"] = worst
        result["worst_group_accuracy"] = result["groups"][worst]["accuracy"]
    return result


def uncertainty_of(probs: FloatArray) -> dict[str, float | None]:
    """Mean confidence (largest probability, in [0, 1]) and mean entropy (nats) of some predictions."""
    if not len(probs):
        return {"mean_confidence": None, "mean_entropy": None}
    return {
        "mean_confidence": float(probs.max(axis=1).mean(dtype=np.float64)),
        "mean_entropy": float(entropy_of(probs).mean()),
    }


def jaccard(first: IdArray, second: IdArray) -> float | None:
    """Size of the intersection over the size of the union; None when both are empty."""
    n_both = len(np.intersect1d(first, second))
    n_either = len(np.union1d(first, second))
    return n_both / n_either if n_either else None


def share_of(names: Sequence[str | None]) -> dict[str, float]:
    """Share of each name among those that are known, sorted by name."""
    known = [name for name in names if name is not None]
    return {name: known.count(name) / len(known) for name in sorted(set(known))}


def distances_to_labeled(selected: Float32Array, labeled: Float32Array) -> FloatArray:
    """Euclidean distance from each selected example to its nearest labeled one.

    Parameters
    ----------
    selected : float array of shape (n_selected, dim)
        Read as float32.
    labeled : float array of shape (n_labeled, dim)
        At least one.

    Returns
    -------
    float64 array of shape (n_selected,)

    Notes
    -----
    Their mean is a measure of diversity: a selection that repeats what is labeled lies near 0.
    """
    return nearest_to_points(selected, labeled, k=1)[1][:, 0]
