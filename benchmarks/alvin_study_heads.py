"""The variants of ours that the study tried: a linear head beside the model, and a contrast of distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from alvin_study_selecting import Moment, Picked, Space, draw_anchors

from alvin_core.settings import AlvinSettings
from alvin_core.strategies.ranking import entropy_of, rank_by_score
from alvin_core.types import Float32Array, FloatArray, IntArray

Score = Literal["flip", "entropy", "js"]
N_PAIRS = 400  # of each class, one anchor each


@dataclass(frozen=True)
class Disagreement:
    """What a linear head, trained to the end, is surest that the model gets wrong. [ours]

    The head is a multinomial logistic regression on ``space``, fitted to

    - ``balanced``: the labeled set, minority and majority of each class weighing alike,
    - ``labeled``: the labeled set as it is, so without groups and anchors: the ablation,
    - ``anchors``: interpolated anchors.

    Attributes
    ----------
    score : {"flip", "entropy", "js"}
        1 − q(the model's prediction); the entropy of q; the Jensen-Shannon divergence of q and the model.
    among : int or None
        Rank only the ``among`` × budget examples of highest entropy under the model.
    """

    fitted_to: Literal["balanced", "labeled", "anchors"] = "balanced"
    score: Score = "flip"
    space: Space = "encoder"
    decay: float = 0.01
    beta: float | None = None
    alpha: float = 2.0
    among: int | None = None

    def __call__(self, moment: Moment, budget: int, rng: np.random.Generator) -> Picked:
        labeled, pool = moment.vectors[self.space]
        points, classes, weights = self._examples(moment, labeled, rng)
        exact = labeled.astype(np.float64)
        centre = exact.mean(axis=0)
        scale = np.sqrt(((exact - centre) ** 2).mean())
        head = fit_linear((points - centre) / scale, classes, moment.probs.shape[1], weights, self.decay)
        second = np.exp(_log_softmax((pool - centre) / scale @ head[0] + head[1]))  # (n_pool, n_classes)
        scores = self._scores(np.asarray(moment.probs, dtype=np.float64), second)
        if self.among is not None:
            certainty = -entropy_of(moment.probs)
            limit = np.sort(certainty)[min(self.among * budget, len(certainty)) - 1]
            scores = np.where(certainty <= limit, scores, scores - 1e6)
        rows = rank_by_score(scores, moment.ids)[:budget]
        return Picked(rows, is_contradicted=second.argmax(axis=1) != moment.probs.argmax(axis=1))

    def _examples(
        self, moment: Moment, labeled: Float32Array, rng: np.random.Generator
    ) -> tuple[FloatArray, IntArray, FloatArray]:
        if self.fitted_to == "anchors":
            settings = AlvinSettings(alpha=self.alpha, n_anchors=1, max_pairs=N_PAIRS)
            anchors = draw_anchors(moment, labeled, settings, self.beta, rng)
            return anchors.vectors.astype(np.float64), anchors.classes, np.ones(len(anchors))
        weights = np.ones(len(labeled))
        if self.fitted_to == "balanced":
            cells = 2 * moment.classes + moment.groups.is_minority
            _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
            weights = 1.0 / sizes[cell]
        return labeled.astype(np.float64), moment.classes, weights

    def _scores(self, first: FloatArray, second: FloatArray) -> FloatArray:
        if self.score == "flip":
            return np.asarray(1.0 - second[np.arange(len(second)), first.argmax(axis=1)])
        if self.score == "entropy":
            return entropy_of(second)
        return entropy_of((first + second) / 2) - (entropy_of(first) + entropy_of(second)) / 2


@dataclass(frozen=True)
class Contrast:
    """Nearer to an anchor of another class than to the majority of the predicted one. [ours]"""

    def __call__(self, moment: Moment, budget: int, rng: np.random.Generator) -> Picked:
        labeled, pool = moment.vectors["encoder"]
        anchors = draw_anchors(moment, labeled, AlvinSettings(n_anchors=1, max_pairs=N_PAIRS), None, rng)
        predicted = moment.probs.argmax(axis=1)
        scores = np.full(len(pool), -1e9)
        for class_ in range(moment.probs.shape[1]):
            rows = np.flatnonzero(predicted == class_)
            majority = labeled[(moment.classes == class_) & ~moment.groups.is_minority]
            others = anchors.vectors[anchors.classes != class_]
            if len(rows) and len(majority) and len(others):
                to_own, to_others = (distances(pool[rows], points).min(axis=1) for points in (majority, others))
                scores[rows] = to_own - to_others
        return Picked(rank_by_score(scores, moment.ids)[:budget])


def distances(first: FloatArray, second: FloatArray) -> FloatArray:
    """Euclidean distances, of shape (n_first, n_second)."""
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squared, 0)))


def fit_linear(
    points: FloatArray, classes: IntArray, n_classes: int, weights: FloatArray, decay: float
) -> tuple[FloatArray, FloatArray]:
    """Fit a multinomial logistic regression: weighted mean loss + decay / 2 · |W|², L-BFGS from 0, 60 iterations."""
    from scipy.optimize import minimize

    dim = points.shape[1]
    gold = np.eye(n_classes)[classes]
    shares = (weights / weights.sum())[:, None]

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        weight, bias = theta[: dim * n_classes].reshape(dim, n_classes), theta[dim * n_classes :]
        logs = _log_softmax(points @ weight + bias)
        slope = (np.exp(logs) - gold) * shares
        value = 0.5 * decay * (weight**2).sum() - (shares * gold * logs).sum()
        return float(value), np.concatenate([(points.T @ slope + decay * weight).ravel(), slope.sum(axis=0)])

    start = np.zeros((dim + 1) * n_classes)
    theta = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60}).x
    return theta[: dim * n_classes].reshape(dim, n_classes), theta[dim * n_classes :]


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
