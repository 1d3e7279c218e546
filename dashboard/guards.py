"""What every answer of the server says to browsers, and which names it answers to.

A page of another site could reach the server through a browser that may: by a name that it lets point here (DNS
rebinding), so that only names that were given are answered; by a web socket or a form of its own, so that what changes
something must come from a page of this server; or by showing the dashboard in a frame, which the policy forbids. Texts
of the data never become HTML; if one did, the policy lets it load and send nothing beyond this server. Who may see what
is said by `dashboard.gate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.gate import Gate

if TYPE_CHECKING:
    from dashboard.sign_in import SignIn

__all__ = ["POLICY", "guards"]

# Streamlit's own page has scripts and styles within it and starts workers from blobs; the map's regl compiles what it
# draws.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob: data:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",  # an address names a run and an example
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class _SayToBrowsers:
    """Adds the headers to every answer that does not have them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class _KnownHost:
    """Answers to the names that were given, and to the address at which a request came in: no name points there."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self._app = app
        self._by_name = TrustedHostMiddleware(app, allowed_hosts=list(names), www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "") if "headers" in scope else ""
        server = scope.get("server") or ("", 0)
        app = self._app if host and host == _as_host(*server) else self._by_name
        await app(scope, receive, send)


def _as_host(address: str, port: int | None) -> str:
    shown = f"[{address}]" if ":" in address else address
    return shown if port in (None, 80) else f"{shown}:{port}"


class _OwnOrigin:
    """Refuses web sockets, and requests that change something, of other sites' pages.

    Streamlit's own check lets pages of every port of this machine pass, and asks the network for its own address.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope.get("method") not in ("GET", "HEAD", "OPTIONS"):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            # Programs send none; a browser always does.
            if origin is not None and _place(origin) != headers.get("host", "").lower():
                refusal = PlainTextResponse("This request comes from a page of another site", status_code=403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _place(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def guards(names: tuple[str, ...], sign_in: SignIn | None = None) -> list[Any]:
    """Return the middleware of a server.

    Parameters
    ----------
    names : tuple of str
        What it is called: requests to any other name get the status 400.
    sign_in : SignIn, optional
        Where it is given, data go to people with a role alone.
    """
    return [
        Middleware(_KnownHost, names=names),
        Middleware(_SayToBrowsers),
        Middleware(_OwnOrigin),
        *([] if sign_in is None else [Middleware(Gate, sign_in=sign_in)]),
    ]
