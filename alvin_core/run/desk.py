"""The current proposal as annotators share it: what is labeled, who gave an opinion, who holds what, what is wanted."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from sqlalchemy.orm import Session

from alvin_core.run.handle import RunHandle
from alvin_core.settings import RunSettings
from alvin_core.store.labels import HeldLabel, current_labels
from alvin_core.store.leases import Lease, Moment, live_leases, moment
from alvin_core.store.opinions import Opinions, held_opinions, majority
from alvin_core.store.rounds import count_rounds, proposal

__all__ = ["Desk", "draw_wanted", "read_desk"]


@dataclass(frozen=True)
class Desk:
    """What a transaction sees of the current proposal.

    Attributes
    ----------
    round_no : int
        That proposed; -1 where the initial set is asked for.
    proposed : list of str
        Ids, best first.
    wanted : dict of str to int
        How many people are to annotate each.
    labels : dict of str to HeldLabel
        Of the examples that were looked at.
    opinions : dict of str to dict of annotator to HeldOpinion
        Of the same.
    leases : dict of str to dict of annotator to Lease
        Of the same, that have not ended.
    at : Moment
    """

    round_no: int
    proposed: list[str]
    wanted: dict[str, int]
    labels: dict[str, HeldLabel]
    opinions: Opinions
    leases: dict[str, dict[str, Lease]]
    at: Moment

    def is_shared(self, example_id: str) -> bool:
        """Return whether several people are asked for the example, so that a label of one is an opinion."""
        return self.wanted.get(example_id, 1) > 1

    def n_wanting(self, example_id: str) -> int:
        """Return how many more opinions an example needs, leases left aside; one at a tie."""
        if example_id in self.labels:
            return 0
        return max(self.wanted[example_id] - len(self.opinions.get(example_id, ())), 1)

    def is_tied(self, example_id: str) -> bool:
        """Return whether all were asked and no label has a majority."""
        given = self.opinions.get(example_id, {})
        enough = example_id not in self.labels and len(given) >= self.wanted[example_id]
        return enough and majority((one.label for one in given.values()), 1) is None

    @property
    def undecided(self) -> list[str]:
        """The examples with opinions that no label came of yet."""
        return [one for one in self.proposed if one not in self.labels and one in self.opinions]

    def others(self, example_id: str, annotator: str) -> list[Lease]:
        """Return the leases of other people on an example."""
        return [one for one in self.leases.get(example_id, {}).values() if one.annotator != annotator]

    def is_free(self, example_id: str, annotator: str) -> bool:
        """Return whether an annotator may give an opinion now: they hold it, or others do not hold all that is left."""
        if example_id not in self.wanted:  # nobody was asked for it, so nobody holds it
            return True
        held = annotator in self.leases.get(example_id, {})
        return held or self.n_wanting(example_id) > len(self.others(example_id, annotator))

    def is_heard_late(self, example_id: str, annotator: str) -> bool:
        """Return whether an annotator still holds what others' opinions have decided: theirs changes no label."""
        is_decided = example_id in self.labels and self.is_shared(example_id)
        return is_decided and annotator in self.leases.get(example_id, {})


def read_desk(session: Session, handle: RunHandle, only: Collection[str] | None = None) -> Desk:
    """Read the current proposal of a run, and what happened to its examples, or to these examples alone.

    Others wait while a writer reads: who submits an example or two need not know of the rest.
    """
    run_id = handle.row.id
    round_no = count_rounds(session, run_id) - 1
    proposed = proposal(session, run_id, round_no)
    asked = proposed if only is None else only
    at = moment(session)
    leases: dict[str, dict[str, Lease]] = {}
    for lease in live_leases(session, run_id, at, only):
        leases.setdefault(lease.example_id, {})[lease.annotator] = lease
    return Desk(
        round_no=round_no,
        proposed=proposed,
        wanted=draw_wanted(handle.settings, round_no, proposed),
        labels=current_labels(session, run_id, example_ids=asked),
        opinions=held_opinions(session, run_id, asked),
        leases=leases,
        at=at,
    )


def draw_wanted(settings: RunSettings, round_no: int, proposed: Sequence[str]) -> dict[str, int]:
    """Return how many people are to annotate each example of a proposal; the same for the same seed and round."""
    overlap, share = settings.annotation.overlap, settings.annotation.overlap_share
    if overlap == 1 or share == 0:
        return dict.fromkeys(proposed, 1)
    # The initial proposal has the round -1; a generator takes no negative numbers.
    rng = np.random.default_rng([settings.seed, round_no + 1, crc32(b"overlap")])
    drawn = set(rng.permutation(len(proposed))[: math.ceil(round(share * len(proposed), 9))].tolist())
    return {example_id: overlap if place in drawn else 1 for place, example_id in enumerate(proposed)}
