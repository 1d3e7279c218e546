"""An error in one line, as a job shows it."""

from __future__ import annotations

__all__ = ["one_line"]


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
