"""Logs: what this program did and when, for whoever watches it, one line an event, with the run's id.

A line holds names of this program's own parts, ids, numbers, and where in the code an error arose. No text of the data,
no label and no password is ever in it: what a line may hold beside its message goes through `facts`, an error's message
is written only where such a message never holds data, and of other libraries only what they wrote into their code, and
numbers.
Nothing is written unless somebody asks for it: see `set_up_logs`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from alvin_core.errors import AlvinError, DataError, LabelError, SettingsError
from alvin_core.log_files import BoundedFileHandler
from alvin_core.log_templates import with_numbers

__all__ = [
    "JsonLines",
    "ReadableLines",
    "code_place",
    "facts",
    "log_about",
    "log_error",
    "run_log",
    "set_up_logs",
    "words_of",
]

FORM, LEVEL, FILE = "ALVIN_LOG", "ALVIN_LOG_LEVEL", "ALVIN_LOG_FILE"
FORMS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")
OURS = ("alvin_core", "dashboard")
LONGEST_WORD, LONGEST_MESSAGE = 80, 400
ABOUT = ("run_id", "run", "job", "round", "person", "command", "question")

_PLAIN = re.compile(r"[\w.:+/@-]+")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
# What databases add to their messages: the values of a statement.
_VALUES = re.compile(r"(\[SQL|\[parameters|DETAIL:|CONTEXT:).*", re.DOTALL)
_LOGGED = "_alvin_is_logged"

_about: ContextVar[Mapping[str, str | int] | None] = ContextVar("alvin_log_about", default=None)

# A library says nothing by itself; who wants to hear it adds a handler.
logging.getLogger("alvin_core").addHandler(logging.NullHandler())


@contextmanager
def log_about(**about: str | int | None) -> Iterator[None]:
    """Say what the lines within are about; inner values win, and None leaves a name as it was.

    Parameters
    ----------
    about : str or int
        Any of ``run_id``, ``run`` (its name), ``job``, ``round``, ``person``, ``command``, ``question``.

    Raises
    ------
    ValueError
        For any other name.
    """
    unknown = [name for name in about if name not in ABOUT]
    if unknown:
        raise ValueError(f"lines are about {', '.join(ABOUT)}, not {unknown[0]!r}")
    token = _about.set({**(_about.get() or {}), **{name: value for name, value in about.items() if value is not None}})
    try:
        yield
    finally:
        _about.reset(token)


@contextmanager
def run_log(run_id: str, name: str) -> Iterator[None]:
    """Say that the lines within are about a run."""
    with log_about(run_id=run_id, run=name):
        yield


def facts(**values: object) -> dict[str, Any]:
    """Return what a line is to hold beside its message, for ``log.info(…, extra=facts(seconds=1.5))``.

    Numbers, truth values and single words (a state, a strategy, a device) are kept; anything else, which could be a
    text of the data, becomes an ellipsis.
    """
    return {"facts": {name: _harmless(value) for name, value in values.items()}}


def log_error(log: logging.Logger, message: str, error: BaseException, **values: object) -> None:
    """Write that something failed, with its traceback; where the error was written before, without."""
    is_known = getattr(error, _LOGGED, False)
    log.error(message, exc_info=None if is_known else error, extra=facts(kind=type(error).__name__, **values))
    error.__dict__[_LOGGED] = True


def words_of(error: BaseException) -> str:
    """Return an error in words that hold no data: its class, and its message where that is made of names and numbers.

    What is quoted in a message is a value of somebody's, so it is left out.
    """
    kind = type(error).__name__
    if isinstance(error, OSError):
        return f"{kind}: {error.strerror}" if error.strerror else kind
    if isinstance(error, AlvinError) and not isinstance(error, DataError | LabelError):
        return f"{kind}: {without_values(str(error))}"
    return kind


def without_values(text: str) -> str:
    """Return a message on one line without what is quoted in it, and without addresses, which may hold a password."""
    return _short(_ADDRESS.sub("…", _QUOTED.sub("'…'", _VALUES.sub("…", text))), LONGEST_MESSAGE)


def set_up_logs(*, screen: bool = False, stream: TextIO | None = None) -> bool:
    """Write log lines where the environment says, and return whether any are written.

    ``ALVIN_LOG`` is ``text`` or ``json`` (a JSON object a line), ``ALVIN_LOG_LEVEL`` ``debug``, ``info`` (the default),
    ``warning`` or ``error``, ``ALVIN_LOG_FILE`` a file that is added to and kept bounded. Where none of them is set,
    nothing is written unless ``screen``. Calling it again replaces what the last call set up.

    Parameters
    ----------
    screen : bool
        Write to standard error in any case; else only where one of the variables is set, and no file.
    stream : text file, optional
        Takes the place of standard error.

    Raises
    ------
    SettingsError
        When a variable has an unknown value, or the file cannot be written.
    """
    form, level, path = _form(), _level(), os.environ.get(FILE, "")
    root = logging.getLogger()
    for old in [one for one in root.handlers if getattr(one, "_alvin", False)]:
        root.removeHandler(old)
        old.close()
    handlers: list[logging.Handler] = []
    if path:
        handlers.append(_file_handler(Path(path).expanduser()))
    if screen or (not path and any(os.environ.get(name) for name in (FORM, LEVEL))):
        handlers.append(logging.StreamHandler(sys.stderr if stream is None else stream))
    for handler in handlers:
        handler.setFormatter(JsonLines() if form == "json" else ReadableLines())
        handler._alvin = True  # type: ignore[attr-defined]
        root.addHandler(handler)
    if handlers:
        for name in OURS:
            logging.getLogger(name).setLevel(level.upper())
    return bool(handlers)


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, ``process``, what it is about, facts,
    and of an error ``error``: its class, words, and the places in the code, innermost last.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line of ASCII."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            "process": record.process,
            **_beside(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _error(record.exc_info[1])
        return json.dumps(line, default=lambda _: "…")


class ReadableLines(logging.Formatter):
    """One line an event for people: time (UTC), level, logger, message, then ``name=value``; of errors more lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line; of an error with its traceback, several."""
        beside = "".join(f" {name}={_shown(value)}" for name, value in _beside(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {_message(record)}{beside}"
        if record.exc_info and record.exc_info[1] is not None:
            line += "".join(f"\n    {one}" for one in _error_lines(_error(record.exc_info[1])))
        return line


def _form() -> str:
    form = os.environ.get(FORM, "") or "text"
    if form not in FORMS:
        raise SettingsError(f"{FORM}={form!r} is unknown; set it to text or json, or leave it out")
    return form


def _level() -> str:
    level = (os.environ.get(LEVEL, "") or "info").lower()
    if level not in LEVELS:
        raise SettingsError(f"{level!r} is no level of logs (--log-level, or {LEVEL}); choose {', '.join(LEVELS)}")
    return level


def _file_handler(path: Path) -> logging.Handler:
    try:
        return BoundedFileHandler(path)
    except OSError as error:
        raise SettingsError(f"the log {path} cannot be written: {error.strerror}; name another file") from error


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _message(record: logging.LogRecord) -> str:
    """Return a record's message on one line; of another library with no other values than numbers."""
    if record.name.partition(".")[0] not in OURS:
        return without_values(with_numbers(str(record.msg), record.args))
    arguments = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(words_of(one) if isinstance(one, BaseException) else one for one in arguments)
    try:
        text = str(record.msg) % arguments if arguments else str(record.msg)
    except (TypeError, ValueError):
        text = str(record.msg)
    return _short(text, LONGEST_MESSAGE)


def _beside(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record is about, and its facts."""
    about = {
        name: _short(value, LONGEST_WORD) if isinstance(value, str) else value
        for name, value in (_about.get() or {}).items()
    }
    return {**about, **getattr(record, "facts", {})}


def _error(error: BaseException, depth: int = 0) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    told: dict[str, Any] = {
        "kind": type(error).__name__,
        "words": words_of(error),
        "places": [f"{code_place(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames],
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth < 4:
        told["cause"] = _error(cause, depth + 1)
    return told


def _error_lines(told: Mapping[str, Any]) -> list[str]:
    lines = [*told["places"], str(told["words"])]
    return [*_error_lines(told["cause"]), "and then", *lines] if "cause" in told else lines


def code_place(file: str) -> str:
    """Return a file of code without the folders above its package: they may name a person's home."""
    parts = Path(file).parts
    for base in ("site-packages", "dist-packages", *OURS):
        if base in parts:
            at = len(parts) - 1 - parts[::-1].index(base)
            return "/".join(parts[at + (base not in OURS) :])
    return "/".join(parts[-2:])


def _harmless(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str) and len(value) <= LONGEST_WORD and _PLAIN.fullmatch(value):
        return value
    return "…"


def _shown(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) or text == "…" else json.dumps(text)


def _short(text: str, longest: int) -> str:
    """Return a text on one line, without control characters, cut."""
    words = "".join(one if one.isprintable() else " " for one in " ".join(text.split()))
    return words if len(words) <= longest else words[: longest - 1] + "…"
