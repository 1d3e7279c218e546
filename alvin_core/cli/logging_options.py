"""``--log-level`` and ``--log-file``, which every command takes, and what the logs tell of a command."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from alvin_core.errors import AlvinError, AnnotationNeeded, Cancelled, SettingsError
from alvin_core.logs import FILE, FORM, LEVEL, facts, log_about, log_error, set_up_logs

__all__ = ["logged_command", "take_log_options"]

OPTIONS = {"--log-level": LEVEL, "--log-file": FILE}

log = logging.getLogger("alvin_core.cli")


def take_log_options(arguments: Sequence[str]) -> list[str]:
    """Take the options of logs out, wherever they stand, and set the variables that this and other processes read.

    Raises
    ------
    SettingsError
        When one of them has no value.
    """
    kept: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return [*kept, argument, *waiting]
        name, equals, value = argument.partition("=")
        if name not in OPTIONS:
            kept.append(argument)
            continue
        if not equals:
            if not waiting:
                raise SettingsError(
                    f"{name} needs a value, such as {name} {'info' if 'level' in name else 'alvin.log'}"
                )
            value = waiting.pop(0)
        # Absolute, because the processes that write to it too may work in other folders.
        os.environ[OPTIONS[name]] = str(Path(value).expanduser().absolute()) if name == "--log-file" else value
    return kept


def logged_command(arguments: Sequence[str], invoke: Callable[[], int]) -> int:
    """Invoke a command; where logs are asked for, tell which, how it ended and how long it took, not what it was given.

    Raises
    ------
    BaseException
        As the command does; `SettingsError` when a variable of the logs has an unknown value.
    """
    if not any(os.environ.get(name) for name in (FORM, LEVEL, FILE)):
        return invoke()
    set_up_logs()
    from alvin_core.cli.commands import COMMANDS

    name = next((one for one in arguments if not one.startswith("-")), "help")
    with log_about(command=name if name in COMMANDS else "unknown"):
        start = time.perf_counter()
        log.info("command begins")
        try:
            code = invoke()
        except BaseException as error:
            _tell_error(error, time.perf_counter() - start)
            raise
        log.info("command ends", extra=facts(code=code, seconds=time.perf_counter() - start))
        return code


def _tell_error(error: BaseException, seconds: float) -> None:
    code = getattr(error, "exit_code", None)  # typer's: of its own errors of use as well
    if isinstance(error, AnnotationNeeded | Cancelled | KeyboardInterrupt | SystemExit | BrokenPipeError) or (
        code is not None and not isinstance(error, AlvinError)
    ):
        log.info("command ends", extra=facts(code=code, why=type(error).__name__, seconds=seconds))
    else:
        log_error(log, "command fails", error, seconds=seconds)
