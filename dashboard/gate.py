"""What the server answers to whom, where sign-in is configured.

It stands before every route, those of Streamlit as well: without an identity there is the page's own frame, which holds
no data, the way to sign in, and whether the server lives. Nothing else is let through because it was not thought of.
What a person may change is asked where it is changed, see `dashboard.acting`.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from dashboard.page_messages import BadMessageError, is_wanted, without_the_machine
from dashboard.wanted_page import lead_there, remembering

if TYPE_CHECKING:
    from dashboard.sign_in import Found, SignIn

__all__ = ["Gate"]

OPEN: Final = frozenset(
    (
        "/",
        "/index.html",
        "/favicon.png",
        "/manifest.json",
        "/api/ready",
        "/healthz",
        "/_stcore/health",
        "/_stcore/host-config",
        "/auth/login",
        "/auth/logout",
        "/oauth2callback",
    )
)
OPEN_FOLDER: Final = "/static/"  # Streamlit's own scripts
METRICS: Final = "/metrics"
UPLOAD: Final = "/_stcore/upload_file/"
STREAM: Final = "/_stcore/stream"
COOKIE: Final = "_streamlit_user"
PROTOCOL: Final = b"sec-websocket-protocol"
POLICY_VIOLATION: Final = 1008
PROTOCOL_ERROR: Final = 1002


class Gate:
    """Lets requests through to the app for people with a role.

    Parameters
    ----------
    app : ASGI application
    sign_in : SignIn
    """

    def __init__(self, app: ASGIApp, sign_in: SignIn) -> None:
        self._app, self._sign_in = app, sign_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, self._safely(send))
        elif scope["type"] == "websocket":
            await self._talk(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _who(self, scope: Scope) -> tuple[dict[str, Any], Found]:
        claims = self._sign_in.claims_of(HTTPConnection(scope).cookies)
        return claims, self._sign_in.look(claims)

    # -- answers --------------------------------------------------------------------------------------------------

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/auth/logout":
            await self._sign_out(scope, receive, send)
        elif path in ("/auth/login", "/oauth2callback"):
            await self._app(scope, receive, _telling(scope, send))
        elif path == "/" and self._who(scope)[1].state == "out":
            await self._app(scope, receive, remembering(scope, send))
        elif path in OPEN or path.startswith(OPEN_FOLDER) or (path == METRICS and self._has_token(scope)):
            await self._app(scope, receive, send)
        else:
            _, found = self._who(scope)
            refusal = _refusal(found, path)
            await (refusal or self._app)(scope, receive, send)

    def _has_token(self, scope: Scope) -> bool:
        token = self._sign_in.file.token
        shown = Headers(scope=scope).get("authorization", "").encode("latin-1", "replace")
        return bool(token) and secrets.compare_digest(shown, f"Bearer {token}".encode())

    async def _sign_out(self, scope: Scope, receive: Receive, send: Send) -> None:
        if Headers(scope=scope).get("sec-fetch-site") in ("cross-site", "same-site"):
            await _said(403, "another site asked to sign out; use the dashboard's own button")(scope, receive, send)
            return
        claims, _ = self._who(scope)
        await run_in_threadpool(self._sign_in.sign_out, claims)
        await self._app(scope, receive, send)

    def _safely(self, send: Send) -> Send:
        """Have every cookie sent back over TLS alone, where browsers come over TLS."""
        if not self._sign_in.file.is_secure:
            return send

        async def with_secure_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, value + b"; Secure")
                    if name.lower() == b"set-cookie" and b"; secure" not in value.lower()
                    else (name, value)
                    for name, value in message["headers"]
                ]
            await send(message)

        return with_secure_cookies

    # -- web sockets ----------------------------------------------------------------------------------------------

    async def _talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a browser talk with its session for as long as its person has a role.

        Without a role the session is a new one: it has nothing but the page that says how to sign in. Who is given a
        role meanwhile comes in by another web socket, which ends with the role.
        """
        claims, found = self._who(scope)
        if scope["path"] != STREAM:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        talk = _Conversation(self._sign_in, claims, found.state, receive, send)
        if found.state != "in":
            scope = _as_a_stranger(scope, keep_cookie=found.state == "nobody")
        await self._app(scope, talk.receive, talk.send)


class _Conversation:
    """A web socket that is closed once its cookie is worth something else than at first, whoever speaks next.

    What no page of ours sends is not passed on, see `dashboard.page_messages`.
    """

    def __init__(self, sign_in: SignIn, claims: dict[str, Any], state: str, receive: Receive, send: Send) -> None:
        self._sign_in, self._claims, self._state = sign_in, claims, state
        self._receive, self._send = receive, send
        self._closed = False

    async def receive(self) -> Message:
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            if not await self._goes_on():
                return _disconnected(POLICY_VIOLATION)
            try:
                if is_wanted(message.get("bytes"), is_in=self._state == "in"):
                    return message
            except BadMessageError:
                await self._close(PROTOCOL_ERROR)
                return _disconnected(PROTOCOL_ERROR)

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            if not await self._goes_on():
                raise WebSocketDisconnect(POLICY_VIOLATION)
            if message.get("bytes"):
                message = {**message, "bytes": without_the_machine(message["bytes"])}
        self._closed = self._closed or message["type"] == "websocket.close"
        await self._send(message)

    async def _goes_on(self) -> bool:
        found = self._sign_in.look(self._claims)  # in memory; once a second at the file's time
        if found.state == self._state:
            return True
        await self._close(POLICY_VIOLATION)
        return False

    async def _close(self, code: int) -> None:
        if not self._closed:
            self._closed = True
            await self._send({"type": "websocket.close", "code": code})


def _disconnected(code: int) -> Message:
    return {"type": "websocket.disconnect", "code": code}


def _as_a_stranger(scope: Scope, *, keep_cookie: bool) -> Scope:
    """Return the scope without the session to be resumed and, unless the page shall greet by name, the identity."""
    headers: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        if name == PROTOCOL:  # what is asked for, the token against cross-site requests, the session
            headers.append((name, b",".join(value.split(b",")[:2])))
        elif name == b"cookie" and not keep_cookie:
            # As text: the parser of cookies takes more signs than ASCII's for white space.
            kept = [one for one in value.decode("latin-1").split(";") if not one.strip().startswith(COOKIE)]
            headers.append((name, ";".join(kept).encode("latin-1")))
        else:
            headers.append((name, value))
    return {**scope, "headers": headers}


def _telling(scope: Scope, send: Send) -> Send:
    """Have the page say what went wrong on the way to the provider and back; else show what was asked for before."""

    async def with_word(message: Message) -> None:
        if message["type"] == "http.response.start":
            word = _what_failed(scope, message)
            if word:
                headers = MutableHeaders(scope=message)
                headers["location"] = f"/?sign_in={word}"
                message["status"] = 302
            elif _is_signed_in(message):
                lead_there(scope, message)
        await send(message)

    return with_word


def _what_failed(scope: Scope, message: Message) -> str:
    if scope["path"] == "/auth/login":
        return "unreachable" if message["status"] >= 400 else ""
    query = scope.get("query_string", b"")
    is_answer = b"code=" in query or b"error=" in query  # what comes back from signing out is none
    return "refused" if is_answer and not _is_signed_in(message) else ""


def _is_signed_in(message: Message) -> bool:
    """Tell whether an answer gives somebody the cookie that says who they are."""
    return any(
        name.lower() == b"set-cookie" and value.startswith(f"{COOKIE}=".encode()) and b"max-age=0" not in value.lower()
        for name, value in message["headers"]
    )


def _refusal(found: Found, path: str) -> Response | None:
    if found.state == "out":
        return _said(401, found.refusal)
    if found.role is None:
        return _said(403, found.refusal)
    if path.startswith(UPLOAD) and found.role != "owner":
        return _said(403, f"{found.name} is signed in as {found.role}; to send files takes the role owner")
    return None


def _said(status: int, words: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    content = json.dumps({"error": words}).encode("ascii")
    return Response(content, status_code=status, media_type="application/json", headers=headers)
