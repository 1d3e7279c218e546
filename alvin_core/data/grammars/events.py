"""Events that can be told in many ways, and changed into other events: what both pair tasks are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from alvin_core.data.grammars.drawing import Draw
from alvin_core.data.grammars.events_words import (
    ACTIONS,
    MANNERS,
    PEOPLE,
    PLACES,
    PRONOUN_CLAUSES,
    THINGS,
    TIMES,
    TRAITS,
    TRANSFERS,
    Pair,
)

__all__ = [
    "Action",
    "Event",
    "Verb",
    "another_event",
    "changed",
    "crossed",
    "draw_event",
    "open_reference",
    "roles_swapped",
    "tell",
    "without_details",
]

_KEPT_WORDING = 0.25  # share of parts that keep the plain wording where the other is wanted: nobody replaces every word
_DETAILS = ("place", "time", "manner", "trait")


@dataclass(frozen=True)
class Verb:
    """One verb in the forms that sentences need; without a participle it has no passive."""

    base: str
    past: str
    participle: str


@dataclass(frozen=True)
class Action:
    """What is done: two wordings of it, and a verb that says something else.

    In a transfer the second wording is the receiver's ("bought from" for "sold to").
    """

    kind: str
    verbs: tuple[Verb, Verb]
    other: Verb
    is_transfer: bool = False


@dataclass(frozen=True)
class Event:
    """One event; each part holds its two wordings."""

    agent: Pair
    action: Action
    patient: Pair
    receiver: Pair | None = None
    place: Pair | None = None
    time: Pair | None = None
    manner: Pair | None = None
    trait: Pair | None = None  # of the agent
    negated: bool = False
    mood: str = ""  # such as "managed to", before the verb


def _action(line: str, is_transfer: bool) -> Action:
    kind, _, verbs = line.partition(": ")
    first, second, other = (Verb(*forms.strip().split("/")) for forms in verbs.split(";"))
    return Action(kind, (first, second), other, is_transfer)


_SINGLE = tuple(_action(line, is_transfer=False) for line in ACTIONS)
_BETWEEN_PEOPLE = tuple(action for action in _SINGLE if action.kind == "people")
_TRANSFERS = tuple(_action(line, is_transfer=True) for line in TRANSFERS)


def draw_event(draw: Draw, *, needs_two_people: bool = False) -> Event:
    """Draw an event with one to four details."""
    agent, patient, receiver = draw.some(PEOPLE, 3)
    if needs_two_people:
        action = draw.one(_TRANSFERS if draw.chance(0.4) else _BETWEEN_PEOPLE)
    else:
        action = draw.one(_TRANSFERS if draw.chance(0.12) else _SINGLE)
    if action.kind != "people":
        patient = draw.one(THINGS[action.kind])
    kept = draw.some(_DETAILS, 2 + int(draw.chance(0.5)) + int(draw.chance(0.15)))
    return Event(
        agent=agent,
        action=action,
        patient=patient,
        receiver=receiver if action.is_transfer else None,
        place=draw.one(PLACES) if "place" in kept else None,
        time=draw.one(TIMES) if "time" in kept else None,
        manner=draw.one(MANNERS) if "manner" in kept else None,
        trait=draw.one(TRAITS) if "trait" in kept else None,
        negated=draw.chance(0.12),
    )


def another_event(draw: Draw, event: Event) -> Event:
    """Draw an event that shares nobody and nothing with a given one."""
    taken = {event.agent, event.patient, event.receiver}
    while True:  # one in several of forty people and fifty things collides, so this ends
        other = draw_event(draw)
        if not taken & {other.agent, other.patient, other.receiver} - {None}:
            return other


def without_details(draw: Draw, event: Event) -> Event:
    """Leave out one or two details, so that the event still follows; one that did not happen stays as it is."""
    present = [name for name in _DETAILS if getattr(event, name) is not None]
    if event.negated or len(present) < 2:
        return event
    left_out = draw.some(present, 1 + int(len(present) > 2 and draw.chance(0.5)))
    for name in left_out:
        event = _replaced(event, name, None)
    return event


def changed(draw: Draw, event: Event, n_changes: int = 1) -> Event:
    """Change one to three parts, so that the new event neither follows from the old one nor means the same."""
    # Who, what and which verb are in every event, so they are changed more often.
    parts = ["agent", "patient", "action"] * 2 + [name for name in ("place", "time") if getattr(event, name)] * 2
    for _ in range(n_changes):
        name = draw.one(parts)
        event = _part_changed(draw, event, name)
        parts = [part for part in parts if part != name]  # changed twice it could be what it was
    return event


def _part_changed(draw: Draw, event: Event, name: str) -> Event:
    if name == "action":
        other = event.action.other
        # The receiver's verb of another transfer is not known, so both wordings become the giver's.
        return replace(event, action=replace(event.action, verbs=(other, other), is_transfer=False))
    if name == "patient" and event.action.kind != "people":
        options: tuple[Pair, ...] = THINGS[event.action.kind]
    else:
        options = {"place": PLACES, "time": TIMES}.get(name, PEOPLE)
    taken = {event.agent, event.patient, event.receiver, event.place, event.time}
    return _replaced(event, name, draw.one([option for option in options if option not in taken]))


def _replaced(event: Event, name: str, value: Pair | None) -> Event:
    # mypy cannot follow dataclasses.replace with a computed name.
    return replace(event, **{name: value})  # type: ignore[arg-type]


def roles_swapped(event: Event) -> Event:
    """Exchange who did it with whom it was done to (or the giver with the receiver)."""
    if event.receiver is not None:
        return replace(event, agent=event.receiver, receiver=event.agent)
    return replace(event, agent=event.patient, patient=event.agent)


def crossed(event: Event, second: Event) -> Event:
    """Return the first event as if the second one's agent had done it."""
    return replace(event, agent=second.agent, trait=second.trait)


def tell(draw: Draw, event: Event, wording: int, *, opener: bool = True) -> str:
    """Tell the event in a clause, in the plain (0) or the other (1) wording, in one of many word orders.

    ``opener`` allows a place or a time in front, which reads badly inside a longer sentence.
    """

    def said(part: Pair) -> str:
        return part[0 if wording and draw.chance(_KEPT_WORDING) else wording]

    verb = event.action.verbs[wording]
    agent = f"the {said(event.trait)} {said(event.agent)}" if event.trait else f"the {said(event.agent)}"
    patient = f"the {said(event.patient)}"
    receiver = f"the {said(event.receiver)}" if event.receiver else ""
    addition = f"to {receiver}" if receiver else ""
    if event.action.is_transfer and wording == 1 and not event.mood:
        agent, addition = receiver, f"from {agent}"
    elif event.action.is_transfer:
        verb = event.action.verbs[0]
    clause = _clause(draw, event, verb, agent, f"{patient} {addition}".strip(), patient)
    details = [said(detail) for detail in (event.manner, event.place, event.time) if detail is not None]
    if draw.chance(0.3):
        details = draw.shuffled(details)
    if opener and details and draw.chance(0.35):
        front = details.pop()
        return " ".join([f"{front},", clause, *details])
    return " ".join([clause, *details])


def _clause(draw: Draw, event: Event, verb: Verb, agent: str, rest: str, patient: str) -> str:
    if event.mood:
        return f"{agent} {event.mood} {verb.base} {rest}"
    addition = rest.removeprefix(patient).strip()
    if verb.participle and draw.chance(0.3):
        return " ".join(f"{patient} was {'not ' * event.negated}{verb.participle} {addition} by {agent}".split())
    if event.negated:
        return f"{agent} did not {verb.base} {rest}"
    if draw.chance(0.12):
        return f"it was {agent} who {verb.past} {rest}"
    return f"{agent} {verb.past} {rest}"


def open_reference(draw: Draw, wording: int) -> tuple[str, str, str]:
    """Tell an event with a "she" who may be either of two people; say it of one of them; tell it anew of that one.

    "The chef phoned the lawyer because she was late", "the lawyer was late", "because the lawyer was late, the chef
    phoned the lawyer": whether the others follow from the first, no reader can tell.
    """
    event = replace(draw_event(draw, needs_two_people=True), negated=False)
    clause = draw.one(PRONOUN_CLAUSES)
    link = draw.one(("because", "just when", "since", "as soon as"))
    meant = draw.one((event.agent, event.receiver or event.patient))
    statement = f"the {meant[wording]} {clause[wording]}"
    told = tell(draw, event, wording, opener=False)
    return f"{tell(draw, event, 0)} {link} she {clause[0]}", statement, f"{link} {statement}, {told}"
