"""Why a round that was computed again is not the one that was stored: where it parts, which picks, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.run.archive import ranking_name
from alvin_core.run.environment import ChangedFact, changed_facts
from alvin_core.run.likely_cause import likely_cause
from alvin_core.run.stages import RoundArrays, StageComparison, compare_stages
from alvin_core.types import IdArray

__all__ = ["Divergence", "PickChange", "explain_divergence"]

# Two scores are nearly tied where they are no further apart than this many times what the scores moved by.
TIE_FACTOR = 2.0
TIE_ALWAYS = 1e-6  # of the greater of two scores: what single precision leaves open


@dataclass(frozen=True)
class PickChange:
    """A place of the selection that holds another example now.

    Attributes
    ----------
    place : int
        From 0, best first.
    out, into : str or None
        Ids of the example picked then and of the one picked now; None past the end of the shorter selection.
    out_place_now, into_place_then : int or None
        Where the other computation ranked each, from 0; None where it did not rank it.
    score_out, score_into : float or None
        The score that each was picked by, in its own computation.
    near_tie : bool
        Whether the two scores are as near each other as small differences of the scores explain.
    """

    place: int
    out: str | None
    into: str | None
    out_place_now: int | None
    into_place_then: int | None
    score_out: float | None
    score_into: float | None
    near_tie: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        gap = None if self.score_out is None or self.score_into is None else abs(self.score_out - self.score_into)
        return {**vars(self), "margin": gap}

    def __str__(self) -> str:
        if self.into is None:
            return f"place {self.place + 1}: {self.out} then, none now"
        if self.out is None:
            return f"place {self.place + 1}: none then, {self.into} now"
        tie = ", a near tie" if self.near_tie else ""
        return (
            f"place {self.place + 1}: {self.out} out ({_ranked(self.out_place_now, 'now')}), "
            f"{self.into} in ({_ranked(self.into_place_then, 'then')}): "
            f"scores {self.score_out:.6g} and {self.score_into:.6g}{tie}"
        )


@dataclass(frozen=True)
class Divergence:
    """How a round computed again differs from the stored one.

    Attributes
    ----------
    stages : tuple of StageComparison
        All stages in their order.
    first : str
        The first stage that differs; empty where none does.
    picks : tuple of PickChange
        Places that hold another example; none where the selections are the same.
    changed : tuple of ChangedFact
        Recorded facts that are others now.
    cause : str
        The most likely cause, in words; empty where nothing differs.
    """

    stages: tuple[StageComparison, ...]
    first: str
    picks: tuple[PickChange, ...]
    changed: tuple[ChangedFact, ...]
    cause: str

    @property
    def identical(self) -> bool:
        """Whether everything that is stored of the round came out the same to the bit."""
        return not self.first

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "identical": self.identical,
            "first": self.first or None,
            "stages": [one.to_dict() for one in self.stages],
            "picks": [one.to_dict() for one in self.picks],
            "changed": [one.to_dict() for one in self.changed],
            "cause": self.cause or None,
        }

    def lines(self) -> list[str]:
        """Say it in lines for people: the stages that differ, the picks, and the likely cause."""
        if self.identical:
            return []
        differing = [one for one in self.stages if one.same is False]
        told = [f"{'first ' if place == 0 else ''}{one.stage}: {one.words}" for place, one in enumerate(differing)]
        unknown = [one.stage for one in self.stages if one.same is None]
        told += [f"{', '.join(unknown)}: not recorded, so not compared"] if unknown else []
        return [*told, *map(str, self.picks), f"most likely: {self.cause}"]


def explain_divergence(then: RoundArrays, now: RoundArrays, settings: Mapping[str, Any], ids: IdArray) -> Divergence:
    """Compare a stored round with the same round computed again.

    Parameters
    ----------
    then, now : RoundArrays
    settings : mapping
        Of the round, as its record has them.
    ids : str array of shape (n,)
        Of the examples, by row in the run's data set.
    """
    stages = tuple(compare_stages(then, now, settings))
    differing = [one for one in stages if one.same is False]
    changed = tuple(changed_facts(then.environment, now.environment))
    return Divergence(
        stages=stages,
        first=differing[0].stage if differing else "",
        picks=tuple(_pick_changes(then, now, ranking_name(str(settings["strategy"])), ids)),
        changed=changed,
        cause=likely_cause(stages, changed) if differing else "",
    )


def _pick_changes(then: RoundArrays, now: RoundArrays, ranking: str, ids: IdArray) -> list[PickChange]:
    """Pair who left the selection with who came, by place; where the same were picked, those in another order."""
    before, after = then.packed["selected_rows"], now.packed["selected_rows"]
    left, came = ([int(row) for row in one if row not in other] for one, other in ((before, after), (after, before)))
    if not left and not came:
        places = np.flatnonzero(before != after)
        left, came = before[places].tolist(), after[places].tolist()
    scores_then, scores_now = _by_row(then, "scores"), _by_row(now, "scores")
    moved = max(
        (abs(scores_then[row] - scores_now[row]) for row in scores_then.keys() & scores_now.keys()), default=0.0
    )
    ranks_then, ranks_now = _ranks(then.packed[ranking]), _ranks(now.packed[ranking])
    places_then, places_now = _ranks(before), _ranks(after)
    changes = []
    for number in range(max(len(left), len(came))):
        out = left[number] if number < len(left) else None
        into = came[number] if number < len(came) else None
        score_out = None if out is None else scores_then[out]
        score_into = None if into is None else scores_now[into]
        changes.append(
            PickChange(
                place=places_now[into] if into is not None else places_then[left[number]],
                out=None if out is None else str(ids[out]),
                into=None if into is None else str(ids[into]),
                out_place_now=None if out is None else ranks_now.get(out),
                into_place_then=None if into is None else ranks_then.get(into),
                score_out=score_out,
                score_into=score_into,
                near_tie=_is_tie(score_out, score_into, moved),
            )
        )
    return changes


def _is_tie(one: float | None, other: float | None, moved: float) -> bool:
    if one is None or other is None:
        return False
    return abs(one - other) <= max(TIE_FACTOR * moved, TIE_ALWAYS * max(abs(one), abs(other)))


def _by_row(one: RoundArrays, name: str) -> dict[int, float]:
    return dict(zip(one.packed["selected_rows"].tolist(), one.packed[name].astype(np.float64).tolist(), strict=True))


def _ranks(rows: NDArray[Any] | Sequence[int]) -> dict[int, int]:
    return {int(row): place for place, row in enumerate(rows)}


def _ranked(place: int | None, when: str) -> str:
    return f"not ranked {when}" if place is None else f"ranked {place + 1} {when}"
