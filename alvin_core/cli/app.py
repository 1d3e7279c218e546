"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from alvin_core.cli.commands import COMMANDS, Listed
from alvin_core.cli.logging_options import logged_command, take_log_options
from alvin_core.cli.output import complain, reason, say, silence_pipe, use_utf8
from alvin_core.errors import AlvinError, Cancelled
from alvin_core.quiet import QUIET

__all__ = ["app", "build_command", "run_app"]

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE = 141  # 128 + SIGPIPE

app = typer.Typer(
    name="alvin",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Start with `alvin demo`, `alvin dashboard`, or `alvin run --data reviews`; `alvin samples` lists more.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # late: a tenth of the time that the help takes

        say(f"alvin {version('alvin-studio')}")
        raise typer.Exit


@app.callback()
def alvin(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error. Taken after the command as well.")
    ] = False,
    log_level: Annotated[
        str | None,
        typer.Option(
            "--log-level",
            metavar="LEVEL",
            help="Write a log: debug, info, warning or error. Taken after the command as well, as the next one is.",
        ),
    ] = None,
    log_file: Annotated[
        str | None, typer.Option("--log-file", metavar="FILE", help="Add the log to a file, not to standard error.")
    ] = None,
) -> None:
    """Active learning via interpolation: run rounds on your texts, and see why each example is picked."""


def build_command(name: str | None = None) -> typer.core.TyperGroup:
    """Build the command tree.

    Parameters
    ----------
    name : str, optional
        The one command that is called: the modules of the others are not imported, and they are there by name and
        summary alone, which is what the help and a misspelt name need. None builds all of them.
    """
    from typer.main import get_group

    for one, listed in COMMANDS.items():
        if name in (None, one):
            import_module(f"alvin_core.cli.{listed.module}")
    tree = get_group(app)
    tree.commands = {one: tree.commands.get(one) or _as_listed(one, listed) for one, listed in COMMANDS.items()}
    return tree


def _as_listed(name: str, listed: Listed) -> typer.core.TyperCommand:
    return typer.core.TyperCommand(name, help=listed.summary, rich_help_panel=listed.panel)


def run_app(argv: Sequence[str] | None = None) -> int:
    """Run the application and return its exit code; errors become one line on standard error."""
    use_utf8()
    arguments, debug = _take_debug(list(sys.argv[1:] if argv is None else argv))
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        arguments = take_log_options(arguments)
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
            return logged_command(arguments, lambda: _invoke(arguments or ["--help"]))
    except BaseException as error:
        if debug and not isinstance(error, SystemExit | typer.Exit):
            traceback.print_exc()
        return _exit_code(error)


def _invoke(arguments: list[str]) -> int:
    # Every option before the command is a flag, so the first other word is its name.
    command = build_command(next((word for word in arguments if not word.startswith("-")), ""))
    with command.make_context("alvin", arguments) as context:
        command.invoke(context)
    sys.stdout.flush()
    return 0


def _take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Take ``--debug`` out, wherever it stands."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--debug"]
    return kept + arguments[end:], len(kept) < end


def _exit_code(error: BaseException) -> int:
    if isinstance(error, typer.Exit):
        return error.exit_code
    # The help is drawn by a console of typer's own, which ends the process when its reader goes away.
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        silence_pipe()
        return BROKEN_PIPE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, KeyboardInterrupt | Cancelled | typer.Abort):
        _complain(reason(error) if isinstance(error, Cancelled) else "stopped; everything finished before is kept")
        return INTERRUPTED
    if isinstance(error, AlvinError):
        _complain(reason(error))
        return 2
    format_message = getattr(error, "format_message", None)
    if format_message is not None:  # an error of use, found by typer; its class has no public name
        _complain(f"{reason(format_message())} (help: {_help_for(error)})")
        return 2
    _complain(f"{type(error).__name__}: {reason(error)} (a fault in this program; run again with --debug to see where)")
    return 1


def _help_for(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context is not None else 'alvin'} --help"


def _complain(text: str) -> None:
    try:
        complain(text)
    except OSError:  # nobody reads standard error
        silence_pipe()
