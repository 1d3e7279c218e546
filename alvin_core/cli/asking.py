"""Asking the user before something that cannot be undone."""

from __future__ import annotations

import sys

import typer

from alvin_core.errors import AlvinError

__all__ = ["agreed"]


def agreed(verb: str, what: str, *, yes: bool) -> bool:
    """Return whether the user wants it; with ``yes`` nobody is asked.

    Parameters
    ----------
    verb : str
        ``delete`` or ``discard``.
    what : str
        ``the run 'first' with 3 rounds``.
    yes : bool

    Raises
    ------
    AlvinError
        When nobody is there to answer.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise AlvinError(f"{verb.removesuffix('e')}ing {what} cannot be undone; repeat the command with --yes")
    return typer.confirm(f"{verb.capitalize()} {what}, for good?", err=True)
