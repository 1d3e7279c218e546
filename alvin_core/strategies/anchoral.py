"""AnchorAL: another strategy, on the part of the pool that is similar to labeled examples of every class."""

from __future__ import annotations

import numpy as np

from alvin_core.errors import SettingsError
from alvin_core.neighbors.points import nearest_to_points
from alvin_core.settings import AnchoralSettings, RunSettings
from alvin_core.strategies.clustering import unit_vectors
from alvin_core.strategies.kmeans_seeding import OuterProducts, sample_centres
from alvin_core.strategies.pool import Pool
from alvin_core.strategies.registry import get_strategy, strategy, strategy_names
from alvin_core.types import Float32Array, IntArray, Selection

__all__ = ["anchoral", "check_base", "choose_anchors", "similar_to_anchors"]

NAME = "anchoral"


def _work(pool: Pool, params: AnchoralSettings) -> int:
    assert pool.labeled is not None
    assert pool.vectors is not None
    check_base(params.base)
    counts = np.unique(pool.labeled.classes, return_counts=True)[1]
    n_anchors = int(np.minimum(counts, params.n_anchors).sum())
    settings = pool.settings or RunSettings()
    size = min(len(pool), max(params.subpool, settings.budget))
    dim = int(pool.vectors.shape[1])
    search = 50_000_000 + 100_000 * n_anchors + len(pool) * (60 * dim + n_anchors * (dim // 2 + 50))
    return search + get_strategy(params.base).steps(pool.take(np.arange(size)), settings)


@strategy(
    NAME,
    needs={"vectors", "labeled"},
    cite="Lesci & Vlachos (2024)",
    settings="anchoral",
    work=_work,
)
def anchoral(pool: Pool, budget: int, params: AnchoralSettings, rng: np.random.Generator) -> Selection:
    """Select with another strategy from a subpool around labeled examples of every class.

    Parameters
    ----------
    pool : Pool
        With ``vectors``, a labeled set, and what the base strategy needs; ``settings`` holds the base's own.
    budget : int
    params : AnchoralSettings
        ``base``, ``n_anchors`` for each class, ``n_neighbors`` of each anchor, ``subpool``.
    rng : numpy.random.Generator
        One stream draws the anchors, another one is the base's.

    Returns
    -------
    Selection
        The base's scores and ranking of the subpool, rows in the pool. Without provenance.

    Raises
    ------
    SettingsError
        When the base is not a strategy, or is this one.
    PoolError
        When the pool lacks what the base needs.
    DataError
        When vectors are not finite.

    Notes
    -----
    Lesci & Vlachos (2024). An anchor here is a labeled example; ALVIN's anchors are points interpolated between two.
    Vectors are compared by cosine, as in the authors' code: see `similar_to_anchors`. Differs: neighbors are exact;
    where they are fewer than the budget, n_neighbors is doubled until they suffice, with a warning, and the subpool
    is never smaller than the budget. The authors search vectors of a fixed sentence encoder; here it is the run's
    space.

    Beside the pool it needs a copy of its vectors scaled to length 1 and about as much again to search it: 310 MB for
    100,000 examples of 384 dimensions and 20 anchors, 500 MB with 500 anchors; then what the base needs for the
    subpool.
    """
    labeled, vectors = pool.labeled, pool.vectors
    assert labeled is not None  # the registry checked what the strategy needs
    assert vectors is not None
    check_base(params.base)
    anchor_rng, base_rng = rng.spawn(2)
    units = unit_vectors(labeled.vectors, np.arange(len(labeled.vectors)))
    anchor_rows = choose_anchors(units, labeled.classes, params.n_anchors, anchor_rng)
    size = max(params.subpool, budget)
    rows, n_neighbors = similar_to_anchors(pool, units[anchor_rows], n_neighbors=params.n_neighbors, least=budget)
    rows = rows[:size]
    notes = []
    if n_neighbors > min(params.n_neighbors, len(pool)):
        few = f"{params.n_neighbors} neighbors of each of {len(anchor_rows)} anchors are fewer than the budget"
        notes.append(f"{few}; {n_neighbors} were taken")
    if params.subpool < budget:
        notes.append(f"subpool = {params.subpool} is smaller than the budget; {size} examples were kept")
    base = get_strategy(params.base)
    chosen = base.select(pool.take(rows), budget, pool.settings or RunSettings(), base_rng)
    return Selection(
        ids=chosen.ids,
        rows=rows[chosen.rows],
        scores=chosen.scores,
        ranking=rows[chosen.ranking],
        warnings=(*notes, *chosen.warnings),
        n_considered=len(rows),
    )


def check_base(name: str) -> None:
    """Refuse what cannot select from a subpool.

    Raises
    ------
    SettingsError
        When no strategy has this name, or it is AnchorAL itself.
    """
    if name == NAME:
        others = ", ".join(other for other in strategy_names() if other != NAME)
        raise SettingsError(f"anchoral.base = {name!r} would select from a subpool of its subpool; choose of: {others}")
    get_strategy(name)


def choose_anchors(vectors: Float32Array, classes: IntArray, n_anchors: int, rng: np.random.Generator) -> IntArray:
    """Choose labeled examples of each class, far from each other.

    Parameters
    ----------
    vectors : float array of shape (n_labeled, dim)
    classes : int array of shape (n_labeled,)
    n_anchors : int
        For each class; all of a class that has no more.
    rng : numpy.random.Generator

    Returns
    -------
    int array
        Rows in the labeled set, class by class.

    Notes
    -----
    k-means++ seeding (Arthur & Vassilvitskii 2007): the first at random, each further one with a chance in proportion
    to its squared distance to the nearest before it. Where only copies of those are left, they are drawn evenly.
    """
    chosen = []
    for name in np.unique(classes):
        members = np.flatnonzero(classes == name)
        if len(members) > n_anchors:
            points = OuterProducts(np.ones((len(members), 1)), vectors[members])  # the vectors themselves
            first = int(rng.integers(len(members)))
            seeds = sample_centres(points, n_anchors, rng, first=first, order=np.arange(len(members)))
            copies = np.setdiff1d(np.arange(len(members)), seeds)
            members = members[[*seeds, *rng.choice(copies, n_anchors - len(seeds), replace=False)]]
        chosen.append(members)
    return np.concatenate(chosen)


def similar_to_anchors(
    pool: Pool, anchor_vectors: Float32Array, *, n_neighbors: int, least: int
) -> tuple[IntArray, int]:
    """Retrieve the pool examples most similar to each anchor, and order them by their mean distance to those anchors.

    Parameters
    ----------
    pool : Pool
        With ``vectors`` of shape (n_pool, dim).
    anchor_vectors : float32 array of shape (n_anchors, dim)
        Of length 1, or 0.
    n_neighbors : int
        Of each anchor; doubled, at most to n_pool, while fewer than ``least`` examples are retrieved in all.
    least : int
        At most n_pool.

    Returns
    -------
    int array of shape (n_retrieved,)
        Rows in the pool, nearest first, ties by id.
    int
        The number of neighbors that was used.

    Notes
    -----
    The distance is 1 − cosine; an example's is averaged over the anchors that retrieved it, as in the authors' code.
    Between vectors of length 1 it is half the squared Euclidean distance. A vector of zeros has no direction: it is
    left as it is, at the distance 1/2 of every anchor.
    """
    assert pool.vectors is not None
    by_id = np.argsort(pool.ids, kind="stable")
    units = unit_vectors(pool.vectors, by_id)
    k = min(n_neighbors, len(pool))
    while True:
        rows, distances = nearest_to_points(anchor_vectors, units, k=k, device=pool.device, progress=pool.progress)
        counts = np.bincount(rows.ravel(), minlength=len(pool))
        places = np.flatnonzero(counts)
        if len(places) >= least or k == len(pool):
            break
        k = min(2 * k, len(pool))
    sums = np.bincount(rows.ravel(), weights=distances.ravel() ** 2 / 2, minlength=len(pool))
    means = sums[places] / counts[places]
    return by_id[places[np.argsort(means, kind="stable")]], k
