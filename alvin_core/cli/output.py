"""Standard output and standard error: what goes where, and how figures read."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from alvin_core.experiments.words import counted

__all__ = [
    "complain",
    "counted",
    "error_console",
    "figure",
    "harmless",
    "harmless_json",
    "listing",
    "one_line",
    "percent",
    "plain_table",
    "print_json",
    "reason",
    "say",
    "screen_width",
    "seconds",
    "silence_pipe",
    "tell",
    "use_utf8",
    "warn",
]

PIPED_WIDTH = 100  # columns of a table where there is no terminal to ask
# What terminals obey, apart from a tab and the end of a line, and what turns the direction of writing around.
_COMMANDS = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")


def use_utf8() -> None:
    """Let both streams write any text, and each line at once, so that a pipe sees a round as soon as it ends."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace", line_buffering=True)


def silence_pipe() -> None:
    """Point standard output at nothing, after its reader has gone, so that the interpreter's last flush is silent."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process here; `run_app` does it, for every kind of output alike


def _console(stream: TextIO) -> Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return _Console(file=stream, width=width, highlight=False)


def error_console() -> Console:
    """A console on standard error, for progress."""
    return _console(sys.stderr)


def screen_width() -> int:
    """Columns that running text may take."""
    return shutil.get_terminal_size((PIPED_WIDTH, 0)).columns


def say(text: str = "", style: str | None = None) -> None:
    """Write one line of the result to standard output, never wrapped or cut."""
    _console(sys.stdout).print(Text(harmless(text), style=style or ""), soft_wrap=True)


def tell(text: str) -> None:
    """Write one line that is not the result to standard error."""
    _console(sys.stderr).print(Text(harmless(text), style="dim"), soft_wrap=True)


def warn(text: str) -> None:
    """Write a warning to standard error."""
    line = Text("warning: ", style="yellow").append(reason(text), style="not bold default")
    _console(sys.stderr).print(line, soft_wrap=True)


def complain(text: str) -> None:
    """Write the one line of an error to standard error."""
    line = Text("alvin: ", style="bold red").append(reason(text), style="not bold default")
    _console(sys.stderr).print(line, soft_wrap=True)


def print_json(value: object) -> None:
    """Write a value as one line of JSON to standard output; NaN, which JSON has not, becomes null."""
    line = json.dumps(_without_nan(value), ensure_ascii=False, allow_nan=False)
    sys.stdout.write(harmless_json(line) + "\n")
    sys.stdout.flush()


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def listing(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Write a table to standard output, never cut: a name in it can be copied, and a pipe gets all of it.

    Parameters
    ----------
    columns : sequence of str
    rows : iterable of sequences
        Cells; None is shown as a dash.
    right : sequence of str
        The columns of figures, aligned to the right.
    """
    cells = [["–" if cell is None else one_line(str(cell)) for cell in row] for row in rows]
    widths = [max(cell_len(line[at]) for line in (columns, *cells)) for at in range(len(columns))]

    def aligned(line: Sequence[str]) -> str:
        # Chinese, say, takes two places a character.
        blanks = [" " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)]
        parts = zip(columns, line, blanks, strict=True)
        return "  ".join(blank + cell if name in right else cell + blank for name, cell, blank in parts).rstrip()

    say(aligned(columns), style="bold")
    for line in cells:
        say(aligned(line))


def plain_table(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Write rows of names and values to standard output, columns aligned, without lines or colours."""
    n_columns = max((len(row) for row in rows), default=0)
    widths = [max((len(row[at]) for row in rows if at < len(row)), default=0) for at in range(n_columns)]
    for row in rows:
        say(indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip())


def figure(value: float | None, digits: int = 3) -> str:
    """Write a share or score the short way, ``.812``; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def percent(share: float | None) -> str:
    """Write a share as a percentage; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.0f}%"


def seconds(value: float | None) -> str:
    """Write a duration for people: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if value is None:
        return "–"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def reason(error: BaseException | str) -> str:
    """Return what went wrong as one line."""
    return one_line(str(error)) or type(error).__name__


def harmless(text: str) -> str:
    """Return a text in which nothing is a command to a terminal, such as to clear it, or turns the line around."""
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)


def harmless_json(text: str) -> str:
    """Return JSON that means the same, in which nothing is a command to a terminal, or turns the line around."""
    # JSON itself escapes the older control characters alone; the rest mean the same when they are written out.
    return _COMMANDS.sub(lambda one: f"\\u{ord(one[0]):04x}", text)


def one_line(text: str, longest: int | None = None) -> str:
    """Return a text as one line without control characters, cut at ``longest`` characters."""
    words = " ".join(text.split())
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words)
    return shown if longest is None or len(shown) <= longest else shown[: longest - 1].rstrip() + "…"
