"""From the neighbors of all anchors to the candidates they share."""

from __future__ import annotations

import numpy as np

from alvin_core.types import Candidates, Neighbors

__all__ = ["candidates_of"]


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
    rows = neighbors.rows.ravel()
    n_anchors = np.bincount(rows, minlength=n_pool)
    nearest = np.full(n_pool, np.inf)
    np.minimum.at(nearest, rows, neighbors.distances.ravel())
    found = np.flatnonzero(n_anchors)
    return Candidates(found, n_anchors[found], nearest[found])
