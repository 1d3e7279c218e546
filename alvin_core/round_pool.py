"""What a trained model says of the data set, as the pool that strategies are handed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from alvin_core.device import DevicePlan
from alvin_core.progress import Progress
from alvin_core.round_inputs import RoundInputs
from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool, Readout
from alvin_core.types import Float32Array, Groups, IntArray

if TYPE_CHECKING:
    from alvin_core.training.trainer import TrainedModel

__all__ = ["Predicted", "move_to_end", "pool_of", "predict_all"]

MOVED_AT_ONCE = 16_384  # vectors


@dataclass(frozen=True)
class Predicted:
    """What a model says of the data set.

    Attributes
    ----------
    probs : float32 array of shape (n, n_classes)
        Of the whole data set.
    vectors : float32 array of shape (n_pool + n_labeled, dim)
        Representations in the settings' space, of the pool and then of the labeled examples: in this order the pool's
        are a view, where a copy may take gigabytes.
    read_vectors : float32 array of shape (n_pool + n_labeled, dim)
        What the last layer reads; in the model's space the same array.
    pool_rows, labeled_rows : int arrays of shape (n_pool,) and (n_labeled,)
        Rows in the data set.
    """

    probs: Float32Array
    vectors: Float32Array
    read_vectors: Float32Array
    pool_rows: IntArray
    labeled_rows: IntArray

    @property
    def vector_rows(self) -> IntArray:
        """Row in the data set of each vector."""
        return np.concatenate([self.pool_rows, self.labeled_rows])


def predict_all(
    inputs: RoundInputs, settings: RunSettings, model: TrainedModel, pool_rows: IntArray, progress: Progress
) -> Predicted:
    """Predict the whole data set, and represent its labeled and pool examples."""
    dataset, labeled_rows = inputs.dataset, inputs.labeled_rows
    in_space = np.zeros(len(dataset), dtype=bool)
    in_space[labeled_rows] = in_space[pool_rows] = True
    # By row, whatever is labeled: the last digits depend on what is predicted together.
    space_rows, other_rows = np.flatnonzero(in_space), np.flatnonzero(~in_space)
    represented = model.predict(space_rows, progress=progress)
    assert represented.vectors is not None  # asked for
    evaluated = model.predict(other_rows, represent=False, progress=progress)
    probs = np.empty((len(dataset), len(dataset.classes)), dtype=np.float32)
    probs[space_rows], probs[other_rows] = represented.probs, evaluated.probs
    read_vectors = vectors = represented.vectors
    move_to_end(read_vectors, np.searchsorted(space_rows, labeled_rows))
    if settings.space == "encoder":
        assert inputs.embeddings is not None  # checked at the door
        vectors = inputs.embeddings[np.concatenate([pool_rows, labeled_rows])]
    return Predicted(probs, vectors, read_vectors, pool_rows, labeled_rows)


def move_to_end(vectors: Float32Array, places: IntArray) -> None:
    """Move some vectors behind all others, whose order stays, without room for a second array.

    Parameters
    ----------
    vectors : float32 array of shape (n, dim)
        Changed in place.
    places : int array of shape (n_moved,)
        Each once; this order is theirs at the end.
    """
    moved = vectors[places]
    ends = [*np.sort(places).tolist(), len(vectors)]
    filled = ends[0]
    for gap, end in pairwise(ends):
        for start in range(gap + 1, end, MOVED_AT_ONCE):  # numpy copies first what overlaps
            block = vectors[start : min(start + MOVED_AT_ONCE, end)]
            vectors[filled : filled + len(block)] = block
            filled += len(block)
    vectors[filled:] = moved


def pool_of(
    inputs: RoundInputs,
    settings: RunSettings,
    predicted: Predicted,
    groups: Groups,
    model: TrainedModel,
    plan: DevicePlan,
    progress: Progress,
) -> Pool:
    """Return what the strategies are handed."""
    dataset, pool_rows, labeled_rows = inputs.dataset, predicted.pool_rows, predicted.labeled_rows
    n_pool = len(pool_rows)

    def draw_probs(rows: IntArray, n_draws: int, seed: int) -> Float32Array:
        drawn: Float32Array = model.draw(pool_rows[rows], n_draws, seed, progress=progress)
        return drawn

    vectors = predicted.vectors[:n_pool]
    same = predicted.read_vectors is predicted.vectors
    return Pool(
        ids=dataset.ids[pool_rows],
        probs=predicted.probs[pool_rows],
        vectors=vectors,
        labeled=LabeledSet(
            ids=dataset.ids[labeled_rows],
            classes=inputs.labeled_classes,
            vectors=predicted.vectors[n_pool:],
            groups=groups,
            probs=predicted.probs[labeled_rows],
        ),
        slice_=None if inputs.slice_ is None else inputs.slice_.take(pool_rows),
        readout=Readout(
            vectors=vectors if same else predicted.read_vectors[:n_pool],
            labeled_vectors=predicted.read_vectors[n_pool:],
            weight=model.weight,
            bias=model.bias,
        ),
        draw_probs=draw_probs,
        draw_steps=model.draw_steps,
        settings=settings,
        device=plan.device,
        progress=progress,
    )
