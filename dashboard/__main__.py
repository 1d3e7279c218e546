"""``python -m dashboard``: serve one store on this machine until interrupted."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from urllib.error import URLError
from urllib.request import urlopen

ADDRESS = "127.0.0.1"  # never the network: there are no accounts, and texts may be private
READY = "/api/ready"
MAX_UPLOAD = 200  # megabytes of one file
WAIT = 60.0  # seconds for the server to answer before the browser is opened anyway


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, and return the exit code: 0 after Ctrl-C, 2 on an error of use."""
    options = _parse(arguments)
    problem = _why_not(options.port, options.store)
    if problem:
        sys.stderr.write(f"alvin: {problem}\n")
        return 2
    os.environ["ALVIN_STORE"] = str(options.store)
    url = f"http://{ADDRESS}:{options.port}"
    sys.stdout.write(f"ALVIN Studio: {url} (store {options.store}; Ctrl-C ends it)\n")
    sys.stdout.flush()
    if not options.no_browser:
        threading.Thread(target=_open_when_ready, args=(url,), daemon=True).start()
    with suppress(KeyboardInterrupt):  # by now everything is ended and closed
        _serve(options.port)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Serve ALVIN Studio's dashboard.")
    default = os.environ.get("ALVIN_STORE") or "alvin-store"
    parser.add_argument("--store", type=_folder, default=_folder(default), metavar="DIR", help="folder of the runs")
    parser.add_argument("--port", type=int, default=8501, metavar="N", help="port on this machine")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    return parser.parse_args(arguments)


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _why_not(port: int, store: Path) -> str:
    """Say why this port or store cannot be served, with the remedy; empty when it can."""
    if not 1 <= port <= 65535:
        return f"port {port} is out of range: it must be between 1 and 65535"
    if store.exists() and not store.is_dir():
        return f"{store} is a file; a store is a folder: name another with --store"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name != "nt":  # as the server binds: a port in its last seconds of closing is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                return f"port {port} may not be used by this user; choose one from 1024 up with --port"
            return f"port {port} is in use, perhaps by another dashboard; choose another with --port {port % 65535 + 1}"
    return ""


def _open_when_ready(url: str) -> None:
    for _ in range(int(WAIT / 0.2)):
        try:
            with urlopen(url + READY, timeout=1):
                break
        except (URLError, OSError):
            sleep(0.2)
    webbrowser.open(url)


def _serve(port: int) -> None:
    # Late: everything above answers before Streamlit is imported.
    from dashboard.server import app

    app.run(
        config={
            "server.address": ADDRESS,
            "server.port": port,
            "server.headless": True,  # the browser is opened above, once the server answers
            "server.maxUploadSize": MAX_UPLOAD,
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": False,
            "logger.hideWelcomeMessage": True,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
