"""Named parts of the data set."""

from __future__ import annotations

from alvin_core.run.handle import RunHandle

__all__ = ["RunSlices"]


class RunSlices:
    """The part of `Run` for this."""

    _handle: RunHandle
