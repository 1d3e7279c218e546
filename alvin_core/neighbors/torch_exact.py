"""Exact search on the segments between parents, by torch: on a graphics card, or where numba is absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from alvin_core.device import halving_batches, is_out_of_memory, plan_device
from alvin_core.errors import DeviceError
from alvin_core.neighbors.exact import Report, distances_to, nearest_exactly
from alvin_core.neighbors.space import SearchSpace
from alvin_core.progress import Progress
from alvin_core.settings import RuntimeSettings
from alvin_core.types import FloatArray, IntArray

__all__ = ["nearest"]

NEVER_NEAR = 2.0**100  # in the padding; finite, because interpolating between infinities gives NaN
BLOCK = 128  # pool positions whose lowest value is found first
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
        with torch.inference_mode(), _full_precision(place):
            search = _TorchSearch(space, place, progress)
            return nearest_exactly(space, k, search.search, search.measure, progress)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"the {len(space.pool)} pool vectors and a tile of products do not fit the memory of {device}; {REMEDY}"
        ) from error


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
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
        for start, stop in space.tiles(space.tile_size(TILE_NUMBERS, BLOCK)):
            table = self._table(space, parents, start, stop)

            def lowest(rows: IntArray, table: torch.Tensor = table, n: int = min(n_kept, stop - start)) -> _Lists:
                part = slice(int(rows[0]), int(rows[-1]) + 1)
                return _lowest(torch.lerp(table[second[part]], table[first[part]], weights[part]), n)

            step = max(1, VALUES_AT_ONCE[self.device.type] // table.shape[1])
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
        cutoffs = values.amax(dim=1).cpu().numpy().astype(np.float64)
        return positions.to(torch.int32).cpu().numpy(), cutoffs + space.anchor_norms()

    def _table(self, space: SearchSpace, parents: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Return ‖x‖² − 2 a·x for each parent a and vector x of a tile: (n_parents, n_tile), padded to whole blocks."""
        tile = (self.pool[self.rows[start:stop]] - self._send(space.centre)) * space.scale
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


_Lists = tuple[torch.Tensor, torch.Tensor]  # values and positions, both of shape (n, n_kept)


def _lowest(values: torch.Tensor, n_kept: int) -> _Lists:
    """Return the lowest values of each row and where they are, in no order.

    The blocks that hold them are found first: the n_kept lowest values lie in the n_kept blocks whose lowest
    values are lowest, and looking for those is looking at a hundredth of the numbers.
    """
    n_blocks = values.shape[1] // BLOCK
    if n_blocks <= 2 * n_kept:
        found = values.topk(n_kept, dim=1, largest=False, sorted=False)
        return found.values, found.indices
    blocked = values.view(len(values), n_blocks, BLOCK)
    blocks = blocked.amin(dim=2).topk(n_kept, dim=1, largest=False, sorted=False).indices  # (n, n_kept)
    inside = blocked.gather(1, blocks[:, :, None].expand(-1, -1, BLOCK)).flatten(1)  # (n, n_kept * BLOCK)
    found = inside.topk(n_kept, dim=1, largest=False, sorted=False)
    return found.values, blocks.gather(1, found.indices // BLOCK) * BLOCK + found.indices % BLOCK
