"""What a browser may say on the page's web socket, and what it is not told; behind the gate is a stub."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from dashboard.guards import guards
from dashboard.page_messages import LONGEST, SCRIPT, without_the_machine
from dashboard.sign_in import SignIn

SECRET = "0123456789abcdef0123456789abcdef"
FILE = f"""
[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "alvin"
client_secret = "x"
server_metadata_url = "https://provider.example/.well-known/openid-configuration"
[roles]
owner = ["ada@lab.example"]
"""
ORIGIN = "http://localhost:8501"


def said(kind: str, **inner: Any) -> bytes:
    """A browser's message of a kind."""
    message = BackMsg()
    field = BackMsg.DESCRIPTOR.fields_by_name[kind]
    if field.message_type is None:
        setattr(message, kind, True)
    else:
        getattr(message, kind).SetInParent()
        for name in inner:
            getattr(getattr(message, kind), name).SetInParent()
    return bytes(message.SerializeToString())


PAGE, BEAT, STOP = said("rerun_script"), said("app_heartbeat"), said("stop_script")
FILES, DOWNLOAD = said("file_urls_request"), said("backend_operation_request", deferred_file=1)
REST_OF_A_TABLE = said("backend_operation_request", dataframe_chunk=1)
OF_THE_MENU = [said(kind) for kind in ("load_git_info", "clear_cache", "set_run_on_save")]
OF_DEVELOPERS = [said(kind) for kind in ("debug_disconnect_websocket", "debug_shutdown_runtime")]
OF_INSTALLERS = [
    said("backend_operation_request", **{kind: 1}) for kind in ("install_skills", "dismiss_skills_nudge")
] + [said("backend_operation_request")]


def heard_of(access: SignIn, cookie: dict[str, Any] | None, contents: list[Any]) -> tuple[list[bytes], int | None]:
    """Say things on a web socket; return what Streamlit would hear, and the code with which it was closed."""
    heard: list[bytes] = []

    async def stub(socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                content = await socket.receive_bytes()
                heard.append(content)
                await socket.send_bytes(b"heard")
        except WebSocketDisconnect:
            pass

    app = Starlette(routes=[WebSocketRoute("/_stcore/stream", stub)], middleware=guards(("localhost",), access))
    value = "" if cookie is None else create_signed_value(SECRET, "_streamlit_user", json.dumps(cookie)).decode()
    headers = {"Cookie": f"_streamlit_user={value}", "Origin": ORIGIN, "Host": "localhost:8501"}
    client = TestClient(app, base_url=ORIGIN)
    with client.websocket_connect("/_stcore/stream", headers=headers) as socket:
        try:
            for content in contents:
                socket.send_text(content) if isinstance(content, str) else socket.send_bytes(content)
            socket.send_bytes(PAGE)  # is answered after all that came before it
            while not heard or heard[-1] != PAGE:
                socket.receive_bytes()
        except WebSocketDisconnect as closed:
            return heard, closed.code
    return heard[:-1], None


@pytest.fixture
def access(tmp_path: Path) -> SignIn:
    path = tmp_path / "sign-in.toml"
    path.touch(mode=0o600)
    path.write_text(FILE, encoding="utf-8")
    return SignIn(path, tmp_path / "store")


def claims(email: str) -> dict[str, Any]:
    more = {"provider": "default", "aud": "alvin", "email_verified": True, "origin": ORIGIN, "is_logged_in": True}
    return {**more, "email": email, "iat": time.time()}


@pytest.mark.parametrize("who", [None, "eve@evil.example"])
def test_who_has_no_role_may_ask_for_the_page_and_for_nothing_else(access: SignIn, who: str | None) -> None:
    asked = [*OF_THE_MENU, *OF_DEVELOPERS, *OF_INSTALLERS, FILES, DOWNLOAD, REST_OF_A_TABLE, BEAT, STOP]
    assert heard_of(access, who and claims(who), asked) == ([BEAT, STOP], None)


def test_people_with_a_role_may_say_what_pages_say_and_not_what_streamlits_own_menu_does(access: SignIn) -> None:
    asked = [*OF_THE_MENU, *OF_DEVELOPERS, *OF_INSTALLERS, FILES, DOWNLOAD, REST_OF_A_TABLE, BEAT, STOP]
    heard = heard_of(access, claims("ada@lab.example"), asked)
    assert heard == ([FILES, DOWNLOAD, REST_OF_A_TABLE, BEAT, STOP], None)


def test_every_kind_of_message_that_streamlit_knows_was_thought_of() -> None:
    known = {one.name for one in BackMsg.DESCRIPTOR.oneofs_by_name["type"].fields}
    tried = [PAGE, BEAT, STOP, FILES, DOWNLOAD, *OF_THE_MENU, *OF_DEVELOPERS]
    assert known == {BackMsg.FromString(one).WhichOneof("type") for one in tried}
    operations = BackMsg.DESCRIPTOR.fields_by_name["backend_operation_request"].message_type.oneofs_by_name["payload"]
    assert {one.name for one in operations.fields} == {
        "deferred_file", "dataframe_chunk", "install_skills", "dismiss_skills_nudge",
    }  # fmt: skip


@pytest.mark.parametrize("nonsense", ["a text", b"", b"\xff\xff\xff", b"a" * 100])
def test_what_is_no_message_of_a_page_closes_the_socket_before_streamlit_hears_it(
    access: SignIn, nonsense: str | bytes
) -> None:
    for who in (None, claims("ada@lab.example")):
        assert heard_of(access, who, [BEAT, nonsense]) == ([BEAT], 1002)


def test_who_has_no_role_may_not_say_much_at_once(access: SignIn) -> None:
    message = BackMsg()
    message.rerun_script.query_string = "x" * LONGEST
    long = bytes(message.SerializeToString())
    assert heard_of(access, None, [long]) == ([], 1002)
    assert heard_of(access, claims("ada@lab.example"), [long]) == ([long], None)


def test_a_greeting_tells_neither_the_programs_folder_nor_the_machine() -> None:
    message = ForwardMsg()
    message.new_session.name = "app"
    message.new_session.main_script_path = str(SCRIPT)
    message.new_session.initialize.session_id = "kept"
    message.new_session.initialize.environment_info.python_version = "3.11.7"
    message.new_session.initialize.environment_info.streamlit_version = "1.67.0"
    for name in ("installation_id", "installation_id_v3", "installation_id_v4"):
        setattr(message.new_session.initialize.user_info, name, "of-this-machine")
    told = without_the_machine(message.SerializeToString())
    for secret in (str(SCRIPT.parent), "of-this-machine", "3.11.7"):
        assert secret.encode() not in told
    greeting = ForwardMsg.FromString(told).new_session
    assert (greeting.name, greeting.main_script_path) == ("app", "app.py")
    assert (greeting.initialize.session_id, greeting.initialize.environment_info.streamlit_version) == (
        "kept",
        "1.67.0",
    )


def test_a_text_of_the_data_that_names_the_programs_folder_is_shown_as_it_is() -> None:
    message = ForwardMsg()
    message.delta.new_element.html.body = f"see {SCRIPT}"
    content = bytes(message.SerializeToString())
    assert without_the_machine(content) == content
