"""A text with its cue marked, as HTML: what is shown is cut around the first mark, and escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Final

__all__ = ["marked", "spans_of"]

LONGEST: Final = 260  # characters shown of a text
BEFORE: Final = 80  # characters shown before a first mark that lies far inside
_TOKEN: Final = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")


def spans_of(text: str, cue: str, other: str | None = None) -> list[tuple[int, int]]:
    """Return where a cue stands in a text, as (start, end) in its characters.

    Parameters
    ----------
    text : str
    cue : str
        Its key. A token and an n-gram stand where their words do; an attribute stands nowhere in a text.
    other : str, optional
        The pair's other text: of word overlap, the words that are in both are marked.
    """
    kind, _, name = cue.partition(":")
    found = [(match.group().lower(), match.span()) for match in _TOKEN.finditer(text)]
    if kind == "overlap":
        shared = {match.group().lower() for match in _TOKEN.finditer(other or "")}
        return [span for word, span in found if word in shared]
    if kind not in ("token", "ngram"):
        return []
    words = [match.group() for match in _TOKEN.finditer(name.lower())]
    if not words:
        return []
    runs = (found[at : at + len(words)] for at in range(len(found) - len(words) + 1))
    return [(run[0][1][0], run[-1][1][1]) for run in runs if [word for word, _ in run] == words]


def marked(texts: Sequence[str], cue: str, *, longest: int = LONGEST) -> str:
    """Return HTML of an example's one or two texts with the cue marked."""
    others = [texts[1 - row] if len(texts) == 2 else None for row in range(len(texts))]
    lines = [_one(text, spans_of(text, cue, other), longest) for text, other in zip(texts, others, strict=True)]
    soft = " soft" if cue.startswith("overlap:") else ""  # many words, most of them common
    return "".join(f'<div class="alvin-marked{soft}" dir="auto">{line}</div>' for line in lines)


def _one(text: str, spans: list[tuple[int, int]], longest: int) -> str:
    start = 0
    if spans and spans[0][1] > longest:
        start = max(spans[0][0] - BEFORE, 0)
    end = min(start + longest, len(text))
    parts, at = ["… " if start else ""], start
    for left, right in spans:
        if left < at or right > end:
            continue
        parts.append(f"{escape(text[at:left])}<mark>{escape(text[left:right])}</mark>")
        at = right
    parts.append(escape(text[at:end]) + (" …" if end < len(text) else ""))
    return "".join(parts)
