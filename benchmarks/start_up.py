"""Time how long one waits for the first sight: `alvin --help` and other commands, and the dashboard's first page.

    python benchmarks/start_up.py                # commands, and the dashboard beside an empty Streamlit app
    python benchmarks/start_up.py --quick        # fewer runs, commands alone
    python benchmarks/start_up.py --stages       # as well: what the page did when

Every run is a new process. Byte code is kept in a folder of its own, as any machine keeps it after the first run,
whatever this shell's environment says. *Cold* means that the system was told to forget the files of the interpreter
and its libraries, which are then read from the disk. The floor of a command is the interpreter's own start, that of the
page the start of an empty app of the same Streamlit in the same kind of process: what is above it is ours. Both servers
take turns; the browser is running, and each visit is by a profile with nothing in its cache. The page is Explore with
the map of 3,000 points; it is drawn when the map has drawn its points. Medians; seconds of the clock, which other work
on the machine stretches, and of the processor, which tell how long it would take on a quiet one.
"""

from __future__ import annotations

import argparse
import datetime
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from big_store import RUN, make_big_store
from ceilings import machine
from dashboard_peer import Served, end_all, serve, until

from dashboard import CHROMIUM, DRAWN, FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

N_POINTS, N_ROUNDS = 3_000, 2
HELP_GOAL, PAGE_GOAL = 0.5, 5.0
ALVIN = "from alvin_core.cli import main; raise SystemExit(main())"
TYPER = """
import typer
app = typer.Typer(rich_markup_mode="markdown", add_completion=False)
@app.command()
def greet(name: str = "you") -> None:
    "Greet."
app()
"""
EMPTY_APP = """
import streamlit as st
from pathlib import Path
app = st.App(Path(__file__).with_name("page.py"))
app.run(config={"server.address": "127.0.0.1", "server.port": %s, "server.headless": True,
                "server.fileWatcherType": "none", "browser.gatherUsageStats": False, "logger.hideWelcomeMessage": True})
"""
EMPTY_PAGE = "import streamlit as st\nst.write('hello')\n"
SAYS_HELLO = "() => document.querySelector('[data-testid=stMarkdown]')?.innerText === 'hello'"


@dataclass
class Times:
    """Seconds of the clock and of the processor, of several runs."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, clock: float, processor: float) -> None:
        self.clock.append(clock)
        self.processor.append(processor)

    def __str__(self) -> str:
        return (
            f"{statistics.median(self.clock):.2f} ({min(self.clock):.2f}–{max(self.clock):.2f}) | "
            f"{statistics.median(self.processor):.2f}"
        )


@contextmanager
def kept_byte_code(folder: Path) -> Iterator[None]:
    """Let Python keep the byte code that it makes, for this process's children."""
    before = {name: os.environ.pop(name, None) for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)
    try:
        yield
    finally:
        del os.environ["PYTHONPYCACHEPREFIX"]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def forget_files(folders: Sequence[Path]) -> int:
    """Tell the system that the files of some folders are not needed soon; return how many bytes that were."""
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            with suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    handle = os.open(path, os.O_RDONLY)
                    try:
                        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
                    finally:
                        os.close(handle)
                    total += path.stat().st_size
    return total


def command_seconds(arguments: Sequence[str]) -> tuple[float, float]:
    """Run ``python *arguments`` to its end; return seconds of the clock and of the processor."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    clock, after = time.perf_counter() - start, os.times()
    return clock, after.children_user + after.children_system - before.children_user - before.children_system


def time_commands(store: Path, repeats: int) -> None:
    """Print the table of the commands."""
    commands = {
        "`python -c pass`: the floor": ("-c", "pass"),
        "`--help` of a Typer app with one command": ("-c", TYPER, "--help"),
        "`alvin --help`": ("-c", ALVIN, "--help"),
        "`alvin run --help`": ("-c", ALVIN, "run", "--help"),
        "`alvin runs`": ("-c", ALVIN, "runs", "--store", str(store)),
        "`alvin show RUN`": ("-c", ALVIN, "show", RUN, "--store", str(store)),
    }
    found = {name: Times() for name in commands}
    for number in range(repeats + 1):  # in turns; the first makes the byte code
        for name, arguments in commands.items():
            seconds = command_seconds(arguments)
            if number:
                found[name].add(*seconds)
    print("| command | clock, median (least–most) | processor |\n|---|--:|--:|")
    for name, times in found.items():
        print(f"| {name} | {times} |")
    median = statistics.median(found["`alvin --help`"].clock)
    print(f"\n`alvin --help`: goal {HELP_GOAL} s, {'met' if median < HELP_GOAL else 'NOT met'}", flush=True)


def time_cold_help(byte_code: Path, repeats: int) -> None:
    """Print what the help takes when its files are on the disk alone."""
    times = Times()
    for _ in range(repeats):
        forget_files([Path(sys.prefix), byte_code, Path(sys.base_prefix) / "lib"])
        times.add(*command_seconds(("-c", ALVIN, "--help")))
    print(f"\n| `alvin --help`, files cold | {times} |\n", flush=True)


@dataclass
class Side:
    """A server to start, and what stands on its page when it is drawn."""

    name: str
    start: Callable[[], Served]
    path: str
    drawn: str
    argument: object = None
    ready: list[float] = field(default_factory=list)
    page: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    scripts: list[int] = field(default_factory=list)

    def visit(self, browser: Browser, *, stages: bool) -> None:
        """Start the server, open its page in an empty profile, and note when what was there."""
        start = time.perf_counter()
        served = self.start()
        ready = time.perf_counter() - start
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        try:
            page = context.new_page()
            told: list[tuple[float, str]] = []

            def note(words: str) -> None:
                told.append((time.perf_counter() - start, words))

            page.on("websocket", lambda socket: socket.on("framesent", lambda _: note("sent to the script")))
            page.on("requestfinished", lambda request: note(f"loaded {request.url.split('/', 3)[3][:60]}"))
            page.goto(served.url + self.path, wait_until="commit")
            until(page, self.drawn, self.argument)
            seconds = time.perf_counter() - start
            self.ready.append(ready)
            self.page.append(seconds - ready)
            self.processor.append(processor_seconds(served.process.pid))
            self.scripts.append(sum(words == "sent to the script" for _, words in told))
            if stages:
                note("drawn")
                print(*(f"{when:6.2f} {words}" for when, words in [(ready, "ready"), *sorted(told)]), sep="\n")
        finally:
            context.close()
            served.end()

    @property
    def total(self) -> list[float]:
        return [ready + page for ready, page in zip(self.ready, self.page, strict=True)]


def processor_seconds(pid: int) -> float:
    """Return the seconds of processor that a process has used, on Linux; elsewhere NaN."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def sides_of(store: Path, folder: Path) -> list[Side]:
    (folder / "page.py").write_text(EMPTY_PAGE, encoding="utf-8")
    (folder / "empty.py").write_text(EMPTY_APP % "int(__import__('sys').argv[1])", encoding="utf-8")

    def ours() -> Served:
        command = ("-P", "-m", "dashboard", "--no-browser", "--port", "PORT", "--store", str(store))
        return serve(command, "/api/ready", folder / "ours.log")

    def empty() -> Served:
        return serve(("-P", str(folder / "empty.py"), "PORT"), "/_stcore/health", folder / "empty.log")

    address = f"/?run={RUN}&round={N_ROUNDS - 1}&page=explore"
    return [Side("ALVIN Studio", ours, address, DRAWN, N_POINTS), Side("empty app", empty, "/", SAYS_HELLO)]


def time_dashboard(store: Path, folder: Path, repeats: int, *, stages: bool) -> None:
    """Print the table of the dashboard and the empty app."""
    from playwright.sync_api import sync_playwright

    sides = sides_of(store, folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for number in range(repeats + 1):  # in turns; the first makes the byte code
            for side in sides:
                side.visit(browser, stages=stages and number == repeats)
                if not number:
                    for values in (side.ready, side.page, side.processor, side.scripts):
                        values.clear()
        browser.close()
    print(
        "| server | start → answers | → first page drawn | in all (least–most) | server's processor s | script runs |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    for side in sides:
        ready, page, total, processor, scripts = (
            statistics.median(values) for values in (side.ready, side.page, side.total, side.processor, side.scripts)
        )
        span = f"{total:.2f} ({min(side.total):.2f}–{max(side.total):.2f})"
        print(f"| {side.name} | {ready:.2f} | {page:.2f} | {span} | {processor:.2f} | {scripts:.0f} |")
    ours, empty = (statistics.median(side.total) for side in sides)
    print(
        f"\nthe first page: goal {PAGE_GOAL} s, {'met' if ours < PAGE_GOAL else 'NOT met'}; "
        f"ours / empty app {ours / empty:.2f}, {ours - empty:.2f} s more"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each command and each server")
    parser.add_argument("--quick", action="store_true", help="3 runs of the commands, no dashboard")
    parser.add_argument("--skip-commands", action="store_true")
    parser.add_argument("--stages", action="store_true", help="print what the page did when, in the last visit")
    parser.add_argument("--store", type=Path, default=None, help="a folder that keeps the store of drawn points")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, end_all)
    repeats = 3 if arguments.quick else arguments.repeats
    print(f"{datetime.date.today()}, {machine()}; load before {os.getloadavg()[0]:.1f}\n", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = make_big_store(arguments.store or folder, N_POINTS)
        with kept_byte_code(folder / "byte-code"):
            if not arguments.skip_commands:
                time_commands(store, repeats)
                time_cold_help(folder / "byte-code", min(repeats, 3))
            if not arguments.quick:
                time_dashboard(store, folder, repeats, stages=arguments.stages)
    print(f"\nload after {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
