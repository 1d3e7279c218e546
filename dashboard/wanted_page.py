"""What somebody asked for before they signed in: the way to the provider and back keeps no address.

The query of the page's address waits in a cookie of the browser, and is put back once the provider has led here again.
It says what to show and changes nothing, and whatever the cookie holds, it leads to the page of this very server.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import Message, Scope, Send

__all__ = ["lead_there", "remembering"]

COOKIE: Final = "alvin_wanted"
LONGEST: Final = 1500  # bytes of a query: browsers keep 4,096 of a cookie
SECONDS: Final = 1800
FAILED: Final = "sign_in"  # such an address is ours, after a sign-in that failed: what was wanted is wanted still
QUERY: Final = re.compile(rb"[!-~]+")  # printable ASCII, as browsers send it: it goes into a header


def remembering(scope: Scope, send: Send) -> Send:
    """Have the answer to somebody who is not signed in carry what they asked for; asked for nothing, forget it."""
    query = bytes(scope.get("query_string", b""))
    if FAILED in parse_qs(query.decode("latin-1")):
        return send
    wanted = base64.urlsafe_b64encode(query).decode() if _is_kept(query) else ""
    if not wanted and COOKIE not in HTTPConnection(scope).cookies:
        return send

    async def with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            _set(message, wanted, SECONDS if wanted else 0)
        await send(message)

    return with_cookie


def lead_there(scope: Scope, message: Message) -> None:
    """Turn the answer after signing in into one that leads to what was asked for before, if anything was."""
    query = _read(HTTPConnection(scope).cookies.get(COOKIE, ""))
    if query:
        MutableHeaders(scope=message)["location"] = f"/?{query}"
        _set(message, "", 0)


def _is_kept(query: bytes) -> bool:
    return len(query) <= LONGEST and QUERY.fullmatch(query) is not None


def _read(cookie: str) -> str:
    try:
        query = base64.b64decode(cookie, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):  # not of ours
        return ""
    return query.decode("ascii") if _is_kept(query) else ""


def _set(message: Message, value: str, seconds: int) -> None:
    cookie = f"{COOKIE}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax"
    MutableHeaders(scope=message).append("set-cookie", cookie)
