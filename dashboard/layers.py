"""The layers of a map, as the browser, the server and the figures name them."""

from __future__ import annotations

from typing import Final

__all__ = ["LAYERS"]

LAYERS: Final = ("pool", "labeled", "anchors", "segments", "selected", "other")
