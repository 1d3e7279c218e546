"""BADGE: examples that would change the last layer much, and each in another direction."""

from __future__ import annotations

import numpy as np

from alvin_core.progress import ProgressEvent
from alvin_core.settings import RunSettings
from alvin_core.strategies.kmeans_seeding import OuterProducts, sample_centres
from alvin_core.strategies.pool import Pool
from alvin_core.strategies.ranking import entropy_of, in_order, rank_by_score
from alvin_core.strategies.registry import strategy
from alvin_core.types import Float32Array, FloatArray, IntArray, Selection

__all__ = ["badge", "gradient_embeddings"]


def _work(pool: Pool, params: None) -> int:
    assert pool.readout is not None
    budget = (pool.settings or RunSettings()).budget
    dim: int = pool.readout.vectors.shape[1]
    # A pass reads all vectors, which takes three times as long as multiplying them.
    return len(pool) * (40 * dim + budget * (3 * dim + 250))


@strategy("badge", needs={"probs", "readout"}, cite="Ash et al. (2020)", work=_work)
def badge(pool: Pool, budget: int, params: None, rng: np.random.Generator) -> Selection:
    """Select examples whose gradients of the last layer are large and unlike each other.

    Parameters
    ----------
    pool : Pool
        With ``probs`` and ``readout``.
    budget : int
    params : None
    rng : numpy.random.Generator
        One ``rng.random()`` for each pick but the first.

    Returns
    -------
    Selection
        In the order of the draws; ``scores`` are the negative places, for the draws maximise nothing.

    Notes
    -----
    Ash et al. (2020, algorithm 1): k-means++ seeding over the gradients of the loss, each taken as if the likeliest
    class were the true one. The first pick has the largest gradient, as in the authors' public code; k-means++ draws it
    evenly. Chances are added up in the order of the ids, so the order of the pool does not matter. Where the gradients
    of all others are 0 or equal to a picked one's, no draw is possible, and the rest are those of highest predictive
    entropy, ties by id; a warning says so.

    No gradient is written out: each is an outer product whose distances follow from its factors. A pick is one pass
    over the pool, of dim + n_classes multiplications for each example. Memory beside the pool, for 100,000 examples
    of 384 dimensions: 8 bytes for each example and class, and about 100 bytes for each example: 14 MB with 12
    classes, where the gradients in float32 would take 1.8 GB.
    """
    probs, readout = pool.probs, pool.readout
    assert probs is not None  # the registry checked what the strategy needs
    assert readout is not None
    points = gradient_embeddings(probs, readout.vectors)

    def report(n_done: int) -> None:
        pool.progress(ProgressEvent("select", n_done, budget, "badge"))

    by_id = np.argsort(pool.ids, kind="stable")
    largest = int(by_id[np.argmax(points.squared_norms[by_id])])
    drawn: list[int] = []
    if points.squared_norms[largest] > 0:
        drawn = sample_centres(points, budget, rng, first=largest, order=by_id, report=report)
    rows = np.array(drawn, dtype=np.int64)
    warnings: tuple[str, ...] = ()
    if len(rows) < budget:
        warnings = (
            f"the gradients of {len(pool) - len(rows):,} examples are 0 or equal those of the {len(rows)} drawn; "
            f"the other {budget - len(rows)} are those of highest entropy",
        )
        rows = np.concatenate([rows, _most_uncertain_of_rest(pool, probs, rows)[: budget - len(rows)]])
    scores = -np.arange(budget, dtype=np.float64)
    return in_order(pool, rows, scores, warnings)


def gradient_embeddings(probs: FloatArray, vectors: Float32Array) -> OuterProducts:
    """Gradients of the loss by the last layer's weights, with the likeliest class as the label, in factored form.

    Parameters
    ----------
    probs : float array of shape (n, n_classes)
        Predicted probabilities; where several classes are likeliest, the first counts.
    vectors : float32 array of shape (n, dim)
        What the last layer reads.

    Returns
    -------
    OuterProducts
        ``(p − onehot(argmax p)) ⊗ z`` for each example.

    Notes
    -----
    Ash et al. (2020, equation 1).
    """
    errors = np.array(probs, dtype=np.float64)
    errors[np.arange(len(errors)), np.argmax(probs, axis=1)] -= 1
    return OuterProducts(short=errors, long=np.ascontiguousarray(vectors))


def _most_uncertain_of_rest(pool: Pool, probs: FloatArray, taken: IntArray) -> IntArray:
    rest = np.setdiff1d(np.arange(len(pool)), taken)
    return rest[rank_by_score(entropy_of(probs[rest]), pool.ids[rest])]
