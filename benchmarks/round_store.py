"""Make a store with a run whose texts count as encoded already: what `round.py` measures rounds on.

Made are the texts, an untrained encoder of one layer that has the width of MiniLM, and the vectors, drawn by chance in
clusters that go with the class and with an attribute; they are written into the encoder's cache under the key that its
own vectors would have. Everything else is the project's: reading the data and creating the run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import alvin_core as alvin
from alvin_core.data.dataset import Dataset, Texts
from alvin_core.types import Float32Array

__all__ = ["DIM", "MAX_PAIRS", "N_EVALUATED", "N_LABELED", "RUN", "make_store", "settings_of"]

RUN = "measured"
DIM = 384  # MiniLM's
N_EVALUATED = 2_000  # examples of each evaluation split
N_LABELED, MAX_PAIRS = 200, 2_000  # in the round that is measured; pairs for each class
ROWS_AT_ONCE = 65_536
SPREAD = 0.15  # of the clusters' centres, in each dimension; of a cluster itself it is 1
SUBJECTS = ("film", "novel", "concert", "recipe", "hotel", "phone", "garden", "lecture")
VERBS = ("delighted", "bored", "surprised", "tired", "moved", "annoyed")


def settings_of(encoder: Path, threads: int) -> alvin.RunSettings:
    """Return the settings of the measured run: a minority of 30 % of each class, so that pairs reach their limit."""
    return alvin.RunSettings(initial=N_LABELED).with_values(
        {
            "alvin.max_pairs": MAX_PAIRS,
            "encoder.name": str(encoder),
            "groups.min_minority": 0.3,
            "runtime.device": "cpu",
            "runtime.inference_dtype": "float32",  # a part of the cache's key
            "runtime.threads": threads,
            "training.trainable_layers": 0,
        }
    )


def make_store(folder: Path, n_pool: int, threads: int) -> Path:
    """Return a store under ``folder`` with a run of ``n_pool`` encoded examples, made where it is not there."""
    from alvin_core.encoding.encode import filled_by

    store, half_made = folder / f"store-{n_pool}", folder / f"store-{n_pool}.half-made"
    if store.exists():
        return store
    shutil.rmtree(half_made, ignore_errors=True)
    encoder = folder / "encoder"
    if not encoder.exists():
        _write_encoder(encoder)
    with filled_by(_fill):
        run = alvin.create_run(half_made, _dataset(n_pool), settings_of(encoder, threads), name=RUN, source="made")
        run._engine.embed(run.settings)
    half_made.rename(store)  # now it is whole
    return store


def _write_encoder(path: Path) -> None:
    """Write an untrained BERT of one layer that knows the words of the texts."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["the", "of", "case", "me", "from", "its", "first", "minute", "to", "last", "."]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *SUBJECTS, *VERBS]
    BertTokenizerFast(vocab={word: row for row, word in enumerate(names)}).save_pretrained(path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names), hidden_size=DIM, num_hidden_layers=1, num_attention_heads=4, intermediate_size=DIM
    )
    BertModel(config).save_pretrained(path)


def _dataset(n_pool: int) -> Dataset:
    splits = np.repeat(["pool", "test", "ood:other"], [n_pool, N_EVALUATED, N_EVALUATED])
    labels, rng = _labels(len(splits)), np.random.default_rng(12)
    subjects, verbs = rng.integers(len(SUBJECTS), size=len(splits)), rng.integers(len(VERBS), size=len(splits))
    texts = (
        f"The {SUBJECTS[subject]} of case {row} {VERBS[verb]} me from its first minute to its last."
        for row, (subject, verb) in enumerate(zip(subjects.tolist(), verbs.tolist(), strict=True))
    )
    return Dataset(
        ids=np.array([f"row-{row:07d}" for row in range(len(splits))]),
        texts=Texts.pack(texts),
        labels=labels,
        classes=("negative", "positive"),
        splits=splits,
        attributes=np.array(["long", "short"])[np.where(rng.random(len(splits)) < 0.9, labels, 1 - labels)],
    )


def _labels(n: int) -> NDArray[np.int64]:
    return np.random.default_rng(11).integers(2, size=n)


def _fill(work: Any, writer: Any) -> int:
    """Write drawn vectors where the encoder's would be."""
    n = len(work.tokens)
    if np.ptp(work.tokens.lengths):  # the cache is in order of length: here that is the order of the rows
        raise ValueError("the made texts must all have one number of tokens")
    for start, values in _drawn(n):
        writer.write(start, values)
    return n


def _drawn(n: int) -> Iterator[tuple[int, Float32Array]]:
    """Yield blocks of vectors: eight clusters of each class, which a classifier tells apart, but not always."""
    rng, labels = np.random.default_rng(5), _labels(n)
    centres = np.float32(SPREAD) * rng.standard_normal((2, 8, DIM), dtype=np.float32)
    for start in range(0, n, ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, n - start)
        values = rng.standard_normal((rows, DIM), dtype=np.float32)
        values += centres[labels[start : start + rows], rng.integers(8, size=rows)]
        yield start, values
