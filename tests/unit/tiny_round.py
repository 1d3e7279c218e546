"""A round small enough for a test, with a real encoder: the data, what a round starts from, and its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.device import DevicePlan
from alvin_core.encoding.features import compute_features, embed
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.round import RoundResult, run_round
from alvin_core.round_inputs import RoundInputs
from alvin_core.settings import CounterShortcutSettings, EncoderSettings, RunSettings, RuntimeSettings, TrainingSettings
from alvin_core.strategies import PoolSlice

PLAN = DevicePlan("cpu", 1, "float32", "CPU, 1 thread")
N_POOL, N_TEST, N_LABELED = 40, 10, 12
WORDS = ("a b c d e", "v w x y z", "k l m n o")  # of each class, and five more that say nothing


def make_dataset(n_classes: int = 2, *, pairs: bool = False, n_test: int = N_TEST, **changes: Any) -> Dataset:
    """Forty pool examples, then the test split; the class of row i is i modulo the number of classes."""
    rng = np.random.default_rng(0)
    n = N_POOL + n_test
    labels = np.arange(n) % n_classes
    texts = [
        " ".join(rng.choice([*WORDS[label].split(), *"pqrst"], size=6 + row % 5)) for row, label in enumerate(labels)
    ]
    attributes = np.where(rng.random(n) < 0.8, np.array(["x", "y", "z"])[labels], "x")
    attributes[::7] = ""
    dataset = Dataset(
        ids=np.array([f"e{row:02d}" for row in range(n)]),
        texts=Texts.pack(texts),
        second_texts=Texts.pack(reversed(texts)) if pairs else None,
        labels=labels,
        classes=("neg", "pos", "so-so")[:n_classes],
        splits=np.array(["pool"] * N_POOL + ["test"] * n_test),
        attributes=attributes,
    )
    return replace(dataset, **changes)


def make_settings(folder: Path | str, **changes: object) -> RunSettings:
    """Settings of a quick round; ``__`` in a name stands for a dot. They name the slice of every second row."""
    plain = RunSettings(
        budget=5,
        encoder=EncoderSettings(name=str(folder), max_length=32),
        training=TrainingSettings(epochs=4, hidden=8, head_learning_rate=1e-2),
        runtime=RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
        counter_shortcut=CounterShortcutSettings(slice="even rows"),
    )
    return plain.with_values({name.replace("__", "."): value for name, value in changes.items()})


def make_inputs(
    dataset: Dataset, settings: RunSettings, *, encoder: Encoder | None = None, labeled: Any = None, round_no: int = 0
) -> RoundInputs:
    """Read the data set as the settings say; by default the first twelve rows are labeled, in a mixed order."""
    encoder = encoder or load_encoder(settings.encoder, PLAN)
    rows = np.random.default_rng(3).permutation(N_LABELED) if labeled is None else np.asarray(labeled)
    reading = {"settings": settings.encoder, "plan": PLAN, "cache_dir": None}
    texts = (encoder, dataset.texts, dataset.second_texts)
    return RoundInputs(
        dataset=dataset,
        encoder=encoder,
        features=compute_features(*texts, trainable_layers=settings.training.trainable_layers, **reading),
        embeddings=embed(*texts, **reading) if settings.space == "encoder" else None,
        labeled_rows=rows,
        labeled_classes=dataset.labels[rows],
        round_no=round_no,
        slice_=PoolSlice("even rows", np.arange(len(dataset)) % 2 == 0, 1) if settings.counter_shortcut.slice else None,
    )


def tiny_round(folder: Path | str, **changes: object) -> RoundResult:
    """Run the plain round."""
    settings = make_settings(folder, **changes)
    return run_round(make_inputs(make_dataset(), settings), settings, PLAN)
