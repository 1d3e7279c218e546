"""What every answer says to browsers, and which names the server answers to."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboard.guards import POLICY, guards

NAMES = ("127.0.0.1", "localhost", "[::1]")


async def _page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("page", headers={"Referrer-Policy": "same-origin"})


async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/", _page), WebSocketRoute("/talk", _talk)], middleware=guards(NAMES))
    return TestClient(app, base_url="http://localhost:8501")


def test_every_answer_forbids_frames_and_other_servers_and_keeps_what_a_route_said(client: TestClient) -> None:
    for address in ("/", "/nowhere"):
        headers = client.get(address).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/").headers["referrer-policy"] == "same-origin"
    policy = dict(part.split(" ", 1) for part in POLICY.split("; "))
    assert policy["default-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == "'none'"
    assert not any("http" in value or "*" in value for value in policy.values())


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:9", "LOCALHOST"])
def test_the_machines_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "localhost.evil.example", "192.168.1.7", ""])
def test_a_name_that_somebody_lets_point_here_is_not(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 400
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/talk", headers={"Host": host}) as socket:
        socket.receive_text()


def test_a_web_socket_of_ones_own_page_is_let_in(client: TestClient) -> None:
    with client.websocket_connect("/talk", headers={"Host": "localhost:8501"}) as socket:
        assert socket.receive_text() == "hello"


def test_the_server_listens_on_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit

    from dashboard import __main__ as program

    told: dict[str, object] = {}
    monkeypatch.setattr(streamlit.App, "run", lambda self, config: told.update(config))
    monkeypatch.setenv("ALVIN_STORE", "")
    port = free_port()
    assert program.main(["--store", str(tmp_path / "store"), "--port", str(port), "--no-browser"]) == 0
    assert told["server.address"] == "127.0.0.1"
    with pytest.raises(SystemExit):
        program.main(["--address", "0.0.0.0"])
