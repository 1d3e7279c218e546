"""One round of a world as plain values: everything that a picture of its stages needs, and no more than that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from alvin_core.classroom.planting import BALANCED
from alvin_core.classroom.world import GRID, World
from alvin_core.neighbors import nearest_in_pool
from alvin_core.round import RoundResult
from alvin_core.types import Anchors, BoolArray, FloatArray, IntArray, Neighbors

__all__ = ["MOST_ANCHORS", "MOST_SEGMENTS", "describe_round"]

MOST_SEGMENTS = 300
MOST_ANCHORS = 120  # more crosses than that are a smear, and half of what is sent


def describe_round(world: World, result: RoundResult, boundary: FloatArray) -> dict[str, Any]:
    """Describe a round for a screen; every example is named by its row in the world's points.

    Parameters
    ----------
    world : World
    result : RoundResult
    boundary : float array of shape (GRID, GRID)
        As `World.run_round` returns it.

    Returns
    -------
    dict
        Of plain values, ready for JSON: ``round, labeled, minority, filled, filled_share, dynamics, boundary,
        pairs_total, n_anchors, k, segments, anchors, neighbors, candidates, scores, ranking, selected, reasons,
        confidence, metrics, warnings, seconds``. ``dynamics`` has for each labeled example its ``gold_prob`` after
        every epoch, and ``correct``, a text with a 1 for every epoch after which it was right. ``segments`` are pairs
        of a minority and a majority row; where there are too many to draw, evenly picked ones are shown, and of those
        evenly picked anchors; ``neighbors`` are those of the anchors shown. A strategy without anchors has none.
    """
    labeled, pool_rows, selection = result.labeled_rows, result.pool_rows, result.selection
    selected = pool_rows[selection.rows]
    return {
        "round": result.round_no,
        "labeled": labeled.tolist(),
        "minority": labeled[result.groups.is_minority].tolist(),
        "filled": labeled[result.groups.filled].tolist(),
        "filled_share": _short(result.groups.filled_share),
        "dynamics": {
            "gold_prob": np.round(result.dynamics.gold_prob.T.astype(np.float64), 2).tolist(),
            "correct": ["".join("01"[right] for right in one) for one in result.dynamics.correct.T.astype(int)],
        },
        "boundary": {"grid": GRID, "prob": np.round(boundary, 3).ravel().tolist()},
        **_anchors(world, result),
        "candidates": [] if selection.candidates is None else pool_rows[selection.candidates.rows].tolist(),
        "scores": _scores(world, result),
        "ranking": pool_rows[selection.ranking].tolist(),
        "selected": selected.tolist(),
        "reasons": _reasons(world, result),
        "confidence": _short(float(result.probs[selected].max(axis=1).mean())) if len(selected) else None,
        "metrics": _metrics(result),
        "warnings": list(result.warnings),
        "seconds": _short(sum(result.seconds.values())),
    }


def _metrics(result: RoundResult) -> dict[str, Any]:
    balanced = result.metrics[BALANCED]
    return {
        "accuracy": result.metrics["test"]["accuracy"],
        "balanced_accuracy": balanced["accuracy"],
        "worst_group": balanced["worst_group_accuracy"],
        "worst_group_name": balanced["worst_group"],
        "groups": {name: one["accuracy"] for name, one in balanced["groups"].items()},
    }


def _anchors(world: World, result: RoundResult) -> dict[str, Any]:
    """Describe the interpolation and the retrieval, as far as they are shown."""
    selection, anchors = result.selection, result.selection.anchors
    if anchors is None or selection.k is None or not len(anchors):
        nothing: dict[str, Any] = {name: [] for name in ("segments", "anchors", "neighbors")}
        return {"pairs_total": 0, "n_anchors": 0, "k": selection.k, **nothing}
    rows = _parent_rows(result, anchors)
    pairs, first_of, pair_of = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first_of)  # in the order in which they were made
    drawn = order[_evenly(len(pairs), MOST_SEGMENTS)]
    among = np.flatnonzero(_is_in(pair_of.ravel(), drawn, len(pairs)))
    shown = among[_evenly(len(among), MOST_ANCHORS)]
    found = _neighbors(world, result, anchors, shown).rows
    places = anchors.vectors_of(shown).tolist()
    return {
        "pairs_total": len(pairs),
        "n_anchors": len(anchors),
        "k": selection.k,
        "segments": pairs[drawn].tolist(),
        "anchors": [_anchor(anchors, rows, int(row), place) for row, place in zip(shown.tolist(), places, strict=True)],
        "neighbors": result.pool_rows[found].tolist(),
    }


def _anchor(anchors: Anchors, rows: IntArray, row: int, place: list[float]) -> dict[str, Any]:
    return {
        "xy": [_short(place[0]), _short(place[1])],
        "weight": _short(float(anchors.weights[row])),
        "minority": int(rows[row, 0]),
        "majority": int(rows[row, 1]),
        "class": int(anchors.classes[row]),
    }


def _parent_rows(result: RoundResult, anchors: Anchors) -> IntArray:
    """Rows in the world's points of each anchor's parents, of shape (n_anchors, 2)."""
    assert np.array_equal(anchors.parent_ids, result.dynamics.ids)  # parents are the labeled set, in its order
    rows: IntArray = result.labeled_rows[np.stack([anchors.minority_rows, anchors.majority_rows], axis=1)]
    return rows


def _neighbors(world: World, result: RoundResult, anchors: Anchors, shown: IntArray) -> Neighbors:
    """Retrieve again what the shown anchors retrieved: a round keeps the union, not who found whom."""
    selection, pool_rows = result.selection, result.pool_rows
    assert selection.k is not None
    assert selection.candidates is not None
    columns = ("minority_rows", "majority_rows", "weights", "classes")
    asked = replace(anchors, **{name: getattr(anchors, name)[shown] for name in columns})
    neighbors = nearest_in_pool(world.vectors[pool_rows], world.dataset.ids[pool_rows], asked, k=selection.k)
    assert np.isin(neighbors.rows, selection.candidates.rows).all()
    return neighbors


def _scores(world: World, result: RoundResult) -> dict[str, float]:
    """Score of everything that was ranked, by row; those of the selected are the strategy's own."""
    from alvin_core.strategies.ranking import entropy_of

    selection, rows = result.selection, result.pool_rows[result.selection.ranking]
    own = dict(zip(result.pool_rows[selection.rows].tolist(), selection.scores.tolist(), strict=True))
    candidates = selection.candidates
    rank = "uncertainty" if candidates is None else world.settings.rank
    if rank in ("uncertainty", "certainty"):
        sign = -1.0 if rank == "certainty" else 1.0
        every = dict(zip(rows.tolist(), (sign * entropy_of(result.probs[rows])).tolist(), strict=True))
        # A strategy that ranks by something else has scores for what it selected alone.
        every = every if all(np.isclose(every[row], score) for row, score in own.items()) else own
    elif candidates is not None and rank in ("distance", "frequency"):
        values = -candidates.nearest if rank == "distance" else candidates.n_anchors.astype(np.float64)
        every = dict(zip(result.pool_rows[candidates.rows].tolist(), values.tolist(), strict=True))
    else:
        every = own
    return {str(row): round(score, 4) for row, score in every.items()}


def _reasons(world: World, result: RoundResult) -> list[dict[str, Any]]:
    """For each selected example, how many anchors retrieved it, and the nearest of them."""
    selection = result.selection
    links, anchors = selection.provenance, selection.anchors
    if links is None or anchors is None or not len(links.ids):
        return []
    rows = _parent_rows(result, anchors)
    # Links of one example stand nearest first.
    linked, first_of, counts = np.unique(links.ids, return_index=True, return_counts=True)
    place_of = {example_id: place for place, example_id in enumerate(linked.tolist())}
    reasons = []
    for example_id, row in zip(selection.ids.tolist(), result.pool_rows[selection.rows].tolist(), strict=True):
        place = place_of[example_id]
        first = first_of[place]
        nearest = int(links.anchor_rows[first])
        reasons.append(
            {
                "row": row,
                "n_anchors": int(counts[place]),
                "distance": _short(float(links.distances[first])),
                "anchor": _anchor(anchors, rows, nearest, anchors.vectors_of(np.array([nearest]))[0].tolist()),
            }
        )
    return reasons


def _evenly(n: int, most: int) -> IntArray:
    """Positions in [0, n): all of them, or ``most`` that are spread evenly."""
    if n <= most:
        return np.arange(n)
    return np.linspace(0, n - 1, most).round().astype(np.int64)


def _is_in(values: IntArray, wanted: IntArray, n: int) -> BoolArray:
    is_wanted = np.zeros(n, dtype=bool)
    is_wanted[wanted] = True
    return is_wanted[values]


def _short(value: float) -> float:
    return round(value, 3)
