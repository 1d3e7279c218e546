"""What a trained model says of the data set, as the pool that strategies are handed."""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["Predicted", "pool_of", "predict_all"]


@dataclass(frozen=True)
class Predicted:
    """Predictions for the whole data set; vectors of its labeled and pool examples: of the space, and of the model."""

    probs: Float32Array
    vectors: Float32Array
    read_vectors: Float32Array  # what the last layer reads; in the model's space the same array
    vector_rows: IntArray


def predict_all(
    inputs: RoundInputs, settings: RunSettings, model: TrainedModel, pool_rows: IntArray, progress: Progress
) -> Predicted:
    """Predict the whole data set, and represent its labeled and pool examples."""
    dataset = inputs.dataset
    in_space = np.zeros(len(dataset), dtype=bool)
    in_space[inputs.labeled_rows] = in_space[pool_rows] = True
    vector_rows, other_rows = np.flatnonzero(in_space), np.flatnonzero(~in_space)
    represented = model.predict(vector_rows, progress=progress)
    assert represented.vectors is not None  # asked for
    evaluated = model.predict(other_rows, represent=False, progress=progress)
    probs = np.empty((len(dataset), len(dataset.classes)), dtype=np.float32)
    probs[vector_rows], probs[other_rows] = represented.probs, evaluated.probs
    if settings.space == "model":
        return Predicted(probs, represented.vectors, represented.vectors, vector_rows)
    assert inputs.embeddings is not None  # checked at the door
    return Predicted(probs, _take(inputs.embeddings, vector_rows), represented.vectors, vector_rows)


def pool_of(
    inputs: RoundInputs,
    settings: RunSettings,
    predicted: Predicted,
    groups: Groups,
    model: TrainedModel,
    pool_rows: IntArray,
    plan: DevicePlan,
    progress: Progress,
) -> Pool:
    """Return what the strategies are handed."""
    dataset, labeled_rows = inputs.dataset, inputs.labeled_rows
    of_labeled = np.searchsorted(predicted.vector_rows, labeled_rows)
    of_pool = np.searchsorted(predicted.vector_rows, pool_rows)

    def draw_probs(rows: IntArray, n_draws: int, seed: int) -> Float32Array:
        drawn: Float32Array = model.draw(pool_rows[rows], n_draws, seed, progress=progress)
        return drawn

    vectors = _take(predicted.vectors, of_pool)
    same = predicted.read_vectors is predicted.vectors
    return Pool(
        ids=dataset.ids[pool_rows],
        probs=predicted.probs[pool_rows],
        vectors=vectors,
        labeled=LabeledSet(
            ids=dataset.ids[labeled_rows],
            classes=inputs.labeled_classes,
            vectors=predicted.vectors[of_labeled],
            groups=groups,
            probs=predicted.probs[labeled_rows],
        ),
        slice_=None if inputs.slice_ is None else inputs.slice_.take(pool_rows),
        readout=Readout(
            vectors=vectors if same else _take(predicted.read_vectors, of_pool),
            labeled_vectors=predicted.read_vectors[of_labeled],
            weight=model.weight,
            bias=model.bias,
        ),
        draw_probs=draw_probs,
        draw_steps=model.draw_steps,
        settings=settings,
        device=plan.device,
        progress=progress,
    )


def _take(vectors: Float32Array, rows: IntArray) -> Float32Array:
    """Return the vectors at ascending rows; where these are consecutive without a copy, which may be gigabytes."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return vectors[rows[0] : rows[-1] + 1]
    return vectors[rows]
