"""``alvin settings``: every setting with its default, its limits and one line of help."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption
from alvin_core.cli.output import plain_table, print_json, say
from alvin_core.setting_info import SettingInfo, describe_settings

UNSET = "–"


@app.command(rich_help_panel="Data", epilog="Example: `alvin settings`")
def settings(as_json: JsonOption = False) -> None:
    """List every setting with its default, its limits and what it is for.

    Set them with --set NAME=VALUE or in a TOML file with --settings; with --json, one line a setting.
    """
    infos = describe_settings()
    if as_json:
        for info in infos:
            print_json(info.to_dict())
        return
    # One width for all groups, so that the columns stand below each other.
    widths = [max(len(row[at]) for row in map(_row, infos)) for at in range(3)]
    for group, members in groupby(infos, key=lambda info: info.group):
        say(group, style="bold")
        cells = [[cell.ljust(width) for cell, width in zip(_row(info), widths, strict=True)] for info in members]
        plain_table(cells, indent="  ")
    say()
    plain_table([(info.name, info.help) for info in infos])


def _row(info: SettingInfo) -> tuple[str, str, str]:
    return info.name, _word(info.default), _values(info)


def _values(info: SettingInfo) -> str:
    if info.type_ == "choice":
        allowed = ", ".join(map(_word, info.choices or ()))
    elif info.limits and info.type_ != "str":
        allowed = info.limits
    else:
        allowed = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}[info.type_]
    return f"{allowed}, or not set" if info.optional else allowed


def _word(value: Any) -> str:
    return UNSET if value is None else str(value)
