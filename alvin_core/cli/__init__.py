"""The command line: arguments in, public functions called, words out. `main` is all that others need."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``alvin`` with these arguments (the process's own by default) and return its exit code.

    0 when it did what was asked, 1 when a replay differs or on a fault in this program, 2 on an error of use (one
    line on standard error), 130 after Ctrl-C.
    """
    from alvin_core.cli.app import run_app

    return run_app(argv)
