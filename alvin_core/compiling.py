"""How loops are compiled by numba. Imported only where numba is.

No loop is compiled with ``fastmath=True``: it promises that there are no infinities and no NaN, and there are. `FAST`
allows what makes a sum fast and nothing else; `STRICT` allows nothing, where a bound and what it bounds must be rounded
alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["FAST", "STRICT", "compiled"]

STRICT: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
FAST: dict[str, Any] = {**STRICT, "fastmath": {"reassoc", "contract", "nsz"}}


def compiled(options: dict[str, Any]) -> Callable[[Any], Any]:
    """Compile at the first call and keep the machine code on disk, where there is a place to write it."""

    def decorate(function: Any) -> Any:
        try:
            return njit(**options, cache=True)(function)
        except RuntimeError:  # an installation that may not be written, and no home: compiled anew in each process
            return njit(**options)(function)

    return decorate
