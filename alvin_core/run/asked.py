"""What a question about a round's model carries, read without trust: a run, a round, whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alvin_core.errors import SettingsError
from alvin_core.shown import shown

__all__ = ["asked_model", "whole"]

HIGHEST_ROUND = 10**9


def asked_model(params: Mapping[str, Any]) -> tuple[str, int]:
    """Return the run and the round that a question is about.

    Raises
    ------
    SettingsError
        When one is missing, or of the wrong type.
    """
    run = params.get("run")
    if not isinstance(run, str) or not run:
        raise SettingsError(f"run = {shown(run)} must be a run's name or id")
    return run, whole(params, "round", None, 0, HIGHEST_ROUND)


def whole(params: Mapping[str, Any], name: str, default: int | None, least: int, most: int) -> int:
    """Return a whole number within limits.

    Raises
    ------
    SettingsError
    """
    value = params.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise SettingsError(f"{name} = {shown(value)} is out of range: it must be between {least} and {most}")
    return value
