"""CAL: examples whose prediction contradicts that of the labeled examples nearest to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.sets import nearest_sets
from alvin_core.progress import ProgressEvent
from alvin_core.settings import CalSettings
from alvin_core.strategies.pool import Pool
from alvin_core.strategies.ranking import take_highest
from alvin_core.strategies.registry import strategy
from alvin_core.types import FloatArray, Selection

__all__ = ["EPSILON", "cal"]

EPSILON = 1e-12  # what a probability is raised to at least, before its logarithm is taken
NUMBERS_AT_ONCE = 4_000_000  # distances, or probabilities of neighbors, that one block of the pool may take


def _work(pool: Pool, params: CalSettings) -> int:
    assert pool.vectors is not None
    assert pool.labeled is not None
    assert pool.probs is not None
    dim, n_classes = int(pool.vectors.shape[1]), int(pool.probs.shape[1])
    n_labeled = len(pool.labeled.ids)
    search = n_labeled * (dim // 2 + 30) + 40_000
    return len(pool) * (search + min(params.k, n_labeled) * (3 * dim + 20 * n_classes))


@strategy(
    "cal",
    needs={"probs", "vectors", "labeled"},
    cite="Margatina et al. (2021)",
    settings="cal",
    work=_work,
)
def cal(pool: Pool, budget: int, params: CalSettings, rng: np.random.Generator) -> Selection:
    """Select examples that the model judges unlike the labeled examples nearest to them.

    Parameters
    ----------
    pool : Pool
        With ``probs`` (n_pool, n_classes), ``vectors`` (n_pool, dim), and a labeled set with both.
    budget : int
    params : CalSettings
        ``k`` neighbors, or all labeled examples where there are fewer.
    rng : numpy.random.Generator
        Not used: nothing is left to chance.

    Returns
    -------
    Selection
        The scores are mean divergences in nats; the whole pool is ranked.

    Raises
    ------
    DataError
        When vectors are not finite.

    Notes
    -----
    Margatina et al. (2021, Algorithm 1): a candidate's score is the mean over its k nearest labeled neighbors l of
    KL(p(y|x_l) || p(y|x_candidate)), the neighbor's distribution first, as in the authors' code, small-text and
    scikit-activeml. Differs: distances are Euclidean between the vectors as they are, where the authors' code first
    scales them to length 1 (the same where they have one length); probabilities are raised to 1e-12 at least and
    scaled to sum to 1 again; equally near neighbors and equal scores go by id.

    Needs some 200 MB beside the pool, whatever its size: it is worked off in blocks of a few million numbers.
    """
    labeled, vectors, probs = pool.labeled, pool.vectors, pool.probs
    assert labeled is not None  # the registry checked what the strategy needs
    assert labeled.probs is not None
    assert vectors is not None
    assert probs is not None
    k = min(params.k, len(labeled.ids))
    by_id = np.argsort(labeled.ids, kind="stable")
    labeled_vectors, of_labeled = labeled.vectors[by_id], _clipped(labeled.probs[by_id])
    negative_entropy = (of_labeled * np.log(of_labeled)).sum(axis=1)  # (n_labeled,)
    size = max(1, NUMBERS_AT_ONCE // max(len(labeled.ids), vectors.shape[1], k * probs.shape[1]))
    scores = np.empty(len(pool))
    for start in range(0, len(pool), size):
        pool.progress(ProgressEvent("select", start, len(pool), "cal"))
        part = slice(start, start + size)
        rows = nearest_sets(vectors[part], labeled_vectors, k=k, device=pool.device)  # (n_part, k)
        expected = of_labeled[rows].mean(axis=1)  # (n_part, n_classes)
        # The mean of sum p_l (log p_l - log p_c) over the neighbors l, taken apart: p_c is the same in all of them.
        scores[part] = negative_entropy[rows].mean(axis=1) - (expected * np.log(_clipped(probs[part]))).sum(axis=1)
    return take_highest(pool, scores, budget)


def _clipped(probs: FloatArray) -> NDArray[np.float64]:
    raised = np.maximum(np.asarray(probs, dtype=np.float64), EPSILON)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
