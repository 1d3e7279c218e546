"""The recorder of training dynamics: what each epoch did to each labeled example."""

from __future__ import annotations

import numpy as np

from alvin_core.types import BoolArray, Float32Array, FloatArray, IdArray, IntArray, TrainingDynamics, check_lengths

__all__ = ["DynamicsRecorder"]


class DynamicsRecorder:
    """Collects, epoch by epoch, how evaluation mode predicts the labeled examples.

    Parameters
    ----------
    ids : array of shape (n_labeled,)
    classes : int array of shape (n_labeled,)
        The gold class of each example.

    Notes
    -----
    The two quantities that dataset cartography (Swayamdipta et al. 2020) and forgetting events (Toneva et al.
    2019) are computed from. Differs from the latter: all examples are looked at together after each epoch, not
    each one when its batch comes up.
    """

    def __init__(self, ids: IdArray, classes: IntArray) -> None:
        check_lengths("DynamicsRecorder", ids=ids, classes=classes)
        self.ids = ids
        self._classes = classes
        self._correct: list[BoolArray] = []
        self._gold_prob: list[Float32Array] = []

    def record(self, probs: FloatArray) -> None:
        """Add one epoch.

        Parameters
        ----------
        probs : float array of shape (n_labeled, n_classes)
            Finite probabilities; an example counts as right when its class is the first of the likeliest.
        """
        check_lengths("DynamicsRecorder", probs=probs, classes=self._classes)
        gold = probs[np.arange(len(probs)), self._classes]
        self._correct.append(probs.argmax(axis=1) == self._classes)
        self._gold_prob.append(gold.astype(np.float32))

    def finish(self) -> TrainingDynamics:
        """Return everything recorded so far, one row an epoch."""
        n_labeled = len(self.ids)
        correct = np.asarray(self._correct, dtype=bool).reshape(-1, n_labeled)
        gold_prob = np.asarray(self._gold_prob, dtype=np.float32).reshape(-1, n_labeled)
        return TrainingDynamics(ids=self.ids, correct=correct, gold_prob=gold_prob)
