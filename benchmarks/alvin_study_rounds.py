"""A run of the study: rounds in reading order, measured after each training, with figures of what was selected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from alvin_study_arms import Arm
from alvin_study_data import Measures, StudyData
from alvin_study_figures import figures_of
from alvin_study_selecting import Moment

from alvin_core.data.splitting import draw_initial
from alvin_core.groups import infer_groups
from alvin_core.settings import TrainingSettings
from alvin_core.statistics import curve_area
from alvin_core.training.trainer import TrainedModel, train
from alvin_core.types import Float32Array, Groups, IntArray


@dataclass(frozen=True)
class Protocol:
    rounds: int = 5
    budget: int = 50
    initial: int = 100


@dataclass(frozen=True)
class Predicted:
    """A model and what it says: probabilities of every row in use, and vectors of the pool's rows, by row."""

    model: TrainedModel
    probs: Float32Array  # (n, n_classes); rows that are not in use stay 0
    vectors: Float32Array  # (n, dim)


@dataclass
class Runner:
    """Runs arms on one data set; arms with the same training share the model of round 0."""

    data: StudyData
    seed: int
    protocol: Protocol = field(default_factory=Protocol)
    _first: dict[TrainingSettings, Predicted] = field(default_factory=dict)

    def run(self, arm: Arm) -> dict[str, Any]:
        """Return ``area``, ``last``, ``mech`` and ``labeled``: rows in the order of annotation."""
        data, labels = self.data, self.data.corpus.labels
        labeled = data.pool[draw_initial(labels[data.pool], self.protocol.initial, self._stream(0, "initial"))]
        curve: list[Measures] = []
        figures: list[Measures] = []
        for round_no in range(self.protocol.rounds + 1):
            predicted = self._predicted(arm.training, labeled, round_no)
            curve.append(data.measure(predicted.probs))
            if round_no == self.protocol.rounds:
                break
            pool = np.setdiff1d(data.pool, labeled)
            moment = self._moment(predicted, self._groups(arm, predicted.model, labeled), labeled, pool)
            picked = arm.select(moment, self.protocol.budget, self._stream(round_no, "alvin"))
            if len(np.unique(picked.rows)) != self.protocol.budget:
                raise ValueError(f"{self.protocol.budget} different rows expected, found {len(np.unique(picked.rows))}")
            figures.append(figures_of(data, moment, picked, labeled, pool))
            labeled = np.concatenate([labeled, pool[picked.rows]])
        return {**self._summary(curve), "mech": _means(figures), "labeled": labeled.tolist()}

    def _summary(self, curve: list[Measures]) -> dict[str, Measures]:
        n_labeled = self.protocol.initial + self.protocol.budget * np.arange(len(curve))
        heights = {name: np.array([point[name] for point in curve]) for name in curve[0]}
        area = {name: float(curve_area(n_labeled, height)) for name, height in heights.items()}
        return {"area": area, "last": curve[-1]}

    def _stream(self, round_no: int, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, round_no, crc32(purpose.encode())])

    def _predicted(self, training: TrainingSettings, labeled: IntArray, round_no: int) -> Predicted:
        if round_no == 0 and training in self._first:
            return self._first[training]
        data, corpus = self.data, self.data.corpus
        model = train(
            data.encoder,
            corpus.features,
            labeled,
            corpus.labels[labeled],
            len(corpus.classes),
            corpus.ids[labeled],
            training,
            seed=int(np.random.SeedSequence([self.seed, round_no, crc32(b"train")]).generate_state(1)[0]),
            plan=data.plan,
        )
        in_pool = model.predict(data.pool)
        assert in_pool.vectors is not None  # asked for
        probs = np.zeros((len(corpus.ids), len(corpus.classes)), dtype=np.float32)
        vectors = np.zeros((len(corpus.ids), in_pool.vectors.shape[1]), dtype=np.float32)
        probs[data.pool], vectors[data.pool] = in_pool.probs, in_pool.vectors
        others = np.concatenate(list(data.splits.values()))
        probs[others] = model.predict(others, represent=False).probs
        predicted = Predicted(model, probs, vectors)
        if round_no == 0:
            self._first[training] = predicted
        return predicted

    def _groups(self, arm: Arm, model: TrainedModel, labeled: IntArray) -> Groups:
        corpus, rule = self.data.corpus, arm.groups
        return infer_groups(
            model.dynamics.correct,
            model.dynamics.gold_prob,
            corpus.labels[labeled],
            rule=rule.rule,
            quantile=rule.quantile,
            min_minority=rule.min_minority,
            min_majority=rule.min_majority,
            attributes=None if corpus.attributes is None else corpus.attributes[labeled],
        )

    def _moment(self, predicted: Predicted, groups: Groups, labeled: IntArray, pool: IntArray) -> Moment:
        corpus = self.data.corpus
        return Moment(
            ids=corpus.ids[pool],
            probs=predicted.probs[pool],
            labeled_ids=corpus.ids[labeled],
            classes=corpus.labels[labeled],
            groups=groups,
            dynamics=predicted.model.dynamics,
            vectors={
                "model": (predicted.vectors[labeled], predicted.vectors[pool]),
                "encoder": (corpus.embeddings[labeled], corpus.embeddings[pool]),
            },
        )


def _means(figures: list[Measures]) -> dict[str, float | None]:
    """Mean of each figure over the rounds that have it; None where none has."""
    names = sorted(set().union(*figures))
    known = {name: [one[name] for one in figures if np.isfinite(one.get(name, np.nan))] for name in names}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}
