"""ALVIN: anchors between minority and majority examples, and the pool's examples near them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alvin_core.anchors import count_anchors, make_anchors
from alvin_core.errors import PoolError, SettingsError
from alvin_core.neighbors import nearest_in_pool
from alvin_core.neighbors.candidates import candidates_of, count_candidates, link_parts
from alvin_core.settings import AlvinSettings, Rank
from alvin_core.strategies.pool import Pool, check_probs
from alvin_core.strategies.ranking import entropy_of, rank_by_score, take_highest
from alvin_core.strategies.registry import strategy
from alvin_core.types import Anchors, Candidates, FloatArray, IntArray, Neighbors, Provenance, Selection

__all__ = ["alvin", "rank_candidates"]

# Links (anchor, neighbor) take 16 bytes each; past this many, memory would end without a word.
MAX_LINKS = 150_000_000
ANCHOR_WORK = 30_000  # what an anchor costs besides its distances to the pool, in distances


def _work(pool: Pool, params: AlvinSettings) -> int:
    """About how many distances a selection has to find."""
    assert pool.labeled is not None
    n_anchors = count_anchors(
        pool.labeled.classes,
        pool.labeled.groups.is_minority,
        n_anchors=params.n_anchors,
        max_pairs=params.max_pairs,
        pairing=params.pairing,
    )
    return n_anchors * (len(pool) + ANCHOR_WORK)


@strategy(
    "alvin",
    needs={"probs", "vectors", "groups"},
    cite="Korakakis, Vlachos & Weller (2024)",
    settings="alvin",
    work=_work,
)
def alvin(pool: Pool, budget: int, params: AlvinSettings, rng: np.random.Generator) -> Selection:
    """Select examples near anchors interpolated between minority and majority examples of each class."""
    labeled, vectors, probs = pool.labeled, pool.vectors, pool.probs
    assert labeled is not None  # the registry checked what the strategy needs
    assert vectors is not None
    assert probs is not None
    anchor_rng, rank_rng = rng.spawn(2)
    anchors = make_anchors(
        labeled.vectors,
        labeled.ids,
        labeled.classes,
        labeled.groups.is_minority,
        alpha=params.alpha,
        n_anchors=params.n_anchors,
        max_pairs=params.max_pairs,
        pairing=params.pairing,
        rng=anchor_rng,
    )
    if not len(anchors):
        return _rank_whole_pool(pool, budget, params.rank, anchors, rank_rng)
    neighbors = _enough_neighbors(pool, vectors, anchors, budget, params)
    selection = rank_candidates(neighbors, pool.ids, probs, budget=budget, rank=params.rank, rng=rank_rng)
    wanted = min(params.k, len(pool))
    if neighbors.k == wanted:
        return selection
    note = f"{wanted} neighbors of each anchor gave fewer candidates than the budget; {neighbors.k} were taken"
    return replace(selection, warnings=(note,))


def rank_candidates(
    neighbors: Neighbors,
    pool_ids: ArrayLike,
    pool_probs: ArrayLike,
    *,
    budget: int,
    rank: Rank = "uncertainty",
    rng: np.random.Generator,
) -> Selection:
    """Rank what the anchors retrieved and take the budget.

    Parameters
    ----------
    neighbors : Neighbors
        The pool examples near each anchor; their union is the candidate set.
    pool_ids : array_like, shape (n_pool,)
    pool_probs : array_like of float, shape (n_pool, n_classes)
        Predicted probabilities.
    budget : int
        How many to take; at most the number of candidates.
    rank : {"uncertainty", "certainty", "distance", "frequency", "random"}
        By predictive entropy, high or low first; by the distance to the nearest anchor, near first; by the number of
        anchors that retrieved it, many first; or by chance.
    rng : numpy.random.Generator
        Used by ``random`` alone.

    Returns
    -------
    Selection
        With one provenance link for every anchor that retrieved a selected example.

    Raises
    ------
    PoolError
        When there are fewer candidates than the budget, or the probabilities are not probabilities.
    SettingsError
        For an unknown ``rank``.

    Notes
    -----
    Korakakis et al. (2024) take pool examples close to the anchors; the ranks, and ``uncertainty`` as the default, are
    this project's. Ties go by id.
    """
    AlvinSettings(rank=rank)  # raises on an unknown rank
    ids, probs = np.asarray(pool_ids), np.asarray(pool_probs)
    if len(ids) != len(probs) or len(ids) != len(neighbors.pool_ids):
        raise PoolError(
            f"pool_ids ({len(ids)}), pool_probs ({len(probs)}) and the neighbors' pool ({len(neighbors.pool_ids)}) "
            "must be of one length"
        )
    if not np.array_equal(ids, neighbors.pool_ids):
        raise PoolError("pool_ids are not those the neighbors were found among; pass the same, in the same order")
    check_probs(probs)
    candidates = candidates_of(neighbors)
    if not 1 <= budget <= len(candidates.rows):
        raise PoolError(
            f"asked for {budget} of {len(candidates.rows)} candidates; raise k, or lower the budget to at least 1"
        )
    scores = _scores(candidates, probs, rank, rng)
    order = rank_by_score(scores, ids[candidates.rows])
    rows = candidates.rows[order[:budget]]
    return Selection(
        ids=ids[rows],
        rows=rows,
        scores=scores[order[:budget]],
        ranking=candidates.rows[order],
        provenance=_provenance(neighbors, ids, rows),
        candidates=candidates,
        anchors=neighbors.anchors,
        k=neighbors.k,
    )


def _scores(candidates: Candidates, probs: FloatArray, rank: Rank, rng: np.random.Generator) -> NDArray[np.float64]:
    if rank == "uncertainty":
        return entropy_of(probs[candidates.rows])
    if rank == "certainty":
        return -entropy_of(probs[candidates.rows])
    if rank == "distance":
        return np.asarray(-candidates.nearest, dtype=np.float64)
    if rank == "frequency":
        return np.asarray(candidates.n_anchors, dtype=np.float64)
    return rng.random(len(candidates.rows))


def _enough_neighbors(
    pool: Pool, vectors: NDArray[np.float32], anchors: Anchors, budget: int, params: AlvinSettings
) -> Neighbors:
    """Retrieve, doubling k until the candidates suffice for the budget."""
    k = min(params.k, len(pool))
    while True:
        if len(anchors) * k > MAX_LINKS:
            raise SettingsError(
                f"{len(anchors):,} anchors with {k:,} neighbors each pass the limit of {MAX_LINKS:,} links; "
                "set alvin.max_pairs (2000 is usual), or lower the budget"
            )
        neighbors = nearest_in_pool(
            vectors, pool.ids, anchors, k=k, backend=params.backend, device=pool.device, progress=pool.progress
        )
        if k == len(pool) or count_candidates(neighbors) >= budget:
            return neighbors
        k = min(2 * k, len(pool))


def _provenance(neighbors: Neighbors, ids: NDArray[np.generic], selected_rows: IntArray) -> Provenance:
    """Collect the anchors that retrieved each selected example, nearest first."""
    place = np.full(len(neighbors.pool_ids), -1, dtype=np.int64)  # row in the pool -> place in the selection
    place[selected_rows] = np.arange(len(selected_rows))
    parts = [
        np.flatnonzero(place[neighbors.rows[part]] >= 0) + part.start * neighbors.k for part in link_parts(neighbors)
    ]
    links = np.concatenate(parts)
    places = place[neighbors.rows.ravel()[links]]
    distances = neighbors.distances.ravel()[links]
    anchor_rows = links // neighbors.k
    order = np.lexsort((anchor_rows, distances, places))
    return Provenance(
        ids=ids[selected_rows][places[order]],
        anchor_rows=anchor_rows[order],
        distances=distances[order],
    )


def _rank_whole_pool(pool: Pool, budget: int, rank: Rank, anchors: Anchors, rng: np.random.Generator) -> Selection:
    """Rank every example of the pool: the fallback when no class has a pair to interpolate between."""
    assert pool.probs is not None
    entropy = entropy_of(pool.probs)
    note = "no class had anchors, so the whole pool was ranked"
    if rank == "certainty":
        selection = take_highest(pool, -entropy, budget)
    elif rank == "random":
        selection = take_highest(pool, rng.random(len(pool)), budget)
    else:
        selection = take_highest(pool, entropy, budget)
        if rank != "uncertainty":
            note += f" by uncertainty ({rank!r} needs anchors)"
    return replace(selection, warnings=(note,), anchors=anchors)
