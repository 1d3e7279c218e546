"""The compiled loop of UMAP's layout. Imported only where numba is."""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alvin_core.types import Float32Array

__all__ = ["run_epoch"]

N_NEGATIVE = np.float32(5)  # points pushed away for each edge pulled together; UMAP's default
FURTHEST = np.float32(4)  # no single step goes further along an axis
A, B = np.float32(1.5769434), np.float32(0.8950609)  # UMAP's curve for min_dist = 0.1 and spread = 1
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def _compiled(function: Any) -> Any:
    """Compile at the first call and keep the machine code on disk, where there is a place to write it."""
    try:
        return njit(**OPTIONS, cache=True)(function)
    except RuntimeError:  # an installation that may not be written, and no home: compiled anew in each process
        return njit(**OPTIONS)(function)


@_compiled
def _clipped(value: np.float32) -> np.float32:
    return min(FURTHEST, max(-FURTHEST, value))


@_compiled
def run_epoch(
    xy: Float32Array,
    heads: NDArray[np.int32],
    tails: NDArray[np.int32],
    periods: Float32Array,
    due: Float32Array,
    due_negative: Float32Array,
    state: NDArray[np.uint64],
    epoch: int,
    rate: np.float32,
) -> None:
    """Pull the ends of the edges that are due together, and push random points away from their heads, in place.

    Parameters
    ----------
    xy : float32 array of shape (n, 2)
    heads, tails : int32 arrays of shape (n_edges,)
    periods : float32 array of shape (n_edges,)
        Epochs between two uses of an edge: 1 for the heaviest.
    due, due_negative : float32 arrays of shape (n_edges,)
        When the edge, and its next point to push away, come next.
    state : uint64 array of shape (1,)
        Of a linear congruential generator (Knuth's MMIX), of which the upper 31 bits are used.
    epoch : int
    rate : float
        How far a step goes.

    Notes
    -----
    McInnes et al. (2018), algorithm 5: stochastic gradient descent on the cross entropy between the graph and the
    map's own ``1 / (1 + a d^(2b))``, in the order and with the sampling of umap-learn.
    """
    n = np.uint64(len(xy))
    for edge in range(len(heads)):
        if due[edge] > epoch:
            continue
        head, tail = heads[edge], tails[edge]
        dx, dy = xy[head, 0] - xy[tail, 0], xy[head, 1] - xy[tail, 1]
        square = dx * dx + dy * dy
        if square > 0:
            power = square**B
            pull = np.float32(-2) * A * B * (power / square) / (A * power + np.float32(1))
            step_x, step_y = _clipped(pull * dx) * rate, _clipped(pull * dy) * rate
            xy[head, 0] += step_x
            xy[head, 1] += step_y
            xy[tail, 0] -= step_x
            xy[tail, 1] -= step_y
        due[edge] += periods[edge]
        negative_period = periods[edge] / N_NEGATIVE
        n_pushed = int((epoch - due_negative[edge]) / negative_period)
        for _ in range(n_pushed):
            state[0] = state[0] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            other = np.int64((state[0] >> np.uint64(33)) % n)
            dx, dy = xy[head, 0] - xy[other, 0], xy[head, 1] - xy[other, 1]
            square = dx * dx + dy * dy
            if square > 0:
                push = np.float32(2) * B / ((np.float32(0.001) + square) * (A * square**B + np.float32(1)))
                xy[head, 0] += _clipped(push * dx) * rate
                xy[head, 1] += _clipped(push * dy) * rate
        due_negative[edge] += n_pushed * negative_period
