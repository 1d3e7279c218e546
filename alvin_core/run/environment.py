"""What a run was computed with, beyond its settings: versions, machine, device."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["describe_environment", "differences"]

PACKAGES = ("alvin-studio", "numpy", "torch", "transformers", "numba", "faiss-cpu", "pandas", "sqlalchemy")
# Raised when the same labels and seed train to another model; a record without a number is of the first.
TRAINER = 2  # since 2, layers train on packed tokens on a processor (docs/adr/0018-training-on-packed-tokens.md)


def describe_environment() -> dict[str, Any]:
    """Return the versions of Python, platform, trainer and packages; None for a package that is absent."""
    return {
        "trainer": TRAINER,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def differences(then: dict[str, Any], now: dict[str, Any]) -> str:
    """Say in words what changed from one environment to another; empty when nothing did."""
    changes = []
    for name in sorted({*then, *now}):
        before, after = then.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            inner = differences(before, after)
            changes += [inner] if inner else []
        elif before != after:
            changes.append(f"{name} {before} -> {after}")
    return ", ".join(changes)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
