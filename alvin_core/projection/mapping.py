"""From vectors to a map: neighbours, layout, and how far the result can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from alvin_core.errors import SettingsError
from alvin_core.progress import Progress, silent
from alvin_core.projection.aligning import align, displacement, rms_radius
from alvin_core.projection.checking import checked
from alvin_core.projection.faithfulness import N_NEAREST, checked_rows, neighbors_kept, share_kept
from alvin_core.projection.pca import principal_plane
from alvin_core.projection.searching import nearest_rows
from alvin_core.projection.space_neighbors import EXACT_UP_TO, space_neighbors
from alvin_core.projection.umap_layout import lay_out, lay_out_near
from alvin_core.projection.umap_learn import Graph, check_installed, fuzzy_graph
from alvin_core.projection.values import Method, Projection, Space
from alvin_core.types import Float32Array, IdArray, IntArray, check_lengths

__all__ = ["project_vectors", "warm_up"]

N_NEIGHBORS = 15  # UMAP's default, itself included
FEWEST = 8  # examples; of fewer, every one is every other's neighbour, and UMAP has nothing to go by
EXTENT = 0.95  # of the unit disc: room for later maps, which keep the scale
# A map that stays while the space has become another one is no map of it. Below this part of what a free layout
# kept, a new one is tried; it is taken where it keeps so many times more.
TOO_LITTLE, WORTH_A_JUMP = 1 / 3, 1.25


@dataclass(frozen=True)
class Neighborhood:
    """What laying out and judging a map read of the space."""

    vectors: Float32Array
    graph: Graph
    true: IntArray
    rows: IntArray
    seed: int
    progress: Progress


def project_vectors(
    ids: IdArray,
    vectors: NDArray[Any],
    *,
    method: Method = "umap",
    space: Space = "model",
    round_no: int = 0,
    seed: int = 0,
    home: Projection | None = None,
    progress: Progress = silent,
) -> Projection:
    """Map vectors to the plane.

    Parameters
    ----------
    ids : array of shape (n,)
    vectors : array of shape (n, dim)
    method : {"umap", "pca"}
        UMAP of fewer than 8 examples, or of equal ones, is PCA, and says so.
    space, round_no
        Noted on the map.
    seed : int
    home : Projection, optional
        A map of the same examples, in the same order, that this one continues: points move from there by at most
        0.05 RMS radii in the mean, unless that would keep far fewer neighbours than a new layout. Not used by PCA.
    progress : Progress
        Stages ``neighbours`` and ``layout``; may raise Cancelled, which a layout that continues none sees at its end.

    Raises
    ------
    DataError
        When a vector holds NaN or infinity.
    SettingsError
        When the method is unknown, or what it needs is not installed.
    ValueError
        When home is a map of other examples.

    Notes
    -----
    UMAP (McInnes et al., 2018) by umap-learn, with its defaults: 15 neighbours and min_dist 0.1. Exactly the same map
    for the same input, seed, home and platform.
    """
    if method not in ("umap", "pca"):
        raise SettingsError(f"the method {method!r} is unknown; choose 'umap' or 'pca'")
    check_lengths("project_vectors", ids=ids, vectors=vectors)
    if home is not None and not np.array_equal(home.ids, ids):
        raise ValueError("project_vectors: home is a map of other examples, or of the same ones in another order")
    vectors = checked(vectors)
    plane = principal_plane(vectors)
    blank = Projection(ids, np.zeros_like(plane), method, space, round_no, 1.0, 0)
    if method == "pca" or len(plane) < FEWEST or not plane.any():
        return _as_pca(blank, vectors, plane, seed)
    check_installed()  # before the neighbours are searched
    nearby = _neighborhood(vectors, _stream(seed, round_no), progress)
    if home is None or home.method != "umap":
        return _laid_out_freely(blank, nearby, plane, home)
    held = _held(blank, nearby, home)
    reference = home.kept_freely or 0.0
    if held.neighbors_kept >= TOO_LITTLE * reference:
        return held
    free = _laid_out_freely(blank, nearby, plane, home)
    if free.neighbors_kept >= WORTH_A_JUMP * held.neighbors_kept:
        return free
    return replace(held, kept_freely=free.kept_freely)


def warm_up() -> None:
    """Compile, and load, all that a map needs, so that the first one does not wait for it."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4 * FEWEST, 4), dtype=np.float32)
    first = project_vectors(np.arange(len(vectors)), vectors)
    project_vectors(np.arange(len(vectors)), vectors, home=first)


def _stream(seed: int, round_no: int) -> int:
    return int(np.random.SeedSequence([seed, round_no, crc32(b"map")]).generate_state(1)[0])


def _as_pca(blank: Projection, vectors: Float32Array, plane: Float32Array, seed: int) -> Projection:
    extent = float(np.hypot(*plane.T.astype(np.float64)).max()) if len(plane) else 0.0
    xy = plane * np.float32(EXTENT / extent) if extent else plane
    kept, n_checked = neighbors_kept(vectors, xy, seed=seed)
    return replace(blank, xy=xy, method="pca", neighbors_kept=kept, n_neighbors_checked=n_checked)


def _neighborhood(vectors: Float32Array, seed: int, progress: Progress) -> Neighborhood:
    n = len(vectors)
    k = min(N_NEIGHBORS, n) - 1
    nearest, distances = space_neighbors(vectors, k, progress)
    rows, n_true = checked_rows(n), min(N_NEAREST, n - 1)
    if n <= EXACT_UP_TO and k >= n_true:
        true = nearest[rows, :n_true]
    else:
        true, _ = nearest_rows(vectors, vectors[rows], n_true, query_rows=rows)
    return Neighborhood(vectors, fuzzy_graph(nearest, distances), true, rows, seed, progress)


def _laid_out_freely(
    blank: Projection, nearby: Neighborhood, plane: Float32Array, home: Projection | None
) -> Projection:
    """Lay out anew; then turn the whole as near to an earlier map as a whole can come."""
    if home is not None and not rms_radius(home.xy):
        home = None  # a map of equal vectors: there is nothing to come near to
    xy = lay_out(nearby.graph, plane, nearby.seed, nearby.progress)
    xy = xy - xy.mean(axis=0)
    radius = rms_radius(xy)
    if home is not None:
        xy = align(xy, home.xy - home.xy.mean(axis=0))
    furthest = float(np.hypot(*xy.T.astype(np.float64)).max())
    if home is None or furthest > 1:
        xy = xy * np.float32(EXTENT / furthest)
    moved = None if home is None else displacement(xy, home.xy)
    kept = share_kept(nearby.true, nearby.rows, xy)
    return replace(
        blank,
        xy=xy,
        neighbors_kept=kept,
        n_neighbors_checked=len(nearby.rows),
        displacement=moved,
        kept_freely=kept,
        units=radius / rms_radius(xy),
    )


def _held(blank: Projection, nearby: Neighborhood, home: Projection) -> Projection:
    start = home.xy * np.float32(home.units)
    xy = lay_out_near(nearby.graph, start, nearby.seed, nearby.progress, reach=home.units) / np.float32(home.units)
    return replace(
        blank,
        xy=xy,
        neighbors_kept=share_kept(nearby.true, nearby.rows, xy),
        n_neighbors_checked=len(nearby.rows),
        displacement=displacement(xy, home.xy),
        kept_freely=home.kept_freely,
        units=home.units,
    )
