"""Ways to select in the study: entropy, random, and ALVIN with any of its steps changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from alvin_core.anchors import make_anchors
from alvin_core.neighbors import nearest_in_pool
from alvin_core.neighbors.candidates import candidates_of
from alvin_core.settings import AlvinSettings
from alvin_core.strategies.alvin import rank_candidates
from alvin_core.strategies.ranking import entropy_of, rank_by_score
from alvin_core.types import (
    Anchors,
    BoolArray,
    Candidates,
    Float32Array,
    FloatArray,
    Groups,
    IdArray,
    IntArray,
    Neighbors,
    TrainingDynamics,
)

Space = Literal["model", "encoder"]
Scaling = Literal["none", "l2", "std"]


@dataclass(frozen=True)
class Moment:
    """What a strategy sees in a round: the labeled set, the pool, and what the model says of them."""

    ids: IdArray  # (n_pool,)
    probs: FloatArray  # (n_pool, n_classes)
    labeled_ids: IdArray  # (n_labeled,)
    classes: IntArray  # (n_labeled,)
    groups: Groups
    dynamics: TrainingDynamics
    vectors: dict[Space, tuple[Float32Array, Float32Array]]  # of the labeled set and of the pool

    def scaled(self, space: Space, scaling: Scaling) -> tuple[Float32Array, Float32Array]:
        """Return vectors of the labeled set and the pool: of length 1, standardised by the pool, or as they are."""
        if scaling == "none":
            return self.vectors[space]
        labeled, pool = (part.astype(np.float64) for part in self.vectors[space])
        if scaling == "l2":
            labeled, pool = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (labeled, pool))
        else:
            centre, spread = pool.mean(axis=0), pool.std(axis=0) + 1e-9
            labeled, pool = (labeled - centre) / spread, (pool - centre) / spread
        return labeled.astype(np.float32), pool.astype(np.float32)


@dataclass(frozen=True)
class Retrieved:
    """The anchors of a selection and what they retrieved.

    Attributes
    ----------
    nearest_anchor : int array of shape (n_pool,)
        The nearest of the anchors that retrieved each pool example; -1 where none did.
    """

    anchors: Anchors
    neighbors: Neighbors
    candidates: Candidates
    nearest_anchor: IntArray


@dataclass(frozen=True)
class Picked:
    """Rows in the pool, best first; what anchors retrieved; and of a second model, where it contradicts the first."""

    rows: IntArray
    retrieved: Retrieved | None = None
    is_contradicted: BoolArray | None = None


Select = Callable[[Moment, int, np.random.Generator], Picked]


def entropy(moment: Moment, budget: int, rng: np.random.Generator) -> Picked:
    return Picked(rank_by_score(entropy_of(moment.probs), moment.ids)[:budget])


def random(moment: Moment, budget: int, rng: np.random.Generator) -> Picked:
    return Picked(rng.permutation(len(moment.ids))[:budget])


@dataclass(frozen=True)
class Alvin:
    """ALVIN, step by step as the project's strategy does it, with what the study changes.

    Attributes
    ----------
    beta : float or None
        The second parameter of the weights' Beta distribution; None takes alpha.
    contradicted : bool
        First the candidates that the model predicts otherwise than their nearest anchor's class.
    spread : bool
        Minority parents take turns, the one the model was least sure of first.
    """

    settings: AlvinSettings = field(default_factory=AlvinSettings)
    space: Space = "model"
    scaling: Scaling = "none"
    beta: float | None = None
    contradicted: bool = False
    spread: bool = False

    def __call__(self, moment: Moment, budget: int, rng: np.random.Generator) -> Picked:
        anchor_rng, rank_rng = rng.spawn(2)
        retrieved = self._retrieve(moment, budget, anchor_rng)
        rank = self.settings.rank
        n_candidates = len(retrieved.candidates.rows)
        ranking = rank_candidates(
            retrieved.neighbors, moment.ids, moment.probs, budget=n_candidates, rank=rank, rng=rank_rng
        ).rows
        if self.contradicted:
            expected = retrieved.anchors.classes[retrieved.nearest_anchor[ranking]]
            otherwise = moment.probs[ranking].argmax(axis=1) != expected
            ranking = np.concatenate([ranking[otherwise], ranking[~otherwise]])
        if self.spread:
            ranking = _in_turns(retrieved, ranking, moment.dynamics.confidence, budget)
        return Picked(ranking[:budget], retrieved)

    def _retrieve(self, moment: Moment, budget: int, rng: np.random.Generator) -> Retrieved:
        labeled, pool = moment.scaled(self.space, self.scaling)
        anchors = draw_anchors(moment, labeled, self.settings, self.beta, rng)
        k = min(self.settings.k, len(moment.ids))
        while True:
            neighbors = nearest_in_pool(pool, moment.ids, anchors, k=k)
            candidates = candidates_of(neighbors)
            if len(candidates.rows) >= budget or k == len(moment.ids):
                return Retrieved(anchors, neighbors, candidates, _nearest_anchors(neighbors, candidates))
            k = min(2 * k, len(moment.ids))


def draw_anchors(
    moment: Moment, labeled: Float32Array, settings: AlvinSettings, beta: float | None, rng: np.random.Generator
) -> Anchors:
    """Make anchors of the labeled set; with ``beta``, their weights are drawn from Beta(alpha, beta)."""
    anchors = make_anchors(
        labeled,
        moment.labeled_ids,
        moment.classes,
        moment.groups.is_minority,
        alpha=settings.alpha,
        n_anchors=settings.n_anchors,
        max_pairs=settings.max_pairs,
        pairing=settings.pairing,
        rng=rng,
    )
    if beta is None:
        return anchors
    return replace(anchors, weights=rng.beta(settings.alpha, beta, size=len(anchors)).astype(np.float32))


def _nearest_anchors(neighbors: Neighbors, candidates: Candidates) -> IntArray:
    """Return the nearest retrieving anchor of each pool example, the first of equally near ones; -1 without any."""
    nearest = np.full(len(neighbors.pool_ids), np.inf)
    nearest[candidates.rows] = candidates.nearest
    rows = neighbors.rows.ravel()
    links = np.flatnonzero(neighbors.distances.ravel() == nearest[rows])[::-1]  # the first one is written last
    found = np.full(len(nearest), -1, dtype=np.int64)
    found[rows[links]] = links // neighbors.k
    return found


def _in_turns(retrieved: Retrieved, ranking: IntArray, confidence: FloatArray, budget: int) -> IntArray:
    """Let each minority parent take the best ranked that its anchors retrieved and that is still free."""
    place = np.full(len(retrieved.nearest_anchor), len(ranking))
    place[ranking] = np.arange(len(ranking))
    parents = retrieved.anchors.minority_rows
    queues = {
        int(parent): iter(sorted(set(retrieved.neighbors.rows[parents == parent].ravel().tolist()), key=place.item))
        for parent in np.unique(parents)
    }
    turns = sorted(queues, key=confidence.item)
    taken: dict[int, None] = {}
    while len(taken) < min(budget, len(ranking)):
        for parent in turns:
            row = next((row for row in queues[parent] if row not in taken), None)
            if row is not None and len(taken) < budget:
                taken[row] = None
    return np.array(list(taken), dtype=np.int64)
