"""Texts of examples and names from data, as text in a Plotly figure."""

from __future__ import annotations

import textwrap

__all__ = ["hover_text", "plain_text"]

LONGEST_HOVER = 240
LINE = 60

# Plotly reads a part of HTML, TeX between dollar signs, and %{…} in templates. It decodes entities last, as text.
_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "&<>\"'$%{}"}
# What has no place in a figure's SVG: XML 1.0 knows no control characters and no lone surrogates.
_ENTITIES |= dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127, *range(55296, 57344), 65534, 65535), "�")


def plain_text(text: str) -> str:
    """Return a text that Plotly shows as it is, whatever it holds."""
    return text.translate(_ENTITIES)


def hover_text(text: str) -> str:
    """Return an example's text for a hover box: its beginning, in short lines."""
    short = text if len(text) <= LONGEST_HOVER else text[:LONGEST_HOVER] + "…"
    lines = textwrap.wrap(short, LINE, break_long_words=True) or [""]
    return "<br>".join(plain_text(line) for line in lines)
