"""Frozen dataclasses of settings, as nested tables of plain values and as TOML, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast, get_args, get_type_hints

from alvin_core.errors import SettingsError
from alvin_core.shown import shown

__all__ = ["from_table", "to_table", "to_toml"]

Kind = TypeVar("Kind")


def to_table(settings: Any) -> dict[str, Any]:
    """Return a dataclass as nested dictionaries of plain values; None where nothing is set."""
    pairs = ((item.name, getattr(settings, item.name)) for item in fields(settings))
    return {name: to_table(value) if is_dataclass(value) else value for name, value in pairs}


def from_table(kind: type[Kind], values: Mapping[str, Any], prefix: str = "") -> Kind:
    """Build a dataclass from nested dictionaries; what is missing takes its default.

    Raises
    ------
    SettingsError
        On an unknown name or a wrong type; the dataclass itself raises for a value out of range.
    """
    hints = get_type_hints(kind)
    known = {item.name: hints[item.name] for item in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise SettingsError(f"no setting is called {shown(f'{prefix}{name}')}; here are: {', '.join(known)}")
        hint = known[name]
        if is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise SettingsError(f"{prefix}{name} = {shown(value)} must be a table of settings")
            arguments[name] = from_table(cast(type[Any], hint), value, prefix=f"{prefix}{name}.")
        else:
            arguments[name] = _typed(prefix + name, value, hint)
    return kind(**arguments)


def _typed(name: str, value: Any, hint: Any) -> Any:
    """Return ``value`` as the hint's type: an int may stand for a float, nothing else is converted."""
    options = get_args(hint) or (hint,)
    for option in options:
        if option is type(None) and value is None:
            return None
        if option is float and isinstance(value, int | float) and not isinstance(value, bool):
            return _fraction(name, value)
        if isinstance(option, type) and type(value) is option:
            return value
        if value in _choices(option):
            return value
    raise SettingsError(f"{name} = {shown(value)} is {_fault(value, options)}")


def _fraction(name: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise SettingsError(f"{name} = {shown(value)} is out of range: it is larger than any fraction") from error


def _fault(value: Any, options: tuple[Any, ...]) -> str:
    """Say what is wrong with a value that is none of the options: its kind, or that it is no choice."""
    choices = [choice for option in options for choice in _choices(option)]
    if not any(type(value) is type(choice) for choice in choices):
        return f"of the wrong kind; expected: {_expected(options)}"
    if len(choices) == len(options):  # nothing else is allowed
        return f"unknown; choose one of: {', '.join(map(str, choices))}"
    return f"unknown; expected: {_expected(options)}"


def _choices(option: Any) -> tuple[Any, ...]:
    """Return the values that a type hint names: those of a Literal, or the option itself where it is one of them."""
    if isinstance(option, type):
        return ()
    return get_args(option) or (option,)


def _expected(options: tuple[Any, ...]) -> str:
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "nothing"}
    described = []
    for option in options:
        named = [repr(choice) for choice in _choices(option)]
        described += named or [words.get(option, repr(option))]
    return " or ".join(described)


def to_toml(values: Mapping[str, Any], prefix: str = "") -> str:
    """Write nested dictionaries as TOML."""
    plain = [(name, value) for name, value in values.items() if not isinstance(value, dict)]
    tables = [(name, value) for name, value in values.items() if isinstance(value, dict)]
    # TOML has no null: what is None is left out and read back as the default, which is None as well.
    lines = [f"{name} = {_toml_value(value)}" for name, value in plain if value is not None]
    text = "\n".join(lines) + "\n"
    for name, table in tables:
        text += f"\n[{prefix}{name}]\n" + to_toml(table, prefix=f"{prefix}{name}.")
    return text


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    return repr(value)
