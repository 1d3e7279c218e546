"""What a run was computed with, beyond its settings: versions, machine, device."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["describe_environment", "differences"]

PACKAGES = ("alvin-studio", "numpy", "torch", "transformers", "numba", "faiss-cpu", "pandas", "sqlalchemy")


def describe_environment() -> dict[str, Any]:
    """Return Python's, the platform's and the packages' versions; None for a package that is absent."""
    return {
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
