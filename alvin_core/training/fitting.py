"""The epochs of one training: steps in training mode, then a look at every labeled example. Needs torch."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from alvin_core.device import is_out_of_memory, release_memory
from alvin_core.errors import AlvinError, EncoderError, SettingsError
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.settings import TrainingSettings
from alvin_core.training.batches import Examples, by_width
from alvin_core.training.classifier import Classifier, parameter_groups
from alvin_core.training.dynamics import DynamicsRecorder
from alvin_core.training.evaluation import Evaluator
from alvin_core.training.packing import Packer, packer_of
from alvin_core.training.predictions import softmax
from alvin_core.training.schedule import warmup_then_decay
from alvin_core.types import FloatArray, IdArray, IntArray

__all__ = ["Fit"]

PADDED = "this encoder cannot run without padding: its rounds take longer, and give the same"
MAX_GRADIENT_NORM = 1.0  # [field: fine-tuning's usual value]


class Fit:
    """Fits a classifier to the labeled examples.

    Parameters
    ----------
    classifier : Classifier
        On ``device``; its weights are changed.
    examples : Examples
        The labeled set.
    classes : int array of shape (n_labeled,)
    settings : TrainingSettings
        With every value resolved.
    generator : torch.Generator
        On the CPU; orders the batches.
    device : torch.device
    progress : Progress

    Attributes
    ----------
    packer : Packer or None
        Runs the classifier's body without padding; None where it does not suit the body, and on an accelerator.
    """

    def __init__(
        self,
        classifier: Classifier,
        examples: Examples,
        classes: IntArray,
        settings: TrainingSettings,
        *,
        generator: torch.Generator,
        device: torch.device,
        progress: Progress,
    ) -> None:
        epochs, batch_size = settings.epochs, settings.batch_size
        learning_rate, head_learning_rate = settings.learning_rate, settings.head_learning_rate
        assert epochs is not None  # `resolved` has filled them in
        assert batch_size is not None
        assert learning_rate is not None
        assert head_learning_rate is not None
        self._classifier = classifier
        self._examples = examples
        self._targets = torch.as_tensor(np.asarray(classes, dtype=np.int64)).to(device)  # (n_labeled,)
        self._settings = settings
        self._n_epochs, self._batch_size = epochs, batch_size
        self._generator = generator
        self._device = device
        self._progress = progress
        groups = parameter_groups(
            classifier,
            learning_rate=learning_rate,
            head_learning_rate=head_learning_rate,
            weight_decay=settings.weight_decay,
        )
        self._optimizer = torch.optim.AdamW(groups, fused=device.type != "mps")
        self._full_rates = [group["lr"] for group in self._optimizer.param_groups]
        self.packer = self._find_packer()
        self._evaluator = Evaluator(classifier, device, packer=self.packer)
        self._at_most = batch_size  # examples that run together; fewer once memory has run out
        self._epoch = 0

    def run(self, recorder: DynamicsRecorder) -> FloatArray:
        """Train all epochs; return the mean training loss of each, of shape (n_epochs,).

        Raises
        ------
        SettingsError
            When training diverges.
        EncoderError
            When the encoder's features are not numbers.
        """
        losses = np.empty(self._n_epochs, dtype=np.float64)
        if self.packer is None and self._could_pack:
            self._report(PADDED)
        for epoch in range(self._n_epochs):
            self._epoch = epoch
            losses[epoch] = self._train_epoch()
            logits, _ = self._evaluator.run(self._examples, represent=False, report=self._evaluated)
            if not (np.isfinite(losses[epoch]) and np.isfinite(logits).all()):
                raise self._diverged(recorder.ids)
            recorder.record(softmax(logits))
        self._progress(ProgressEvent("train", self._n_epochs, self._n_epochs))
        return losses

    def _train_epoch(self) -> float:
        """Take one step a batch, in a new random order; return the mean loss."""
        self._classifier.train()
        n_labeled = len(self._examples)
        order = torch.randperm(n_labeled, generator=self._generator).numpy()
        starts = range(0, n_labeled, self._batch_size)
        total = torch.zeros((), device=self._device)  # summed on the device: reading it would wait for every step
        for number, start in enumerate(starts):
            self._set_rates(self._epoch * len(starts) + number, self._n_epochs * len(starts))
            total += self._step(order[start : start + self._batch_size])
            self._report()
        return float(total) / n_labeled

    def _set_rates(self, step: int, n_steps: int) -> None:
        share = warmup_then_decay(step, n_steps, self._settings.warmup)
        for group, full_rate in zip(self._optimizer.param_groups, self._full_rates, strict=True):
            group["lr"] = full_rate * share

    def _step(self, positions: IntArray) -> Tensor:
        """Take one step on the mean gradient of a batch; return the sum of its losses."""
        while (loss := self._accumulate(positions)) is None:
            release_memory()
            self._report(f"memory ran out: {self._at_most} examples at a time, gradients added up to the same step")
        nn.utils.clip_grad_norm_(self._classifier.parameters(), MAX_GRADIENT_NORM)
        self._optimizer.step()
        return loss

    def _accumulate(self, positions: IntArray) -> Tensor | None:
        """Leave the batch's mean gradient in the weights, part by part; None where memory ran out."""
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._device)
        if self.packer is not None:  # texts of one length are attended to together
            positions = positions[np.argsort(self._examples.lengths[positions], kind="stable")]
        split = self._device.type == "cpu" and self.packer is None
        for part in by_width(positions, self._examples.widths, self._at_most, split=split):
            try:
                total += self._backward(part, n_batch=len(positions))
            except (RuntimeError, MemoryError) as error:
                if len(part) == 1 or not is_out_of_memory(error):
                    raise
                self._at_most = len(part) // 2
                return None
        return total

    @property
    def _could_pack(self) -> bool:
        return self._device.type == "cpu" and not self._examples.fixed

    def _find_packer(self) -> Packer | None:
        """Try whether the encoder runs on packed tokens; an accelerator would rather have one large padded batch."""
        if not self._could_pack:
            return None
        order = np.argsort(self._examples.lengths, kind="stable")
        tried = order[[0, len(order) // 2, -1]]  # three even of one example
        try:
            return packer_of(self._classifier.body.eval(), self._examples.batch(tried))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None  # what runs in so little memory runs a few examples at a time

    def _backward(self, part: IntArray, n_batch: int) -> Tensor:
        batch = self._examples.batch(part)
        with nullcontext() if self.packer is None else self.packer.packed(batch):
            logits = self._classifier(batch)  # (n_part, n_classes)
        targets = self._targets[torch.from_numpy(part).to(self._device)]
        loss = nn.functional.cross_entropy(logits, targets, reduction="sum")
        (loss / n_batch).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _report(self, note: str = "") -> None:
        self._progress(ProgressEvent("train", self._epoch, self._n_epochs, note))

    def _evaluated(self, done: int, note: str) -> None:
        self._report(note)

    def _diverged(self, ids: IdArray) -> AlvinError:
        """Say what broke the training: the features, or the learning rate."""
        for position in range(len(self._examples)):
            inputs = self._examples.batch(np.asarray([position])).values()
            if not all(bool(torch.isfinite(tensor).all()) for tensor in inputs):
                return EncoderError(
                    f"the encoder's features of labeled example {str(ids[position])!r} hold values that are not "
                    "numbers; use runtime.inference_dtype = 'float32', or another encoder"
                )
        settings = self._settings
        rates = f"training.learning_rate = {settings.learning_rate}, head_learning_rate = {settings.head_learning_rate}"
        return SettingsError(
            f"training diverged in epoch {self._epoch + 1} of {self._n_epochs} ({rates}); lower the learning rates"
        )
