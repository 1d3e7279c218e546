"""Pairs of sentences: do they mean the same, against how many words they share.

The shortcut is that of PAWS (Zhang et al. 2019): high overlap goes with ``paraphrase``, low overlap with
``not_paraphrase``; an exchanged role or a changed place keeps almost every word and changes the meaning.
"""

from __future__ import annotations

from dataclasses import replace

from alvin_core.data.grammars.drawing import Draw, finished
from alvin_core.data.grammars.events import (
    Event,
    another_event,
    changed,
    crossed,
    draw_event,
    open_reference,
    roles_swapped,
    tell,
)
from alvin_core.data.grammars.overlap import HIGH_OVERLAP, LOW_OVERLAP, jaccard, overlap_name

__all__ = ["ATTRIBUTES", "CLASSES", "write"]

CLASSES = ("paraphrase", "not_paraphrase")
ATTRIBUTES = (HIGH_OVERLAP, LOW_OVERLAP)  # in the order of the classes they go with

_JOINTS = (" while ", ", and ", ", whereas ")  # none says which came first, so either order means the same
_WEAKENED = ("almost managed to", "planned to", "refused to", "would have liked to", "forgot to")


def write(draw: Draw, label: str | None, attribute: str) -> tuple[str, ...] | None:
    """Write two sentences, or None where they are the same or their overlap is not the wanted one.

    With ``label`` None they are such that nobody can tell whether they mean the same.
    """
    wording = 0 if attribute == HIGH_OVERLAP else 1
    if label is None:
        first, _, second = open_reference(draw, wording)
    elif label == "paraphrase":
        first, second = _same(draw, wording)
    else:
        first, second = _different(draw, wording)
    first, second = (finished(f"{text}.") for text in draw.shuffled([first, second]))
    is_wanted = first != second and overlap_name(jaccard(first, second)) == attribute
    return (first, second) if is_wanted else None


def _same(draw: Draw, wording: int) -> tuple[str, str]:
    event = draw_event(draw)
    if draw.chance(0.25):
        second = another_event(draw, event)
        return _joined(draw, event, second, 0), _joined(draw, event, second, wording)
    if draw.chance(0.1):
        event = replace(event, mood=draw.one(_WEAKENED), negated=False)
    return tell(draw, event, 0), tell(draw, event, wording)


def _different(draw: Draw, wording: int) -> tuple[str, str]:
    way = draw.one(("change",) * 9 + ("swap", "negate", "weaken", "cross"))
    event = draw_event(draw, needs_two_people=way == "swap")
    if way == "cross":
        second = another_event(draw, event)
        return (
            _joined(draw, event, second, 0),
            _joined(draw, crossed(event, second), crossed(second, event), wording),
        )
    if way == "swap":
        other = roles_swapped(event)
    elif way == "negate":
        other = replace(event, negated=not event.negated)
    elif way == "weaken":
        event = replace(event, negated=False)
        other = replace(event, mood=draw.one(_WEAKENED))
    else:
        other = changed(draw, event, n_changes=1 + wording + int(draw.chance(0.8)))
    return tell(draw, event, 0), tell(draw, other, wording)


def _joined(draw: Draw, event: Event, second: Event, wording: int) -> str:
    first, last = draw.shuffled([event, second])
    return f"{tell(draw, first, wording)}{draw.one(_JOINTS)}{tell(draw, last, wording, opener=False)}"
