"""Exact search on the segments between parents, by torch: on a graphics card, or where numba is absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from alvin_core.device import halving_batches, is_out_of_memory, plan_device
from alvin_core.errors import DeviceError
from alvin_core.neighbors.exact import Report, by_measuring, distances_to, nearest_exactly
from alvin_core.neighbors.space import SearchSpace
from alvin_core.progress import Progress
from alvin_core.settings import RuntimeSettings
from alvin_core.types import FloatArray, IntArray

__all__ = ["full_precision", "nearest"]

NEVER_NEAR = 2.0**100  # in the padding; finite, because interpolating between infinities gives NaN
BLOCK = 8  # pool positions with one bound; for more of them bounds are loose where no direction stands out
BLOCKS_PER_KEPT = 8  # blocks that are looked at first, for each neighbor kept
MORE_BLOCKS = 8  # so many times more are looked at next, for anchors where those were too few
LEADERS = 128  # parents that the pool is sorted around
TILE_NUMBERS = 64_000_000  # products in memory at once, and coordinates: 256 MB of each at most
VALUES_AT_ONCE = {"cpu": 4_000_000, "cuda": 128_000_000, "mps": 32_000_000}  # anchors × positions
LINK_NUMBERS_AT_ONCE = {"cpu": 2_000_000, "cuda": 64_000_000}  # links × dim measured at once
REMEDY = "free some of it, or use device 'cpu'"


def nearest(space: SearchSpace, k: int, *, device: str, progress: Progress) -> tuple[IntArray, FloatArray]:
    """Find the k nearest positions of every anchor on a device; see `nearest_exactly`.

    The pool's vectors are copied to the device whole; beyond them memory is bounded.

    Raises
    ------
    DeviceError
        When the device is not there, or its memory is too small.
    """
    place = torch.device(plan_device(RuntimeSettings(device=device)).device)
    try:
        with torch.inference_mode(), full_precision(place):
            search = _TorchSearch(space, place, progress)
            return nearest_exactly(space, k, search.search, by_measuring(search.measure), progress)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"the {len(space.pool)} pool vectors and a tile of products do not fit the memory of {device}; {REMEDY}"
        ) from error


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Take products in full float32: the rounding bound does not hold for TF32 or bfloat16 products."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


class _TorchSearch:
    """The pool on a device, and the two steps that `nearest_exactly` asks for."""

    def __init__(self, space: SearchSpace, device: torch.device, progress: Progress) -> None:
        self.device = device
        self.progress = progress
        pool = space.pool if space.pool.flags.writeable else space.pool.copy()  # torch takes writable memory only
        self.pool = torch.from_numpy(pool).to(device)
        self.rows = torch.from_numpy(space.rows.astype(np.int64)).to(device)

    def search(self, space: SearchSpace, n_kept: int, report: Report) -> tuple[IntArray, NDArray[np.float64]]:
        parents = self._send(space.scaled_parents())
        first, second = self._send(space.points.first), self._send(space.points.second)
        weights = self._send(space.points.weights.astype(np.float32))[:, None]
        values = torch.empty((space.n_anchors, 0), device=self.device)
        positions = torch.empty((space.n_anchors, 0), dtype=torch.int64, device=self.device)
        bars = torch.full((space.n_anchors,), torch.inf, device=self.device)
        at_once = VALUES_AT_ONCE[self.device.type]
        for start, stop in space.tiles(space.tile_size(TILE_NUMBERS, BLOCK)):
            tile = _Tile.of(self._table(space, parents, start, stop), parents, stop - start)
            n = min(n_kept, stop - start)

            def lowest(rows: IntArray, tile: _Tile = tile, bars: torch.Tensor = bars, n: int = n) -> _Lists:
                part = slice(int(rows[0]), int(rows[-1]) + 1)
                return _lowest(tile, _Between(first[part], second[part], weights[part]), bars[part], n, at_once)

            step = max(1, at_once // tile.numbers_for(BLOCKS_PER_KEPT * n_kept))
            batches = [np.arange(b, min(b + step, space.n_anchors)) for b in range(0, space.n_anchors, step)]
            found = []
            for rows, lists in halving_batches(
                batches, lowest, stage="retrieve", unit="anchor", remedy=REMEDY, progress=self.progress
            ):
                found.append(lists)
                done = space.n_anchors * start + (int(rows[-1]) + 1) * (stop - start)
                report(done // space.n_positions)
            values = torch.cat([values, torch.cat([lists[0] for lists in found])], dim=1)
            positions = torch.cat([positions, torch.cat([lists[1] for lists in found]) + start], dim=1)
            if values.shape[1] > n_kept:
                values, columns = values.topk(n_kept, dim=1, largest=False, sorted=False)
                positions = positions.gather(1, columns)
            if values.shape[1] == n_kept:
                bars = values.amax(dim=1)
        return positions.to(torch.int32).cpu().numpy(), bars.cpu().numpy().astype(np.float64) + space.anchor_norms()

    def _table(self, space: SearchSpace, parents: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Return ‖x‖² − 2 a·x for each parent a and vector x of a tile: (n_parents, n_tile), padded to whole blocks."""
        tile = self.pool[self.rows[start:stop]] * space.scale - self._send(space.scaled_centre)
        table = (parents * -2) @ tile.T
        table += tile.square().sum(dim=1)
        return torch.nn.functional.pad(table, (0, -len(tile) % BLOCK), value=NEVER_NEAR)

    def measure(self, space: SearchSpace, positions: IntArray) -> NDArray[np.float64]:
        if self.device.type not in LINK_NUMBERS_AT_ONCE:  # mps has no float64
            return distances_to(space, positions)
        parents = self._send(space.points.parents).double()
        first, second = self._send(space.points.first), self._send(space.points.second)
        weights = self._send(space.points.weights)[:, None]
        links = self._send(positions).long()
        squares = torch.empty(positions.shape, dtype=torch.float64, device=self.device)
        step = max(1, LINK_NUMBERS_AT_ONCE[self.device.type] // (positions.shape[1] * self.pool.shape[1]))
        for begin in range(0, len(positions), step):
            part = slice(begin, begin + step)
            anchors = weights[part] * parents[first[part]] + (1 - weights[part]) * parents[second[part]]
            differences = self.pool[self.rows[links[part]]].double() - anchors[:, None, :]  # (n, n_kept, dim)
            squares[part] = differences.square_().sum(dim=2)
        return np.asarray(np.sqrt(squares.cpu().numpy()))  # torch's own root may err in the last digit: a broken tie

    def _send(self, array: NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


_Lists = tuple[torch.Tensor, torch.Tensor]  # values and where they are, both of shape (n, n_kept)


class _Between(NamedTuple):
    """Anchors by their parents and weights, of shapes (n,), (n,) and (n, 1)."""

    first: torch.Tensor
    second: torch.Tensor
    weights: torch.Tensor

    def take(self, rows: torch.Tensor) -> _Between:
        return _Between(*(each[rows] for each in self))


class _Tile(NamedTuple):
    """A stretch of the pool in an order in which neighbors stand together, and the lowest value of each block.

    ‖x‖² − 2 anchor·x is w·f_a(x) + (1 − w)·f_b(x) for an anchor between a and b, so the same of the lowest of a
    block is a lower bound of what the block holds. It is off by the rounding of an interpolation at most, for
    which `SearchSpace.rounding_bounds` has room.
    """

    values: torch.Tensor  # (n_parents, n_blocks, BLOCK), NEVER_NEAR in the padding
    lowest: torch.Tensor  # (n_parents, n_blocks)
    order: torch.Tensor  # (n_blocks * BLOCK,): places in the tile before it was sorted

    @classmethod
    def of(cls, table: torch.Tensor, parents: torch.Tensor, n: int) -> _Tile:
        """Sort the n vectors of a table by their nearest leader, some of the parents, and the distance to it."""
        leaders = slice(None, None, -(-len(parents) // LEADERS))
        closest, leader_of = (table[leaders, :n] + parents[leaders].square().sum(dim=1, keepdim=True)).min(dim=0)
        order = closest.argsort(stable=True)
        order = order[leader_of[order].argsort(stable=True)]
        order = torch.cat([order, torch.arange(n, table.shape[1], device=order.device)])
        values = table[:, order].view(len(table), -1, BLOCK)
        return cls(values, values.amin(dim=2), order)

    def numbers_for(self, n_looked_at: int) -> int:
        """Return how many numbers an anchor takes while so many of its blocks are looked at."""
        n_blocks = self.lowest.shape[1]
        return n_blocks + BLOCK * min(n_blocks, n_looked_at)


def _lowest(tile: _Tile, anchors: _Between, bars: torch.Tensor, n_kept: int, at_once: int) -> _Lists:
    """Return the lowest values of each anchor and their places in the tile, in no order.

    Values that are no lower than the anchor's bar, its worst of the tiles before, may be missed.
    """
    n_looked_at = BLOCKS_PER_KEPT * n_kept
    values, places, is_short = _look(tile, anchors, bars, n_kept, n_looked_at)
    short = is_short.nonzero()[:, 0]
    while len(short):
        n_looked_at *= MORE_BLOCKS
        remaining = []
        step = max(1, at_once // tile.numbers_for(n_looked_at))
        for rows in (short[begin : begin + step] for begin in range(0, len(short), step)):
            values[rows], places[rows], is_short = _look(tile, anchors.take(rows), bars[rows], n_kept, n_looked_at)
            remaining.append(rows[is_short])
        short = torch.cat(remaining)
    return values, tile.order[places]


def _look(
    tile: _Tile, anchors: _Between, bars: torch.Tensor, n_kept: int, n_looked_at: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Look at the blocks with the lowest bounds: their lowest values, the places, and for which anchors it was too few.

    Enough is looked at when all other blocks' bounds are no lower than the bar, or than the worst that was kept.
    """
    n_blocks = tile.lowest.shape[1]
    bounds = torch.lerp(tile.lowest[anchors.second], tile.lowest[anchors.first], anchors.weights)  # (n, n_blocks)
    n_looked_at = min(n_blocks, n_looked_at)
    highest, blocks = bounds.topk(n_looked_at, dim=1, largest=False, sorted=False)  # (n, n_looked_at)
    near, far = (tile.values[parents[:, None], blocks] for parents in (anchors.first, anchors.second))
    inside = torch.lerp(far, near, anchors.weights[:, :, None]).flatten(1)  # (n, n_looked_at * BLOCK)
    values, columns = inside.topk(n_kept, dim=1, largest=False, sorted=False)
    places = blocks.gather(1, columns // BLOCK) * BLOCK + columns % BLOCK
    is_short = highest.amax(dim=1) < torch.minimum(bars, values.amax(dim=1))
    return values, places, is_short if n_looked_at < n_blocks else torch.zeros_like(is_short)
