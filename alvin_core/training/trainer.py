"""One trainer for every depth: pre-trained weights in, a classifier and its training dynamics out. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from alvin_core.errors import DataError, EncoderError, LabelError, PoolError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.training.batches import Examples, memory_errors
from alvin_core.training.classifier import Classifier, LinearHead, SmallHead
from alvin_core.training.dynamics import DynamicsRecorder
from alvin_core.training.evaluation import Evaluator
from alvin_core.training.fitting import Fit
from alvin_core.training.predictions import Predictions, softmax
from alvin_core.training.reproducible import exact_repeat, thread_count
from alvin_core.training.vocabulary import occurring_words_only
from alvin_core.types import Float32Array, FloatArray, IdArray, IntArray, TrainingDynamics, check_lengths

if TYPE_CHECKING:
    from alvin_core.device import DevicePlan
    from alvin_core.encoding.features import Features
    from alvin_core.encoding.transformer import Encoder
    from alvin_core.settings import TrainingSettings

__all__ = ["TrainedModel", "train"]

# A small head's matrices are done before a second thread has woken up.
SMALL_HEAD_THREADS = 1
STEPS_TO_DROP = 130  # multiplications in the time in which torch draws whether one value is dropped


@dataclass(frozen=True)
class TrainedModel:
    """The classifier of one round.

    Attributes
    ----------
    dynamics : TrainingDynamics
    losses : float array of shape (n_epochs,)
        Mean training loss of each epoch.
    """

    dynamics: TrainingDynamics
    losses: FloatArray
    _evaluator: Evaluator = field(repr=False)
    _features: Features = field(repr=False)
    _fixed: bool = field(repr=False)

    def predict(self, rows: IntArray, *, progress: Progress = silent, represent: bool = True) -> Predictions:
        """Predict examples, in evaluation mode.

        Parameters
        ----------
        rows : int array of shape (n_rows,)
            Rows of the features that the model was trained with, in any order.
        progress : Progress
            Stage ``"predict"``, in examples.
        represent : bool
            Whether to return the representations as well.

        Returns
        -------
        Predictions
            In the order of ``rows``.

        Raises
        ------
        DeviceError
            When the memory does not hold even one example.
        EncoderError
            When the encoder gives a prediction that is not a number.
        """
        examples, report = self._examples(rows, progress)
        with memory_errors(self._evaluator.device):
            logits, vectors = self._evaluator.run(examples, represent=represent, report=report)
        broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        if len(broken):
            raise EncoderError(
                f"{len(broken)} of {len(rows)} predictions are not numbers, first that of row {rows[broken[0]]}; "
                "use runtime.inference_dtype = 'float32', or another encoder"
            )
        return Predictions(probs=softmax(logits).astype(np.float32), vectors=vectors)

    def draw(self, rows: IntArray, n_draws: int, seed: int, *, progress: Progress = silent) -> Float32Array:
        """Predict examples several times under dropout (Gal & Ghahramani 2016).

        Parameters
        ----------
        rows : int array of shape (n_rows,)
            As `predict` takes them.
        n_draws : int
        seed : int
            The same rows and seed on the same machine give the same bits; torch's generators stay as they are.
        progress : Progress
            Stage ``"predict"``, in examples of which everything is drawn.

        Returns
        -------
        float32 array of shape (n_draws, n_rows, n_classes)

        Raises
        ------
        DeviceError
            When the memory does not hold even one example.
        """
        examples, report = self._examples(rows, progress)
        with exact_repeat(self._evaluator.device, seed), memory_errors(self._evaluator.device):
            drawn = self._evaluator.draw(examples, n_draws, report=report)
        for logits in drawn:  # one at a time: softmax works in float64
            logits[:] = softmax(logits)
        return drawn

    def reading(self, features: Features) -> TrainedModel:
        """Return the same classifier for other texts.

        Parameters
        ----------
        features : Features
            What the encoder that the model was trained with reads of them, at the same depth.
        """
        return replace(self, _features=features)

    @property
    def classifier(self) -> Classifier:
        """The network itself, in evaluation mode; whoever changes it changes the model."""
        return self._evaluator.classifier.eval()

    @property
    def weight(self) -> Float32Array:
        """Weights of the last layer, of shape (n_classes, dim): logits are ``vectors @ weight.T + bias``."""
        return self._evaluator.classifier.head.output.weight.detach().float().cpu().numpy()

    @property
    def bias(self) -> Float32Array:
        """Biases of the last layer, of shape (n_classes,)."""
        return self._evaluator.classifier.head.output.bias.detach().float().cpu().numpy()

    @property
    def draw_steps(self) -> int:
        """About how many multiplications one draw of `draw` takes for one example."""
        classifier = self._evaluator.classifier
        if self._fixed:  # what is dropped is read once
            output = classifier.head.output
            return int(output.in_features) * (STEPS_TO_DROP + int(output.out_features))
        n_weights = sum(weight.numel() for weight in classifier.parameters() if weight.requires_grad)
        return int(n_weights * float(np.mean(self._features.lengths)))

    def _examples(self, rows: IntArray, progress: Progress) -> tuple[Examples, Callable[[int, str], None]]:
        """Return the examples of some rows, and whom to tell how many of them are done."""
        rows = _checked_rows(rows, self._features)

        def report(done: int, note: str) -> None:
            progress(ProgressEvent("predict", done, len(rows), note))

        return Examples(self._features, rows, self._evaluator.device, fixed=self._fixed), report


def train(
    encoder: Encoder,
    features: Features,
    rows: IntArray,
    classes: IntArray,
    n_classes: int,
    ids: IdArray,
    settings: TrainingSettings,
    *,
    seed: int,
    plan: DevicePlan,
    progress: Progress = silent,
) -> TrainedModel:
    """Train encoder and classifier on the labeled set, from the pre-trained weights.

    Parameters
    ----------
    encoder : Encoder
    features : Features
        What the encoder's body reads, for every example of the data set.
    rows : int array of shape (n_labeled,)
        The labeled examples' rows in ``features``.
    classes : int array of shape (n_labeled,)
        Their classes, in [0, n_classes); classes may be missing.
    n_classes : int
    ids : array of shape (n_labeled,)
        Their stable names, for the dynamics.
    settings : TrainingSettings
        None takes the default of the training depth.
    seed : int
        Of the head's start, the order of the batches and dropout: the same seed on the same machine gives the
        same bits. The caller's random state is not touched.
    plan : DevicePlan
    progress : Progress
        Stage ``"train"``, in epochs; called after every batch, so that raising Cancelled stops at once.

    Returns
    -------
    TrainedModel

    Raises
    ------
    PoolError
        When there is no labeled example.
    LabelError
        When a class is outside [0, n_classes).
    SettingsError
        When training diverges, or more layers are to be trained than there are.
    EncoderError
        When the encoder's features hold values that are not numbers.
    DeviceError
        When the memory does not hold even one example.

    Notes
    -----
    After every epoch, the labeled set is predicted in evaluation mode and recorded (Swayamdipta et al. 2020).
    AdamW (Loshchilov & Hutter 2019) with linear warm-up and decay. Restarting from the pre-trained weights in each
    round is the usual protocol (Margatina et al. 2021).
    """
    settings = settings.resolved()
    rows = _checked_rows(rows, features)
    _check_labels(rows, classes, n_classes, ids)
    device = torch.device(plan.device)
    fixed = settings.trainable_layers == 0
    n_threads = SMALL_HEAD_THREADS if fixed and device.type == "cpu" else 0
    with exact_repeat(device, seed), thread_count(n_threads), memory_errors(device):
        generator = torch.Generator().manual_seed(seed)
        examples = Examples(features, rows, device, fixed=fixed, held=fixed)
        classifier = _build(encoder, examples, n_classes, settings, generator).to(device)
        recorder = DynamicsRecorder(ids, classes)
        with occurring_words_only(classifier.body, examples):
            fit = Fit(classifier, examples, classes, settings, generator=generator, device=device, progress=progress)
            losses = fit.run(recorder)
    dtype = torch.bfloat16 if plan.inference_dtype == "bfloat16" else torch.float32
    evaluator = Evaluator(classifier.eval(), device, dtype=dtype, packer=fit.packer)
    return TrainedModel(recorder.finish(), losses, evaluator, features, fixed)


def _build(
    encoder: Encoder, examples: Examples, n_classes: int, settings: TrainingSettings, generator: torch.Generator
) -> Classifier:
    body = encoder.body(settings.trainable_layers)
    if settings.trainable_layers != 0:
        return Classifier(body, LinearHead(encoder.dim, n_classes, settings.dropout, generator))
    labeled = body(examples.batch(np.arange(len(examples))))  # (n_labeled, dim)
    head = SmallHead(labeled, n_classes, hidden=settings.hidden, dropout=settings.dropout, generator=generator)
    return Classifier(body, head)


def _checked_rows(rows: IntArray, features: Features) -> IntArray:
    rows = np.asarray(rows, dtype=np.int64)
    if len(rows) and (rows.min() < 0 or rows.max() >= len(features)):
        raise ValueError(f"rows from {rows.min()} to {rows.max()} asked for, but there are features of {len(features)}")
    return rows


def _check_labels(rows: IntArray, classes: IntArray, n_classes: int, ids: IdArray) -> None:
    check_lengths("train", rows=rows, classes=classes, ids=ids)
    if not len(rows):
        raise PoolError("0 labeled examples: training needs at least 1; annotate some, or raise the initial set")
    if n_classes < 2:
        raise DataError(f"{n_classes} class in the data: a classifier needs at least 2; add examples of another class")
    outside = np.flatnonzero((classes < 0) | (classes >= n_classes))
    if len(outside):
        first = outside[0]
        raise LabelError(
            f"{len(outside)} labeled examples have no class of the {n_classes}, first {ids[first]!s} with class "
            f"{classes[first]}; label them, or leave them out"
        )
