"""The report for support as lines for people, which can be pasted into a message."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

__all__ = ["as_text"]

TITLE = "ALVIN Studio, for support. No text, label, name, password or folder is in here."
WIDTH = 100  # columns, of a terminal as of a message
INDENT = "    "
NOTHING = "–"
UNITS = ("B", "kB", "MB", "GB", "TB")


def as_text(report: Mapping[str, Any]) -> str:
    """Return a report as lines that can be pasted: a heading for each part, then its values.

    Figures are rounded here; `support_report` has them all.

    Parameters
    ----------
    report : mapping of part to values
        As `support_report` returns it, or with more parts.
    """
    lines = [TITLE]
    for part, value in report.items():
        lines += ["", f"[{part}]", *_lines(value)]
    return "\n".join(lines) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        found = [line for name, one in value.items() for line in _named(str(name), one)]
    elif isinstance(value, list):
        found = _items(value)
    else:
        found = [_words(value)]
    return found or ["none"]


def _named(name: str, value: Any) -> list[str]:
    if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        return [f"{name}:", *_items(value)]
    return _wrapped(f"{name}: {_words(value, name)}")


def _items(values: list[Any]) -> list[str]:
    return [line for one in values for line in _wrapped(f"- {_words(one)}")]


def _wrapped(text: str) -> list[str]:
    """Return a text as lines; a word, which may be a place in the code, is never cut."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False)


def _words(value: Any, name: str = "") -> str:
    """Return a value on one line; its name tells what a number counts."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{inner}={_inner(one, inner)}" for inner, one in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(_words(one) for one in value) or "none"
    if isinstance(value, int | float) and name.endswith("bytes"):
        return _size(value)
    return f"{value + 0.0:.4g}" if isinstance(value, float) else str(value)  # + 0.0: no minus before a zero


def _inner(value: Any, name: str) -> str:
    words = _words(value, name)
    return f"({words})" if isinstance(value, Mapping | list) and value else words


def _size(n_bytes: float) -> str:
    size, unit = float(n_bytes), 0
    while abs(size) >= 999.5 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {UNITS[unit]}"
