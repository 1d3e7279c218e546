"""A stretch of the pool as the segment search reads it: values for each parent, and bounds for blocks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alvin_core.neighbors.segment_kernels import NEVER_NEAR, arrange_rows
from alvin_core.neighbors.segment_vectors import LANES
from alvin_core.neighbors.space import SearchSpace
from alvin_core.types import Float32Array

__all__ = ["BLOCK", "Tile"]

BLOCK = LANES**3  # a tile has whole blocks
ROWS_AT_ONCE = 16_384  # vectors centred at once: 25 MB at 384 dimensions
LEADERS = 128  # parents that the pool is sorted around

InThreads = Callable[[Callable[[int, int], None], int], None]
"""(work, n): call ``work(begin, end)`` over all of ``range(n)``."""


@dataclass(frozen=True)
class Tile:
    """What `search_anchors` reads of a stretch of the pool; the places of a tile are its positions in another order.

    Attributes
    ----------
    values : float32 array of shape (n_parents, n_tile)
        ‖x‖² − 2 a·x for each parent a and vector x; NEVER_NEAR in the padding.
    fine, middle, coarse : float32 arrays of shape (n_parents, …)
        The lowest value of each LANES, LANES² and LANES³ places; ``coarse`` is padded to a multiple of LANES.
    order : int32 array of shape (n_tile,)
        ``start + order[place]`` is a position.
    start : int
    """

    values: Float32Array
    fine: Float32Array
    middle: Float32Array
    coarse: Float32Array
    order: NDArray[np.int32]
    start: int

    @classmethod
    def of(cls, space: SearchSpace, parents: Float32Array, start: int, stop: int, in_threads: InThreads) -> Tile:
        """Compute the tile from ``start`` to ``stop``; ``parents`` are centred and scaled."""
        values, norms = _products(space, parents, start, stop)
        order = _order(values, norms, parents, stop - start)
        n_parents, n_tile = values.shape
        fine, middle = (np.empty((n_parents, n_tile // size), np.float32) for size in (LANES, LANES**2))
        coarse = np.full((n_parents, -(-n_tile // (BLOCK * LANES)) * LANES), NEVER_NEAR, np.float32)

        def arrange(begin: int, end: int) -> None:
            part = slice(begin, end)
            arrange_rows(values[part], norms, order, fine[part], middle[part], coarse[part])

        in_threads(arrange, n_parents)
        return cls(values, fine, middle, coarse, order, start)


def _products(space: SearchSpace, parents: Float32Array, start: int, stop: int) -> tuple[Float32Array, Float32Array]:
    """Return −2 a·x of shape (n_parents, n_tile), and ‖x‖² of shape (n_tile,), NEVER_NEAR in the padding."""
    n_tile = -(-(stop - start) // BLOCK) * BLOCK
    products = np.empty((len(parents), n_tile), np.float32)
    products[:, stop - start :] = 0
    norms = np.full(n_tile, NEVER_NEAR, np.float32)
    doubled = parents * np.float32(-2)
    for begin in range(start, stop, ROWS_AT_ONCE):
        end = min(begin + ROWS_AT_ONCE, stop)
        vectors = space.tile(begin, end)
        part = slice(begin - start, end - start)
        np.matmul(doubled, vectors.T, out=products[:, part])
        norms[part] = np.einsum("xd,xd->x", vectors, vectors)
    return products, norms


def _order(products: Float32Array, norms: Float32Array, parents: Float32Array, n: int) -> NDArray[np.int32]:
    """Sort a tile's vectors by their nearest leader and the distance to it: neighbors come to stand together.

    The leaders are some of the parents, whose products are there already. Any order is right; in a good one
    blocks are small in space, so that their bounds are tight.
    """
    closest = np.full(n, np.inf, np.float32)
    leader_of = np.zeros(n, np.int16)
    leaders = range(0, len(parents), -(-len(parents) // LEADERS))
    for number, leader in enumerate(leaders):
        distances = products[leader, :n] + np.float32(parents[leader] @ parents[leader])
        is_closer = distances < closest
        np.copyto(closest, distances, where=is_closer)
        np.copyto(leader_of, np.int16(number), where=is_closer)
    closest += norms[:n]
    order = np.arange(len(norms), dtype=np.int32)
    order[:n] = np.lexsort((closest, leader_of))
    return order
