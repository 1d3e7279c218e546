"""What goes on in a selection: how good the groups are, where links lead, and what is selected."""

from __future__ import annotations

import numpy as np
from alvin_study_data import Loader, StudyData
from alvin_study_heads import distances
from alvin_study_selecting import Moment, Picked, Retrieved

from alvin_core.metrics import distances_to_labeled, uncertainty_of
from alvin_core.settings import TrainingSettings
from alvin_core.training.trainer import train
from alvin_core.types import BoolArray, FloatArray, IntArray

Figures = dict[str, float]

N_RANDOM = 250  # labels of the look at who lives near minority examples
N_NEAREST = 10
N_MIDPOINTS = 5  # of each minority example
LOOK_SEED = 3


def figures_of(data: StudyData, moment: Moment, picked: Picked, labeled: IntArray, pool: IntArray) -> Figures:
    """Figures of one selection; shares, and Euclidean distances in the encoder's space."""
    truth = data.corpus.labels[pool]
    rows, vectors = picked.rows, data.corpus.embeddings
    wrong = moment.probs.argmax(axis=1) != truth
    found: Figures = {
        "confidence": float(uncertainty_of(moment.probs[rows])["mean_confidence"] or 0.0),
        "wrong": _share(wrong[rows]),
        "diversity": _mean_distance(vectors[pool[rows]]),
        "distance to labeled": float(distances_to_labeled(vectors[pool[rows]], vectors[labeled]).mean()),
        "filled": moment.groups.filled_share,
    }
    if data.is_open is not None:
        found["selected open"] = _share(data.is_open[pool[rows]])
    minority = None if data.is_minority is None else data.is_minority[pool]
    if data.is_minority is not None and minority is not None:
        inferred, true = moment.groups.is_minority, data.is_minority[labeled]
        found |= {"selected minority": _share(minority[rows]), "pool minority": _share(minority)}
        found |= {"group precision": _share(true[inferred]), "group recall": _share(inferred[true])}
    if picked.retrieved is not None:
        found |= _of_anchors(picked.retrieved, rows, truth, minority)
    if picked.is_contradicted is not None:
        found["contradicted"] = _share(picked.is_contradicted)
        if minority is not None:
            found["contradicted minority"] = _share(minority[picked.is_contradicted])
    return found


def _of_anchors(retrieved: Retrieved, rows: IntArray, truth: IntArray, minority: BoolArray | None) -> Figures:
    anchors, links = retrieved.anchors, retrieved.neighbors.rows
    chosen = retrieved.nearest_anchor[rows]
    found: Figures = {
        "candidates": len(retrieved.candidates.rows) / len(truth),
        "links own class": _share(truth[links] == anchors.classes[:, None]),
        "selected own class": _share(truth[rows] == anchors.classes[chosen]),
        "selected anchors": float(len(np.unique(chosen))),
        "selected parents": float(len(np.unique(anchors.minority_rows[chosen]))),
        "parents": float(len(np.unique(anchors.minority_rows))),
    }
    if minority is not None:
        found["candidates minority"] = _share(minority[retrieved.candidates.rows])
    return found


def neighborhoods(loader: Loader, spec: str, seed: int) -> Figures:
    """Tell who the pool's nearest are to true minority examples of a random labeled set, and to midpoints from them.

    No group rule is involved: whatever goes wrong here, better groups would not mend.
    """
    data = loader.load(spec, seed)
    corpus, minority = data.corpus, data.is_minority
    if minority is None:
        raise SystemExit(f"{spec} has no attributes, so no minority is known")
    rng = np.random.default_rng([LOOK_SEED, seed])
    labeled = rng.choice(data.pool, N_RANDOM, replace=False)
    pool = np.setdiff1d(data.pool, labeled)
    classes = corpus.labels[labeled]
    n_classes, ids, settings = len(corpus.classes), corpus.ids[labeled], TrainingSettings()
    model = train(data.encoder, corpus.features, labeled, classes, n_classes, ids, settings, seed=seed, plan=data.plan)
    read = model.predict(np.concatenate([labeled, pool]))
    assert read.vectors is not None  # asked for
    wrong = read.probs[len(labeled) :].argmax(axis=1) != corpus.labels[pool]
    found: Figures = {}
    spaces = {
        "model": (read.vectors[: len(labeled)], read.vectors[len(labeled) :]),
        "encoder": (corpus.embeddings[labeled], corpus.embeddings[pool]),
    }
    for name, (near, far) in spaces.items():
        exact, of_pool = near.astype(np.float64), far.astype(np.float64)
        parents = np.flatnonzero(minority[labeled])
        nearest = pool[_nearest(exact[parents], of_pool)]
        own = corpus.labels[nearest] == classes[parents][:, None]
        found |= {
            f"{name}: own class": _share(own),
            f"{name}: minority": _share(minority[nearest]),
            f"{name}: other class's majority": _share(~own & ~minority[nearest]),
        }
        points, of_class = _midpoints(exact, classes, minority[labeled], rng)
        nearest = pool[_nearest(points, of_pool)]
        found[f"{name}, midpoints: own class"] = _share(corpus.labels[nearest] == of_class[:, None])
        found[f"{name}, midpoints: minority"] = _share(minority[nearest])
    return {
        **found,
        "wrong on minority": _share(wrong[minority[pool]]),
        "wrong on majority": _share(wrong[~minority[pool]]),
        "pool minority": _share(minority[pool]),
    }


def _nearest(points: FloatArray, others: FloatArray) -> IntArray:
    return np.argsort(distances(points, others), axis=1)[:, :N_NEAREST]


def _midpoints(
    vectors: FloatArray, classes: IntArray, minority: BoolArray, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    points, of_class = [], []
    for row in np.flatnonzero(minority):
        partners = rng.choice(np.flatnonzero(~minority & (classes == classes[row])), N_MIDPOINTS, replace=False)
        points.append((vectors[row] + vectors[partners]) / 2)
        of_class += [classes[row]] * N_MIDPOINTS
    return np.concatenate(points), np.array(of_class)


def _share(values: BoolArray) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")


def _mean_distance(vectors: FloatArray) -> float:
    n = len(vectors)
    exact = vectors.astype(np.float64)
    return float(distances(exact, exact).sum() / (n * (n - 1)))
