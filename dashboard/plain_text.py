"""Texts of users in places that Streamlit reads as Markdown: labels of buttons, menus and tabs."""

from __future__ import annotations

import re

__all__ = ["plain"]

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Streamlit turns these into emoji, coloured text, arrows and dashes after it has taken the backslashes away.
_SHORTHAND = re.compile(r"(?<=:)(?=\S)|(?<=[-<>=~])(?=\\?[-<>=~])")
_JOINER = "\u2060"  # shows nothing and breaks no line


def plain(text: str) -> str:
    """Return Markdown that shows a text, such as a class's name, as it is, on one line."""
    shown = " ".join(text.split()) or "(blank)"
    escaped = _PUNCTUATION.sub(r"\\\1", shown)
    return _SHORTHAND.sub(_JOINER, escaped)
