"""Short biographies of surgeons and nurses who are never called so: duties and training against gender.

The core feature is what the person does and how they were trained, told directly or by contrast with what
colleagues do. The shortcut is gender: male goes with ``surgeon``, female with ``nurse`` (the example of
Korakakis et al. 2024; compare De-Arteaga et al. 2019). No text holds the name of either occupation.
"""

from __future__ import annotations

from collections.abc import Mapping

from alvin_core.data.grammars.drawing import Draw, Rules, finished, gerund, third_person
from alvin_core.data.grammars.occupations_words import CITIES, DUTIES, GENDER_WORDS, LAST_NAMES, SHARED_WORDS, TRAINING

__all__ = ["ATTRIBUTES", "CLASSES", "write"]

CLASSES = ("surgeon", "nurse")
ATTRIBUTES = ("male", "female")  # in the order of the classes they go with

_OTHER = {"surgeon": "nurse", "nurse": "surgeon"}

_DIRECT = (
    "{she} {duty}",
    "on most days {she} {duty}",
    "{her} work is {duty_ing}",
    "{she} spends {her} shifts {duty_ing}",
    "{her} colleagues know {her_object} for {duty_ing}",
    "{she} {duty} and {duty_too}",
    "since {year} {she} has been {duty_ing}",
)
_CONTRAST = (
    "{she} leaves {other_ing} to others and {duty}",
    "while {her} colleagues {other_base}, {she} {duty}",
    "{she} does not {other_base}; {she} {duty}",
    "instead of {other_ing}, {she} {duty}",
    "{she} once thought of {other_ing}, but chose {duty_ing}",
    "{her} {spouse}, also in medicine, {other}; {she} {duty}",
    "{she} works beside people who {other_base}, and {duty}",
    "{her} {parent} used to {other_base}, yet {name} preferred {duty_ing}",
)
_TRAINED = (
    "{she} {training}",
    "after {her} first years in {city} {she} {training}",
    "{she} {training} in {year}",
    "before moving to {city}, {she} {training}",
    "like {her} {parent} before {her_object}, {she} {training}",
)
_TRAINED_CONTRAST = (
    "{her} {sibling} {other_training}, whereas {name} {training}",
    "{she} lives with {her} {spouse}, who {other_training}; {name} {training}",
    "unlike {her} {parent}, who {other_training}, {she} {training}",
)
_FRAMES = (
    "{full_name} works {place}. {core}. {life}.",
    "{full_name} is {a_trait} {woman} from {home}. {core}. {core_too}. {life}.",
    "{core_named}. {core_too}. {life}.",
    "{full_name}, {age}, works {place}. {core}. {core_too}.",
    "born in {home}, {full_name} works {place}. {core}. {life}. {core_too}.",
    "{life_named}. {core}.",
    "at {age}, {full_name} still enjoys working {place}. {core}. {life}.",
    "{life_named}. {core}. {core_too}.",
)


def write(draw: Draw, label: str | None, attribute: str) -> tuple[str, ...]:
    """Write one biography; ``label`` None makes one that could be about either occupation."""
    rules: dict[str, list[str]] = {name: list(values) for name, values in SHARED_WORDS.items()}
    rules.update({name: list(values) for name, values in GENDER_WORDS[attribute].items()})
    first, last = draw.one(rules["first_name"]), draw.one(LAST_NAMES)
    rules["name"], rules["full_name"] = [first], [f"{first} {last}"]
    home, *cities = draw.some(CITIES, 3)  # nobody moves to where they were born
    rules["home"], rules["city"] = [home], cities
    rules["age"] = [str(26 + draw.one(range(38)))]
    rules["year"] = [str(1988 + draw.one(range(36)))]
    rules.update(_work_rules(draw, label))
    core, core_too = _core_sentences(draw, label)
    rules["core"], rules["core_too"] = [core], [core_too]
    # The sentence that opens the text names the person; only its first pronoun is replaced.
    rules["core_named"] = [core.replace("{she}", "{full_name}", 1)]
    rules["life_named"] = [draw.one(rules["life"]).replace("{she}", "{full_name}", 1)]
    return (finished(draw.expand(draw.one(_FRAMES), rules)),)


def _core_sentences(draw: Draw, label: str | None) -> list[str]:
    """Two sentence templates about work, different in kind; they start with {she} where they can open a text."""
    direct, trained = draw.one(_DIRECT), draw.one(_TRAINED)
    if label is not None and draw.chance(0.3):
        direct = draw.one(_CONTRAST)
    if label is not None and draw.chance(0.2):
        trained = draw.one(_TRAINED_CONTRAST)
    return draw.shuffled([direct, trained])


def _work_rules(draw: Draw, label: str | None) -> Mapping[str, list[str]]:
    own = DUTIES[label or "either"]
    other = DUTIES[_OTHER[label]] if label else own
    duty, duty_too, *_ = duties = draw.some(own, 3)
    other_duty = draw.one(other)
    trainings: Rules = TRAINING
    return {
        "duty": [third_person(duty)],
        "duty_too": [third_person(duty_too)],
        "duty_ing": [gerund(duties[2])],
        "other": [third_person(other_duty)],
        "other_base": [other_duty],
        "other_ing": [gerund(other_duty)],
        "training": [draw.one(trainings[label or "either"])],
        "other_training": [draw.one(trainings[_OTHER[label]] if label else trainings["either"])],
    }
