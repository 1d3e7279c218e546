"""Audit the pinned dependencies: python benchmarks/audit.py [--service osv|pypi|esms]

It asks a vulnerability service about every line of constraints.txt, through pip-audit, and succeeds only when each of
them was looked up and none has a known vulnerability that docs/audit.toml does not let pass. A service that cannot be
reached, or does not know a package, is a failure: nothing was audited then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("osv", "pypi", "esms")
CLEAN, FOUND, NOT_AUDITED = 0, 1, 2


def main(arguments: Sequence[str] | None = None, run: Callable[..., Any] = subprocess.run, root: Path = ROOT) -> int:
    """Audit, say what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--service", choices=SERVICES, default=SERVICES[0])
    options = parser.parse_args(arguments)
    try:
        passing = _passing(root / "docs" / "audit.toml")
    except (OSError, ValueError) as error:
        return _say(f"NOT AUDITED: docs/audit.toml cannot be used: {error}", NOT_AUDITED)
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(root / "constraints.txt"), "--no-deps"]
    command += ["--disable-pip", "--vulnerability-service", options.service, "--format", "json", "--desc", "off"]
    done = run([*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return _say(f"NOT AUDITED: the service {options.service} gave no answer: {last}", NOT_AUDITED)
    return _judge(packages, _pinned(root / "constraints.txt"), passing)


def _judge(packages: list[dict[str, Any]], pinned: set[str], passing: dict[str, str]) -> int:
    skipped = sorted(f"{one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one)
    looked_up = {_plain(one["name"]) for one in packages if "skip_reason" not in one}
    missing = sorted(pinned - looked_up)
    if missing:
        for line in skipped:
            _say(line)
        return _say(
            f"NOT AUDITED: {len(missing)} of {len(pinned)} packages were not looked up: {missing[0]}, …", NOT_AUDITED
        )
    found = [(one, flaw) for one in packages for flaw in one.get("vulns", [])]
    let_pass = [flaw["id"] for _, flaw in found if passing.keys() & {flaw["id"], *flaw.get("aliases", [])}]
    for name in let_pass:
        _say(f"let pass: {name}: {passing.get(name, 'by another of its names')}")
    left = [(one, flaw) for one, flaw in found if flaw["id"] not in let_pass]
    for one, flaw in left:
        mended = ", ".join(flaw.get("fix_versions", [])) or "no version yet"
        _say(f"{one['name']} {one['version']}: {flaw['id']}, mended in {mended}")
    if left:
        return _say(f"{len(left)} known vulnerabilities in {len(pinned)} packages", FOUND)
    return _say(f"{len(pinned)} packages were looked up; none has a known vulnerability that is not let pass", CLEAN)


def _passing(path: Path) -> dict[str, str]:
    """Return what is let pass: id -> reason. What has no reason, or is over, is an error."""
    found = {}
    for one in tomllib.loads(path.read_text(encoding="utf-8")).get("ignore", []):
        reason, until = str(one.get("reason", "")).strip(), one.get("until")
        if not isinstance(one.get("id"), str) or not reason or not isinstance(until, date):
            raise ValueError(f"{one} needs an id, a reason and a day 'until'")
        if until < date.today():
            raise ValueError(f"{one['id']} was to pass until {until}: look again")
        found[one["id"]] = reason
    return found


def _pinned(path: Path) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {_plain(line.partition("==")[0]) for line in lines if line}


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")


def _say(words: str, code: int = 0) -> int:
    sys.stderr.write(f"{words}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
