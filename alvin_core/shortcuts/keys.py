"""The key of a cue: ``token:great``, ``ngram:not good``, ``attribute:horror``, ``overlap:high``."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from alvin_core.errors import DataError
from alvin_core.shortcuts.overlap import overlap_names
from alvin_core.shortcuts.words import words_of

__all__ = ["KINDS", "CueKey", "Kind", "parse_cue"]

Kind = Literal["token", "ngram", "attribute", "overlap"]
KINDS: tuple[Kind, ...] = get_args(Kind)
EXAMPLES = "token:great, ngram:not good, attribute:horror, overlap:high"


class CueKey(NamedTuple):
    """What a cue's key says."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def parse_cue(cue: str) -> CueKey:
    """Read a cue's key; tokens and n-grams are brought into the form that texts are cut into.

    Raises
    ------
    DataError
        When the kind is unknown, or the name is none of that kind.
    """
    said, colon, name = cue.partition(":")
    kind = next((one for one in KINDS if one == said.strip()), None)
    if not colon or kind is None:
        raise DataError(f"the cue {cue!r} cannot be read: write it as KIND:NAME, such as {EXAMPLES}")
    if kind == "attribute":
        return CueKey(kind, name)
    if kind == "overlap":
        if name not in overlap_names():
            raise DataError(f"no word overlap is called {name!r}; there are: {', '.join(overlap_names())}")
        return CueKey(kind, name)
    words = words_of(name)
    if kind == "token" and len(words) != 1:
        remedy = f"write ngram:{' '.join(words)}" if words else "write letters or digits, as in token:great"
        raise DataError(f"{name!r} is {len(words)} words, a token is one; {remedy}")
    if kind == "ngram" and len(words) < 2:
        remedy = f"write token:{words[0]}" if words else "write words, as in ngram:not good"
        raise DataError(f"{name!r} is {len(words)} words, an n-gram has at least 2; {remedy}")
    return CueKey(kind, " ".join(words))
