"""How people share the work of annotating a run's proposals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from alvin_core.setting_limits import About, check_limits

__all__ = ["AnnotationSettings"]


@dataclass(frozen=True)
class AnnotationSettings:
    """How many people annotate an example. Nothing of it changes what a round computes from labels."""

    overlap: Annotated[
        int, About("People who annotate an example; above 1 the majority's label counts.", least=1, most=100)
    ] = 1
    overlap_share: Annotated[
        float, About("Share of each proposal that overlap applies to; the rest is annotated once.", least=0, most=1)
    ] = 1.0  # a fifth of the examples tells the agreement as well, at a fifth of the cost

    def __post_init__(self) -> None:
        check_limits(self, "annotation")
