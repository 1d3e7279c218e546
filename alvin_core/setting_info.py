"""Every setting as a form shows it: default, limits, choices and one line of help, all read from the settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal

from alvin_core.setting_limits import Kind, kinds_of
from alvin_core.settings import RunSettings

__all__ = ["SettingInfo", "SettingType", "describe_settings"]

SettingType = Literal["int", "float", "str", "bool", "choice", "depth"]

# The tables of settings, as people call them.
GROUPS = {
    "": "Run",
    "encoder": "Encoder",
    "training": "Training",
    "groups": "Groups",
    "annotation": "Annotation",
    "alvin": "ALVIN",
    "bald": "Other strategies",
    "cal": "Other strategies",
    "alfa_mix": "Other strategies",
    "typiclust": "Other strategies",
    "anchoral": "Other strategies",
    "counter_shortcut": "Other strategies",
    "runtime": "Device",
}


@dataclass(frozen=True)
class SettingInfo:
    """One setting.

    Attributes
    ----------
    name : str
        Dotted, as `RunSettings.with_values` takes it: ``alvin.alpha``.
    group : str
        Heading it belongs under.
    type_ : {"int", "float", "str", "bool", "choice", "depth"}
        ``depth`` is a whole number or one of ``choices``.
    default : object
    optional : bool
        Whether None is allowed; it means that something else decides, as ``help`` says.
    choices : tuple or None
    minimum, maximum : number or None
    minimum_allowed, maximum_allowed : bool
        Whether the limit is itself a good value.
    help : str
        One line.
    limits : str
        The limits in words; empty where there are none.
    """

    name: str
    group: str
    type_: SettingType
    default: Any
    optional: bool
    choices: tuple[Any, ...] | None
    minimum: float | None
    maximum: float | None
    minimum_allowed: bool
    maximum_allowed: bool
    help: str
    limits: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        values = asdict(self)
        return {"name": values.pop("name"), "group": values.pop("group"), "type": values.pop("type_"), **values}


def describe_settings() -> list[SettingInfo]:
    """Return every setting of a run, in the order of a form: the run's own first, then group by group.

    Returns
    -------
    list of SettingInfo
        The setting ``strategy`` is a text here; which there are, `strategy_names` says.
    """
    defaults = RunSettings()
    parts = [(item.name, getattr(defaults, item.name)) for item in fields(defaults)]
    tables = [("", defaults), *((name, part) for name, part in parts if is_dataclass(part))]
    return [
        _info(table, name, kind, getattr(part, name))
        for table, part in tables
        for name, kind in kinds_of(type(part)).items()
    ]


def _info(table: str, name: str, kind: Kind, default: Any) -> SettingInfo:
    about = kind.about
    return SettingInfo(
        name=f"{table}.{name}" if table else name,
        group=GROUPS[table],
        type_=_type(kind),
        default=default,
        optional=kind.optional,
        choices=kind.choices or None,
        minimum=about.least if about.above is None else about.above,
        maximum=about.most if about.below is None else about.below,
        minimum_allowed=about.above is None,
        maximum_allowed=about.below is None,
        help=about.help,
        limits=about.limits,
    )


def _type(kind: Kind) -> SettingType:
    if not kind.types:
        return "choice"
    if kind.choices:
        return "depth"
    names: dict[type, SettingType] = {bool: "bool", int: "int", float: "float", str: "str"}
    return names[kind.types[0]]
