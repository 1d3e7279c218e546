"""One plain sentence: why a round selected an example, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Facts", "reason_for"]

# What a ranking is by, in words that follow "ranked 4th of 2,180".
_BY_RANK = {
    "uncertainty": "by uncertainty",
    "certainty": "by certainty",
    "distance": "by the distance to its nearest anchor",
    "frequency": "by the number of anchors that retrieved it",
    "random": "by chance",
}
_BY_STRATEGY = {
    "entropy": "by entropy",
    "margin": "by the margin between its two likeliest classes",
    "least-confidence": "by how unlikely its likeliest class is",
    "random": "by chance",
}
MOST_DIGITS = 6


@dataclass(frozen=True)
class Facts:
    """What the sentence is made of.

    Attributes
    ----------
    split, strategy, rank, pairing : str
        Of the example; of the round's settings.
    is_approximate : bool
        Whether the round searched neighbors approximately.
    budget : int
    place, n_ranked : int
        The example's place under the round's strategy, from 1, 0 where it has none, and how many were ranked.
    is_selected : bool
    n_selected : int
        How many the round selected.
    label : str or None
        Of a labeled example; else None.
    is_minority : bool or None
    n_anchors : int
        All anchors of the round; 0 for strategies without.
    n_as_parent, n_retrieving : int
        Anchors that the example is a parent of, and that retrieved it.
    retrieving_classes : dict of str to int
        For a selected example, how many anchors of each class retrieved it.
    k : int or None
    nearest : (float, float) or None
        Distance to the nearest anchor that is known, and this anchor's reach.
    written_by, made_of : str
        Of an example that a person added: who, and the example that it is an edit of; else empty.
    """

    split: str
    strategy: str
    rank: str
    pairing: str
    is_approximate: bool
    budget: int
    place: int
    n_ranked: int
    is_selected: bool
    n_selected: int
    label: str | None
    is_minority: bool | None
    n_anchors: int
    n_as_parent: int
    n_retrieving: int
    retrieving_classes: dict[str, int]
    k: int | None
    nearest: tuple[float, float] | None
    written_by: str = ""
    made_of: str = ""


def reason_for(facts: Facts) -> str:
    """Return the sentence."""
    if facts.written_by:
        return _of_written(facts)
    if facts.split != "pool":
        return (
            f"Not selected: it is in the split {facts.split!r}, which the model is only evaluated on; "
            "candidates come from the pool."
        )
    if facts.label is not None:
        return _of_labeled(facts)
    if facts.is_selected:
        return _of_selected(facts)
    if facts.place:
        return _of_ranked(facts)
    return _of_others(facts)


def _of_written(facts: Facts) -> str:
    origin = f" as an edit of {facts.made_of}" if facts.made_of else ""
    sentence = f"Not selected: {facts.written_by} added it{origin}, and only pool examples are selected"
    if facts.label is None:
        return f"{sentence}; its label had been taken back, so this round did not train on it."
    return f"{sentence}; this round {_trained_on(facts)}"


def _of_labeled(facts: Facts) -> str:
    return f"Not selected: it was labeled before this round, which {_trained_on(facts)}"


def _trained_on(facts: Facts) -> str:
    group = "minority" if facts.is_minority else "majority"
    sentence = f"trained on it as {facts.label} and put it in the {group} group"
    if not facts.n_anchors:
        return sentence + "."
    parent = f"it is a parent of {facts.n_as_parent:,} of the {_counted(facts.n_anchors, 'anchor')}"
    return f"{sentence}; {parent if facts.n_as_parent else 'it is no parent of an anchor'}."


def _of_selected(facts: Facts) -> str:
    within = f"{_ranked(facts)}, within the budget of {facts.budget:,}."
    if not facts.n_anchors:
        return f"Selected: it {within}"
    assert facts.nearest is not None  # a selected example has the anchors that retrieved it
    near = _number(facts.nearest[0])
    return f"Selected: {_retrieving(facts)} retrieved it (nearest at {near}) and it {within}"


def _of_ranked(facts: Facts) -> str:
    outcome = f"{_ranked(facts)}; the budget is {facts.budget:,}."
    if not facts.n_anchors:
        return f"Not selected: it {outcome}"
    anchors = _counted(facts.n_retrieving, "anchor")
    return f"Not selected: it was a candidate (retrieved by {anchors}), but {outcome}"


def _of_others(facts: Facts) -> str:
    if not facts.n_selected:
        return "Not selected: this round selected nothing."
    if not facts.n_anchors or facts.nearest is None or facts.k is None:
        return f"Not selected: the strategy {facts.strategy!r} did not rank it."
    distance, reach = facts.nearest
    last = "its nearest neighbor" if facts.k == 1 else f"its {_ordinal(facts.k)} neighbor"
    away, further = _told_apart(distance, reach)
    if distance < reach and facts.is_approximate:
        end = f"{last} {further}: the round's approximate search missed it."
    elif away == further:
        end = f"{last} just as far, with the lower id."
    else:
        end = f"{last} {further}."
    return f"Not selected: no anchor retrieved it; the nearest anchor is {away} away and {end}"


def _ranked(facts: Facts) -> str:
    place = f"ranked {_ordinal(facts.place)} of {facts.n_ranked:,}"
    if facts.strategy != "alvin":
        by = _BY_STRATEGY.get(facts.strategy, f"by the strategy {facts.strategy!r}")
        return f"{place} {by}"
    if facts.n_anchors:
        return f"{place} candidates {_BY_RANK[facts.rank]}"
    # No class had a pair to interpolate between, so there was nothing to measure a distance to.
    by = "by uncertainty" if facts.rank in ("distance", "frequency") else _BY_RANK[facts.rank]
    return f"{place} in the whole pool {by} (this round had no anchors)"


def _retrieving(facts: Facts) -> str:
    """Return who retrieved it, such as ``3 anchors of class positive``, true to how anchors were paired."""
    classes = facts.retrieving_classes
    number = _counted(facts.n_retrieving, "anchor")
    if len(classes) > 1:
        parts = (f"{count:,} {_kind(facts.pairing, name, count)}" for name, count in classes.items())
        return f"{number} ({', '.join(parts)})"
    kind = _kind(facts.pairing, next(iter(classes)), facts.n_retrieving)
    return f"{number} ({kind})" if facts.pairing == "no-interpolation" else f"{number} {kind}"


def _kind(pairing: str, class_: str, number: int) -> str:
    if pairing == "across-classes":
        return f"between class {class_} and others"
    if pairing == "no-interpolation":  # the anchors are no points between examples
        return f"minority example{'' if number == 1 else 's'} of class {class_}"
    return f"of class {class_}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _ordinal(number: int) -> str:
    """Write ``4th``, ``21st``, ``2,113th``."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def _number(value: float, digits: int = 2) -> str:
    """Write a distance with two digits behind the point, or two that count where it is small."""
    return f"{value:.{digits}f}" if value == 0 or value >= 0.1 else f"{value:.{digits}g}"


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Write two distances with as many digits as tell them apart, up to six."""
    for digits in range(2, MOST_DIGITS + 1):
        if _number(one, digits) != _number(other, digits):
            return _number(one, digits), _number(other, digits)
    return _number(one), _number(other)
