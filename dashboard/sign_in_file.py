"""The sign-in file: which provider vouches for people, and what each of them may do.

It has the section ``[auth]`` of Streamlit's OpenID Connect, and ``[roles]``, ``[session]`` and ``[monitoring]`` of our
own. It holds secrets: it must be its owner's alone, and lie outside of the store, which is packed and backed up.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlparse

from alvin_core import SettingsError

__all__ = ["DEFAULT_HOURS", "Provider", "SignInFile", "address_of", "read_sign_in_file"]

SECTIONS: Final = ("auth", "roles", "session", "monitoring")
ROLES: Final = ("viewer", "annotator", "owner")
PROVIDER_KEYS: Final = ("client_id", "client_secret", "server_metadata_url")
CALLBACK: Final = "/oauth2callback"
DEFAULT_HOURS: Final = 12.0
LONGEST_HOURS: Final = 30 * 24.0  # the life of Streamlit's cookie
SHORTEST_SECRET: Final = 32  # characters
MAX_BYTES: Final = 2**20
NEW_SECRET: Final = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
_PERSON: Final = re.compile(r"(\*|[^\s@*]+)@[^\s@*]+\.?[^\s@*]*")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Provider:
    """One OpenID Connect provider.

    Attributes
    ----------
    name : str
        As the file calls it; ``default`` where it has one without a name.
    client_id : str
    metadata_url : str
    """

    name: str
    client_id: str
    metadata_url: str


@dataclass(frozen=True)
class SignInFile:
    """What the file says.

    Attributes
    ----------
    auth : dict
        The section ``[auth]``, as Streamlit takes it.
    providers : tuple of Provider
    origin : str
        Where the dashboard is for browsers, such as ``https://lab.example.org``.
    roles : dict of pattern to role
        Pattern: an address, or ``*@domain``; in lower case.
    hours : float
        For which a sign-in holds.
    token : str
        What a monitor shows to read ``/metrics``; empty where none may.
    """

    auth: dict[str, Any]
    providers: tuple[Provider, ...]
    origin: str
    roles: dict[str, str]
    hours: float
    token: str

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the dashboard encrypted."""
        return self.origin.startswith("https://")

    def role_of(self, email: str) -> str | None:
        """Return the role of an address: what is said of it by name goes before what is said of its domain."""
        lower = address_of(email)
        return self.roles.get(lower) or self.roles.get("*@" + lower.rpartition("@")[2])


def address_of(email: str) -> str:
    """Return an address in the one form in which addresses are compared.

    Of letters beyond ASCII some become ASCII in lower case, such as the Kelvin sign: another person's address.
    """
    return "".join(one.lower() if one.isascii() else one for one in email)


def read_sign_in_file(path: Path, store: Path | None = None) -> SignInFile:
    """Read and check a sign-in file.

    Parameters
    ----------
    path : Path
    store : Path, optional
        Folder that it must not lie in.

    Raises
    ------
    SettingsError
        When it cannot be read, may be read by others, or something in it is missing or wrong.
    """
    content, status = _parsed(path)
    # Only then: of a file that is something else, its permissions are not what is wrong with it.
    _check_place(path, status, store)
    try:
        return _checked(content)
    except SettingsError as error:
        raise SettingsError(f"the sign-in file {path}: {error}") from error


def _parsed(path: Path) -> tuple[dict[str, Any], os.stat_result]:
    """Return what stands in the file, and whose what was read is."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise SettingsError(f"the sign-in file {path} is no file; check --sign-in")
        with path.open("rb") as file:
            status, text = os.fstat(file.fileno()), file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"cannot read the sign-in file {path}: {error.strerror}; check --sign-in") from error
    if len(text) > MAX_BYTES:
        raise SettingsError(f"the sign-in file {path} is longer than {MAX_BYTES:,} bytes; check --sign-in")
    try:
        return tomllib.loads(text.decode("utf-8")), status
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"the sign-in file {path} is no TOML: {error}; check --sign-in") from error


def _check_place(path: Path, status: os.stat_result, store: Path | None) -> None:
    mode = status.st_mode
    if os.name == "posix" and mode & 0o077:
        raise SettingsError(
            f"the sign-in file {path} holds secrets, and others on this machine may read or change it "
            f"(mode {stat.S_IMODE(mode):o}): chmod 600 {path}"
        )
    if os.name == "posix" and status.st_uid not in (0, os.geteuid()):
        raise SettingsError(
            f"the sign-in file {path} belongs to the user {status.st_uid}, who could give anybody a role, and the "
            f"server runs as {os.geteuid()}: chown {os.geteuid()} {path}"
        )
    if store is not None and path.resolve().is_relative_to(store.resolve()):
        raise SettingsError(f"the sign-in file {path} lies in the store, which is backed up: move it elsewhere")


def _checked(content: Mapping[str, Any]) -> SignInFile:
    unknown = sorted(set(content) - set(SECTIONS))
    if unknown:
        raise SettingsError(f"section [{unknown[0]}] is unknown; there are [{'], ['.join(SECTIONS)}]")
    auth, roles, session, monitoring = (_section(content, name) for name in SECTIONS)
    if not auth:
        raise SettingsError("section [auth] is missing: it names the provider, see docs/teams.md")
    origin = _origin(_text(auth, "auth", "redirect_uri"))
    secret = _text(auth, "auth", "cookie_secret")
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"cookie_secret in [auth] has {len(secret)} characters, at least {SHORTEST_SECRET} are needed: {NEW_SECRET}"
        )
    return SignInFile(
        auth=dict(auth),
        providers=_providers(auth),
        origin=origin,
        roles=_roles(roles),
        hours=_hours(session),
        token=_token(monitoring),
    )


def _section(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = content.get(name, {})
    if not isinstance(section, dict):
        raise SettingsError(f"[{name}] must be a section")
    return section


def _text(section: Mapping[str, Any], name: str, key: str) -> str:
    value = section.get(key)
    if not isinstance(value, str) or not value.strip():
        missing = "is missing" if value is None else "must be a text that is not empty"
        raise SettingsError(f"{key} in [{name}] {missing}")
    return value


def _origin(redirect_uri: str) -> str:
    try:
        parts = urlparse(redirect_uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or parts.path != CALLBACK or parts.query or parts.fragment:
        raise SettingsError(
            f"redirect_uri = {redirect_uri!r} in [auth] must be the dashboard's own address and {CALLBACK}, "
            f"such as https://lab.example.org{CALLBACK}"
        )
    if parts.scheme == "http" and host not in _LOCAL:
        raise SettingsError(
            f"redirect_uri = {redirect_uri!r} in [auth] begins with http://, so that cookies and texts could be read "
            "on the way: put a proxy with TLS before the dashboard and begin it with https://"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _providers(auth: Mapping[str, Any]) -> tuple[Provider, ...]:
    named = {name: section for name, section in auth.items() if isinstance(section, dict) and name != "client_kwargs"}
    if any(key in auth for key in PROVIDER_KEYS) or not named:
        named = {"default": auth, **named}
    for name in named:
        if "_" in name:
            raise SettingsError(f"the provider's name {name!r} in [auth] has an underscore; take another name")
    return tuple(_provider(name, section) for name, section in named.items())


def _provider(name: str, section: Mapping[str, Any]) -> Provider:
    where = "auth" if name == "default" else f"auth.{name}"
    client_id, _, url = (_text(section, where, key) for key in PROVIDER_KEYS)
    host = urlparse(url).hostname
    if host is None or not (url.startswith("https://") or (url.startswith("http://") and host in _LOCAL)):
        raise SettingsError(f"server_metadata_url = {url!r} in [{where}] must begin with https://")
    return Provider(name, client_id, url)


def _roles(section: Mapping[str, Any]) -> dict[str, str]:
    unknown = sorted(set(section) - set(ROLES))
    if unknown:
        raise SettingsError(f"role {unknown[0]!r} in [roles] is unknown; there are {', '.join(ROLES)}")
    found: dict[str, str] = {}
    for role in ROLES:
        people = section.get(role, [])
        if not isinstance(people, list) or not all(isinstance(one, str) for one in people):
            raise SettingsError(f'{role} in [roles] must be a list of addresses, such as ["ada@lab.org", "*@lab.org"]')
        for one in people:
            if not _PERSON.fullmatch(one):
                raise SettingsError(f'{one!r} in [roles] is neither an address nor all of a domain ("*@lab.org")')
            found[address_of(one)] = role  # the highest, where somebody has two
    if "owner" not in found.values():
        raise SettingsError("[roles] names no owner: nobody could start a run")
    return found


def _hours(section: Mapping[str, Any]) -> float:
    _only(section, "session", "hours")
    hours = section.get("hours", DEFAULT_HOURS)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= LONGEST_HOURS:
        raise SettingsError(f"hours = {hours!r} in [session] must be a number above 0 and at most {LONGEST_HOURS:.0f}")
    return float(hours)


def _token(section: Mapping[str, Any]) -> str:
    _only(section, "monitoring", "token")
    if "token" not in section:
        return ""
    token = _text(section, "monitoring", "token")
    if len(token) < SHORTEST_SECRET or not token.isascii():
        raise SettingsError(f"token in [monitoring] needs {SHORTEST_SECRET} ASCII characters or more: {NEW_SECRET}")
    return token


def _only(section: Mapping[str, Any], name: str, key: str) -> None:
    unknown = sorted(set(section) - {key})
    if unknown:
        raise SettingsError(f"{unknown[0]} in [{name}] is unknown; there is {key}")
