"""A real OpenID Connect provider for tests: discovery, keys, a page to choose an account, codes and signed tokens.

Accounts stand for people, and for what a provider must not be believed: an account may change the claims, the key, or
leave something out.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from processes import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

COOKIE_SECRET = "0123456789abcdef" * 4
CLIENT_ID, CLIENT_SECRET = "alvin", "the client's own secret"
Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Account:
    """Somebody who can be chosen on the provider's page."""

    email: str
    change: Change = lambda claims: None
    own_key: bool = True


def _old(claims: dict[str, Any]) -> None:
    claims["iat"] -= 7200
    claims["exp"] = claims["iat"] + 3600


def _for_another(claims: dict[str, Any]) -> None:
    claims |= {"aud": "another program", "azp": CLIENT_ID}


ADA, BEN, VIC, EVE = "ada@lab.example", "ben@lab.example", "vic@else.example", "eve@evil.example"
ACCOUNTS = {
    "ada": Account(ADA),
    "ben": Account(BEN),
    "vic": Account(VIC),
    "eve": Account(EVE),
    "unverified": Account(ADA, lambda claims: claims.update(email_verified=False)),
    "unverified-text": Account(ADA, lambda claims: claims.update(email_verified="false")),
    "unsaid": Account(ADA, lambda claims: claims.pop("email_verified")),
    "nameless": Account(ADA, lambda claims: claims.pop("email")),
    "wrong-audience": Account(ADA, lambda claims: claims.update(aud="another program")),
    "wrong-audience-own-party": Account(ADA, _for_another),
    "wrong-issuer": Account(ADA, lambda claims: claims.update(iss="https://evil.example")),
    "wrong-nonce": Account(ADA, lambda claims: claims.update(nonce="replayed")),
    "no-nonce": Account(ADA, lambda claims: claims.pop("nonce")),
    "expired": Account(ADA, _old),
    "other-key": Account(ADA, own_key=False),
}


@dataclass
class Provider:
    """A running provider."""

    url: str
    server: uvicorn.Server
    thread: threading.Thread
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    is_down: bool = False

    @property
    def metadata_url(self) -> str:
        return f"{self.url}/.well-known/openid-configuration"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)


def start_provider() -> Provider:
    """Serve on a free port of this machine until `Provider.stop`."""
    port = free_port()
    provider = Provider(f"http://127.0.0.1:{port}", None, None)  # type: ignore[arg-type]
    config = uvicorn.Config(_app(provider), host="127.0.0.1", port=port, log_level="error", lifespan="off")
    provider.server = uvicorn.Server(config)
    provider.thread = threading.Thread(target=provider.server.run, name="provider", daemon=True)
    provider.thread.start()
    until = time.monotonic() + 30
    while not provider.server.started and time.monotonic() < until:
        with suppress(RuntimeError):
            provider.thread.join(0.01)
    assert provider.server.started
    return provider


def _app(provider: Provider) -> Starlette:
    key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
    other = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})

    async def metadata(_: Request) -> Response:
        if provider.is_down:
            return Response("away", 503)
        return JSONResponse(
            {
                "issuer": provider.url,
                "authorization_endpoint": f"{provider.url}/authorize",
                "token_endpoint": f"{provider.url}/token",
                "jwks_uri": f"{provider.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def keys(_: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False)]})

    async def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        account = asked.pop("account", None)
        if account is None:  # people choose on a page
            links = (
                f'<p><a id="{name}" href="?{html.escape(urlencode(asked | {"account": name}))}">{name}</a></p>'
                for name in ACCOUNTS
            )
            return HTMLResponse(f"<h1>The provider</h1>{''.join(links)}")
        code = secrets.token_urlsafe(16)
        provider.codes[code] = asked | {"account": account}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def token(request: Request) -> Response:
        form = await request.form()
        asked = provider.codes.pop(str(form["code"]), None)
        scheme, _, told = request.headers.get("authorization", "").partition(" ")
        is_client = scheme == "Basic" and base64.b64decode(told).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
        proof = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).decode().rstrip("=")
        if asked is None or not is_client or asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        account = ACCOUNTS[asked["account"]]
        now = int(time.time())
        claims = {
            "iss": provider.url,
            "sub": account.email,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 3600,
            "nonce": asked["nonce"],
            "email": account.email,
            "email_verified": True,
            "name": account.email.partition("@")[0].title(),
        }
        account.change(claims)
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key if account.own_key else other)
        return JSONResponse(
            {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer", "expires_in": 3600, "id_token": signed}
        )

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", metadata),
            Route("/keys", keys),
            Route("/authorize", authorize),
            Route("/token", token, methods=["POST"]),
        ]
    )


def sign_in_toml(provider: Provider, origin: str, **more: Any) -> str:
    """Return a sign-in file: ada is the owner, her domain labels, and vic looks."""
    auth = {
        "redirect_uri": f"{origin}/oauth2callback",
        "cookie_secret": COOKIE_SECRET,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "server_metadata_url": provider.metadata_url,
    }
    roles = more.pop("roles", {"owner": [ADA], "annotator": ["*@lab.example"], "viewer": [VIC]})
    sections = {"auth": auth, "roles": roles, **more}
    return "\n".join(
        line
        for name, section in sections.items()
        for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items()))
    )
