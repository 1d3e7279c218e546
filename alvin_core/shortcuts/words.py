"""Texts as rows of word codes: what a token is, and many texts cut into tokens at once."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Texts
from alvin_core.types import BoolArray

__all__ = ["WordColumn", "WordTable", "tokenize", "words_of"]

TEXTS_AT_ONCE = 32_768
RUNS_KEPT = 65_536  # of characters beyond ASCII, such as an accented letter or a Russian word
LETTERS_AND_DIGITS = b"abcdefghijklmnopqrstuvwxyz0123456789"
JOINERS = b"'-"  # inside a word they are part of it

# One character is one token: Chinese has no spaces, and a run of them would be a sentence. N-grams find longer words.
_HAN = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA, _KATAKANA = "\u3041-\u309f", "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_PICTURE = "\u2600-\u27bf\u2b50\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
_FLAG, _SKIN, _JOINED = "\U0001f1e6-\U0001f1ff", "\U0001f3fb-\U0001f3ff", "\u200d"
# Typographic apostrophes and hyphens are their plain ones; what only says how to draw or to break is nothing.
_PLAINER = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u2010": "-", "\u2011": "-"} | dict.fromkeys("\ufe0e\ufe0f\xad")
)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


@dataclass(frozen=True)
class WordColumn:
    """One column of texts as word codes, in reading order.

    Attributes
    ----------
    codes : int32 array of shape (n_words,)
        Rows of the vocabulary.
    offsets : int64 array of shape (n_texts + 1,)
        Text ``i`` is ``codes[offsets[i]:offsets[i + 1]]``.
    """

    codes: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @property
    def rows(self) -> NDArray[np.int32]:
        """The text of each word, of shape (n_words,): computed anew at each call."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))


@dataclass(frozen=True)
class WordTable:
    """Columns of texts as word codes, of one vocabulary.

    Attributes
    ----------
    vocabulary : tuple of str
        Every token once, in the order of appearance.
    columns : tuple of WordColumn
        One, or two of pairs.
    """

    vocabulary: tuple[str, ...]
    columns: tuple[WordColumn, ...]

    def __len__(self) -> int:
        return len(self.columns[0].offsets) - 1

    @cached_property
    def code_of(self) -> dict[str, int]:
        """Row in the vocabulary of every token."""
        return {word: code for code, word in enumerate(self.vocabulary)}

    def holds(self, words: Sequence[str]) -> BoolArray:
        """Return which rows hold these tokens one after the other, in either text; of shape (n_rows,)."""
        found = np.zeros(len(self), dtype=bool)
        wanted = [self.code_of.get(word, -1) for word in words]
        if not wanted or min(wanted) < 0:
            return found
        for column in self.columns:
            n_starts = max(len(column.codes) - len(wanted) + 1, 0)
            is_start = np.ones(n_starts, dtype=bool)
            for place, code in enumerate(wanted):
                is_start &= column.codes[place : place + n_starts] == code
            starts = np.flatnonzero(is_start)
            rows = np.searchsorted(column.offsets, starts, side="right") - 1
            found[rows[starts + len(wanted) <= column.offsets[rows + 1]]] = True
        return found


def words_of(text: str) -> list[str]:
    """Return the tokens of one text, in reading order.

    Notes
    -----
    A token is a run of Unicode letters and digits in lower case, with apostrophes and hyphens inside it: ``don't``,
    ``feel-good``, ``2nd``. A Chinese character, a run of hiragana, a run of katakana and an emoji are each one token.
    Languages that write words without spaces otherwise, such as Thai, keep their runs whole. Characters are composed
    (NFC) first, so that an accent written as a character of its own makes no other word.
    """
    table = tokenize([Texts.pack([text])])
    return [table.vocabulary[code] for code in table.columns[0].codes.tolist()]


def tokenize(columns: Iterable[Texts]) -> WordTable:
    """Cut columns of texts into tokens; see `words_of` for what a token is.

    Parameters
    ----------
    columns : iterable of Texts

    Returns
    -------
    WordTable
    """
    code_of: defaultdict[bytes, int] = defaultdict()
    code_of.default_factory = code_of.__len__  # a new word takes the next code
    made = tuple(_column(texts, code_of) for texts in columns)
    return WordTable(tuple(word.decode("utf-8") for word in code_of), made)


def _column(texts: Texts, code_of: defaultdict[bytes, int]) -> WordColumn:
    codes, lengths = [np.empty(0, dtype=np.int32)], [np.zeros(1, dtype=np.int64)]
    content, borders = texts.blob.tobytes(), iter(pairwise(texts.offsets.tolist()))
    while part := [content[start:end] for start, end in islice(borders, TEXTS_AT_ONCE)]:
        words, n_words = _cut(part)
        codes.append(np.fromiter(map(code_of.__getitem__, words), dtype=np.int32, count=len(words)))
        lengths.append(n_words)
    return WordColumn(np.concatenate(codes), np.cumsum(np.concatenate(lengths)))


def _cut(part: list[bytes]) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return the words of some texts, one after the other, and how many each text has.

    All texts are cut at once as bytes, several times faster than by a regular expression. Those that are not ASCII are
    rewritten first, so that every byte above 127 is part of a letter.
    """
    plain = [one if one.isascii() else _spaced(one.decode("utf-8")).encode("utf-8") for one in part]
    lines = bytearray(b"\n".join([b"", *plain, b""]).translate(_to_words()))
    signs = np.frombuffer(lines, dtype=np.uint8)  # shares the memory of `lines`
    is_letter = _is_letter()[signs]
    inner = np.flatnonzero(~is_letter & (signs != ord(" ")))  # joiners are all that is neither
    outer = inner[~(is_letter[inner - 1] & is_letter[inner + 1])]
    inside = is_letter
    inside[inner] = True
    inside[outer] = False
    signs[outer] = ord(" ")
    word_starts = np.flatnonzero(inside[1:] & ~inside[:-1]) + 1
    text_starts = np.cumsum([1, *(len(one) + 1 for one in plain)])
    n_words = np.diff(np.searchsorted(word_starts, text_starts))
    return bytes(lines).split(), n_words


@lru_cache(maxsize=1)
def _to_words() -> bytes:
    """Table of bytes: lower case, and a space for whatever is in no word."""
    kept = set(LETTERS_AND_DIGITS + JOINERS) | set(range(128, 256))
    lowered = [bytes([byte]).lower()[0] for byte in range(256)]
    return bytes(byte if byte in kept else ord(" ") for byte in lowered)


@lru_cache(maxsize=1)
def _is_letter() -> BoolArray:
    table = np.zeros(256, dtype=bool)
    table[list(LETTERS_AND_DIGITS)] = True
    table[128:] = True
    return table


def _spaced(text: str) -> str:
    """Return a text of any script as ASCII signs and letters: what is a token by itself stands between spaces."""
    lowered = unicodedata.normalize("NFC", text).lower()
    return _BEYOND_ASCII.sub(lambda run: _cleaned(run[0]), lowered)


@lru_cache(maxsize=RUNS_KEPT)
def _cleaned(run: str) -> str:
    """Return a run of characters beyond ASCII, without those that are in no word."""
    pattern = _parts_pattern()
    return pattern.sub(lambda part: part[0] if part["letters"] else f" {part['alone'] or ''} ", run.translate(_PLAINER))


@lru_cache(maxsize=1)
def _parts_pattern() -> re.Pattern[str]:
    # Marks belong to the letter before them; `\w` knows none, and would cut Hindi and Thai words at their vowels.
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")
    picture = f"[{_PICTURE}][{_SKIN}]?"
    alone = f"[{_HAN}]|[{_HIRAGANA}]+|[{_KATAKANA}]+|[{_FLAG}]{{2}}|{picture}(?:{_JOINED}{picture})*"
    letter = rf"(?![{_HAN}{_HIRAGANA}{_KATAKANA}])[^\W_]"
    return re.compile(rf"(?P<alone>{alone})|(?P<letters>(?:{letter}|[{marks}\u200c\u200d'-])+)|.", re.DOTALL)
