"""One round in reading order: train, evaluate, infer groups, interpolate, retrieve, select."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from alvin_core.data.dataset import Dataset
from alvin_core.device import DevicePlan
from alvin_core.errors import DataError, SettingsError
from alvin_core.groups import infer_groups
from alvin_core.metrics import evaluate
from alvin_core.progress import Progress, silent
from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool
from alvin_core.strategies.selecting import select_alternatives, select_proposal
from alvin_core.summary import summarize, warnings_of
from alvin_core.types import Float32Array, Groups, IntArray, Selection, TrainingDynamics, check_lengths

if TYPE_CHECKING:
    from alvin_core.encoding.features import Features
    from alvin_core.encoding.transformer import Encoder

__all__ = ["RoundInputs", "RoundResult", "check_data", "run_round"]


@dataclass(frozen=True)
class RoundInputs:
    """What a round starts from.

    Attributes
    ----------
    dataset : Dataset
    encoder : Encoder
    features : Features
        What the trained layers read, for every example of the data set.
    embeddings : float32 array of shape (n, dim) or None
        The frozen encoder's vectors; needed where ``settings.space`` is ``"encoder"``.
    labeled_rows : int array of shape (n_labeled,)
        Rows in the data set of the annotated examples, in the order of annotation.
    labeled_classes : int array of shape (n_labeled,)
    round_no : int
    """

    dataset: Dataset
    encoder: Encoder
    features: Features
    embeddings: Float32Array | None
    labeled_rows: IntArray
    labeled_classes: IntArray
    round_no: int

    def __post_init__(self) -> None:
        check_lengths("RoundInputs", labeled_rows=self.labeled_rows, labeled_classes=self.labeled_classes)


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
        What every other strategy would have taken here, but for those that `warnings` names.
    probs : float32 array of shape (n, n_classes)
        Predictions for the whole data set.
    vectors : float32 array of shape (n_vectors, dim)
        Representations of labeled and pool examples, in the order of ``vector_rows``.
    vector_rows : int array of shape (n_vectors,)
        Rows in the data set, ascending.
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
    inputs: RoundInputs, settings: RunSettings, plan: DevicePlan, *, progress: Progress = silent
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

    Returns
    -------
    RoundResult

    Raises
    ------
    DataError
        When an example of an evaluation split has no label.
    SettingsError
        When the group rule needs attributes that the data set does not have, or the strategy's settings ask for more
        than memory holds.
    EncoderError, DeviceError, LabelError, PoolError
        As training does.

    Notes
    -----
    Korakakis et al. (2024), and ``docs/method.md`` term by term. Every random draw comes from a stream of its own,
    derived from seed, round and purpose, so strategies share nothing but the model.
    """
    check_data(inputs.dataset, settings)
    if settings.space == "encoder" and inputs.embeddings is None:
        raise ValueError("run_round: space = 'encoder' needs the embeddings")
    seconds: dict[str, float] = {}
    dataset, labeled_rows = inputs.dataset, inputs.labeled_rows
    pool_rows = np.setdiff1d(dataset.rows_of("pool"), labeled_rows)

    with _timed(seconds, "train"):
        model = _train(inputs, settings, plan, progress)
    with _timed(seconds, "evaluate"):
        probs, vectors, vector_rows = _predict(inputs, settings, model, pool_rows, progress)
        metrics = _evaluate_splits(dataset, probs)
    with _timed(seconds, "select"):
        groups = _infer_groups(inputs, settings, model.dynamics)
        labeled = LabeledSet(
            ids=dataset.ids[labeled_rows],
            classes=inputs.labeled_classes,
            vectors=vectors[np.searchsorted(vector_rows, labeled_rows)],
            groups=groups,
        )
        pool = Pool(
            ids=dataset.ids[pool_rows],
            probs=probs[pool_rows],
            vectors=_take(vectors, np.searchsorted(vector_rows, pool_rows)),
            labeled=labeled,
            device=plan.device,
            progress=progress,
        )
        selection = select_proposal(pool, settings, inputs.round_no)
    with _timed(seconds, "measure"):
        alternatives, left_out = select_alternatives(pool, settings, inputs.round_no)
        summary = summarize(dataset, pool, pool_rows, selection, alternatives, settings)

    return RoundResult(
        round_no=inputs.round_no,
        labeled_rows=labeled_rows,
        pool_rows=pool_rows,
        dynamics=model.dynamics,
        groups=groups,
        selection=selection,
        alternatives=alternatives,
        probs=probs,
        vectors=vectors,
        vector_rows=vector_rows,
        metrics=metrics,
        summary=summary,
        seconds=seconds,
        warnings=warnings_of(groups, dataset.classes, selection, len(pool)) + selection.warnings + left_out,
    )


def check_data(dataset: Dataset, settings: RunSettings) -> None:
    """Raise, before anything is encoded or trained, what would only show in the midst of a round.

    Raises
    ------
    SettingsError
        When the rule ``known`` is asked for and there are no attributes.
    DataError
        When an example to evaluate on has no label.
    """
    if settings.groups.rule == "known" and dataset.attributes is None:
        raise SettingsError(
            "groups.rule = 'known' needs attributes, and the data set has none; add an attribute column or choose "
            "another rule"
        )
    unlabeled = np.flatnonzero((dataset.labels < 0) & (dataset.splits != "pool"))
    if len(unlabeled):
        first = unlabeled[0]
        raise DataError(
            f"{len(unlabeled)} examples to evaluate on have no label, first {dataset.ids[first]!s} in "
            f"{dataset.splits[first]!s}; label them, or leave them out"
        )


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


def _train(inputs: RoundInputs, settings: RunSettings, plan: DevicePlan, progress: Progress) -> Any:
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


def _predict(
    inputs: RoundInputs, settings: RunSettings, model: Any, pool_rows: IntArray, progress: Progress
) -> tuple[Float32Array, Float32Array, IntArray]:
    """Predict the whole data set, and represent its labeled and pool examples."""
    dataset = inputs.dataset
    in_space = np.zeros(len(dataset), dtype=bool)
    in_space[inputs.labeled_rows] = in_space[pool_rows] = True
    vector_rows, other_rows = np.flatnonzero(in_space), np.flatnonzero(~in_space)
    from_model = settings.space == "model"
    represented = model.predict(vector_rows, represent=from_model, progress=progress)
    evaluated = model.predict(other_rows, represent=False, progress=progress)
    probs = np.empty((len(dataset), len(dataset.classes)), dtype=np.float32)
    probs[vector_rows], probs[other_rows] = represented.probs, evaluated.probs
    if from_model:
        return probs, represented.vectors, vector_rows
    assert inputs.embeddings is not None  # checked at the door
    return probs, _take(inputs.embeddings, vector_rows), vector_rows


def _take(vectors: Float32Array, rows: IntArray) -> Float32Array:
    """Return the vectors at ascending rows; where these are consecutive without a copy, which may be gigabytes."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return vectors[rows[0] : rows[-1] + 1]
    return vectors[rows]


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
