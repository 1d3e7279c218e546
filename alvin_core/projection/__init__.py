"""Maps: a representation space in two dimensions, stable from round to round, and honest about what it lost.

Functions on plain arrays. A map shows which examples are near each other; it cannot keep all neighbours, and
`neighbors_kept` says how many it did. Importing this costs next to nothing: umap-learn comes with the first UMAP.
"""

from __future__ import annotations

from alvin_core.projection.aligning import displacement, rms_radius
from alvin_core.projection.faithfulness import neighbors_kept
from alvin_core.projection.mapping import project_vectors, warm_up
from alvin_core.projection.pca import principal_plane
from alvin_core.projection.placing import place_by_neighbors
from alvin_core.projection.values import Method, Projection, Space

__all__ = [
    "Method",
    "Projection",
    "Space",
    "displacement",
    "neighbors_kept",
    "place_by_neighbors",
    "principal_plane",
    "project_vectors",
    "rms_radius",
    "warm_up",
]
