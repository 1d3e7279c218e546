"""Where the server listens, and what is said about it before it does."""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from alvin_core import AlvinError, SettingsError

if TYPE_CHECKING:
    from dashboard.sign_in import SignIn
    from dashboard.sign_in_file import Provider

__all__ = [
    "LOCAL",
    "is_local",
    "known_names",
    "open_sign_in",
    "provider_troubles",
    "server_config",
    "warnings_of",
    "why_not_bound",
]

LOCAL: Final = "127.0.0.1"  # never the network unless told: texts may be private
MAX_UPLOAD: Final = 200  # megabytes of one file
PATIENCE: Final = 5.0  # seconds for a provider to answer
MOST_SKEW: Final = 60.0  # seconds; Authlib refuses a sign-in from 120
NEEDED: Final = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
REMEDY: Final = "pip install 'alvin-studio[team]'"
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE)


def is_local(host: str) -> bool:
    """Return whether what listens there can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def known_names(host: str, names: list[str], access: SignIn | None) -> tuple[str, ...]:
    """Return the names that the server answers to beside this machine's own.

    Raises
    ------
    SettingsError
        When one is no name of a machine.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise SettingsError(f"--name {name!r} is no name of a machine; give it bare, such as lab.example.org")
    found = [*names]
    if not is_local(host) and _NAME.fullmatch(host) and not re.fullmatch(r"[0-9.]+", host):
        found.append(host)
    if access is not None:
        found.append(urlsplit(access.file.origin).hostname or "")
    return tuple(dict.fromkeys(found))


def open_sign_in() -> SignIn | None:
    """Return the sign-in that the environment names.

    Raises
    ------
    SettingsError
        When its file cannot be used, or what signs people in is not installed.
    """
    from dashboard.sign_in import sign_in

    access = sign_in()
    if access is not None and find_spec("authlib") is None:
        raise SettingsError(f"sign-in needs the package 'authlib', which is not installed: {REMEDY}")
    return access


def warnings_of(host: str, port: int, access: SignIn | None) -> list[str]:
    """Return what must be known of a server that listens beyond this machine."""
    if is_local(host):
        return []
    where = f"the dashboard listens on {host}, port {port}: other machines reach it"
    if access is None:
        return [
            f"{where}, and no sign-in is configured.\n"
            "  Whoever does can read every text, give labels, start, change and delete runs, and have this machine "
            "read any data file that you may read.\n"
            "  Either configure sign-in (--sign-in FILE.toml, see docs/teams.md), or leave --host out and let people "
            f"in by ssh: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE"
        ]
    if not access.file.is_secure:
        return [
            f"{where}, but browsers are sent to {access.file.origin}, which is this machine alone.\n"
            "  Set redirect_uri to the address that people use; it must begin with https://"
        ]
    return [
        f"{where} without encryption; people come in by {access.file.origin}.\n"
        "  Where the proxy with TLS runs on this machine, leave --host out; else let a firewall allow the proxy alone."
    ]


def provider_troubles(access: SignIn) -> Iterator[str]:
    """Ask each provider for its description, and yield what will keep people from signing in."""
    for provider in access.file.providers:
        try:
            content, date = _description(provider)
        except (URLError, OSError, ValueError, AlvinError) as error:
            reason = getattr(error, "reason", None) or error
            yield f"nobody can sign in: {provider.metadata_url} cannot be read: {reason}"
            continue
        missing = [key for key in NEEDED if not isinstance(content.get(key), str)]
        if missing:
            yield f"nobody can sign in: {provider.metadata_url} does not say its {missing[0]}; is it the right address?"
        elif date is not None and abs(skew := (datetime.now(UTC) - date).total_seconds()) > MOST_SKEW:
            way = "ahead of" if skew > 0 else "behind"
            yield (
                f"the clock of this machine is {abs(skew):.0f} seconds {way} that of {provider.metadata_url}; "
                "from 120 seconds sign-ins are refused: set it right"
            )


def _description(provider: Provider) -> tuple[dict[str, Any], datetime | None]:
    with urlopen(provider.metadata_url, timeout=PATIENCE) as answer:  # https, or this machine: the file was checked
        content = json.loads(answer.read(2**20))
        said = answer.headers.get("Date")
    if not isinstance(content, dict):
        raise AlvinError("it is no description of a provider")
    date = parsedate_to_datetime(said) if said else None
    return content, date if date is None or date.tzinfo else date.replace(tzinfo=UTC)


def server_config(host: str, port: int, *, has_sign_in: bool = False) -> dict[str, Any]:
    """Return Streamlit's options.

    What guards the server is said here, so that no ``.streamlit/config.toml`` of a folder that somebody starts it in
    turns it off. Where people sign in, a page that fails tells them nothing of this machine: its log has the error.
    """
    errors = {"client.showErrorDetails": "none"} if has_sign_in else {}
    return errors | {
        "server.address": host,
        "server.port": port,
        "server.headless": True,  # the browser is opened by us, once the server answers
        "server.maxUploadSize": MAX_UPLOAD,
        "server.fileWatcherType": "none",
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.corsAllowedOrigins": [],
        "server.trustedUserHeaders": {},
        "server.enableAgentApi": False,
        "server.enableStaticServing": False,
        "server.scriptHealthCheckEnabled": False,
        "server.baseUrlPath": "",
        "server.customComponentBaseUrlPath": "",
        "server.xsrfCookieSameSite": "lax",
        "server.unsafeMetricsUserAttributes": [],  # figures name nobody
        "server.enableWebsocketCompression": False,  # a small message stays small
        "global.developmentMode": False,
        "global.e2eTest": False,  # browsers could end the server
        "client.allowedOrigins": [],
        "secrets.files": [],
        "browser.gatherUsageStats": False,
        "logger.hideWelcomeMessage": True,
    }


def why_not_bound(host: str, port: int) -> str:
    """Say why a server cannot listen there, with the remedy; empty when it can."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        return f"--host {host!r} is no address of this machine; name one, such as 127.0.0.1 or 0.0.0.0"
    with socket.socket(family, kind) as probe:
        return _try_bind(probe, place)


def _try_bind(probe: socket.socket, place: Any) -> str:
    if os.name != "nt":  # as the server binds: a port in its last seconds of closing is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(place)
    except OSError as error:
        port = place[1]
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"port {port} may not be used by this user; choose one from 1024 up with --port"
        if error.errno == errno.EADDRNOTAVAIL:
            return f"--host {place[0]} is no address of this machine; name one, such as 127.0.0.1 or 0.0.0.0"
        return f"port {port} is in use, perhaps by another dashboard; choose another with --port {port % 65535 + 1}"
    return ""
