"""One round in reading order: train, evaluate, infer groups, interpolate, retrieve, select."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from alvin_core.data.dataset import Dataset
from alvin_core.device import DevicePlan
from alvin_core.groups import infer_groups
from alvin_core.metrics import evaluate
from alvin_core.progress import Progress, silent
from alvin_core.round_inputs import RoundInputs, check_data, check_slice
from alvin_core.round_pool import pool_of, predict_all
from alvin_core.settings import RunSettings
from alvin_core.strategies.selecting import select_alternatives, select_proposal
from alvin_core.summary import summarize, warnings_of
from alvin_core.types import Float32Array, Groups, IntArray, Selection, TrainingDynamics

if TYPE_CHECKING:
    from alvin_core.training.trainer import TrainedModel

__all__ = ["RoundResult", "run_round", "train_model"]


@dataclass(frozen=True)
class RoundResult:
    """Everything a round found out.

    Attributes
    ----------
    round_no : int
    labeled_rows, pool_rows : int arrays of shape (n_labeled,) and (n_pool,)
        Rows in the data set: the labeled set in order of annotation, and what is still unlabeled, ascending.
    dynamics : TrainingDynamics
    groups : Groups
    selection : Selection
        The round's proposal; its ``rows`` are positions in ``pool_rows``.
    alternatives : dict of str to Selection
        What every other strategy would have taken here, but for those that `warnings` or the summary name.
    probs : float32 array of shape (n, n_classes)
        Predictions for the whole data set.
    vectors : float32 array of shape (n_vectors, dim)
        Representations of labeled and pool examples, in the order of ``vector_rows``.
    vector_rows : int array of shape (n_vectors,)
        Rows in the data set: ``pool_rows``, then ``labeled_rows``.
    metrics : dict
        Split -> what `alvin_core.metrics.evaluate` returns.
    summary : dict
        ``groups``, ``anchors`` and ``selection``: figures for people, ready for JSON.
    seconds : dict of str to float
        Wall-clock time of ``train``, ``evaluate``, ``select``, and ``measure``: of the selection, beside the others'.
    warnings : tuple of str
    """

    round_no: int
    labeled_rows: IntArray
    pool_rows: IntArray
    dynamics: TrainingDynamics
    groups: Groups
    selection: Selection
    alternatives: dict[str, Selection]
    probs: Float32Array
    vectors: Float32Array
    vector_rows: IntArray
    metrics: dict[str, dict[str, Any]]
    summary: dict[str, Any]
    seconds: dict[str, float]
    warnings: tuple[str, ...] = ()


def run_round(
    inputs: RoundInputs,
    settings: RunSettings,
    plan: DevicePlan,
    *,
    progress: Progress = silent,
    look: Callable[[TrainedModel], None] | None = None,
) -> RoundResult:
    """Run one active-learning round on a labeled set, up to its proposal.

    Parameters
    ----------
    inputs : RoundInputs
    settings : RunSettings
    plan : DevicePlan
        Where to compute.
    progress : callable
        Called with a `ProgressEvent` often; may raise `Cancelled`.
    look : callable, optional
        Called with the trained model, which the result does not keep: only its predictions.

    Returns
    -------
    RoundResult

    Raises
    ------
    DataError
        When an example of an evaluation split has no label.
    SettingsError
        When the group rule needs attributes that the data set does not have, the strategy a slice that there is not,
        or its settings ask for more than memory holds.
    EncoderError, DeviceError, LabelError, PoolError
        As training does.

    Notes
    -----
    Korakakis et al. (2024), and ``docs/method.md`` term by term. Every random draw comes from a stream of its own,
    derived from seed, round and purpose, so strategies share nothing but the model.
    """
    check_data(inputs.dataset, settings)
    check_slice(inputs.slice_, settings)
    if settings.space == "encoder" and inputs.embeddings is None:
        raise ValueError("run_round: space = 'encoder' needs the embeddings")
    seconds: dict[str, float] = {}
    dataset, labeled_rows = inputs.dataset, inputs.labeled_rows
    pool_rows = _open_rows(dataset, labeled_rows)

    with _timed(seconds, "train"):
        model = train_model(inputs, settings, plan, progress)
    if look is not None:
        look(model)
    with _timed(seconds, "evaluate"):
        predicted = predict_all(inputs, settings, model, pool_rows, progress)
        probs, vectors, vector_rows = predicted.probs, predicted.vectors, predicted.vector_rows
        metrics = _evaluate_splits(dataset, probs)
    with _timed(seconds, "select"):
        groups = _infer_groups(inputs, settings, model.dynamics)
        pool = pool_of(inputs, settings, predicted, groups, model, plan, progress)
        selection = select_proposal(pool, settings, inputs.round_no)
    with _timed(seconds, "measure"):
        beside = select_alternatives(pool, settings, inputs.round_no)
        summary = summarize(dataset, pool, pool_rows, selection, beside, settings)

    return RoundResult(
        round_no=inputs.round_no,
        labeled_rows=labeled_rows,
        pool_rows=pool_rows,
        dynamics=model.dynamics,
        groups=groups,
        selection=selection,
        alternatives=beside.selections,
        probs=probs,
        vectors=vectors,
        vector_rows=vector_rows,
        metrics=metrics,
        summary=summary,
        seconds=seconds,
        warnings=warnings_of(groups, dataset.classes, selection, len(pool)) + selection.warnings + beside.warnings,
    )


def _open_rows(dataset: Dataset, labeled_rows: IntArray) -> IntArray:
    """Return the rows of the pool's unlabeled examples, ascending."""
    is_labeled = np.zeros(len(dataset), dtype=bool)
    is_labeled[labeled_rows] = True
    rows = dataset.rows_of("pool")
    return rows[~is_labeled[rows]]


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


def train_model(
    inputs: RoundInputs, settings: RunSettings, plan: DevicePlan, progress: Progress = silent
) -> TrainedModel:
    """Train the model of a round; raises as `run_round` does."""
    from alvin_core.training.trainer import train

    # The seed depends on the round and not on the strategy: two strategies on one labeled set get one model.
    seed = int(np.random.SeedSequence([settings.seed, inputs.round_no, crc32(b"train")]).generate_state(1)[0])
    return train(
        inputs.encoder,
        inputs.features,
        inputs.labeled_rows,
        inputs.labeled_classes,
        len(inputs.dataset.classes),
        inputs.dataset.ids[inputs.labeled_rows],
        settings.training,
        seed=seed,
        plan=plan,
        progress=progress,
    )


def _evaluate_splits(dataset: Dataset, probs: Float32Array) -> dict[str, dict[str, Any]]:
    metrics = {}
    for split in dataset.evaluation_splits:
        rows = dataset.rows_of(split)
        attributes = None if dataset.attributes is None else dataset.attributes[rows]
        metrics[split] = evaluate(dataset.labels[rows], probs[rows], dataset.classes, attributes)
    return metrics


def _infer_groups(inputs: RoundInputs, settings: RunSettings, dynamics: TrainingDynamics) -> Groups:
    attributes = inputs.dataset.attributes
    return infer_groups(
        dynamics.correct,
        dynamics.gold_prob,
        inputs.labeled_classes,
        rule=settings.groups.rule,
        quantile=settings.groups.quantile,
        min_minority=settings.groups.min_minority,
        min_majority=settings.groups.min_majority,
        attributes=None if attributes is None else attributes[inputs.labeled_rows],
    )
