"""A round's result as arrays in the store, and back. Every example is named by its row in the run's data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.store.rearranged import MappedArray, Rearranged
from alvin_core.types import Selection, TrainingDynamics

if TYPE_CHECKING:
    from alvin_core.data.dataset import Dataset
    from alvin_core.round import RoundResult

__all__ = ["VECTORS", "arrays_of", "dynamics_of", "ranking_name", "rankings_of"]

VECTORS = "vectors"
RANKING = "ranking:"


def arrays_of(result: RoundResult, strategy: str) -> tuple[dict[str, NDArray[Any]], dict[str, MappedArray]]:
    """Return what is stored of a round: the packed arrays, and those to be memory-mapped.

    Vectors are stored by ascending row.

    Parameters
    ----------
    result : RoundResult
    strategy : str
        The one whose selection is the round's proposal.
    """
    selection, pool_rows = result.selection, result.pool_rows
    by_row = np.argsort(result.vector_rows, kind="stable")  # sorted stretches, which a stable sort only merges
    packed: dict[str, NDArray[Any]] = {
        "labeled_rows": result.labeled_rows.astype(np.int32),
        "correct": result.dynamics.correct,
        "gold_prob": result.dynamics.gold_prob,
        "is_minority": result.groups.is_minority,
        "filled": result.groups.filled,
        "probs": result.probs,
        "vector_rows": result.vector_rows[by_row].astype(np.int32),
        "selected_rows": pool_rows[selection.rows].astype(np.int32),
        "scores": np.asarray(selection.scores),
        **_anchor_arrays(selection, result),
        **_candidate_arrays(selection, pool_rows),
        **_provenance_arrays(selection),
    }
    for name, one in {strategy: selection, **result.alternatives}.items():
        packed[ranking_name(name)] = pool_rows[one.ranking].astype(np.int32)
    return packed, {VECTORS: Rearranged(result.vectors, by_row)}


def dynamics_of(arrays: dict[str, NDArray[Any]], dataset: Dataset) -> TrainingDynamics:
    """Return the training dynamics of a stored round."""
    return TrainingDynamics(dataset.ids[arrays["labeled_rows"]], arrays["correct"], arrays["gold_prob"])


def ranking_name(strategy: str) -> str:
    """Return the name of the array that has what a strategy ranked."""
    return RANKING + strategy


def rankings_of(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[np.int32]]:
    """Return, for every strategy, the rows that it ranked in a stored round, best first; the round's own first."""
    return {name.removeprefix(RANKING): rows for name, rows in arrays.items() if name.startswith(RANKING)}


def _anchor_arrays(selection: Selection, result: RoundResult) -> dict[str, NDArray[Any]]:
    anchors = selection.anchors
    if anchors is None:
        return {}
    # Parents are labeled examples, so their place in the labeled set gives their row in the data set.
    labeled_ids = result.dynamics.ids
    order = np.argsort(labeled_ids)
    places = order[np.searchsorted(labeled_ids, anchors.parent_ids, sorter=order)]
    parent_rows = result.labeled_rows[places].astype(np.int32)
    return {
        "anchor_minority_rows": parent_rows[anchors.minority_rows],
        "anchor_majority_rows": parent_rows[anchors.majority_rows],
        "anchor_weights": anchors.weights,
        "anchor_classes": anchors.classes.astype(np.int32),
    }


def _candidate_arrays(selection: Selection, pool_rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    candidates = selection.candidates
    if candidates is None:
        return {}
    return {
        "candidate_rows": pool_rows[candidates.rows].astype(np.int32),
        "candidate_n_anchors": candidates.n_anchors.astype(np.int32),
        "candidate_nearest": candidates.nearest,
    }


def _provenance_arrays(selection: Selection) -> dict[str, NDArray[Any]]:
    provenance = selection.provenance
    if provenance is None:
        return {}
    order = np.argsort(selection.ids)
    # Each link names its selected example by the place in the selection.
    places = order[np.searchsorted(selection.ids, provenance.ids, sorter=order)]
    return {
        "link_places": places.astype(np.int32),
        "link_anchors": provenance.anchor_rows.astype(np.int32),
        "link_distances": provenance.distances,
    }
