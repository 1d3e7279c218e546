"""A world of two dimensions in which a round can be seen, with the engine's own rounds, and where they help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["answer"]


def answer(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a world and what strategies do in it: see `alvin_core.classroom.answering.answer`."""
    from alvin_core.classroom import answering  # late: a screen imports this package for its settings alone

    return answering.answer(params)
