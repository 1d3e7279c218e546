"""A value in a message: one short printable line, whatever it is."""

from __future__ import annotations

import reprlib

__all__ = ["LONGEST_SHOWN", "first_line", "shown"]

LONGEST_SHOWN = 200  # characters
LONGEST_REASON = 300  # characters of what a library says


class _Shown(reprlib.Repr):
    """Cuts long texts and lists, and looks into nested ones for a few levels alone."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 120
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = 12
        self.maxlevel = 4

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write a number of more than 4,300 digits.
        return f"a whole number of {x.bit_length():,} bits" if x.bit_length() > 1024 else super().repr_int(x, level)


_SHOWN = _Shown()


def shown(value: object) -> str:
    """Return a value as a message shows it: as Python writes it, and cut where it is long."""
    text = _SHOWN.repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, as far as it can be shown."""
    line = (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line[:LONGEST_REASON])
