"""Data of the study: samples, planted sets of any strength and ambiguity, and a file split in halves.

A data set is named by what it is: ``reviews`` (a sample), ``reviews:0.9:0.3`` (planted: task, strength, ambiguity) or
``sst2-to-imdb:A`` (half of a file, by its stem). Texts are encoded once by the project's own encoder and cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import alvin_core as alvin
from alvin_core.data.planted import TASKS, make_planted
from alvin_core.encoding.features import Features, compute_features
from alvin_core.encoding.tokens import TokenCounts
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.metrics import evaluate
from alvin_core.types import BoolArray, Float32Array, FloatArray, IdArray, IntArray

if TYPE_CHECKING:
    import torch

Measures = dict[str, float]

HALVES = {"A": 0, "B": 1}
SPLIT_SEED = 11
# Every planted set of a task is drawn from two corpora of its grammar: one of clear texts, one of open texts.
CLEAR = {"strength": 2 / 3, "ambiguity": 0.0, "n_pool": 4200, "seed": 7001}
OPEN = {"strength": 2 / 3, "ambiguity": 1.0, "n_pool": 1300, "seed": 7002}
HELD_OUT_SEED = 5
N_HELD_OUT = 400  # clear texts of each group (class × with or against the shortcut)
POOL_SEED = 77
N_POOL = 2000


@dataclass(frozen=True)
class Corpus:
    """Texts that are encoded, with what is known of them; arrays run side by side, one entry a text."""

    ids: IdArray
    labels: IntArray
    splits: IdArray
    attributes: IdArray | None
    classes: tuple[str, ...]
    features: Features
    embeddings: Float32Array


@dataclass(frozen=True)
class StudyData:
    """What runs are made on: a corpus, its rows in the pool, and its rows to measure on.

    Attributes
    ----------
    is_minority, is_open : bool array of shape (n,) or None
        Against the shortcut of its class; without a clear label. None where nothing is planted.
    strength : float or None
        Of a planted set: its splits are four groups, and measures are weighted from them.
    """

    name: str
    corpus: Corpus
    pool: IntArray
    splits: dict[str, IntArray]
    encoder: Encoder
    plan: Any
    is_minority: BoolArray | None = None
    is_open: BoolArray | None = None
    strength: float | None = None

    def measure(self, probs: FloatArray) -> Measures:
        """Measure predictions, of shape (n, n_classes): ``test``, ``ood`` and, where there are groups, ``worst``."""
        return self._of_splits(probs) if self.strength is None else self._of_groups(probs, self.strength)

    def _of_groups(self, probs: FloatArray, strength: float) -> Measures:
        right = {name: (probs[r].argmax(axis=1) == self.corpus.labels[r]).mean() for name, r in self.splits.items()}
        with_it, against = (np.mean([right[f"{c} {side}"] for c in (0, 1)]) for side in ("with", "against"))
        return {
            "test": float(strength * with_it + (1 - strength) * against),
            "ood": float((with_it + against) / 2),
            "ood:reversed": float((1 - strength) * with_it + strength * against),
            "worst": float(min(right.values())),
        }

    def _of_splits(self, probs: FloatArray) -> Measures:
        corpus, found = self.corpus, {}
        for name, rows in self.splits.items():
            attributes = None if corpus.attributes is None else corpus.attributes[rows]
            metrics = evaluate(corpus.labels[rows], probs[rows], corpus.classes, attributes)
            found[name] = metrics["accuracy"]
            if metrics["worst_group_accuracy"] is not None:
                found[f"{name}, worst group"] = metrics["worst_group_accuracy"]
        if corpus.attributes is not None:
            return {**found, "ood": found["ood:balanced"], "worst": found["ood:balanced, worst group"]}
        return {**found, "ood": float(np.mean([value for name, value in found.items() if name.startswith("ood")]))}


class HeldVectors(Features):
    """Vectors of several corpora as one, for a head on a frozen encoder."""

    def __init__(self, vectors: Float32Array) -> None:
        ones = np.ones(len(vectors), dtype=np.int32)
        super().__init__(vectors.shape[1], ones, TokenCounts(ones, ones))
        self._vectors = vectors

    def batch(self, rows: IntArray, device: torch.device) -> dict[str, torch.Tensor]:
        import torch

        return {"vectors": torch.from_numpy(self._vectors[rows]).to(device)}

    def vectors(self) -> Float32Array:
        return self._vectors


class Loader:
    """Loads the encoder at the first data set, and encodes every corpus once.

    Parameters
    ----------
    cache : Path
        The folder of cached encodings.
    file : Path or None
        The file whose halves are asked for.
    """

    def __init__(self, cache: Path, file: Path | None = None) -> None:
        from alvin_core.device import apply_threads, plan_device

        self._cache, self._file = cache, file
        self._settings = alvin.RunSettings().with_values({"runtime.threads": 1, "runtime.device": "cpu"})
        self._plan = plan_device(self._settings.runtime)
        apply_threads(self._plan.threads)
        self._encoder = load_encoder(self._settings.encoder, self._plan)
        self._corpus = lru_cache(maxsize=None)(self._encoded)
        self._grammar = lru_cache(maxsize=None)(self._of_grammar)

    def load(self, spec: str, seed: int) -> StudyData:
        """Return the data set of a name; the pool of a planted one is drawn anew for each seed."""
        parts = spec.split(":")
        if len(parts) == 3 and parts[0] in TASKS:
            return self._planted(spec, parts[0], float(parts[1]), float(parts[2]), seed)
        if len(parts) == 2 and parts[1] in HALVES:
            if self._file is None or self._file.stem != parts[0]:
                raise SystemExit(f"{spec} is half of a file: name it with --file, such as {parts[0]}.csv")
            return self._half(spec, self._file, HALVES[parts[1]])
        corpus = self._corpus(alvin.sample_path(spec))
        return self._whole(spec, corpus, np.ones(len(corpus.ids), dtype=bool))

    def _encoded(self, source: Path | alvin.Dataset) -> Corpus:
        dataset = alvin.load_dataset(source) if isinstance(source, Path) else source
        features = compute_features(
            self._encoder,
            dataset.texts,
            dataset.second_texts,
            trainable_layers=0,
            settings=self._settings.encoder,
            plan=self._plan,
            cache_dir=self._cache,
        )
        embeddings = features.vectors()
        assert embeddings is not None  # depth 0 has them
        attributes = dataset.attributes
        classes = tuple(dataset.classes)
        return Corpus(dataset.ids, dataset.labels, dataset.splits, attributes, classes, features, embeddings)

    def _whole(self, name: str, corpus: Corpus, taken: BoolArray) -> StudyData:
        names = sorted(set(corpus.splits.tolist()))
        rows = {split: np.flatnonzero(taken & (corpus.splits == split)) for split in names}
        pool = rows.pop("pool")
        minority = None if corpus.attributes is None else against_shortcut(corpus.labels, corpus.attributes, pool)
        return StudyData(name, corpus, pool, rows, self._encoder, self._plan, minority)

    def _half(self, name: str, file: Path, half: int) -> StudyData:
        """Return every second row of each split, in a random order: the halves share nothing."""
        corpus = self._corpus(file)
        order = np.random.default_rng(SPLIT_SEED).permutation(len(corpus.ids))
        taken = np.zeros(len(order), dtype=bool)
        for split in set(corpus.splits.tolist()):
            taken[order[corpus.splits[order] == split][half::2]] = True
        return self._whole(name, corpus, taken)

    def _of_grammar(self, task: str) -> tuple[Corpus, BoolArray, BoolArray, dict[str, IntArray]]:
        """Return the two corpora of a task as one, which texts are open or minority, and the held-out groups."""
        clear, open_ = (self._encoded(make_planted(task, **kind, n_test=0, n_ood=0)) for kind in (CLEAR, OPEN))
        assert clear.attributes is not None
        assert open_.attributes is not None
        labels = np.concatenate([clear.labels, open_.labels])
        attributes = np.concatenate([clear.attributes, open_.attributes])
        vectors = np.concatenate([clear.embeddings, open_.embeddings])
        ids = np.array([f"x{row:05d}" for row in range(len(labels))])
        corpus = Corpus(ids, labels, ids, attributes, clear.classes, HeldVectors(vectors), vectors)
        is_open = np.arange(len(labels)) >= len(clear.labels)
        is_minority = against_shortcut(labels, attributes, np.flatnonzero(~is_open))
        rng = np.random.default_rng(HELD_OUT_SEED)
        held_out = {
            f"{class_} {side}": rng.permutation(
                np.flatnonzero((labels == class_) & (is_minority == (side == "against")) & ~is_open)
            )[:N_HELD_OUT]
            for class_ in (0, 1)
            for side in ("with", "against")
        }
        return corpus, is_open, is_minority, held_out

    def _planted(self, name: str, task: str, strength: float, ambiguity: float, seed: int) -> StudyData:
        """Draw a pool by class × group × open: the generator's own distribution at this strength and ambiguity."""
        corpus, is_open, is_minority, held_out = self._grammar(task)
        free = np.ones(len(corpus.ids), dtype=bool)
        free[np.concatenate(list(held_out.values()))] = False
        rng = np.random.default_rng([POOL_SEED, seed, int(strength * 1000), int(ambiguity * 1000)])
        drawn = []
        for class_ in (0, 1):
            n_class = N_POOL // 2
            n_against = round(n_class * (1 - strength))
            for against, n_group in ((False, n_class - n_against), (True, n_against)):
                n_open = round(n_group * ambiguity)
                for is_open_one, n_rows in ((False, n_group - n_open), (True, n_open)):
                    kind = (corpus.labels == class_) & (is_minority == against) & (is_open == is_open_one)
                    rows = np.flatnonzero(free & kind)
                    if len(rows) < n_rows:
                        raise SystemExit(f"{name} needs {n_rows} texts of a kind, {len(rows)} were made")
                    drawn.append(rng.permutation(rows)[:n_rows])
        pool = np.sort(np.concatenate(drawn))
        return StudyData(name, corpus, pool, held_out, self._encoder, self._plan, is_minority, is_open, strength)


def against_shortcut(labels: IntArray, attributes: IdArray, pool: IntArray) -> BoolArray:
    """Tell which examples do not have the attribute that is the most frequent one of their class in the pool."""
    against = np.zeros(len(labels), dtype=bool)
    for class_ in np.unique(labels):
        values, counts = np.unique(attributes[pool[labels[pool] == class_]], return_counts=True)
        of_class = labels == class_
        against[of_class] = attributes[of_class] != values[counts.argmax()]
    return against
