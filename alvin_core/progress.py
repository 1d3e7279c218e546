"""How long work tells what it is doing, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "ProgressEvent", "silent"]


@dataclass(frozen=True)
class ProgressEvent:
    """One step of long work.

    Attributes
    ----------
    stage : str
        What is being done, in a few words a user understands: ``"encode"``, ``"train"``, ``"retrieve"``.
    done, total : int
        Units finished and units in all; ``total`` is 0 where it is not known.
    note : str
        Anything a user should know, such as a halved batch; empty most of the time.
    """

    stage: str
    done: int
    total: int
    note: str = ""


Progress = Callable[[ProgressEvent], None]
"""Called often by long work. Raising :class:`~alvin_core.errors.Cancelled` from it stops the work."""


def silent(event: ProgressEvent) -> None:
    """Ignore progress."""
