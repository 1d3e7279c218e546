"""``alvin dashboard``: the screens, in a process of their own."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import StoreOption, store_path
from alvin_core.errors import SettingsError, StoreError

__all__ = ["PORT", "dashboard", "serve_dashboard", "why_no_dashboard"]

PORT = 8501
HOST = "127.0.0.1"
GRACE = 20.0  # seconds the server has to end its worker and itself
REMEDY = "pip install 'alvin-studio[dashboard]'"


@app.command(rich_help_panel="Runs", epilog="Example: `alvin dashboard --store /tmp/demo --port 8600`")
def dashboard(
    store: StoreOption = None,
    port: Annotated[int, typer.Option("--port", "-p", help="Port on this machine, from 1 to 65535.")] = PORT,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for every one.")] = HOST,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="A name that browsers call it by; may be repeated.")
    ] = None,
    sign_in: Annotated[
        Path | None, typer.Option("--sign-in", help="TOML file of who may sign in, see docs/teams.md.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address only.")] = False,
) -> None:
    """Open the dashboard: the map, the rounds, why each pick, and labelling.

    It answers on this machine alone (127.0.0.1) until Ctrl-C; anybody whom another --host lets in may do everything,
    unless --sign-in names who may. Rounds are run by a worker process that it starts and ends; whatever is interrupted
    goes on from the last whole round.
    """
    problem = why_no_dashboard()
    if problem:
        raise SettingsError(problem)
    more = ["--host", host, *(part for one in name or () for part in ("--name", one))]
    if sign_in is not None:
        more += ["--sign-in", str(sign_in.expanduser().absolute())]
    code = serve_dashboard(store_path(store), port=port, open_browser=not no_browser, more=more)
    if code:
        raise typer.Exit(code)


def why_no_dashboard() -> str:
    """Say what is missing for the dashboard, with the remedy; empty where nothing is."""
    for package in ("dashboard", "streamlit"):
        # The dashboard is a package beside this one; only its own process imports it.
        if importlib.util.find_spec(package) is None:
            return f"the dashboard needs the package {package!r}, which is not installed: {REMEDY}"
    return ""


def serve_dashboard(store: Path, *, port: int, open_browser: bool, more: Sequence[str] = ()) -> int:
    """Serve a store until Ctrl-C and return the exit code of the server; ``more`` are options for it.

    Raises
    ------
    SettingsError
        When there is no such port.
    StoreError
        When the store is a file.
    """
    if not 1 <= port <= 65535:
        raise SettingsError(f"--port {port} is out of range: it must be between 1 and 65535")
    if store.exists() and not store.is_dir():
        raise StoreError(f"{store} is a file; a store is a folder: name another with --store")
    from alvin_core.worker.starting import python_command, worker_environment

    # As the worker is started: a file "dashboard.py" in the folder at hand is not what is meant.
    command = [*python_command("dashboard"), "--store", str(store.absolute()), "--port", str(port), *more]
    process = subprocess.Popen(command if open_browser else [*command, "--no-browser"], env=worker_environment())
    # `kill` of this process must end the server too, and through it the worker.
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return _wait(process)
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        code = process.wait()
    except KeyboardInterrupt:  # the terminal sent it to the server as well, which is ending
        code = _end(process)
    return 0 if code in (0, -signal.SIGINT, -signal.SIGTERM, 130, 143) else code


def _end(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.terminate()
    try:
        return process.wait(GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        return process.wait()
