"""``--json OUT``: all figures of a long piece of work, as one JSON file or on standard output."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from alvin_core.cli.options import OUTPUT
from alvin_core.cli.output import harmless_json
from alvin_core.errors import StoreError
from alvin_core.shown import shown

__all__ = ["STANDARD_OUTPUT", "JsonFileOption", "check_json_file", "write_json_file"]

STANDARD_OUTPUT = "-"

JsonFileOption = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="OUT", help="Write all figures to a file; - is standard output.", rich_help_panel=OUTPUT
    ),
]


def check_json_file(file: str | None) -> None:
    """Raise, before hours of work, where the file cannot be written for its folder.

    Raises
    ------
    StoreError
    """
    if file in (None, STANDARD_OUTPUT):
        return
    path = Path(str(file))
    try:
        is_place = not path.is_dir() and path.parent.is_dir()
    except OSError:  # too long a name
        is_place = False
    if not is_place:
        raise StoreError(
            f"cannot write {shown(str(path))}: name a file in a folder that is there, or - for standard output"
        )


def write_json_file(file: str, values: Mapping[str, Any]) -> None:
    """Write a file whole or not at all, or to standard output.

    Raises
    ------
    StoreError
        When the disk refuses.
    """
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    data = text.encode(
        "utf-8", "backslashreplace"
    )  # half a character, as names of files may hold, is written as \ud800
    if file == STANDARD_OUTPUT:
        sys.stdout.write(harmless_json(data.decode("utf-8")))
        return
    path = Path(file)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except (OSError, ValueError) as error:  # the latter of a null byte, or half a character, in the name
        with suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error).split(":")[0]
        raise StoreError(f"cannot write {shown(str(path))}: {reason}; name another file with --json") from error
