"""TOML that a person wrote, read within limits: any text gives plain values or one sentence."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

from alvin_core.errors import SettingsError

__all__ = ["LARGEST_TOML", "parse_toml", "read_toml"]

LARGEST_TOML = 2**15  # bytes; all settings with a comment to each have half of it, and a longer one can take minutes
TOO_DEEP = "brackets or tables are nested too deeply; settings have one level of tables"
TOO_LONG = "a number has too many digits; at most 4,300 are read"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of settings.

    Raises
    ------
    SettingsError
        When it is missing, no regular file, larger than `LARGEST_TOML`, or no TOML.
    """
    try:
        # A pipe would be waited for, and a device read, without an end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise SettingsError(f"settings file {path} is no regular file; save the settings to a file first")
        with path.open("rb") as file:
            data = file.read(LARGEST_TOML + 1)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"settings file {path}: {getattr(error, 'strerror', None) or error}; name another file"
        ) from error
    try:
        return parse_toml(data)
    except SettingsError as error:
        raise SettingsError(f"settings file {path}: {error}") from error


def parse_toml(data: bytes | str) -> dict[str, Any]:
    """Read TOML of at most `LARGEST_TOML` bytes.

    Raises
    ------
    SettingsError
        When it is longer, no UTF-8, or no TOML.
    """
    if len(data) > LARGEST_TOML:
        raise SettingsError(f"longer than {LARGEST_TOML:,} bytes, the most that is read; is it a file of settings?")
    try:
        return tomllib.loads(data.decode("utf-8") if isinstance(data, bytes) else data)
    except UnicodeDecodeError as error:
        raise SettingsError(f"byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except RecursionError as error:
        raise SettingsError(TOO_DEEP) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(error)[:300]) from error
    except ValueError as error:
        # The library leaves some of Python's own errors as they are: of long numbers, of days that no month has.
        raise SettingsError(TOO_LONG if "digits" in str(error) else str(error)[:300]) from error
