"""What other libraries log: the message as their code has it, with numbers put in and every other value left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["with_numbers"]

LEFT_OUT = "…"
PLACE = re.compile(r"%(?:\((?P<name>[^)]*)\))?(?P<form>[#0 +-]*\d*(?:\.\d*)?[hlL]?(?P<kind>[diouxXeEfFgGsra%]))")


def with_numbers(template: str, arguments: object) -> str:
    """Return a message with its numbers, such as a port or a process; what could be a text becomes an ellipsis.

    Parameters
    ----------
    template : str
        As `logging` takes it, with ``%d`` or ``%(name)s``.
    arguments : tuple or mapping or None
        As a `logging.LogRecord` has them.
    """
    if not arguments:  # then logging takes the message as it is
        return template
    in_turn = iter(arguments if isinstance(arguments, tuple) else ())

    def word(place: re.Match[str]) -> str:
        if place["kind"] == "%":
            return "%"
        value = arguments.get(place["name"]) if isinstance(arguments, Mapping) else next(in_turn, None)
        return _word(f"%{place['form']}", value)

    return PLACE.sub(word, template)


def _word(form: str, value: Any) -> str:
    if not isinstance(value, int | float):
        return LEFT_OUT
    try:  # a class of somebody's may be a number and write itself as a text
        return form % (value if isinstance(value, bool) else float(value) if isinstance(value, float) else int(value))
    except (TypeError, ValueError, OverflowError):  # logging refuses it as well, or it has thousands of digits
        return LEFT_OUT
