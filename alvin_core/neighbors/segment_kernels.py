"""Compiled loops of the segment search. Imported only where numba is.

No function here uses ``fastmath=True``: it promises that there are no infinities, and there are (an empty
place in a list, the padding of a tile). The flags below allow what makes loops fast and nothing else.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

from alvin_core.types import Float32Array, IntArray

__all__ = ["BLOCK", "BUNDLE", "measure_links", "search_bundles"]

BLOCK = 128  # pool positions looked at together: three float32 rows of a block fit the first cache many times
BUNDLE = 16  # anchors of one pair searched together, over one reading of the pair's two rows

OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
}


def _compiled(function: Any) -> Any:
    """Compile at the first call and keep the machine code on disk, where there is a place to write it."""
    try:
        return njit(**OPTIONS, cache=True)(function)
    except RuntimeError:  # an installation that may not be written, and no home: compiled anew in each process
        return njit(**OPTIONS)(function)


@intrinsic
def _lesser(typing_context: Any, one: Any, other: Any) -> Any:
    """Return the smaller of two float32 that are not NaN.

    Written as the machine's own minimum: from a comparison and a choice the compiler makes no vector code,
    and the search is ten times slower.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.FloatType()
        function_type = ir.FunctionType(number, [number, number])
        minimum = builder.module.declare_intrinsic("llvm.minnum", [number], function_type)
        return builder.call(minimum, arguments, fastmath=("nnan", "nsz"))

    return types.float32(types.float32, types.float32), generate


@_compiled
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


@_compiled
def _lowest_in_block(base: Float32Array, slope: Float32Array, weight: np.float32) -> np.float32:
    lowest = np.float32(np.inf)
    for x in range(BLOCK):
        lowest = _lesser(lowest, base[x] + weight * slope[x])
    return lowest


@_compiled
def _fill_minima(
    first: Float32Array, second: Float32Array, norms: Float32Array, weights: Float32Array, minima: Float32Array
) -> None:
    """Write the lowest value of every block, for all anchors of one pair, to (n_weights, n_blocks)."""
    base = np.empty(BLOCK, np.float32)
    slope = np.empty(BLOCK, np.float32)
    for block in range(len(norms) // BLOCK):
        start = block * BLOCK
        one = first[start : start + BLOCK]
        other = second[start : start + BLOCK]
        norm = norms[start : start + BLOCK]
        for x in range(BLOCK):
            base[x] = other[x] + norm[x]
            slope[x] = one[x] - other[x]
        for q in range(len(weights)):
            minima[q, block] = _lowest_in_block(base, slope, weights[q])


@_compiled
def _nth_lowest(numbers: Float32Array, heap: Float32Array, unused: IntArray) -> Any:
    """Return the n-th lowest number, n being the heap's length; infinity where there are fewer."""
    heap[:] = np.inf
    for number in numbers:
        if number < heap[0]:
            _replace_worst(heap, unused, number, 0)
    return heap[0]


@_compiled
def _insert_block(
    first: Float32Array,
    second: Float32Array,
    norms: Float32Array,
    weight: np.float32,
    ceiling: np.float32,
    offset: int,
    found: Float32Array,
    values: Float32Array,
    positions: IntArray,
) -> None:
    """Insert what is low enough in one block into an anchor's list; ``found`` is room for BLOCK numbers."""
    for x in range(BLOCK):
        found[x] = (second[x] + norms[x]) + weight * (first[x] - second[x])
    bar = min(ceiling, values[0])
    for x in range(BLOCK):
        if found[x] < bar:
            _replace_worst(values, positions, found[x], offset + x)
            bar = min(ceiling, values[0])


@_compiled
def search_bundles(
    products: Float32Array,
    norms: Float32Array,
    offset: int,
    slack: np.float32,
    bundles: IntArray,
    first: IntArray,
    second: IntArray,
    weights: Float32Array,
    values: Float32Array,
    positions: IntArray,
) -> None:
    """Search one tile of the pool for the anchors of some bundles, and update their lists.

    Parameters
    ----------
    products : float32 array of shape (n_parents, n_tile)
        −2 a·x for each parent a and pool vector x; n_tile is a multiple of BLOCK.
    norms : float32 array of shape (n_tile,)
        ‖x‖²; infinite in the padding.
    offset : int
        Position of the tile's first vector.
    slack : float32
        More than two evaluations of one value differ by rounding; above 0.
    bundles : int array
        Anchors ``bundles[i]`` to ``bundles[i + 1]`` share their parents; at most BUNDLE of them.
    first, second, weights : arrays of shape (n_anchors,)
    values, positions : arrays of shape (n_anchors, n_kept)
        Written to: max-heaps of the lowest ‖x‖² − 2 anchor·x so far, and where they are.

    Notes
    -----
    ‖x − anchor‖² = ‖x‖² − 2 anchor·x + ‖anchor‖², and anchor·x = w·(a·x) + (1 − w)·(b·x): the identity for
    distances on a segment, without the terms that are the same for every x.

    Blocks are judged by their lowest value first. Of n_kept blocks each holds something as low as the
    n_kept-th lowest of those, so only blocks down to there can hold anything that is kept.
    """
    n_blocks = len(norms) // BLOCK
    minima = np.empty((BUNDLE, n_blocks), np.float32)
    heap = np.empty(values.shape[1], np.float32)
    unused = np.empty(values.shape[1], np.int32)
    found = np.empty(BLOCK, np.float32)
    for bundle in range(len(bundles) - 1):
        begin, end = bundles[bundle], bundles[bundle + 1]
        one, other = products[first[begin]], products[second[begin]]
        _fill_minima(one, other, norms, weights[begin:end], minima)
        for anchor in range(begin, end):
            lows = minima[anchor - begin]
            ceiling = _nth_lowest(lows, heap, unused) + slack
            kept, places = values[anchor], positions[anchor]
            for block in range(n_blocks):
                if lows[block] < ceiling and lows[block] < kept[0]:
                    start = block * BLOCK
                    stop = start + BLOCK
                    _insert_block(
                        one[start:stop], other[start:stop], norms[start:stop],
                        weights[anchor], ceiling, offset + start, found, kept, places,
                    )  # fmt: skip


@_compiled
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
    dim = pool.shape[1]
    anchor = np.empty(dim, np.float64)
    for i in range(len(positions)):
        weight = weights[i]
        one, other = parents[first[i]], parents[second[i]]
        for d in range(dim):
            anchor[d] = weight * one[d] + (1.0 - weight) * other[d]
        for c in range(positions.shape[1]):
            vector = pool[rows[positions[i, c]]]
            total = 0.0
            for d in range(dim):
                difference = np.float64(vector[d]) - anchor[d]
                total += difference * difference
            distances[i, c] = np.sqrt(total)
