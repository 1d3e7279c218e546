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
from alvin_core.projection.landmarks import landmark_rows, nearest_landmarks, placed_among
from alvin_core.projection.pca import principal_plane
from alvin_core.projection.searching import nearest_rows
from alvin_core.projection.space_neighbors import EXACT_UP_TO, space_neighbors
from alvin_core.projection.umap_layout import lay_out, lay_out_near, near_enough
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
    """What laying out and judging a map read of the space.

    Attributes
    ----------
    landmarks : int array of shape (n_landmarks,)
        The rows that are laid out: all, unless there are very many.
    graph : Graph
        Of the landmarks.
    others : tuple of arrays, optional
        The nearest landmarks of every other row, and their distances.
    true, rows : int arrays of shape (n_rows, k) and (n_rows,)
        The exact neighbours, among all, of the rows that a map is judged by.
    """

    landmarks: IntArray
    graph: Graph
    others: tuple[NDArray[np.int32], NDArray[np.float64]] | None
    true: IntArray
    rows: IntArray
    seed: int
    progress: Progress

    def spread(self, xy: Float32Array) -> Float32Array:
        """Return the places of all from those of the landmarks."""
        return xy if self.others is None else placed_among(xy, self.landmarks, *self.others)


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
        Stages ``neighbours``, ``places`` of more than 50,000 examples, and ``layout``; may raise Cancelled, which a
        layout that continues none sees at its end.

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
    for the same input, seed, home and platform. Of more than 50,000 examples, 20,000 drawn at random are laid out, the
    same in every round, and each other one is put beside its nearest of those.
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
    landmarks = landmark_rows(len(vectors), seed)
    if not np.ptp(plane[landmarks], axis=0).any():  # the few that differ from all others were not drawn
        return _as_pca(blank, vectors, plane, seed)
    check_installed()  # before the neighbours are searched
    nearby = _neighborhood(vectors, landmarks, _stream(seed, round_no), progress)
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


def _neighborhood(vectors: Float32Array, landmarks: IntArray, seed: int, progress: Progress) -> Neighborhood:
    n, n_landmarks = len(vectors), len(landmarks)
    k = min(N_NEIGHBORS, n_landmarks) - 1
    nearest, distances = space_neighbors(vectors if n_landmarks == n else vectors[landmarks], k, progress)
    others = None if n_landmarks == n else nearest_landmarks(vectors, landmarks, progress)
    rows, n_true = checked_rows(n), min(N_NEAREST, n - 1)
    if n_landmarks == n <= EXACT_UP_TO and k >= n_true:
        true = nearest[rows, :n_true]
    else:
        true, _ = nearest_rows(vectors, vectors[rows], n_true, query_rows=rows)
    return Neighborhood(landmarks, fuzzy_graph(nearest, distances), others, true, rows, seed, progress)


def _laid_out_freely(
    blank: Projection, nearby: Neighborhood, plane: Float32Array, home: Projection | None
) -> Projection:
    """Lay out anew; then turn the whole as near to an earlier map as a whole can come."""
    if home is not None and not rms_radius(home.xy):
        home = None  # a map of equal vectors: there is nothing to come near to
    xy = nearby.spread(lay_out(nearby.graph, plane[nearby.landmarks], nearby.seed, nearby.progress))
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
    if nearby.others is None:
        xy = lay_out_near(nearby.graph, start, nearby.seed, nearby.progress, reach=home.units)
    else:
        of_landmarks = start[nearby.landmarks]
        middle = of_landmarks.mean(axis=0)  # a layout lies about the origin, as all do together
        laid_out = lay_out_near(nearby.graph, of_landmarks - middle, nearby.seed, nearby.progress) + middle
        # Where the nearest landmark has become another one, an example moves further than any landmark.
        xy = near_enough(nearby.spread(laid_out), start, reach=home.units)
    xy = xy / np.float32(home.units)
    return replace(
        blank,
        xy=xy,
        neighbors_kept=share_kept(nearby.true, nearby.rows, xy),
        n_neighbors_checked=len(nearby.rows),
        displacement=displacement(xy, home.xy),
        kept_freely=home.kept_freely,
        units=home.units,
    )
