"""Words of a text with their places, and the text without some of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["Word", "placed_words", "text_without"]

# Thai, Khmer, kana and Han are written without spaces: each character stands for itself.
_UNSPACED = ((0x0E00, 0x0E7F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))
# Of kinds of characters, as `_kind` names them: a word, with apostrophes and hyphens inside it, or a run of signs.
_PIECES = re.compile(r"(?P<word>a[am]*(?:'a[am]*)*|cm*)|[^ac ]+")


@dataclass(frozen=True)
class Word:
    """A piece of a text: ``text[start:end]``.

    Attributes
    ----------
    text : str
    start, end : int
        In characters.
    is_word : bool
        Whether it is a word or a number; else punctuation and other signs.
    """

    text: str
    start: int
    end: int
    is_word: bool


def placed_words(text: str) -> list[Word]:
    """Return the words of a text and the signs between them, in order; only white space is in none of them."""
    kinds = "".join(map(_kind, text))
    return [
        Word(text[one.start() : one.end()], one.start(), one.end(), one["word"] is not None)
        for one in _PIECES.finditer(kinds)
    ]


def text_without(text: str, words: Collection[Word]) -> str:
    """Return a text without some of its words, and without the white space before each of them.

    The rest stays as it is: "a good film ." without "good" is "a film .".
    """
    kept: list[str] = []
    at = 0
    for word in sorted(words, key=lambda one: one.start):
        kept.append(text[at : word.start].rstrip())
        at = word.end
    rest = "".join([*kept, text[at:]])
    return rest if not words or text[:1].isspace() else rest.lstrip()


def _kind(character: str) -> str:
    """Return what a character is: a letter or digit, a mark on one, a word by itself, a joint, a space or a sign."""
    if character.isspace():
        return " "
    if character in "'’-":
        return "'"
    category = unicodedata.category(character)[0]
    if category == "M":
        return "m"
    if category not in "LN":
        return "."
    code = ord(character)
    return "c" if any(first <= code <= last for first, last in _UNSPACED) else "a"
