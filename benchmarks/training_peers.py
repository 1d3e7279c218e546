"""small-text's transformer classifier and Hugging Face's Trainer, fine-tuning the packaged encoder on a `Task`.

Both are used as their users do: `AutoModelForSequenceClassification`, with a linear layer on the pooled first token.
What would slow them for no reason is left out: their weights are loaded before the clock starts, small-text pads to the
longest labeled text and not to the encoder's limit, and neither writes to the disk. As the trainer here does, both look
at the labeled set in evaluation mode after each epoch; what that takes is told apart.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from alvin_core.encoding.models import packaged_folder
from alvin_core.types import IntArray

__all__ = ["PEERS", "Fitted", "Measured", "Task", "has_trainer"]

TEST_BATCH = 64


@dataclass(frozen=True)
class Task:
    """One training: what to learn and how long, the same for everybody."""

    depth: int | Literal["all"]
    texts: list[str]
    classes: IntArray
    test_texts: list[str]
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    threads: int
    device: str
    seed: int


@dataclass(frozen=True)
class Fitted:
    """What a training took, and what it makes of the test texts."""

    seconds: float
    processor: float
    looking: float  # seconds of those spent on the labeled set in evaluation mode
    predict: Callable[[], IntArray]


@dataclass
class Measured:
    """What one learner took in each of its trainings, and its accuracy for each seed."""

    fitted: list[Fitted] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)

    def least(self, what: str) -> float:
        """Return the fewest seconds: anything else that the machine does can only make a training slower."""
        return min(getattr(one, what) for one in self.fitted)

    @property
    def without_looking(self) -> float:
        return min(one.seconds - one.looking for one in self.fitted)

    def let_go(self) -> None:
        """Keep the seconds and not the weights."""
        self.fitted = [replace(one, predict=lambda: np.zeros(0, dtype=np.int64)) for one in self.fitted]


def has_trainer() -> bool:
    """Say whether Trainer runs here: it needs accelerate."""
    return importlib.util.find_spec("accelerate") is not None


def small_text(task: Task) -> Fitted:
    """Fine-tune with small-text's `TransformerBasedClassification`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arguments that small-text sets itself
        from small_text import TransformerBasedClassification, TransformerModelArguments, TransformersDataset

    class Classifier(TransformerBasedClassification):  # type: ignore[misc]
        looking = 0.0

        def _save_model(self, *_: Any) -> None:
            """small-text writes weights and optimizer to the disk after each epoch even where nothing is chosen."""

        def validate(self, validation_set: Any) -> Any:
            start = time.perf_counter()
            found = super().validate(validation_set)
            self.looking += time.perf_counter() - start
            return found

    tokenizer, model = _start(task)

    def dataset(texts: list[str], classes: IntArray) -> Any:
        inputs = tokenizer(texts, padding="longest", truncation=True, max_length=256, return_tensors="pt")
        columns = zip(inputs["input_ids"].split(1), inputs["attention_mask"].split(1), classes.tolist(), strict=True)
        return TransformersDataset(list(columns), target_labels=np.unique(task.classes))

    classifier = Classifier(
        TransformerModelArguments(str(packaged_folder())),
        len(np.unique(task.classes)),
        num_epochs=task.epochs,
        lr=task.learning_rate,
        mini_batch_size=task.batch_size,
        device=task.device,
    )
    classifier.model = model
    train_set = dataset(task.texts, task.classes)
    optimizer = torch.optim.AdamW(_trained(model), lr=task.learning_rate, weight_decay=task.weight_decay)
    n_steps = task.epochs * -(-len(task.texts) // task.batch_size)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / n_steps))

    def fit() -> None:
        classifier.fit(
            train_set,
            validation_set=train_set,
            early_stopping="none",
            model_selection="none",
            optimizer=optimizer,
            scheduler=scheduler,
        )

    seconds, processor = _timed(fit)
    return Fitted(seconds, processor, classifier.looking, lambda: _predicted(model, tokenizer, task))


def trainer(task: Task) -> Fitted:
    """Fine-tune with `transformers.Trainer`, which pads each batch to its longest text."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    class TimedTrainer(Trainer):  # type: ignore[misc]
        looking = 0.0

        def evaluate(self, *args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            found = super().evaluate(*args, **options)
            self.looking += time.perf_counter() - start
            return found

    tokenizer, model = _start(task)
    inputs = tokenizer(task.texts, truncation=True, max_length=256)
    rows = [
        {"input_ids": ids, "attention_mask": mask, "labels": label}
        for ids, mask, label in zip(inputs["input_ids"], inputs["attention_mask"], task.classes.tolist(), strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=task.epochs,
            per_device_train_batch_size=task.batch_size,
            per_device_eval_batch_size=TEST_BATCH,
            learning_rate=task.learning_rate,
            weight_decay=task.weight_decay,
            lr_scheduler_type="linear",
            eval_strategy="epoch",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=task.device == "cpu",
            seed=task.seed,
        )
        fitter = TimedTrainer(
            model, arguments, train_dataset=rows, eval_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer)
        )
        with contextlib.redirect_stdout(io.StringIO()):  # it prints each evaluation
            seconds, processor = _timed(fitter.train)
    return Fitted(seconds, processor, fitter.looking, lambda: _predicted(model, tokenizer, task))


PEERS: dict[str, Callable[[Task], Fitted]] = {"small-text": small_text, "Trainer": trainer}


def _start(task: Task) -> tuple[Any, Any]:
    """Load tokenizer and model, freeze the lower layers, seed dropout and the order of the batches."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # of the new classification layer
    logging.disable_progress_bar()
    torch.manual_seed(task.seed)
    folder = packaged_folder()
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(np.unique(task.classes)))
    if task.depth != "all":
        for part in (model.bert.embeddings, *model.bert.encoder.layer[: -task.depth]):
            part.requires_grad_(False)
    return AutoTokenizer.from_pretrained(folder), model.to(task.device)


def _trained(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    start, processor_start = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, time.process_time() - processor_start


def _predicted(model: Any, tokenizer: Any, task: Task) -> IntArray:
    model.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(task.test_texts), TEST_BATCH):
            texts = task.test_texts[start : start + TEST_BATCH]
            inputs = tokenizer(texts, padding="longest", truncation=True, max_length=256, return_tensors="pt")
            found.append(model(**inputs.to(task.device)).logits.argmax(dim=1).cpu())
    return torch.cat(found).numpy()
