"""From the neighbors of all anchors to the candidates they share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alvin_core.types import Candidates, Neighbors

__all__ = ["candidates_of", "count_candidates", "link_parts"]

LINKS_AT_ONCE = 8_000_000  # numpy copies small row numbers to large ones before it counts them


def candidates_of(neighbors: Neighbors) -> Candidates:
    """Unite the neighbors of all anchors.

    Parameters
    ----------
    neighbors : Neighbors
        ``rows`` and ``distances`` of shape (n_anchors, k).

    Returns
    -------
    Candidates
        Pool rows that at least one anchor retrieved, ascending, with the number of those anchors and the
        distance to the nearest of them.

    Notes
    -----
    Time grows with the links (n_anchors × k) alone; beside them one number for each pool example is stored.
    """
    n_pool = len(neighbors.pool_ids)
    n_anchors = np.zeros(n_pool, dtype=np.int64)
    nearest = np.full(n_pool, np.inf)
    for part in link_parts(neighbors):
        rows = neighbors.rows[part].ravel()
        n_anchors += np.bincount(rows, minlength=n_pool)
        np.minimum.at(nearest, rows, neighbors.distances[part].ravel())
    found = np.flatnonzero(n_anchors)
    return Candidates(found, n_anchors[found], nearest[found])


def count_candidates(neighbors: Neighbors) -> int:
    """Return how many pool examples at least one anchor retrieved."""
    is_found = np.zeros(len(neighbors.pool_ids), dtype=bool)
    for part in link_parts(neighbors):
        is_found[neighbors.rows[part]] = True
    return int(np.count_nonzero(is_found))


def link_parts(neighbors: Neighbors) -> Iterator[slice]:
    """Cut the anchors into stretches whose links (n_anchors × k) are few enough to be copied."""
    step = max(1, LINKS_AT_ONCE // max(1, neighbors.k))
    for start in range(0, len(neighbors.rows), step):
        yield slice(start, start + step)
