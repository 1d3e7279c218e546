"""What a run was computed with, beyond its settings: versions, own code, machine, device."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from alvin_core.run.installed import installed_packages, source_digest
from alvin_core.run.machine import describe_machine

__all__ = ["ChangedFact", "changed_facts", "describe_environment", "differences"]

PACKAGES = ("alvin-studio", "numpy", "torch", "transformers", "numba", "faiss-cpu", "pandas", "sqlalchemy")
# Raised when the same labels and seed train to another model; a record without a number is of the first.
TRAINER = 2  # since 2, layers train on packed tokens on a processor (docs/adr/0018-training-on-packed-tokens.md)

# Older records do not have these, and of some libraries nothing is known before they are loaded: what only one of two
# records tells is no difference.
MAY_LACK = (
    "source",
    "implementation",
    "installed",
    "digests",
    "origins",
    "processor",
    "libraries",
    "variables",
    "features",
)
PASSED_OVER = ("origins", "features", "cores")  # said of a package as its version and digest; compared as a stage
KINDS = {
    "packages": "package",
    "installed": "package",
    "digests": "files of",
    "processor": "processor",
    "libraries": "library",
    "variables": "variable",
}
MOST_NAMED = 12


@dataclass(frozen=True)
class ChangedFact:
    """One recorded fact that is another now.

    Attributes
    ----------
    name : str
        ``numpy``, ``device``, ``threads``, …
    kind : str
        ``package``, ``files of`` (a package of the same version), ``processor``, ``library``, ``variable``, or the name
        itself.
    then, now : object
        Plain values; None where there was none.
    """

    name: str
    kind: str
    then: Any
    now: Any

    def __str__(self) -> str:
        if self.kind == "files of":
            return f"files of {self.name} {self.then} -> {self.now}"
        return f"{self.name} {self.then} -> {self.now}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def describe_environment() -> dict[str, Any]:
    """Return the versions of Python, platform, trainer and packages, this program's code, and the machine.

    See `installed_packages` and `describe_machine`; None stands for a package that is absent.
    """
    return {
        "trainer": TRAINER,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: _version(name) for name in PACKAGES},
        "source": source_digest(),
        **installed_packages(),
        **describe_machine(),
    }


def changed_facts(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[ChangedFact]:
    """Return which facts of two records differ, each once."""
    found: dict[str, ChangedFact] = {}
    for one in _changed(then, now):
        if one.name not in found:
            found[one.name] = one
    return list(found.values())


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in words what changed from one environment to another; empty when nothing did."""
    changed = [str(one) for one in changed_facts(then, now)]
    more = len(changed) - MOST_NAMED
    return ", ".join(changed[:MOST_NAMED]) + (f", and {more} more (`alvin environment` has all)" if more > 0 else "")


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[ChangedFact]:
    # Versions before digests: of a package that has another version, other files are no news.
    for name in sorted({*then, *now}, key=lambda one: (one == "digests", one)):
        if name in PASSED_OVER or (name in MAY_LACK and not (name in then and name in now)):
            continue
        before, after = then.get(name), now.get(name)
        if name == "name" and str(before).startswith("CPU") and str(after).startswith("CPU"):
            continue  # it holds the number of threads, which has a name of its own
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _changed_within(name, before, after)
        elif before != after:
            yield ChangedFact(name, KINDS.get(name, name), before, after)


def _changed_within(group: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[ChangedFact]:
    partly = group in ("processor", "libraries", "digests")
    for name in sorted({*then, *now}):
        if name in PASSED_OVER or (partly and not (name in then and name in now)):
            continue
        if then.get(name) != now.get(name):
            yield ChangedFact(name, KINDS.get(group, group), then.get(name), now.get(name))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
