"""What looking through a store found."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Finding", "Kind", "StoreReport"]

Kind = Literal["damage", "leftover", "note"]
"""``damage``: something that was stored is lost or wrong. ``leftover``: a killed process left it, it harms nothing.
``note``: what could not be looked at."""


@dataclass(frozen=True)
class Finding:
    """One thing found in a store.

    Attributes
    ----------
    kind : {"damage", "leftover", "note"}
    subject : str
        What it is about, for a person: ``run 'reviews-alvin', round 3``.
    what : str
        What is the matter, in one line.
    remedy : str
        What to do about it.
    mendable : bool
        Whether `repair_store` mends it without loss of anything that cannot be computed again.
    """

    kind: Kind
    subject: str
    what: str
    remedy: str
    mendable: bool = False

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}; {self.remedy}"


@dataclass
class StoreReport:
    """What was looked at, and what was found.

    Attributes
    ----------
    store : str
    n_runs, n_rounds, n_labels, n_files : int
        Runs, rounds, label events and files that were looked at.
    findings : list of Finding
    """

    store: str
    n_runs: int = 0
    n_rounds: int = 0
    n_labels: int = 0
    n_files: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing that was stored is lost or wrong."""
        return not any(one.kind == "damage" for one in self.findings)

    def count(self, kind: Kind) -> int:
        """Return how many findings are of a kind."""
        return Counter(one.kind for one in self.findings)[kind]

    def damage(self, subject: str, what: str, remedy: str, *, mendable: bool = False) -> None:
        """Add what is lost or wrong."""
        self.findings.append(Finding("damage", subject, what, remedy, mendable))

    def leftover(self, subject: str, what: str) -> None:
        """Add what a killed process left."""
        self.findings.append(Finding("leftover", subject, what, "remove it with --repair", mendable=True))

    def note(self, subject: str, what: str, remedy: str) -> None:
        """Add what could not be looked at."""
        self.findings.append(Finding("note", subject, what, remedy))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {**asdict(self), "sound": self.sound}
