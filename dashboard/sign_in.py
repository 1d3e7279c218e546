"""Who is signed in: what a cookie is worth now.

A cookie is Streamlit's: the provider's claims of a person, signed with the secret of the sign-in file. It lives in the
browser and would hold for a month. So whatever it is shown to asks here whether it still counts: whether it is young
enough, was not signed out, and whether the file still gives its person a role. The file's roles are read again when it
changes, and a file that cannot be read lets nobody in.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final, Literal

from alvin_core import SettingsError
from dashboard.sign_in_file import SignInFile, address_of, read_sign_in_file
from dashboard.signed_out import SignedOut

if TYPE_CHECKING:
    from dashboard.people import Role

__all__ = ["FILE", "Found", "SignIn", "sign_in"]

FILE: Final = "ALVIN_SIGN_IN"  # environment variable: the sign-in file that the server was started with
LOOK_AGAIN: Final = 1.0  # seconds for which the file is taken to be unchanged
AHEAD: Final = 300.0  # seconds by which the provider's clock may be ahead of this one
LONGEST_ADDRESS: Final = 254  # characters, as mail has it
STATES = Literal["out", "nobody", "in"]
_KEY_CLAIMS: Final = ("iss", "sub", "aud", "iat", "exp", "nonce", "email")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What the claims of a cookie are worth now.

    Attributes
    ----------
    state : {"out", "nobody", "in"}
        Not signed in; signed in without a role; with one.
    name : str
        The person's address; empty when not signed in.
    role : {"viewer", "annotator", "owner"} or None
    refusal : str
        Why there is no role; empty when there is one.
    """

    state: STATES
    name: str = ""
    role: Role | None = None
    refusal: str = ""


class SignIn:
    """The sign-in of one server.

    Parameters
    ----------
    path : Path
        The sign-in file; its section ``[auth]`` is read once, its roles whenever it changes.
    store : Path
        Keeps the marks of cookies that were signed out.

    Raises
    ------
    SettingsError
        When the file cannot be used.
    """

    def __init__(self, path: Path, store: Path) -> None:
        self._path, self._store = path, store
        self.file = read_sign_in_file(path, store)
        self._now: SignInFile | None = self.file
        self._stamp = _stamp(path)
        self._looked = monotonic()
        self._lock = threading.Lock()
        self._signed_out = SignedOut(store / "dashboard" / "signed-out")

    def look(self, claims: Mapping[str, Any]) -> Found:
        """Return what the claims of a cookie are worth now."""
        if not claims.get("is_logged_in"):
            return Found("out", refusal="nobody is signed in: sign in to go on")
        file = self._current()
        if file is None:
            return Found("out", refusal="the sign-in file cannot be read: the server's log says why")
        why = self._why_over(claims, file)
        if why:
            return Found("out", refusal=why)
        email = claims.get("email")
        if not isinstance(email, str) or "@" not in email:
            return Found("nobody", refusal="the provider told no e-mail address; it must be in the scope 'email'")
        if len(email) > LONGEST_ADDRESS or not email.isprintable() or email.split() != [email]:
            # It would look like somebody else's in labels and logs.
            return Found("nobody", refusal="the provider told an address with white space or other signs of none")
        name = address_of(email)
        if claims.get("email_verified") is not True:
            return Found("nobody", name, refusal=f"the provider has not verified the address {name}; have it verified")
        role = file.role_of(name)
        if role is None:
            return Found("nobody", name, refusal=f"{name} has no role on this server: ask who runs it for one")
        return Found("in", name, role)  # type: ignore[arg-type]  # the file was checked

    def _why_over(self, claims: Mapping[str, Any], file: SignInFile) -> str:
        """Why a cookie counts no more, or never did; empty when it does."""
        provider = next((one for one in self.file.providers if one.name == claims.get("provider")), None)
        audience = claims.get("aud")
        # Authlib lets another audience pass where the token names this client as its party.
        if provider is None or provider.client_id not in (audience if isinstance(audience, list) else [audience]):
            return "the sign-in was meant for another program: sign in again"
        began = claims.get("iat")
        if isinstance(began, bool) or not isinstance(began, int | float) or not began <= time() + AHEAD:
            return "the sign-in says no time that can be: compare the clocks of the provider and of this machine"
        if time() >= began + 3600 * file.hours:
            return f"the sign-in is over after {file.hours:g} hours: sign in again"
        return "this browser was signed out: sign in again" if _key(claims) in self._signed_out else ""

    def sign_out(self, claims: Mapping[str, Any]) -> None:
        """Make a cookie worthless, copies of it as well."""
        if self.look(claims).state == "out":
            return
        try:
            self._signed_out.add(_key(claims), until=float(claims["iat"]) + 3600 * 30 * 24)
        except OSError as error:  # it holds in this process; the browser is to forget its cookie all the same
            _log.error("a sign-out was not stored, and ends with this server: %s", error)

    def claims_of(self, cookies: Mapping[str, str]) -> dict[str, Any]:
        """Return the claims in a request's cookies; empty when there are none, or somebody else wrote them."""
        from streamlit.auth_util import get_cookie_with_chunks
        from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
        from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

        secret = self.file.auth["cookie_secret"]
        content = get_cookie_with_chunks(
            lambda name: decode_signed_value(secret, name, cookies.get(name, "").encode("latin-1", "replace")),
            USER_COOKIE_NAME,
        )
        try:
            claims = json.loads(content or b"{}")
        except ValueError:
            return {}
        return claims if isinstance(claims, dict) and claims.get("origin") == self.file.origin else {}

    def _current(self) -> SignInFile | None:
        with self._lock:
            if monotonic() - self._looked > LOOK_AGAIN:
                self._looked = monotonic()
                self._read_again()
            return self._now

    def _read_again(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            # What Streamlit was given at the start cannot change under it.
            now = read_sign_in_file(self._path, self._store)
            self._now = replace(now, auth=self.file.auth, providers=self.file.providers, origin=self.file.origin)
            _log.warning("the sign-in file %s was read again", self._path)
        except SettingsError as error:
            self._now = None
            _log.error("nobody is let in until this is mended: %s", error)


def _key(claims: Mapping[str, Any]) -> str:
    """One sign-in's own mark: the nonce in it is drawn anew each time."""
    return sha256(json.dumps([claims.get(name) for name in _KEY_CLAIMS]).encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode)


def sign_in() -> SignIn | None:
    """Return the sign-in of this process, or None where none is configured.

    Raises
    ------
    SettingsError
        When its file cannot be used.
    """
    named = os.environ.get(FILE)
    return _sign_in(Path(named), Path(os.environ.get("ALVIN_STORE") or "alvin-store").absolute()) if named else None


@lru_cache(maxsize=4)
def _sign_in(path: Path, store: Path) -> SignIn:
    return SignIn(path, store)
