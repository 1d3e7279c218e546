"""What a queue that several people share holds for one of them: what is theirs, what is free, what others have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alvin_core import QueueExample, QueueState

__all__ = [
    "Left",
    "counts_by_name",
    "holders",
    "in_turn",
    "left_of",
    "names_of",
    "queue_of",
    "reserved_for_others",
    "sight_of",
    "wanting_words",
]

MOST_NAMES = 3


@dataclass(frozen=True)
class Left:
    """What is left of a proposal, as one annotator sees it.

    Attributes
    ----------
    n : int
        Examples without a label.
    yours : tuple of str
        Ids that this annotator holds.
    n_free : int
        That nobody has in hand.
    n_others : int
        That others hold.
    others : tuple of str
        Who, those with most first.
    n_waiting : int
        That this annotator is done with, and that want the opinion of others.
    n_opinions : int
        Opinions that are wanted; of a proposal that asks one person each, as many as examples.
    people : tuple of str
        Everybody else who annotated or holds something.
    """

    n: int
    yours: tuple[str, ...]
    n_free: int
    n_others: int
    others: tuple[str, ...]
    n_waiting: int
    n_opinions: int
    people: tuple[str, ...]

    @property
    def words(self) -> str:
        """Such as ``12 left: 3 yours, 9 with Ada and Bo``."""
        parts = [
            f"{len(self.yours):,} yours" if self.yours else "",
            f"{self.n_free:,} free" if self.n_free else "",
            f"{self.n_others:,} with {names_of(self.others)}" if self.n_others else "",
            f"{self.n_waiting:,} {'waits' if self.n_waiting == 1 else 'wait'} for others" if self.n_waiting else "",
        ]
        said = ", ".join(part for part in parts if part)
        return f"{self.n:,} left: {said}" if said else ""


def holders(example: QueueExample, annotator: str) -> tuple[str, ...]:
    """Return who else has an example in hand."""
    return tuple(one.annotator for one in example.held_by if one.annotator != annotator)


def reserved_for_others(state: QueueState, annotator: str) -> dict[str, tuple[str, ...]]:
    """Return the examples that this annotator cannot be given now, since others hold all that is wanted: id -> who."""
    return {
        one.id: holders(one, annotator)
        for one in state.examples
        if one.label is None and not _is_mine(one, annotator) and len(holders(one, annotator)) >= n_wanting(one)
    }


def n_wanting(example: QueueExample) -> int:
    """Return how many more opinions an example wants; one at a tie."""
    return 0 if example.label is not None else max(example.wanted - example.given, 1)


def left_of(state: QueueState, annotator: str) -> Left:
    """Return what is left of a proposal, as an annotator sees it."""
    waiting = [one for one in state.examples if one.label is None]
    reserved = reserved_for_others(state, annotator)
    yours = tuple(one.id for one in waiting if _is_mine(one, annotator))
    done = {one.id for one in waiting if annotator in one.annotators}
    with_others = [one for one in reserved if one not in done]
    counted = Counter(name for one in with_others for name in reserved[one])
    return Left(
        n=len(waiting),
        yours=yours,
        n_free=len(waiting) - len(done) - len(set(yours) - done) - len(with_others),
        n_others=len(with_others),
        others=tuple(sorted(counted, key=lambda name: (-counted[name], name))),
        n_waiting=len(done),
        n_opinions=sum(n_wanting(one) for one in waiting),
        people=tuple(name for name in state.annotators if name != annotator),
    )


def queue_of(state: QueueState, annotator: str) -> list[str]:
    """Return what waits for an annotator who skipped nothing, best first; others may hold some of it."""
    return [one.id for one in state.examples if one.label is None and annotator not in one.annotators]


def in_turn(queue: Sequence[str], reserved: Collection[str], *first: Collection[str | None]) -> list[str]:
    """Return a queue without what others hold, with what stands in ``first`` at its head, group by group."""
    usable = [one for one in queue if one not in reserved]
    return sorted(usable, key=lambda one: next((place for place, ids in enumerate(first) if one in ids), len(first)))


def sight_of(state: QueueState, annotator: str) -> str:
    """Return another text whenever the queue looks different to an annotator."""
    left = left_of(state, annotator)
    return "\n".join((str(state.round_no), left.words, str(left.n_opinions), *left.yours))


def names_of(names: Sequence[str]) -> str:
    """Return names as a sentence has them: ``Ada, Bo and 2 others``."""
    if len(names) > MOST_NAMES:
        rest = len(names) - MOST_NAMES + 1
        return f"{', '.join(names[: MOST_NAMES - 1])} and {rest} others"
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def wanting_words(example: QueueExample) -> str:
    """Say how many opinions an example still wants, and nothing of what was said: empty where one person is asked."""
    n = n_wanting(example)
    if example.wanted == 1 or not n:
        return ""
    return f"wants {n}{' more' if example.given else ''} opinion{'' if n == 1 else 's'}"


def counts_by_name(reserved: Mapping[str, Sequence[str]]) -> str:
    """Say who holds how many: ``Ada 3, Bo 1``."""
    counted = Counter(name for names in reserved.values() for name in names)
    return ", ".join(f"{name} {n:,}" for name, n in counted.most_common())


def _is_mine(example: QueueExample, annotator: str) -> bool:
    return any(one.annotator == annotator for one in example.held_by)
