"""What a setting is for and which values it takes, written once beside the setting: checks and forms read the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from alvin_core.errors import SettingsError
from alvin_core.shown import shown

__all__ = ["About", "Kind", "check_limits", "kinds_of"]


@dataclass(frozen=True)
class About:
    """What stands beside a setting, in its annotation: ``k: Annotated[int, About("Neighbors …", least=1)] = 10``.

    Attributes
    ----------
    help : str
        One plain line for a person.
    least, most : number, optional
        The limits, where they are allowed themselves.
    above, below : number, optional
        The limits, where they are not.
    unit : str
        What the limits count, for the message.
    words : str
        What the message says of the limits, where numbers would not say it.
    filled : bool
        Whether a text must hold more than blanks.
    """

    help: str
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    unit: str = ""
    words: str = ""
    filled: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a value is within the limits; no number is that is not finite."""
        if isinstance(value, str):
            return bool(value.strip()) or not self.filled
        return (
            (isinstance(value, int) or math.isfinite(value))
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    @property
    def limits(self) -> str:
        """The limits in words: ``at least 1``, ``in [0, 1)``; empty where there are none."""
        lower = self.least if self.above is None else self.above
        upper = self.most if self.below is None else self.below
        if self.words or (lower is None and upper is None):
            said = self.words or ("more than blanks" if self.filled else "")
        elif upper is None:
            said = f"{'at least' if self.above is None else 'above'} {lower}"
        elif lower is None:
            said = f"{'at most' if self.below is None else 'below'} {upper}"
        elif self.above is None and self.below is None:
            said = f"between {lower} and {upper}"
        else:
            said = f"in {'[' if self.above is None else '('}{lower}, {upper}{']' if self.below is None else ')'}"
        return f"{said} {self.unit}".strip()


@dataclass(frozen=True)
class Kind:
    """A setting as its annotation tells it.

    Attributes
    ----------
    about : About
    types : tuple of type
        What a value may be, besides the choices.
    choices : tuple
        Values that are allowed by name.
    optional : bool
        Whether None is allowed.
    """

    about: About
    types: tuple[type, ...]
    choices: tuple[Any, ...]
    optional: bool

    def allows(self, value: Any) -> bool:
        """Return whether the setting may have a value; its type has been checked, or is the caller's."""
        if value is None:
            return self.optional
        if value in self.choices:
            return True
        # A truth value is a whole number to Python, and so it would pass for a limit's.
        if isinstance(value, bool) is not (bool in self.types):
            return False
        return bool(self.types) and (isinstance(value, str) is (str in self.types)) and self.about.allows(value)


_KINDS: dict[type[Any], dict[str, Kind]] = {}  # read once, because settings are made again and again


def kinds_of(settings: type[Any]) -> dict[str, Kind]:
    """Return the settings of a dataclass by name, in its order; nested dataclasses are left out."""
    if settings not in _KINDS:
        _KINDS[settings] = _read_kinds(settings)
    return _KINDS[settings]


def _read_kinds(settings: type[Any]) -> dict[str, Kind]:
    hints = get_type_hints(settings, include_extras=True)
    return {
        item.name: _kind(hints[item.name]) for item in fields(settings) if get_origin(hints[item.name]) is Annotated
    }


def check_limits(settings: object, table: str = "") -> None:
    """Raise when a setting has a value that it may not have.

    Parameters
    ----------
    settings : dataclass
        Its settings are annotated with `About`.
    table : str
        The table it stands in, for the message: ``"alvin"``.

    Raises
    ------
    SettingsError
        With name, value and limit.
    """
    for name, kind in kinds_of(type(settings)).items():
        value = getattr(settings, name)
        if kind.allows(value):
            continue
        full_name = f"{table}.{name}" if table else name
        if not kind.types:
            choices = ", ".join(map(str, kind.choices))
            raise SettingsError(f"{full_name} = {shown(value)} is unknown; choose one of: {choices}")
        limits = kind.about.limits or "a finite number"
        raise SettingsError(f"{full_name} = {shown(value)} is out of range: it must be {limits}")


def _kind(hint: Any) -> Kind:
    inner, about = get_args(hint)
    # A Literal's arguments are values, a union's are types, or Literals among them.
    options = (inner,) if get_origin(inner) in (Literal, None) else get_args(inner)
    choices = tuple(value for one in options if get_origin(one) is Literal for value in get_args(one))
    types = tuple(one for one in options if get_origin(one) is not Literal and one is not NoneType)
    return Kind(about, types, choices, NoneType in options)
