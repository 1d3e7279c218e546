"""Where a round goes right or wrong: from the inferred minority over what its anchors retrieve to what it selects."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import UNLABELED
from alvin_core.progress import Progress, silent
from alvin_core.run.archive import rankings_of
from alvin_core.run.handle import RunHandle
from alvin_core.run.held import held_classes
from alvin_core.run.measuring import RoundSpace, round_anchors, round_space
from alvin_core.settings import RunSettings
from alvin_core.types import BoolArray, IntArray

__all__ = ["Diagnosis", "diagnose_round"]

Arrays = dict[str, NDArray[Any]]
DRAWN_PAIRS = 20_000  # of open examples: their mean distance is known to a percent


@dataclass(frozen=True)
class Diagnosis:
    """The figures of one round. Shares are in [0, 1]; None where nobody knows, or nothing was retrieved.

    An example *contradicts* when its known attribute is not its class's most frequent one: a true minority example. Of
    a class with two equally frequent ones nothing is known.

    Attributes
    ----------
    round_no : int
    strategy : str
    pool_contradicts : float or None
        Share of the open pool that contradicts: what random sampling finds.
    labeled_contradicts : float or None
        Share of the labeled set.
    minority_precision, minority_recall : float or None
        Share of the inferred minority that truly contradicts, and share of those that contradict which it holds.
    n_minority : int
    n_anchors : int
    retrieved_right_class : float or None
        Share of retrievals (anchor, neighbor) whose neighbor truly has the anchor's class.
    retrieved_contradicts : float or None
        Share of retrievals whose neighbor contradicts.
    candidates_contradict : float or None
        The same of the different examples that were retrieved.
    candidate_share : float or None
        Share of the open pool that was retrieved.
    selected_contradicts : float or None
    selected_right_class : float or None
        Share of the selected whose nearest anchor is of their true class.
    n_parents : int
        Minority parents of the selected's nearest anchors.
    effective_parents : float or None
        The same, weighted: the exponential of the entropy of how the selected share them.
    spread : float or None
        Mean distance between two selected examples, over that of two open examples.
    others_contradict : dict of str to float
        What every other strategy would have selected, where known.
    """

    round_no: int
    strategy: str
    pool_contradicts: float | None
    labeled_contradicts: float | None
    minority_precision: float | None
    minority_recall: float | None
    n_minority: int
    n_anchors: int
    retrieved_right_class: float | None
    retrieved_contradicts: float | None
    candidates_contradict: float | None
    candidate_share: float | None
    selected_contradicts: float | None
    selected_right_class: float | None
    n_parents: int
    effective_parents: float | None
    spread: float | None
    others_contradict: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Truth:
    """What is known of every example: its class, -1 where unknown, and whether it contradicts, 1, 0, or -1."""

    classes: IntArray
    contradicts: IntArray

    @classmethod
    def of(cls, handle: RunHandle, last_seq: int) -> _Truth:
        # Labels that a person has yet to give count as unknown, even where the data set has them.
        is_known = handle.row.annotator == "oracle"
        classes = handle.dataset.labels if is_known else held_classes(handle, last_seq)[0]
        dataset = handle.dataset_of(len(classes))  # the other may have grown while the labels were read
        contradicts = np.full(len(dataset), -1, dtype=np.int8)
        if dataset.attributes is not None:
            usable = (dataset.splits == "pool") & (classes != UNLABELED) & (dataset.attributes != "")
            for class_ in np.unique(classes[usable]):
                of_class = np.flatnonzero(usable & (classes == class_))
                values, counts = np.unique(dataset.attributes[of_class], return_counts=True)
                if np.sum(counts == counts.max()) == 1:  # else the class has no usual value that could be contradicted
                    contradicts[of_class] = dataset.attributes[of_class] != values[counts.argmax()]
        return cls(np.asarray(classes), contradicts)

    def share(self, rows: IntArray) -> float | None:
        """Share of those rows that contradict, of those where it is known."""
        known = self.contradicts[rows]
        return _mean(known[known >= 0])


def diagnose_round(handle: RunHandle, round_no: int, progress: Progress = silent) -> Diagnosis:
    """Measure where a stored round goes right or wrong.

    Parameters
    ----------
    handle : RunHandle
    round_no : int
    progress : Progress
        Of the retrieval, which is computed anew: a round stores what was retrieved, not by which anchor.

    Raises
    ------
    StoreError
        When there is no such round.
    """
    stored, arrays = handle.round(round_no)
    settings = RunSettings.from_dict(stored.settings)
    truth, space = _Truth.of(handle, stored.last_seq), round_space(handle, stored, arrays)
    labeled, selected = arrays["labeled_rows"], arrays["selected_rows"]
    open_rows = space.rows[space.is_open]
    inferred = labeled[arrays["is_minority"]]
    true_minority = labeled[truth.contradicts[labeled] == 1]
    candidates = arrays.get("candidate_rows")
    others = list(rankings_of(arrays).items())[1:]
    right_class, contradicting = _retrieval(space, arrays, truth, settings, stored.summary, progress)
    picked_class, n_parents, effective_parents = _parents(arrays, truth)
    shares = {name: truth.share(ranking[: len(selected)]) for name, ranking in others}
    return Diagnosis(
        round_no=round_no,
        strategy=settings.strategy,
        pool_contradicts=truth.share(open_rows),
        labeled_contradicts=truth.share(labeled),
        minority_precision=truth.share(inferred),
        minority_recall=_mean(np.isin(true_minority, inferred)),
        n_minority=len(inferred),
        n_anchors=len(arrays.get("anchor_weights", ())),
        retrieved_right_class=right_class,
        retrieved_contradicts=contradicting,
        candidates_contradict=None if candidates is None else truth.share(candidates),
        candidate_share=None if candidates is None or not len(open_rows) else len(candidates) / len(open_rows),
        selected_contradicts=truth.share(selected),
        selected_right_class=picked_class,
        n_parents=n_parents,
        effective_parents=effective_parents,
        spread=_spread(space, selected, np.random.default_rng(round_no)),
        others_contradict={name: share for name, share in shares.items() if share is not None},
    )


def _retrieval(
    space: RoundSpace, arrays: Arrays, truth: _Truth, settings: RunSettings, summary: dict[str, Any], progress: Progress
) -> tuple[float | None, float | None]:
    """Shares of retrievals of the anchor's class, and of retrievals that contradict."""
    k = summary.get("anchors", {}).get("k")
    if not k or not len(arrays.get("anchor_weights", ())):
        return None, None
    from alvin_core.neighbors import nearest_in_pool

    anchors = round_anchors(space, arrays)
    found = nearest_in_pool(
        np.asarray(space.vectors[space.is_open]),
        space.ids[space.is_open],
        anchors,
        k=int(k),
        backend=settings.alvin.backend,
        progress=progress,
    )
    rows = space.rows[space.is_open][found.rows]  # (n_anchors, k)
    classes = truth.classes[rows]
    right = classes == np.asarray(anchors.classes)[:, None]
    return _mean(right[classes != UNLABELED]), truth.share(rows.ravel())


def _parents(arrays: Arrays, truth: _Truth) -> tuple[float | None, int, float | None]:
    """Of the anchors nearest to the selected: share of the right class, minority parents, and these weighted."""
    places = arrays.get("link_places", np.empty(0, dtype=np.int32))
    if not len(places):
        return None, 0, None
    # The links of an example stand together, nearest first.
    of_example, first = np.unique(places, return_index=True)
    nearest = arrays["link_anchors"][first]
    classes = truth.classes[arrays["selected_rows"][of_example]]
    right = classes == arrays["anchor_classes"][nearest]
    _, counts = np.unique(arrays["anchor_minority_rows"][nearest], return_counts=True)
    shares = counts / counts.sum()
    return _mean(right[classes != UNLABELED]), len(counts), float(np.exp(-(shares * np.log(shares)).sum()))


def _spread(space: RoundSpace, selected: IntArray, rng: np.random.Generator) -> float | None:
    """Mean distance of two selected examples over that of two open ones."""
    open_places = np.flatnonzero(space.is_open)
    if len(selected) < 2:
        return None
    drawn = rng.choice(open_places, size=(DRAWN_PAIRS, 2))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    usual = _mean(np.linalg.norm(space.vectors[drawn[:, 0]] - space.vectors[drawn[:, 1]], axis=1))
    vectors = np.asarray(space.vectors[space.places_of(selected)], dtype=np.float64)
    one, other = np.triu_indices(len(vectors), 1)
    squares = np.square(vectors).sum(axis=1)
    products = vectors @ vectors.T
    between = np.sqrt(np.maximum(squares[one] + squares[other] - 2 * products[one, other], 0.0))
    return float(between.mean() / usual) if usual else None


def _mean(values: NDArray[Any] | BoolArray) -> float | None:
    return float(values.mean()) if len(values) else None
