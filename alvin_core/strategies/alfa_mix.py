"""ALFA-Mix: examples whose predicted class changes when they are mixed a little with a class' mean."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.checking import checked_pool
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.settings import AlfaMixSettings
from alvin_core.strategies.bert_km import nearest_to_centroids
from alvin_core.strategies.clustering import find_clusters, kmeans_steps, unit_vectors
from alvin_core.strategies.pool import Pool, Readout
from alvin_core.strategies.registry import strategy
from alvin_core.types import Float32Array, FloatArray, IntArray, Selection

__all__ = ["alfa_mix", "eps_to_flip", "steepest_directions"]

NUMBERS_AT_ONCE = 1_000_000  # coordinates that one block of the pool may hold


def _work(pool: Pool, params: AlfaMixSettings) -> int:
    assert pool.readout is not None
    assert pool.settings is not None
    n_classes, dim = (int(size) for size in pool.readout.weight.shape)
    # A tenth to a half of a pool are candidates, usually; k-means meets those alone.
    return len(pool) * dim * (220 + 12 * n_classes) + kmeans_steps(len(pool) // 4, dim, pool.settings.budget)


@strategy(
    "alfa-mix",
    needs={"readout", "labeled"},
    cite="Parvaneh et al. (2022)",
    settings="alfa_mix",
    work=_work,
)
def alfa_mix(pool: Pool, budget: int, params: AlfaMixSettings, rng: np.random.Generator) -> Selection:
    """Select diverse examples whose predicted class changes when they are mixed with the mean of a class.

    Parameters
    ----------
    pool : Pool
        With ``readout``, the last layer and the vectors it reads, and a labeled set.
    budget : int
    params : AlfaMixSettings
        ``eps``: how far an example may be moved, see `eps_to_flip`.
    rng : numpy.random.Generator
        Decides where k-means starts, and draws what fills up the budget.

    Returns
    -------
    Selection
        The candidate that the smallest eps flips comes first, what was drawn last; scores count down from the budget.
        The candidates that were not taken follow in the ranking. A warning tells where eps was raised, or how many
        examples were drawn.

    Raises
    ------
    DataError
        When vectors are not finite.
    SettingsError
        When scikit-learn is not installed.

    Notes
    -----
    Parvaneh et al. (2022), with their closed-form interpolation, see `eps_to_flip`. [field] As in the authors' code,
    ``eps`` is raised in steps of itself up to 1 while the candidates are fewer than the budget; k-means with as many
    clusters as the budget runs over the candidates' vectors scaled to length 1, and the candidate nearest to each
    centroid is taken; where there are still too few, the rest is drawn at random from the others, evenly. Differs: a
    centroid whose nearest example another one has taken takes the next nearest. Candidates are clustered, and others
    drawn, in the order of ids, so the order of the pool does not matter.

    Beside the pool it needs blocks of 8 MB, and two copies of the candidates' vectors for k-means: 310 MB where all
    of 100,000 examples of 384 dimensions are candidates.
    """
    readout, labeled = pool.readout, pool.labeled
    assert readout is not None  # the registry checked what the strategy needs
    assert labeled is not None
    by_id = np.argsort(pool.ids, kind="stable")
    flips_at = eps_to_flip(readout, labeled.classes, progress=pool.progress)[by_id]
    eps = _raised(params.eps, flips_at, budget)
    is_candidate = flips_at < eps
    candidates = np.flatnonzero(is_candidate)
    taken = candidates
    if len(candidates) > budget:
        vectors = unit_vectors(readout.vectors, by_id[candidates])
        clusters = find_clusters(vectors, budget, rng, progress=pool.progress, note="alfa-mix")
        nearest = nearest_to_centroids(vectors, clusters, budget, device=pool.device, progress=pool.progress)
        taken = candidates[nearest]
    drawn = rng.choice(np.flatnonzero(~is_candidate), budget - len(taken), replace=False)
    left = np.setdiff1d(candidates, taken)
    places = np.concatenate([_soonest(taken, flips_at), drawn, _soonest(left, flips_at)])
    rows = by_id[places]
    return Selection(
        ids=pool.ids[rows[:budget]],
        rows=rows[:budget],
        scores=np.arange(budget, 0.0, -1.0),
        ranking=rows,
        warnings=_notes(params.eps, eps, flips_at, len(drawn)),
    )


def eps_to_flip(readout: Readout, labeled_classes: IntArray, *, progress: Progress = silent) -> NDArray[np.float64]:
    """Find the smallest eps with which an example's predicted class changes.

    Parameters
    ----------
    readout : Readout
        ``vectors`` (n_pool, dim), ``labeled_vectors`` (n_labeled, dim), ``weight`` (n_classes, dim), ``bias``.
    labeled_classes : int array of shape (n_labeled,)
    progress : Progress
        Told of the stage ``select``, in examples.

    Returns
    -------
    float64 array of shape (n_pool,)
        An example is a candidate for every eps above it; infinite where no move flips it.

    Raises
    ------
    DataError
        When vectors are not finite.

    Notes
    -----
    Parvaneh et al. (2022) mix an example z with the mean z* of a class' labeled vectors, coordinate by
    coordinate: ``(1 - α) z + α z*``, where α maximises the loss at the predicted class, to the first order, within its
    bound. With the loss' gradient g: ``α = eps / sqrt(dim) · ‖z* - z‖ g / (‖g‖ (z* - z))``; the division by the square
    root of the dimension is the authors' code's, and like its closed form α is not cut off to [0, 1]. So the mixture is
    ``z + eps / sqrt(dim) · ‖z* - z‖ g / ‖g‖``, but for coordinates in which z and z* agree, which no α moves. The last
    layer is linear, so each class overtakes the predicted one at an eps that can be solved for, once for all. A class
    without labeled examples lends the mean of all of them, as in the authors' code.
    """
    vectors, weight = checked_pool(readout.vectors), readout.weight.astype(np.float64)
    means = _class_means(readout.labeled_vectors, labeled_classes, len(weight))
    flips_at = np.full(len(vectors), np.inf)
    if len(weight) < 2:
        return flips_at
    size = max(1, NUMBERS_AT_ONCE // max(vectors.shape[1], len(weight)))
    for start in range(0, len(vectors), size):
        progress(ProgressEvent("select", start, len(vectors), "alfa-mix"))
        part = slice(start, start + size)
        flips_at[part] = _eps_of_block(vectors[part].astype(np.float64), means, weight, readout.bias)
    return flips_at


def steepest_directions(
    logits: NDArray[np.float64], labels: IntArray, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find where the cross-entropy at the predicted class grows fastest.

    Parameters
    ----------
    logits : float64 array of shape (n, n_classes)
    labels : int array of shape (n,)
        The likeliest class ŷ of each.
    weight : float64 array of shape (n_classes, dim)
        Of the last layer.

    Returns
    -------
    float64 array of shape (n, dim)
        The loss' gradient with respect to what the last layer reads, ``(p - onehot(ŷ)) @ weight``, divided by
        ``1 - p_ŷ``: so the gradient of a prediction that is all but certain does not round to nothing.
    """
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    shares = np.exp(others - others.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[rows, labels] = -1  # (p - onehot(ŷ)) / (1 - p_ŷ)
    return np.asarray(shares @ weight)


def _class_means(vectors: Float32Array, classes: IntArray, n_classes: int) -> NDArray[np.float64]:
    """Mean vector of each class, of shape (n_classes, dim); of all examples where a class has none."""
    means = np.tile(vectors.mean(axis=0, dtype=np.float64), (n_classes, 1))
    for name in np.unique(classes):
        means[name] = vectors[classes == name].mean(axis=0, dtype=np.float64)
    return means


def _eps_of_block(
    vectors: NDArray[np.float64], means: NDArray[np.float64], weight: NDArray[np.float64], bias: FloatArray
) -> NDArray[np.float64]:
    """Find the smallest eps that flips each vector (n, dim), over the means (n_classes, dim) of all classes."""
    logits = vectors @ weight.T + bias
    labels = logits.argmax(axis=1)
    gradients = steepest_directions(logits, labels, weight)  # (n, dim); their length cancels out below
    drift = gradients @ weight.T  # (n, n_classes): what a step along the gradient adds to the logits
    reach = _length_to_flip(logits, labels, drift, gradients)
    apart = _distances(vectors, means) / math.sqrt(vectors.shape[1])  # (n, n_classes)
    smallest = np.full(len(vectors), np.inf)
    for name, mean in enumerate(means):
        needed = reach
        # Where z and z* agree nothing moves: columns of a silent unit, mostly. Only a float32 number can agree.
        columns = np.flatnonzero(mean == mean.astype(np.float32))
        agrees = vectors[:, columns] == mean[columns]
        held = np.flatnonzero(agrees.any(axis=1))
        if len(held):
            still = np.where(agrees[held], gradients[np.ix_(held, columns)], 0) @ weight[:, columns].T
            needed = reach.copy()
            needed[held] = _length_to_flip(logits[held], labels[held], drift[held] - still, gradients[held])
        eps = np.divide(needed, apart[:, name], out=np.full(len(vectors), np.inf), where=apart[:, name] > 0)
        np.minimum(smallest, eps, out=smallest)
    return smallest


def _length_to_flip(
    logits: NDArray[np.float64], labels: IntArray, drift: NDArray[np.float64], gradients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far along its gradient each vector lets another class overtake its label; infinite where none does."""
    rows = np.arange(len(labels))
    gaps = logits[rows, labels, None] - logits  # (n, n_classes), not negative
    rates = drift - drift[rows, labels, None]
    gaps *= np.linalg.norm(gradients, axis=1)[:, None]  # the drift is that of a step as long as the gradient
    return np.asarray(np.divide(gaps, rates, out=np.full_like(gaps, np.inf), where=rates > 0).min(axis=1))


def _distances(vectors: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distances, of shape (n, n_means)."""
    scale = np.einsum("nd,nd->n", vectors, vectors)[:, None] + np.einsum("md,md->m", means, means)
    squares = scale - 2 * (vectors @ means.T)
    for column, mean in enumerate(means):
        near = np.flatnonzero(squares[:, column] <= 1e-6 * scale[:, column])  # the difference has lost its digits
        squares[near, column] = ((vectors[near] - mean) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(squares))


def _raised(eps: float, flips_at: NDArray[np.float64], budget: int) -> float:
    """The first of eps, 2 eps, 3 eps, ... with enough candidates, or the first that reaches 1."""
    raised, n_steps = eps, 1
    while (flips_at < raised).sum() < budget and raised < 1:
        n_steps += 1
        raised = n_steps * eps
    return raised


def _soonest(places: IntArray, flips_at: NDArray[np.float64]) -> IntArray:
    """Order some places by the eps that flips them; equal ones stay in the order of ids."""
    ordered = np.sort(places)
    return ordered[np.argsort(flips_at[ordered], kind="stable")]


def _notes(wanted: float, eps: float, flips_at: NDArray[np.float64], n_drawn: int) -> tuple[str, ...]:
    notes = []
    if eps > wanted:
        n_few, n_found = int((flips_at < wanted).sum()), int((flips_at < eps).sum())
        notes.append(f"eps = {wanted:g} gave {n_few} candidates; it was raised to {eps:g}, which gave {n_found}")
    if n_drawn:
        notes.append(f"{n_drawn} examples were drawn at random, as mixing changes the class of too few")
    return tuple(notes)
