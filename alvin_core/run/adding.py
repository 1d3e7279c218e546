"""Examples that a person wrote."""

from __future__ import annotations

from alvin_core.run.handle import RunHandle

__all__ = ["RunAdding"]


class RunAdding:
    """The part of `Run` for this."""

    _handle: RunHandle
