"""A run keeps the number format that it began with, where its settings leave that open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alvin_core.errors import DeviceError
from alvin_core.settings import RunSettings

__all__ = ["in_recorded_format"]

# bfloat16 is left to the plan: where it has no instructions of its own it is many times slower than float32.
_KEPT = ("float32", "int16")


def in_recorded_format(settings: RunSettings, environment: Mapping[str, Any] | None) -> RunSettings:
    """Return settings that compute in the number format of a round's record.

    What 'auto' takes may change from one version to the next, or with what is installed; then a run's rounds would be
    of vectors that differ, and a replay would not give what was stored.

    Parameters
    ----------
    settings : RunSettings
    environment : mapping or None
        What the round was computed in, as its record has it.

    Returns
    -------
    RunSettings
        As they were where they name a format, where none is recorded, and where 'auto' takes the recorded one here, so
        that what is loaded for them stays loaded. Also on another kind of device, and where this machine cannot work in
        it: then the round's own record tells of the other one.
    """
    recorded = (environment or {}).get("inference_dtype")
    if settings.runtime.inference_dtype != "auto" or recorded not in _KEPT:
        return settings
    from alvin_core.device import plan_device

    kept = replace(settings.runtime, inference_dtype=recorded)
    try:
        of_auto, of_kept = plan_device(settings.runtime), plan_device(kept)
    except DeviceError:
        return settings
    there = str((environment or {}).get("device", "")).partition(":")[0]
    if of_kept == of_auto or of_kept.kind != there:
        return settings
    return replace(settings, runtime=kept)
