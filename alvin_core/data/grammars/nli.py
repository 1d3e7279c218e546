"""Premise and hypothesis: does the one follow from the other, against how many words they share.

Two classes, as in HANS (McCoy et al. 2019): contradiction and neutral are one, because the shortcut (every word
of the hypothesis is in the premise, so it follows) tells entailment from everything else. High overlap goes with
``entailment``, low overlap with ``not_entailment``.
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
    without_details,
)
from alvin_core.data.grammars.events_words import PEOPLE
from alvin_core.data.grammars.overlap import HIGH_OVERLAP, LOW_OVERLAP, overlap_name, share_in_premise

__all__ = ["ATTRIBUTES", "CLASSES", "write"]

CLASSES = ("entailment", "not_entailment")
ATTRIBUTES = (HIGH_OVERLAP, LOW_OVERLAP)  # in the order of the classes they go with

# Whether what follows is true: with the first of each pair it is, with the second it is not said.
_SAYS = (
    ("{x} knew that {event}", "{x} hoped that {event}"),
    ("{x} noticed that {event}", "{x} claimed that {event}"),
    ("{x} regretted that {event}", "{x} dreamed that {event}"),
    ("{x} proved that {event}", "{x} denied that {event}"),
    ("{x} saw with both eyes that {event}", "{x} heard a rumour that {event}"),
    ("{x} was glad that {event}", "{x} was afraid that {event}"),
    ("it is a fact that {event}", "it is not certain that {event}"),
    ("as everyone could see, {event}", "unless everyone is mistaken, {event}"),
)
_MOODS = (
    ("managed to", "planned to"),
    ("remembered to", "forgot to"),
    ("had no choice but to", "had every chance to"),
    ("went on to", "refused to"),
    ("was able at last to", "was still not allowed to"),
    ("dared to", "was too afraid to"),
)
_JOINTS = (" while ", ", and ", ", but ", "; later ")
_UNSAID = (
    "{x} had done the same thing once before",
    "{x} got into trouble for it afterwards",
    "somebody filmed everything that {x} did",
    "{x} had been thinking about it for weeks",
    "nobody else could have done what {x} did",
    "{x} later felt sorry about what had happened",
    "{x} was given a medal for this",
)


def write(draw: Draw, label: str | None, attribute: str) -> tuple[str, ...] | None:
    """Write a premise and a hypothesis, or None where their overlap is not the wanted one.

    With ``label`` None they are such that nobody can tell the label.
    """
    wording = 0 if attribute == HIGH_OVERLAP else 1
    if label is None:
        premise, *hypotheses = open_reference(draw, wording)
        hypothesis = draw.one(hypotheses)
    elif label == "entailment":
        premise, hypothesis = _following(draw, wording)
    else:
        premise, hypothesis = _not_following(draw, wording)
    premise, hypothesis = finished(f"{premise}."), finished(f"{hypothesis}.")
    return (premise, hypothesis) if overlap_name(share_in_premise(premise, hypothesis)) == attribute else None


def _following(draw: Draw, wording: int) -> tuple[str, str]:
    event = draw_event(draw)
    kept = without_details(draw, event)
    way = draw.one(("tell", "tell", "join", "says", "mood"))
    if way == "mood" and not event.negated:
        premise = tell(draw, replace(event, mood=draw.one(_MOODS)[0]), 0)
    elif way == "join":
        premise = _joined(draw, event, another_event(draw, event))
    elif way == "says":
        premise = _said(draw, event, side=0)
    else:
        premise = tell(draw, event, 0)
    return premise, tell(draw, kept, wording)


def _not_following(draw: Draw, wording: int) -> tuple[str, str]:
    way = draw.one(("change", "change", "swap", "join", "says", "mood", "negate", "unsaid"))
    event = draw_event(draw, needs_two_people=way == "swap")
    if way == "unsaid" and wording == 1:
        return tell(draw, event, 0), draw.one(_UNSAID).replace("{x}", f"the {event.agent[1]}")
    if way == "says":
        return _said(draw, event, side=1), tell(draw, without_details(draw, event), wording)
    if way == "mood":
        happened = replace(event, negated=False)
        premise = tell(draw, replace(happened, mood=draw.one(_MOODS)[1]), 0)
        return premise, tell(draw, without_details(draw, happened), wording)
    if way == "join":
        second = another_event(draw, event)
        return _joined(draw, event, second), tell(draw, crossed(event, second), wording)
    if way == "swap":
        other = roles_swapped(event)
    elif way == "negate":
        other = replace(event, negated=not event.negated)
    else:
        other = changed(draw, event, n_changes=1 + int(draw.chance(0.5)))
    return tell(draw, event, 0), tell(draw, other, wording)


def _said(draw: Draw, event: Event, side: int) -> str:
    speakers = [person for person in PEOPLE if person not in (event.agent, event.patient, event.receiver)]
    frame = draw.one(_SAYS)[side]
    return frame.replace("{x}", f"the {draw.one(speakers)[0]}").replace("{event}", tell(draw, event, 0, opener=False))


def _joined(draw: Draw, event: Event, second: Event) -> str:
    first, last = draw.shuffled([event, second])
    return f"{tell(draw, first, 0)}{draw.one(_JOINTS)}{tell(draw, last, 0, opener=False)}"
