"""Drawing from word lists in a way that gives the same bytes on every Python version."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

__all__ = ["Draw", "Rules", "finished", "gerund", "phrases", "shared_out", "third_person", "words_of"]

Item = TypeVar("Item")
Rules = Mapping[str, Sequence[str]]

_SLOT = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
# "a" before a vowel sound; "one", "unique", "useful", "European" start with a consonant sound.
_ARTICLE = re.compile(r"\b([Aa]) (?=(?!uni[^nm]|use|usu|eu|one\b|once|uk)[aeiou]|hour|honest|heir)", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-z]")
_DOUBLED = {"cut", "get", "plan", "put", "run", "set", "sit"}  # verbs whose last letter doubles before -ing


class Draw:
    """One stream of draws.

    Only ``random.Random.random`` is used: its stream for a given seed is promised to stay the same, while
    the way ``choice``, ``sample`` and ``shuffle`` turn it into picks is not.
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._random() < probability

    def one(self, options: Sequence[Item]) -> Item:
        """Return one of the options, all equally likely."""
        return options[int(self._random() * len(options))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return the items in random order (Fisher-Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = int(self._random() * (last + 1))
            order[last], order[other] = order[other], order[last]
        return order

    def some(self, options: Sequence[Item], n: int) -> list[Item]:
        """Return ``n`` different options in random order."""
        remaining = list(options)
        return [remaining.pop(int(self._random() * len(remaining))) for _ in range(n)]

    def flags(self, n: int, share: float) -> list[bool]:
        """Return ``n`` flags in random order of which the share nearest to ``share`` is True."""
        n_true = shared_out(n, share)
        return self.shuffled([True] * n_true + [False] * (n - n_true))

    def expand(self, template: str, rules: Rules) -> str:
        """Replace each ``{name}`` by one of ``rules[name]``, expanded in turn."""
        return _SLOT.sub(lambda slot: self.expand(self.one(rules[slot[1]]), rules), template)


def phrases(block: str) -> tuple[str, ...]:
    """Return the phrases of a block in which ``|`` and line ends divide them."""
    return tuple(phrase.strip() for phrase in block.replace("\n", "|").split("|") if phrase.strip())


def shared_out(n: int, share: float) -> int:
    """Return the whole number nearest to a share of ``n``, halves up."""
    return int(n * share + 0.5)


def words_of(text: str) -> list[str]:
    """Return the lower-case words of a text, without punctuation."""
    return _WORD.findall(text.lower())


def finished(text: str) -> str:
    """Return a text with its sentences' first letters capitalized and "a" made "an" where it should be."""
    text = " ".join(text.split())
    text = _ARTICLE.sub(lambda article: f"{article[1]}n ", text)
    return _SENTENCE_START.sub(lambda letter: letter[0].upper(), text)


def third_person(phrase: str) -> str:
    """Turn "carry the tray" into "carries the tray"."""
    verb, _, rest = phrase.partition(" ")
    if verb.endswith("y") and verb[-2] not in "aeiou":
        verb = verb[:-1] + "ies"
    elif verb.endswith(("s", "sh", "ch", "x", "o")):
        verb += "es"
    else:
        verb += "s"
    return f"{verb} {rest}".rstrip()


def gerund(phrase: str) -> str:
    """Turn "remove the cast" into "removing the cast"."""
    verb, _, rest = phrase.partition(" ")
    if verb in _DOUBLED:
        verb += verb[-1] + "ing"
    elif verb.endswith("e") and not verb.endswith("ee"):
        verb = verb[:-1] + "ing"
    else:
        verb += "ing"
    return f"{verb} {rest}".rstrip()
