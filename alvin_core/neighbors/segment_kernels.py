"""Compiled loops of the segment search. Imported only where numba is; `compiling` says what STRICT and FAST allow."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numpy as np

from alvin_core.compiling import FAST, STRICT, compiled
from alvin_core.neighbors.segment_vectors import LANES, append_below
from alvin_core.types import Float32Array, IntArray

__all__ = ["NEVER_NEAR", "arrange_rows", "measure_links", "nearest_links", "search_anchors"]

NEVER_NEAR = np.float32(2.0**100)  # in the padding; finite, because zero times infinity is not a number
ALWAYS_NEARER = np.float32(2.0**99)  # above every value that is not padding


@compiled(STRICT)
def _fill_lowest(numbers: Float32Array, lowest: Float32Array) -> None:
    """Write the lowest of each LANES numbers."""
    for block in range(len(lowest)):
        low = numbers[block * LANES]
        for lane in range(1, LANES):
            low = min(low, numbers[block * LANES + lane])
        lowest[block] = low


@compiled(STRICT)
def arrange_rows(
    products: Float32Array,
    norms: Float32Array,
    order: IntArray,
    fine: Float32Array,
    middle: Float32Array,
    coarse: Float32Array,
) -> None:
    """Turn products with parents into values in another order, and find the lowest of each block.

    Parameters
    ----------
    products : float32 array of shape (n_parents, n_tile)
        −2 a·x for each parent a and pool vector x. Written to: ‖x‖² − 2 a·x, in the order given.
    norms : float32 array of shape (n_tile,)
        ‖x‖²; NEVER_NEAR in the padding.
    order : int array of shape (n_tile,)
    fine, middle, coarse : float32 arrays of shape (n_parents, …)
        Written to: the lowest of each LANES, LANES² and LANES³ values. What is left over in ``coarse`` stays.
    """
    values = np.empty(len(order), np.float32)
    for parent in range(len(products)):
        row = products[parent]
        for place in range(len(order)):
            x = order[place]
            values[place] = row[x] + norms[x]
        row[:] = values
        _fill_lowest(row, fine[parent])
        _fill_lowest(fine[parent], middle[parent])
        _fill_lowest(middle[parent], coarse[parent][: len(middle[parent]) // LANES])


@compiled(STRICT)
def _replace_worst(values: Float32Array, positions: IntArray, value: np.float32, position: int) -> None:
    """Replace the root of a max-heap of values, with positions alongside, by a smaller value."""
    size = len(values)
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[place] = values[child]
        positions[place] = positions[child]
        place = child
    values[place] = value
    positions[place] = position


@compiled(STRICT)
def _bar_of(
    first: Float32Array, second: Float32Array, weight: np.float32, rest: np.float32, places: IntArray
) -> np.float32:
    """Return a number just above the values at some places; there are as many of them as are kept."""
    highest = -NEVER_NEAR
    for place in places:
        highest = max(highest, weight * first[place] + rest * second[place])
    return min(np.nextafter(highest, NEVER_NEAR), ALWAYS_NEARER)


@compiled(STRICT)
def _settle(positions: IntArray, order: IntArray, offset: int, places: IntArray) -> None:
    """Turn what was found in this tile into pool positions; where all was, note the places as well."""
    n_here = 0
    for position in positions:
        n_here += position < 0
    for c in range(len(positions)):
        if positions[c] < 0:
            place = -1 - positions[c]
            positions[c] = offset + order[place]
            if n_here == len(positions):
                places[c] = place


@compiled(STRICT)
def search_anchors(
    values: Float32Array,
    fine: Float32Array,
    middle: Float32Array,
    coarse: Float32Array,
    order: IntArray,
    offset: int,
    first: IntArray,
    second: IntArray,
    weights: Float32Array,
    subsets: Any,
    lowest: Float32Array,
    positions: IntArray,
) -> None:
    """Search one tile of the pool for some anchors, and update their lists.

    Parameters
    ----------
    values, fine, middle, coarse, order
        The tile, from `arrange_rows`; ``coarse`` is padded to a multiple of LANES.
    offset : int
        Position of the tile's first vector.
    first, second, weights : arrays of shape (n_anchors,)
        Fast where anchors that follow each other are near each other.
    subsets : uint8 array
        ``SUBSETS``.
    lowest, positions : arrays of shape (n_anchors, n_kept)
        Written to: max-heaps of the lowest ‖x‖² − 2 anchor·x so far, and where they are.

    Notes
    -----
    ‖x − anchor‖² = ‖x‖² − 2 anchor·x + ‖anchor‖², and ‖x‖² − 2 anchor·x = w·f_a(x) + (1 − w)·f_b(x) with
    f_a(x) = ‖x‖² − 2 a·x: the identity for distances on a segment, without the terms that are the same for
    every x. So w·min f_a + (1 − w)·min f_b, over a block, is a lower bound of what the block holds, for every w,
    and the minima are each parent's own. Blocks whose bound is no lower than the bar are never looked at.

    The bar is the highest value of this anchor at the places that an anchor before it kept: there are n_kept
    of those, so what is kept here is no higher.
    """
    n_kept = lowest.shape[1]
    n_tile = values.shape[1]
    is_hinted = n_kept <= n_tile
    last = np.arange(n_kept).astype(np.int32)  # places that the anchor before kept
    opening = last.copy()  # places that the first anchor of the pair before kept
    blocks, others = np.empty(n_tile + LANES, np.int32), np.empty(n_tile + LANES, np.int32)
    for anchor in range(len(first)):
        one, other, weight = first[anchor], second[anchor], weights[anchor]
        rest = np.float32(1) - weight
        near, far = values[one], values[other]
        heap, kept = lowest[anchor], positions[anchor]
        is_opening = anchor == 0 or one != first[anchor - 1] or other != second[anchor - 1]
        bar = min(ALWAYS_NEARER, heap[0])
        if is_hinted:
            bar = min(bar, _bar_of(near, far, weight, rest, last))
            if is_opening:
                bar = min(bar, _bar_of(near, far, weight, rest, opening))
        n = 0
        for start in range(0, coarse.shape[1], LANES):
            n = append_below(coarse[one], coarse[other], start, weight, rest, bar, subsets, blocks, n)
        m = 0
        for b in range(n):
            m = append_below(middle[one], middle[other], blocks[b] * LANES, weight, rest, bar, subsets, others, m)
        n = 0
        for b in range(m):
            n = append_below(fine[one], fine[other], others[b] * LANES, weight, rest, bar, subsets, blocks, n)
        for b in range(n):
            m = append_below(near, far, blocks[b] * LANES, weight, rest, bar, subsets, others, 0)
            for c in range(m):
                value = weight * near[others[c]] + rest * far[others[c]]
                if value < bar:
                    _replace_worst(heap, kept, value, -1 - others[c])
                    bar = min(bar, heap[0])
        _settle(kept, order, offset, last)
        if is_opening:
            opening[:] = last


@compiled(FAST)
def _fill_anchor(one: Float32Array, other: Float32Array, weight: Any, anchor: Any) -> None:
    for d in range(len(anchor)):
        anchor[d] = weight * one[d] + (1.0 - weight) * other[d]


@compiled(FAST)
def _distance(vector: Float32Array, anchor: Any) -> Any:
    total = 0.0
    for d in range(len(anchor)):
        difference = np.float64(vector[d]) - anchor[d]
        total += difference * difference
    return np.sqrt(total)


@compiled(STRICT)
def measure_links(
    pool: Float32Array,
    rows: IntArray,
    parents: Float32Array,
    first: IntArray,
    second: IntArray,
    weights: Any,
    positions: IntArray,
    distances: Any,
) -> None:
    """Write the float64 distance of each anchor to each of its positions, both (n_anchors, n), by differences."""
    anchor = np.empty(pool.shape[1], np.float64)
    for i in range(len(positions)):
        _fill_anchor(parents[first[i]], parents[second[i]], weights[i], anchor)
        for c in range(positions.shape[1]):
            distances[i, c] = _distance(pool[rows[positions[i, c]]], anchor)


@compiled(STRICT)
def nearest_links(
    pool: Float32Array,
    rows: IntArray,
    parents: Float32Array,
    first: IntArray,
    second: IntArray,
    weights: Any,
    positions: IntArray,
    nearest: IntArray,
    distances: Any,
) -> None:
    """Write the k nearest of each anchor's positions and their float64 distances, both (n_anchors, k).

    Nearest first; of two at the same distance the lower position comes first. For a small k: what is nearer is
    inserted into a sorted list.
    """
    anchor = np.empty(pool.shape[1], np.float64)
    k = nearest.shape[1]
    for i in range(len(positions)):
        _fill_anchor(parents[first[i]], parents[second[i]], weights[i], anchor)
        n_listed = 0
        for position in positions[i]:
            distance = _distance(pool[rows[position]], anchor)
            if n_listed < k:
                n_listed += 1
            elif (distance, position) >= (distances[i, k - 1], nearest[i, k - 1]):
                continue
            place = n_listed - 1
            while place > 0 and (distance, position) < (distances[i, place - 1], nearest[i, place - 1]):
                distances[i, place], nearest[i, place] = distances[i, place - 1], nearest[i, place - 1]
                place -= 1
            distances[i, place], nearest[i, place] = distance, position
