"""What a run tells about itself: plain values, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from alvin_core.run.divergence import Divergence

__all__ = ["ReplayRound", "RoundRecord", "RunInfo", "RunState", "SubmitReport", "plain"]

RunState = Literal["ready", "waiting"]
"""``waiting``: a person must annotate before the run can go on."""


@dataclass(frozen=True)
class RunInfo:
    """One run in a list.

    Attributes
    ----------
    id, name, strategy : str
    state : {"ready", "waiting"}
    annotator : {"oracle", "person"}
    n_rounds, n_labeled : int
        Finished rounds, and examples that have a label now.
    source : str
        Where the data came from.
    parent : tuple of (run id, round) or None
        What it was forked from.
    created_at : str
        ISO 8601, UTC.
    """

    id: str
    name: str
    strategy: str
    state: RunState
    annotator: str
    n_rounds: int
    n_labeled: int
    source: str
    parent: tuple[str, int] | None
    created_at: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class RoundRecord:
    """What one round found, in figures.

    Attributes
    ----------
    run : str
        The run's name.
    round : int
    strategy : str
        What selected in this round; after a fork, older rounds keep theirs.
    n_labeled : int
    metrics : dict
        Split -> figures, as `alvin_core.metrics.evaluate` returns them.
    groups, anchors, selection : dict
    encoding : dict
        ``n_encoded``, ``from_cache`` and ``texts_per_second``; nothing was encoded where the first is 0.
    seconds : dict of str to float
        Wall-clock time of ``load``, ``encode``, ``train``, ``evaluate``, ``select`` and ``measure``.
    warnings : tuple of str
    created_at : str
        ISO 8601, UTC.
    """

    run: str
    round: int
    strategy: str
    n_labeled: int
    metrics: dict[str, Any]
    groups: dict[str, Any]
    anchors: dict[str, Any]
    selection: dict[str, Any]
    encoding: dict[str, Any]
    seconds: dict[str, float]
    warnings: tuple[str, ...]
    created_at: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {**asdict(self), "warnings": list(self.warnings)}


@dataclass(frozen=True)
class SubmitReport:
    """What became of submitted labels. All of them are on disk.

    Attributes
    ----------
    n_new : int
        Labels added, be it by the majority of opinions.
    n_same : int
        Labels that were there already, with the same class.
    n_blank : int
        Examples without a label; nothing was done about them.
    n_outside : int
        Of the new labels, those of pool examples that the run had not proposed.
    n_pending : int
        Proposed examples that still wait for a label.
    n_opinions : int
        Opinions added on examples that several people annotate; of them, those that made a label are in ``n_new``.
    """

    n_new: int
    n_same: int
    n_blank: int
    n_outside: int
    n_pending: int
    n_opinions: int = 0


@dataclass(frozen=True)
class ReplayRound:
    """How a round computed anew compares with the stored one.

    Attributes
    ----------
    round_no : int
    same : bool
        Whether the same examples were selected, in the same order.
    n_different : int
        How many stored places hold another example, or none, in the new selection.
    note : str
        What is known to differ between then and now, such as a version; empty when nothing is.
    divergence : Divergence or None
        Stage by stage, what is the same to the bit and what is not, which picks are others, and the likely cause.
    """

    round_no: int
    same: bool
    n_different: int
    note: str = ""
    divergence: Divergence | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        told = {} if self.divergence is None else self.divergence.to_dict()
        return {"round": self.round_no, "same": self.same, "n_different": self.n_different, "note": self.note, **told}


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: numpy's scalars and arrays become Python's, what is not finite None.

    Raises
    ------
    TypeError
        When something is no plain value.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} {value!r} is no plain value")
