"""What of the input goes with which label, in what a round trained on."""

from __future__ import annotations

from alvin_core.run.handle import RunHandle

__all__ = ["RunCues"]


class RunCues:
    """The part of `Run` for this."""

    _handle: RunHandle
