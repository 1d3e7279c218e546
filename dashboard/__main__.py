"""``python -m dashboard``: serve one store until interrupted, on this machine unless told otherwise."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from dashboard.sign_in import SignIn

ADDRESS = "127.0.0.1"
READY = "/api/ready"
WAIT = 60.0  # seconds for the server to answer before the browser is opened anyway


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, and return the exit code: 0 after Ctrl-C, 2 on an error of use."""
    options = _parse(arguments)
    # Late: wrong options are answered before the rest is imported.
    from alvin_core import AlvinError, set_up_logs, store_folder
    from dashboard import serving

    if options.sign_in is not None:
        os.environ["ALVIN_SIGN_IN"] = str(options.sign_in)
    try:
        options.store = store_folder(options.store)
        os.environ["ALVIN_STORE"] = str(options.store)
        set_up_logs()
        access = serving.open_sign_in()
        names = serving.known_names(options.host, options.name, access)
        problem = _why_not(options)
    except AlvinError as error:
        problem = str(error)
    if problem:
        return _say(problem, 2)
    for warning in serving.warnings_of(options.host, options.port, access):
        _say(f"warning: {warning}")
    url = _announce(options, access)
    if not options.no_browser:
        threading.Thread(target=_open_when_ready, args=(url, options), daemon=True).start()
    with suppress(KeyboardInterrupt):  # by now everything is ended and closed
        _serve(options, names, access)
    return 0


def _say(words: str, code: int = 0) -> int:
    sys.stderr.write(f"alvin: {words}\n")
    sys.stderr.flush()
    return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Serve ALVIN Studio's dashboard.")
    default = os.environ.get("ALVIN_STORE") or "alvin-store"
    sign_in = os.environ.get("ALVIN_SIGN_IN")
    parser.add_argument("--store", default=default, metavar="DIR|URL", help="folder or database of the runs")
    parser.add_argument("--port", type=int, default=8501, metavar="N", help="port on this machine")
    parser.add_argument("--host", default=ADDRESS, metavar="ADDRESS", help="where to listen; this machine alone")
    parser.add_argument("--name", action="append", default=[], metavar="NAME", help="a name that browsers call it by")
    parser.add_argument(
        "--sign-in", type=_folder, default=_folder(sign_in) if sign_in else None, metavar="FILE.toml", help="who may"
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    return parser.parse_args(arguments)


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _why_not(options: argparse.Namespace) -> str:
    """Say why this port or store cannot be served, with the remedy; empty when it can."""
    from dashboard.serving import why_not_bound

    if not 1 <= options.port <= 65535:
        return f"port {options.port} is out of range: it must be between 1 and 65535"
    if options.store.exists() and not options.store.is_dir():
        return f"{options.store} is a file; a store is a folder: name another with --store"
    return why_not_bound(options.host, options.port)


def _announce(options: argparse.Namespace, access: SignIn | None) -> str:
    """Say where the dashboard is, and return where this machine's own browser finds it."""
    url = _own_address(options) if access is None else access.file.origin
    sys.stdout.write(f"ALVIN Studio: {url} (store {options.store}; Ctrl-C ends it)\n")
    sys.stdout.flush()
    return url


def _own_address(options: argparse.Namespace) -> str:
    own = ADDRESS if options.host in ("0.0.0.0", "::") else options.host
    return f"http://[{own}]:{options.port}" if ":" in own else f"http://{own}:{options.port}"


def _open_when_ready(url: str, options: argparse.Namespace) -> None:
    for _ in range(int(WAIT / 0.2)):
        try:
            with urlopen(_own_address(options) + READY, timeout=1):
                break
        except (URLError, OSError):
            sleep(0.2)
    webbrowser.open(url)


def _tell_troubles(access: SignIn) -> None:
    from dashboard.serving import provider_troubles

    for trouble in provider_troubles(access):
        _say(f"warning: {trouble}")


def _serve(options: argparse.Namespace, names: tuple[str, ...], access: SignIn | None) -> None:
    # Late: everything above answers before Streamlit is imported.
    from alvin_core import set_up_logs
    from dashboard.server import make_app
    from dashboard.serving import server_config

    if access is not None:
        set_up_logs(screen=True)  # what people do, and who was refused
        threading.Thread(target=_tell_troubles, args=(access,), daemon=True).start()
    make_app(names, access).run(config=server_config(options.host, options.port, has_sign_in=access is not None))


if __name__ == "__main__":
    sys.exit(main())
