"""The last lines of a store's logs without anything that names a person, a run, a folder or a text."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alvin_core.logs import FILE, LEVELS

__all__ = ["log_tails", "tail_of"]

LINES, BYTES = 200, 256 * 1024  # of each file that are looked at
READABLE = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z) (?P<level>[A-Z]+) (?P<logger>[\w.]+): (?P<rest>.*)")
PLACE = re.compile(r"    (?P<place>[\w./<>-]+:\d+ in [\w<>]+)$")
FACT = re.compile(r" (?P<name>[a-z_]+)=(?P<value>\"(?:[^\"\\]|\\.)*\"|\S+)")
# What a line may keep by name. People, runs by their names and commands' words are left out.
KEPT_WORDS = ("state", "kind", "strategy", "why", "error", "first")
KEPT_IDS = ("run_id",)
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
RUN_ID = re.compile(r"[0-9a-f]{8}")
# What this program itself writes, so that nothing else passes as a message.
MESSAGES = frozenset(
    {
        "round begins", "round ends", "round fails", "round does not end", "round replayed", "job begins", "job ends",
        "job fails", "question fails", "question answered", "question refused", "command begins", "command ends",
        "command fails",
    }
)  # fmt: skip
PATTERNS = (
    (re.compile(r"the worker of .* is ready: process (\d+)"), r"the worker is ready: process \1"),
    (re.compile(r"the worker of .* has ended"), "the worker has ended"),
    (re.compile(r"the store .* is gone; so is its worker"), "the store is gone; so is its worker"),
    (
        re.compile(r"the executor, process (\d+), (?:was killed|crashed|was ended|ended).*"),
        r"the executor, process \1, ended",
    ),
)


def log_tails(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the last lines of the worker's logs and of ``ALVIN_LOG_FILE``, by what the file is.

    Parameters
    ----------
    folder : Path
        Of the store.
    """
    files = {"worker.log": folder / "worker.log", "worker.log.1": folder / "worker.log.1"}
    if os.environ.get(FILE):
        files["log file"] = Path(os.environ[FILE]).expanduser()
    return {name: tail_of(path) for name, path in files.items() if path.is_file()}


def tail_of(path: Path) -> list[dict[str, Any]]:
    """Return the last lines of a log, each as what may be told of it; a count stands for lines of another form."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()[-LINES:]
    except OSError as error:
        return [{"unreadable": error.strerror}]
    told: list[dict[str, Any]] = []
    n_other = 0
    for line in lines:
        found = _of_json(line) or _of_readable(line)
        if found:
            told.append(found)
        elif told and (place := PLACE.fullmatch(line)):
            told[-1].setdefault("places", []).append(place["place"])
        else:
            n_other += 1
    return [*told, *([{"lines_of_another_form": n_other}] if n_other else [])]


def _of_json(line: str) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or not isinstance(values.get("logger"), str):
        return None
    error = values.get("error")
    facts = {
        name: value for name, value in values.items() if name not in ("time", "level", "logger", "message", "error")
    }
    told = _line(str(values.get("time")), str(values.get("level")), values["logger"], str(values.get("message")), facts)
    if isinstance(error, Mapping):
        told["error"] = _error(error)
    return told


def _of_readable(line: str) -> dict[str, Any] | None:
    found = READABLE.fullmatch(line)
    if found is None:
        return None
    rest = found["rest"]
    first = FACT.search(rest)
    message = rest if first is None else rest[: first.start()]
    facts = {one["name"]: _number(one["value"]) for one in FACT.finditer(rest)}
    return _line(found["time"], found["level"].lower(), found["logger"], message, facts)


def _line(time: str, level: str, logger: str, message: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "time": time if re.fullmatch(r"[\dTZ:.+-]{10,35}", time) else "…",
        "level": level if level in LEVELS else "…",
        "logger": logger if re.fullmatch(r"(?:alvin_core|dashboard|streamlit|uvicorn)[a-z_.]*", logger) else "…",
    }
    if not logger.startswith("alvin_core"):  # what the dashboard writes names people
        return told
    kept = {name: value for name, value in facts.items() if _may_be_told(name, value)}
    return {**told, "message": _message(message), **kept}


def _message(text: str) -> str:
    if text in MESSAGES:
        return text
    for pattern, words in PATTERNS:
        if found := pattern.fullmatch(text):
            return found.expand(words)
    return "…"


def _may_be_told(name: str, value: object) -> bool:
    if not re.fullmatch(r"[a-z_]{1,40}", name):
        return False
    if isinstance(value, bool | int | float):
        return True
    if not isinstance(value, str):
        return False
    return bool(name in KEPT_WORDS and WORD.fullmatch(value)) or bool(name in KEPT_IDS and RUN_ID.fullmatch(value))


def _error(told: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    kind = str(told.get("kind", ""))
    places = told.get("places")
    error: dict[str, Any] = {
        "kind": kind if WORD.fullmatch(kind) else "…",
        "places": [str(one) for one in places if PLACE.fullmatch(f"    {one}")] if isinstance(places, list) else [],
    }
    if isinstance(told.get("cause"), Mapping) and depth < 4:
        error["cause"] = _error(told["cause"], depth + 1)
    return error


def _number(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
