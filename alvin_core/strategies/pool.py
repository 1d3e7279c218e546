"""What a strategy is handed: the pool, the labeled set, and what the model says of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from alvin_core.errors import PoolError
from alvin_core.progress import Progress, silent
from alvin_core.settings import RunSettings
from alvin_core.types import BoolArray, Float32Array, FloatArray, Groups, IdArray, IntArray, check_lengths

__all__ = ["DrawProbs", "LabeledSet", "Pool", "PoolSlice", "Readout", "check_probs"]


@dataclass(frozen=True)
class LabeledSet:
    """The annotated examples of a round.

    Attributes
    ----------
    ids : array of shape (n_labeled,)
    classes : int array of shape (n_labeled,)
    vectors : float32 array of shape (n_labeled, dim)
    groups : Groups
        Which of them are minority examples.
    probs : float array of shape (n_labeled, n_classes) or None
        The model's predicted probabilities.
    """

    ids: IdArray
    classes: IntArray
    vectors: Float32Array
    groups: Groups
    probs: FloatArray | None = None

    def __post_init__(self) -> None:
        check_lengths(
            "LabeledSet",
            ids=self.ids,
            classes=self.classes,
            vectors=self.vectors,
            is_minority=self.groups.is_minority,
        )
        if self.probs is not None:
            check_lengths("LabeledSet", ids=self.ids, probs=self.probs)


@dataclass(frozen=True)
class Readout:
    """The classifier's last layer, which is linear, and what it reads: ``logits = vectors @ weight.T + bias``.

    Attributes
    ----------
    vectors : float32 array of shape (n_pool, dim)
        Of the pool, whatever space the anchors lie in.
    labeled_vectors : float32 array of shape (n_labeled, dim)
    weight : float32 array of shape (n_classes, dim)
    bias : float32 array of shape (n_classes,)
    """

    vectors: Float32Array
    labeled_vectors: Float32Array
    weight: Float32Array
    bias: Float32Array

    def __post_init__(self) -> None:
        check_lengths("Readout", weight=self.weight, bias=self.bias)


@dataclass(frozen=True)
class PoolSlice:
    """A named part of the examples at hand, see `alvin_core.run.slice_rules`.

    Attributes
    ----------
    name : str
    is_member : bool array of shape (n,)
    shortcut_class : int or None
        The class that the slice's shortcut says; a member of another class contradicts it. None where the slice has
        no shortcut.
    """

    name: str
    is_member: BoolArray
    shortcut_class: int | None = None

    def take(self, rows: IntArray) -> PoolSlice:
        """Return the same slice of some of the examples."""
        return replace(self, is_member=self.is_member[rows])


DrawProbs = Callable[[IntArray, int, int], Float32Array]
"""Rows of the pool, number of draws, seed -> probabilities under dropout, of shape (n_draws, n_rows, n_classes)."""


@dataclass(frozen=True)
class Pool:
    """The unlabeled candidates of a round, with what the strategy said it needs.

    Attributes
    ----------
    ids : array of shape (n_pool,)
    probs : float array of shape (n_pool, n_classes) or None
        The model's predicted probabilities.
    vectors : float32 array of shape (n_pool, dim) or None
        Representations.
    labeled : LabeledSet or None
    slice_ : PoolSlice or None
        The slice that the settings name.
    readout : Readout or None
        The last layer of the model.
    draw_probs : callable or None
        Draws predictions under dropout, see `DrawProbs`.
    draw_steps : int
        Elementary steps that one draw for one example takes.
    settings : RunSettings or None
        The run's, for a strategy that hands the work on to another one.
    device : str
        Where heavy array work may run.
    progress : callable
    """

    ids: IdArray
    probs: FloatArray | None = None
    vectors: Float32Array | None = None
    labeled: LabeledSet | None = None
    slice_: PoolSlice | None = None
    readout: Readout | None = None
    draw_probs: DrawProbs | None = field(default=None, compare=False)
    draw_steps: int = 0
    settings: RunSettings | None = None
    device: str = "cpu"
    progress: Progress = field(default=silent, compare=False)

    def __post_init__(self) -> None:
        if self.probs is not None:
            check_lengths("Pool", ids=self.ids, probs=self.probs)
            check_probs(self.probs)
        if self.vectors is not None:
            check_lengths("Pool", ids=self.ids, vectors=self.vectors)
        if self.slice_ is not None:
            check_lengths("Pool", ids=self.ids, slice_=self.slice_.is_member)
        if self.readout is not None:
            check_lengths("Pool", ids=self.ids, readout=self.readout.vectors)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: IntArray) -> Pool:
        """Return a pool of some of the examples, with the same model and labeled set.

        Parameters
        ----------
        rows : int array of shape (n_rows,)
            The new pool's row ``i`` is this pool's row ``rows[i]``.
        """
        draw, readout = self.draw_probs, self.readout

        def draw_of_taken(taken: IntArray, n_draws: int, seed: int) -> Float32Array:
            assert draw is not None  # handed on only then
            return draw(rows[taken], n_draws, seed)

        return replace(
            self,
            ids=self.ids[rows],
            probs=None if self.probs is None else self.probs[rows],
            vectors=None if self.vectors is None else self.vectors[rows],
            slice_=None if self.slice_ is None else self.slice_.take(rows),
            readout=None if readout is None else replace(readout, vectors=readout.vectors[rows]),
            draw_probs=None if draw is None else draw_of_taken,
        )


def check_probs(probs: FloatArray) -> None:
    """Refuse what cannot be probabilities.

    Raises
    ------
    PoolError
        When an entry is NaN or outside [0, 1], or a row does not sum to 1 within 1e-3.
    """
    if probs.ndim != 2:
        raise PoolError(f"predicted probabilities must be (n_pool, n_classes), found the shape {probs.shape}")
    sound = np.abs(np.einsum("nc->n", probs) - 1) <= 1e-3
    # Two reductions in place of two comparisons of each number; NaN makes both NaN.
    if not (sound.all() and (not probs.size or (probs.min() >= 0 and probs.max() <= 1))):
        sound &= ((probs >= 0) & (probs <= 1)).all(axis=1)
        row = int(np.argmin(sound))
        raise PoolError(
            f"{int((~sound).sum())} of {len(probs)} predicted distributions are not probabilities "
            f"(first: row {row}, {np.asarray(probs[row]).tolist()}); check the training for NaN"
        )
