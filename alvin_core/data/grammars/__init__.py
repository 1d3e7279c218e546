"""The grammars that write the texts of the planted-shortcut tasks, one module a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alvin_core.data.grammars import nli, occupations, paraphrase, reviews
from alvin_core.data.grammars.drawing import Draw

__all__ = ["GRAMMARS", "Grammar"]

SINGLE, PAIR = ("text",), ("text_a", "text_b")


@dataclass(frozen=True)
class Grammar:
    """What one task writes.

    Attributes
    ----------
    classes : tuple of two str
    attributes : tuple of two str
        The shortcut's values, in the order of the classes they go with.
    columns : tuple of str
        Names of the texts.
    write : callable
        Writes the texts of one example from a stream of draws, a class (None for a text from which nobody can tell
        the class) and an attribute; None where that draw gave no example of this attribute.
    """

    classes: tuple[str, str]
    attributes: tuple[str, str]
    columns: tuple[str, ...]
    write: Callable[[Draw, str | None, str], tuple[str, ...] | None]


GRAMMARS: Mapping[str, Grammar] = {
    "reviews": Grammar(reviews.CLASSES, reviews.ATTRIBUTES, SINGLE, reviews.write),
    "occupations": Grammar(occupations.CLASSES, occupations.ATTRIBUTES, SINGLE, occupations.write),
    "nli": Grammar(nli.CLASSES, nli.ATTRIBUTES, PAIR, nli.write),
    "paraphrase": Grammar(paraphrase.CLASSES, paraphrase.ATTRIBUTES, PAIR, paraphrase.write),
}
