"""Small rounds made by hand, for all that draws them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alvin_core import MapAnchors, MapColumns, Projection

MakeColumns = Callable[..., MapColumns]


@pytest.fixture
def make_columns() -> MakeColumns:
    """Columns of ten points, of which 0 to 3 are labeled; what is given replaces a column."""

    def make(**given: Any) -> MapColumns:
        n = given.pop("n", 10)
        labeled = np.arange(n) < 4
        label = np.where(labeled, np.arange(n) % 2, -1).astype(np.int16)
        predicted = (np.arange(n) // 2 % 2).astype(np.int16)
        known: dict[str, Any] = {
            "ids": np.array([f"p{row}" for row in range(n)]),
            "rows": np.arange(n) + 100,
            "classes": ("negative", "positive"),
            "attributes": ("horror", "romance"),
            "labeled": labeled,
            "selected": (np.arange(n) >= 4) & (np.arange(n) < 6),
            "label": label,
            "label_now": np.where(np.arange(n) == 9, 1, label).astype(np.int16),
            "predicted": predicted,
            "confidence": np.linspace(0.5, 1, n, dtype=np.float32),
            "entropy": np.linspace(np.log(2), 0, n, dtype=np.float32),
            "is_minority": np.where(labeled, np.arange(n) == 1, -1).astype(np.int8),
            "n_forgotten": np.where(labeled, np.arange(n), -1).astype(np.int16),
            "attribute": (np.arange(n) % 3 - 1).astype(np.int16),
            "correct": np.where(labeled, predicted == label, -1).astype(np.int8),
            "ranks": {"alvin": _ranks(n, [4, 5]), "entropy": _ranks(n, [7, 4, 8])},
            "budget": 2,
        }
        return MapColumns(**{**known, **given})

    return make


@pytest.fixture
def columns(make_columns: MakeColumns) -> MapColumns:
    return make_columns()


@pytest.fixture
def projection(columns: MapColumns) -> Projection:
    return projection_of(columns)


@pytest.fixture
def project_columns() -> Callable[[MapColumns], Projection]:
    """Makes a map of any columns."""
    return projection_of


def projection_of(columns: MapColumns, seed: int = 0) -> Projection:
    places = np.random.default_rng(seed).uniform(-0.7, 0.7, (len(columns.ids), 2)).astype(np.float32)
    return Projection(
        ids=columns.ids,
        xy=places,
        method="pca",
        space="model",
        round_no=2,
        neighbors_kept=0.31,
        n_neighbors_checked=len(places),
    )


@pytest.fixture
def anchors() -> MapAnchors:
    """Three of 40 anchors, between the minority example 1 and the majority examples."""
    return MapAnchors(
        xy=np.array([[0.1, 0.2], [-0.3, 0.4], [0.5, -0.5]], dtype=np.float32),
        minority=np.array([1, 1, 1], dtype=np.int32),
        majority=np.array([0, 2, 3], dtype=np.int32),
        weight=np.array([0.5, 0.25, 0.75], dtype=np.float32),
        class_=np.array([1, 1, 1], dtype=np.int16),
        anchor=np.array([5, 7, 30], dtype=np.int32),
        picks=np.array([[0, 4], [1, 4], [2, 5]], dtype=np.int32),
        n_total=40,
        n_linked=12,
    )


@pytest.fixture
def run(columns: MapColumns, anchors: MapAnchors) -> SimpleNamespace:
    """A run of which only anchors and texts are asked."""
    return SimpleNamespace(
        id="0123abcd",
        name="reviews-alvin",
        map_anchors=lambda round_no, projection, most: anchors,
        texts=lambda rows: [(f"text of row {row}",) for row in rows],
    )


def _ranks(n: int, best: list[int]) -> np.ndarray:
    places = np.zeros(n, dtype=np.int32)
    places[best] = np.arange(1, len(best) + 1)
    return places


@pytest.fixture
def forget_arrays() -> None:
    """Empty the shelves that the process keeps of maps."""
    from dashboard import map_arrays

    map_arrays.forget_all()
