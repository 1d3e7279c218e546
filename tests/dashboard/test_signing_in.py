"""Sign-in against a real server and a real provider: who gets in, what each may do, and that nothing leaks."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import Cookie, CookieJar
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import pytest
import sign_in_provider as provider_module
from joserfc import jwt
from joserfc.jwk import OctKey
from processes import free_port, wait_for
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value, decode_signed_value
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import alvin_core as alvin
from dashboard.api import ROUTES
from dashboard.components.map import BUNDLE_ROUTES
from dashboard.gate import OPEN

ROOT = Path(__file__).parents[2]
ADA, BEN, VIC = provider_module.ADA, provider_module.BEN, provider_module.VIC

TEXT, RUN = b"with a comma", "the-hidden-run"
SECRET = provider_module.COOKIE_SECRET
TOKEN = "a token that monitors have, 32 or more"
USER, XSRF, WANTED = "_streamlit_user", "_streamlit_xsrf", "alvin_wanted"


class Server:
    """A dashboard with sign-in, in a process of its own."""

    def __init__(self, folder: Path, store: Path, provider: Any) -> None:
        self.port = free_port()
        self.url, self.store, self.provider = f"http://127.0.0.1:{self.port}", store, provider
        self.file, self.log = folder / "sign-in.toml", folder / "dashboard.log"
        self.write()
        command = (sys.executable, "-m", "dashboard", "--store", str(store), "--port", str(self.port), "--no-browser")
        quick = {"OMP_NUM_THREADS": "1", "ALVIN_AUTOMATIC_MAP": "0", "ALVIN_WARM_UP": "0"}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                (*command, "--sign-in", str(self.file)),
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | quick,
                cwd=ROOT,
            )

    def write(self, **more: Any) -> None:
        """Write the sign-in file, at once and whole."""
        new = self.file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(
            provider_module.sign_in_toml(self.provider, self.url, monitoring={"token": TOKEN}, **more), encoding="utf-8"
        )
        new.replace(self.file)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(fake: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("sign-in")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
        settings = alvin.RunSettings(budget=5, initial=10)
        run = alvin.create_run(folder / "store", fake.make_dataset(), settings, name=RUN)
        list(run.run_rounds(1))
    (folder / "store" / "dashboard").mkdir()
    (folder / "store" / "dashboard" / "tour-seen").touch()
    provider = provider_module.start_provider()
    started = Server(folder, folder / "store", provider)
    try:
        wait_for(lambda: started.process.poll() is not None or _answers(started))
        assert started.process.poll() is None, started.log.read_text(encoding="utf-8")
        yield started
    finally:
        started.stop()
        provider.stop()


def _answers(server: Server) -> bool:
    try:
        with urlopen(f"{server.url}/api/ready", timeout=2):
            return True
    except (URLError, OSError):
        return False


class Visitor:
    """A browser without a screen: it keeps cookies, follows redirects and talks with the page."""

    def __init__(self, server: Server) -> None:
        self.server, self.jar = server, CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self.jar))
        self.get("/_stcore/health")  # gives the token against cross-site requests

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, bytes, str]:
        """Return the status, the body, and where redirects led."""
        address = path if path.startswith("http") else self.server.url + path
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(address, method=method, headers=told, data=b"x" if method in ("PUT", "POST") else None)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.read(), answer.url
        except HTTPError as error:
            return error.code, error.read(), error.url

    def get(self, path: str, **headers: str) -> tuple[int, bytes, str]:
        return self.ask("GET", path, **headers)

    @property
    def cookies(self) -> dict[str, str]:
        return {one.name: one.value or "" for one in self.jar}

    def set_cookie(self, name: str, value: str) -> None:
        self.jar.set_cookie(
            Cookie(0, name, value, None, False, "127.0.0.1", True, False, "/", True, False, None, True, None, None, {})
        )

    @contextmanager
    def page(self, origin: str | None = None, session: str = "") -> Iterator[Page]:
        protocols = ["streamlit", self.cookies[XSRF].strip('"'), *([session] if session else [])]
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with connect(
            f"ws://127.0.0.1:{self.server.port}/_stcore/stream",
            origin=origin or self.server.url,  # type: ignore[arg-type]
            subprotocols=protocols,  # type: ignore[arg-type]
            additional_headers={"Cookie": cookies},
            max_size=None,
            proxy=None,
        ) as talk:
            yield Page(talk)

    def pressed_sign_in(self) -> str:
        """Press the page's button, and return where it leads."""
        with self.page() as page:
            page.run()
            page.press("Sign in")
            return page.redirect

    def sign_in(self, account: str, address: str = "") -> str:
        """Go from the button to the provider's page and back; return where it ended."""
        _, choice, url = self.get(address or f"/auth/login?provider={_way_in()}")
        links = dict(re.findall(r'id="([^"]+)" href="([^"]+)"', choice.decode()))
        return self.get(url.partition("?")[0] + links[account].replace("&amp;", "&"))[2]


def _way_in() -> str:
    """What the page's button puts into its address: it saves drawing the page."""
    claims = {"provider": "default", "exp": int(time.time()) + 120}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))


class Page:
    """One session of the page: what it was sent, and what can be sent to it."""

    def __init__(self, talk: ClientConnection) -> None:
        self._talk = talk
        self.heard: list[bytes] = []
        self.redirect = ""
        self.session = ""
        self.buttons: dict[str, str] = {}

    def send_nonsense(self, query: str = "") -> None:
        """Have every component of the page say what none of them says."""
        message = BackMsg()
        for one in self.elements("bidi_component"):
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.json_value = one.bidi_component.id, "{"
        self._ask(message, query)

    def elements(self, kind: str) -> list[Any]:
        """What was drawn of a kind, in the order heard."""
        drawn = (ForwardMsg.FromString(one).delta.new_element for one in self.heard)
        return [one for one in drawn if one.WhichOneof("type") == kind]

    def run(self, query: str = "", pressed: str = "", fragment: str = "") -> None:
        """Have the script run, and hear it to its end."""
        message = BackMsg()
        message.rerun_script.fragment_id = fragment
        if pressed:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = pressed, True
        self._ask(message, query)

    def _ask(self, message: BackMsg, query: str) -> None:
        message.rerun_script.query_string = query
        message.rerun_script.page_script_hash = ""
        self._talk.send(message.SerializeToString())
        while not self._take(self._talk.recv(timeout=60)):
            pass

    def say(self, **kind: bool) -> None:
        """Send a message that is no run of the page, and wait for nothing."""
        self._talk.send(BackMsg(**kind).SerializeToString())

    def press(self, label: str, query: str = "") -> None:
        self.run(query, pressed=self.buttons[label])

    def _take(self, content: Any) -> bool:
        self.heard.append(content)
        message = ForwardMsg.FromString(content)
        kind = message.WhichOneof("type")
        if kind == "auth_redirect":
            self.redirect = message.auth_redirect.url
        elif kind == "new_session":
            self.session = message.new_session.initialize.session_id
        elif kind == "delta":
            button = message.delta.new_element.button
            if button.id:
                self.buttons[button.label] = button.id
        return kind == "script_finished"

    @property
    def said(self) -> bytes:
        return b"".join(self.heard)


@pytest.fixture(scope="module")
def cookies(server: Server) -> dict[str, str]:
    """The cookie of each account, signed in once."""
    found = {}
    for account in ("ada", "ben", "vic"):
        visitor = Visitor(server)
        assert visitor.sign_in(account) == f"{server.url}/"
        found[account] = visitor.cookies[USER]
    return found


@pytest.fixture
def visit(server: Server, cookies: dict[str, str]) -> Callable[..., Visitor]:
    def come(account: str = "") -> Visitor:
        visitor = Visitor(server)
        if account:
            visitor.set_cookie(USER, cookies[account])
        return visitor

    return come


def run_id(server: Server) -> str:
    return alvin.list_runs(server.store)[0].id


def addresses(server: Server) -> list[str]:
    """Every route of ours that gives anything, with what is there, and Streamlit's."""
    parts = {"run_id": run_id(server), "round": "0", "index": "1", "space": "model", "color_by": "class"}
    ours = [
        re.sub(r"{(\w+)[^}]*}", lambda part: parts.get(part[1], "x"), route.path) for route in (*ROUTES, *BUNDLE_ROUTES)
    ]
    streamlits = [
        "/media/0.txt",
        "/component/x/index.html",
        "/_stcore/bidi-components/alvin_watch/x.js",
        "/_stcore/metrics",
        "/_stcore/script-health-check",
        "/_stcore/upload_file/a/b",
        "/_stcore/agent/interact",
        "/_stcore/agent/mcp",
        "/_stcore/agent/openapi.json",
        "/app/static/x",
        "/anything/else",
    ]
    return sorted({*ours, *streamlits} - OPEN)


def test_without_a_cookie_every_address_is_refused_and_no_answer_has_a_text(
    server: Server, visit: Callable[..., Visitor]
) -> None:
    stranger = visit()
    asked = addresses(server)
    assert any("/api/texts/" in one for one in asked)
    assert any("positions.bin" in one for one in asked)
    for address in asked:
        for method in ("GET", "POST", "PUT", "DELETE"):
            status, body, _ = stranger.ask(method, address)
            assert (status, json.loads(body)) == (401, {"error": "nobody is signed in: sign in to go on"}), address
    for address in OPEN - {"/auth/logout"}:
        status, body, _ = stranger.get(address)
        assert TEXT not in body, address
        assert RUN.encode() not in body, address
    assert stranger.get("/healthz")[0] == 200


def test_people_with_a_role_get_their_texts_and_their_name(server: Server, visit: Callable[..., Visitor]) -> None:
    stranger = visit()
    assert stranger.sign_in("ada", stranger.pressed_sign_in()) == f"{server.url}/"
    for account, name, role in (("ada", ADA, "owner"), ("ben", BEN, "annotator"), ("vic", VIC, "viewer")):
        visitor = stranger if account == "ada" else visit(account)
        status, body, _ = visitor.get(f"/api/texts/{run_id(server)}/0/1")
        assert (status, TEXT in body) == (200, True)
        with visitor.page() as page:
            page.run("page=explore")
            assert RUN.encode() in page.said
            assert f"<b>{name}</b>, with the role <b>{role}</b>".encode() in page.said
            page.buttons.clear()
            page.run(f"page=runs&run={RUN}")
            assert ("Import" in page.buttons) is ("Start the run" in page.buttons) is (role == "owner")


def test_who_followed_a_link_is_led_to_it_after_signing_in_and_nowhere_else(server: Server) -> None:
    link = f"/?page=label&run={RUN}&word=%C3%A9%20%26%20b"
    stranger = Visitor(server)
    stranger.get(link)
    assert stranger.sign_in("wrong-nonce") == f"{server.url}/?sign_in=refused"  # wanted still
    assert stranger.sign_in("ada") == server.url + link
    assert WANTED not in stranger.cookies
    assert stranger.get("/?page=runs")[0] == 200
    assert WANTED not in stranger.cookies  # who is signed in is there already
    for last in ("/", f"/?page=runs&word={'x' * 1500}"):
        changed = Visitor(server)
        changed.get(link)
        assert WANTED in changed.cookies
        changed.get(last)
        assert changed.sign_in("ada") == f"{server.url}/"
    for elsewhere in ("//evil.example/", "https://evil.example/", "a\r\nLocation: https://evil.example/", "é", ""):
        lured = Visitor(server)
        lured.set_cookie(WANTED, base64.urlsafe_b64encode(elsewhere.encode()).decode())
        assert lured.sign_in("ada").startswith(f"{server.url}/")
    broken = Visitor(server)
    broken.set_cookie(WANTED, "no base 64")
    assert broken.sign_in("ada") == f"{server.url}/"


@pytest.mark.parametrize(
    "account",
    [
        "wrong-audience",
        "wrong-issuer",
        "wrong-nonce",
        "no-nonce",
        "expired",
        "other-key",
    ],
)
def test_a_token_that_does_not_hold_signs_nobody_in(server: Server, account: str) -> None:
    visitor = Visitor(server)
    assert visitor.sign_in(account) == f"{server.url}/?sign_in=refused"
    assert USER not in visitor.cookies
    assert visitor.get(f"/api/texts/{run_id(server)}/0/1")[0] == 401
    with visitor.page() as page:
        page.run("sign_in=refused")
        assert b"The sign-in was not accepted" in page.said


def test_a_provider_that_does_not_answer_is_told_on_the_page(server: Server) -> None:
    visitor = Visitor(server)
    server.provider.is_down = True
    try:
        assert visitor.get(f"/auth/login?provider={_way_in()}")[2] == f"{server.url}/?sign_in=unreachable"
    finally:
        server.provider.is_down = False
    with visitor.page() as page:
        page.run("sign_in=unreachable")
        assert b"The provider that signs people in does not answer" in page.said


@pytest.mark.parametrize(
    ("account", "status", "words"),
    [
        ("wrong-audience-own-party", 401, "meant for another program"),
        ("eve", 403, "eve@evil.example has no role"),
        ("unverified", 403, "has not verified the address ada@lab.example"),
        ("unverified-text", 403, "has not verified"),
        ("unsaid", 403, "has not verified"),
        ("nameless", 403, "told no e-mail address"),
    ],
)
def test_who_has_no_role_gets_nothing_and_is_told_why(server: Server, account: str, status: int, words: str) -> None:
    visitor = Visitor(server)
    visitor.sign_in(account)
    for address in addresses(server):
        answer = visitor.get(address)
        assert (answer[0], TEXT in answer[1]) == (status, False), address
    assert words in json.loads(answer[1])["error"]
    with visitor.page() as page:
        page.run("page=explore")
        assert RUN.encode() not in page.said
        assert TEXT not in page.said
        assert (words.encode() in page.said) is (list(page.buttons) == ["Sign out"]) is (status == 403)


def _forged(server: Server, claims: dict[str, Any], **changes: Any) -> str:
    secret = changes.pop("secret", SECRET)
    name = changes.pop("name", USER)
    return create_signed_value(secret, name, json.dumps(claims | changes)).decode()


def test_a_cookie_that_the_server_did_not_sign_or_that_is_over_is_refused(
    server: Server, visit: Callable[..., Visitor]
) -> None:
    ada = visit("ada")
    text = f"/api/texts/{run_id(server)}/0/1"
    claims = json.loads(decode_signed_value(SECRET, USER, ada.cookies[USER].strip('"')) or b"")
    assert claims["email"] == ADA
    stranger = visit()
    stranger.set_cookie(USER, _forged(server, claims))
    assert stranger.get(text)[0] == 200  # what follows is refused for what is changed in it alone
    signed = ada.cookies[USER].strip('"')
    other = base64.urlsafe_b64encode(json.dumps(json.dumps(claims | {"email": VIC})).encode()).decode().rstrip("=")
    for wrong in (
        _forged(server, claims, secret="another secret, as long as it may be"),
        _forged(server, claims, name="_streamlit_user_tokens"),
        _forged(server, claims, origin="http://evil.example"),
        _forged(server, claims, is_logged_in=False),
        _forged(server, claims, iat=claims["iat"] - 13 * 3600),
        _forged(server, claims, iat=claims["iat"] + 13 * 3600),
        _forged(server, claims, iat=None),
        _forged(server, claims, provider="unknown"),
        _forged(server, claims, aud=["another"]),
        ".".join((other, *signed.split(".")[1:])),
        signed[:-2],
        "chunks-100000000",
        "x",
        "",
    ):
        stranger.set_cookie(USER, wrong)
        assert stranger.get(text)[0] == 401, wrong
    with stranger.page() as page:
        page.run("page=explore")
        assert RUN.encode() not in page.said
        assert "Sign in" in page.buttons


def test_without_an_identity_a_web_socket_gets_the_sign_in_page_whoevers_session_it_names(
    server: Server, visit: Callable[..., Visitor]
) -> None:
    with visit("ada").page() as own:
        own.run("page=explore")
        with visit().page(session=own.session) as page:
            page.run("page=explore")
            assert RUN.encode() not in page.said
            assert TEXT not in page.said
            assert page.session != own.session
            assert list(page.buttons) == ["Sign in"]
            page.run("page=runs", pressed=own.buttons["Step"])
            assert RUN.encode() not in page.said
    assert alvin.list_jobs(server.store) == []


@pytest.mark.parametrize("account", ["", "vic"])
def test_no_page_is_told_the_programs_folder_and_streamlits_menu_is_not_answered(
    server: Server, visit: Callable[..., Visitor], account: str
) -> None:
    with visit(account).page() as page:
        page.run("page=explore")
        page.say(load_git_info=True)
        page.say(set_run_on_save=True)
        page.say(clear_cache=True)
        page.run("page=explore")
        assert page.session
        told = [ForwardMsg.FromString(one) for one in page.heard]
        assert str(ROOT).encode() not in page.said
    assert "git_info_changed" not in {one.WhichOneof("type") for one in told}
    greetings = [one.new_session.initialize.session_status for one in told if one.HasField("new_session")]
    assert len(greetings) == 2
    assert not any(one.run_on_save for one in (*greetings, *(one.session_status_changed for one in told)))


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9", "http://localhost:{port}", "null"])
def test_a_web_socket_of_another_sites_page_is_refused(
    server: Server, visit: Callable[..., Visitor], origin: str
) -> None:
    ada = visit("ada")
    with (
        pytest.raises(InvalidStatus) as refused,
        ada.page(origin=origin.format(port=server.port)) as page,
    ):
        page.run()
    assert refused.value.response.status_code == 403


def test_what_is_greyed_out_cannot_be_pressed_nor_what_was_drawn_before_a_role_was_taken_away(
    server: Server, visit: Callable[..., Visitor]
) -> None:
    query = f"page=explore&run={RUN}"
    with visit("ada").page() as own, visit("vic").page() as page:
        page.run(query)
        page.press("Step", query)
        page.press("Make this round's UMAP", query)
        own.run(query)
        try:
            server.write(roles={"owner": [BEN], "viewer": [ADA, VIC]})
            wait_for(lambda: b"as viewer" in visit("ada").ask("PUT", "/_stcore/upload_file/a/b")[1])
            own.press("Step", query)
            assert b"ada@lab.example is signed in as viewer; to start, change and delete runs takes" in own.said
        finally:
            server.write()
    wait_for(lambda: b"as viewer" not in visit("ada").ask("PUT", "/_stcore/upload_file/a/b")[1])
    assert alvin.list_jobs(server.store) == []
    told = server.log.read_text(encoding="utf-8")
    assert told.count(f"enqueue_job was refused (run {run_id(server)}): ada@lab.example is signed in as viewer") == 1
    assert TEXT.decode() not in told


def test_a_role_that_was_given_to_an_open_page_is_taken_from_it_as_well(
    server: Server, visit: Callable[..., Visitor]
) -> None:
    vic = visit("vic")
    try:
        server.write(roles={"owner": [ADA]})
        wait_for(lambda: vic.get("/api/watch/-")[0] == 403)
        with vic.page() as page:
            page.run("page=explore")
            assert b"has no role" in page.said
            server.write()
            wait_for(lambda: vic.get("/api/watch/-")[0] == 200)
            with pytest.raises(ConnectionClosed):  # the browser connects again, by what is looked at all the time
                page.run("page=explore")
            assert RUN.encode() not in page.said
        with vic.page(session=page.session) as again:
            again.run("page=explore")
            assert RUN.encode() in again.said
    finally:
        server.write()
    wait_for(lambda: vic.get("/api/watch/-")[0] == 200)


def test_a_page_that_fails_tells_nothing_of_the_server(server: Server, visit: Callable[..., Visitor]) -> None:
    query = f"page=explore&run={RUN}"
    with visit("vic").page() as page:
        page.run(query)
        page.send_nonsense(query)
        errors = [one.exception for one in page.elements("exception")]
    assert errors
    for one in errors:
        assert (one.type, list(one.stack_trace)) == ("", [])
        assert "redacted" in one.message
    assert "JSONDecodeError" in server.log.read_text(encoding="utf-8")  # whoever runs it finds the reason


def test_a_file_can_be_sent_by_an_owners_own_page_alone(server: Server, visit: Callable[..., Visitor]) -> None:
    ada, vic = visit("ada"), visit("vic")
    with ada.page() as page, vic.page() as other:
        page.run("page=runs")
        other.run("page=runs")
        place = f"/_stcore/upload_file/{page.session}/one"
        multipart = {"Content_Type": "multipart/form-data; boundary=b", "X_Xsrftoken": ada.cookies[XSRF].strip('"')}
        assert ada.ask("PUT", place, Content_Type=multipart["Content_Type"])[0] == 403  # without the token
        assert ada.ask("PUT", place, **multipart, Origin="http://evil.example")[0] == 403
        assert ada.ask("PUT", place, **multipart)[0] == 400  # let in: there is no file in this body
        status, body, _ = vic.ask("PUT", f"/_stcore/upload_file/{other.session}/one", **multipart)
        assert status == 403
        assert b"takes the role owner" in body


def test_signing_out_ends_every_copy_of_the_cookie(server: Server, visit: Callable[..., Visitor]) -> None:
    ada, text = visit(), f"/api/texts/{run_id(server)}/0/1"
    ada.sign_in("ada")
    copy = ada.cookies[USER]
    thief = visit()
    thief.set_cookie(USER, copy)
    assert thief.get(text)[0] == 200
    assert ada.get("/auth/logout", Sec_Fetch_Site="cross-site")[0] == 403  # another site's link does not do it
    with thief.page() as page:
        page.run("page=explore")
        assert ada.get("/auth/logout", Sec_Fetch_Site="same-origin")[2] == f"{server.url}/"
        assert USER not in ada.cookies
        with pytest.raises(ConnectionClosed):
            page.run("page=runs")
    assert thief.get(text)[0] == 401
    with thief.page(session=page.session) as again:
        again.run("page=explore")
        assert RUN.encode() not in again.said
        assert "Sign in" in again.buttons
    assert visit("ada").get(text)[0] == 200  # another sign-in of hers goes on


def test_a_role_that_is_taken_away_is_gone_at_once_and_a_broken_file_lets_nobody_in(
    server: Server, visit: Callable[..., Visitor]
) -> None:
    vic, text = visit("vic"), f"/api/texts/{run_id(server)}/0/1"
    try:
        with vic.page() as page:
            page.run("page=explore")
            server.write(roles={"owner": [ADA]})
            wait_for(lambda: vic.get(text)[0] == 403)
            with pytest.raises(ConnectionClosed):
                page.run("page=explore")
        with vic.page(session=page.session) as again:
            again.run("page=explore")
            assert RUN.encode() not in again.said
            assert b"has no role" in again.said
            assert again.session != page.session
        server.file.chmod(0o644)
        wait_for(lambda: vic.get(text)[0] == 401)
        assert "nobody is let in until this is mended" in server.log.read_text(encoding="utf-8")
    finally:
        server.write()
    wait_for(lambda: vic.get(text)[0] == 200)


def test_monitors_read_the_figures_with_their_token_alone(server: Server, visit: Callable[..., Visitor]) -> None:
    stranger = visit()
    assert stranger.get("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
    for wrong in ("Bearer ", "Bearer x", TOKEN, f"Basic {TOKEN}"):
        assert stranger.get("/metrics", Authorization=wrong)[0] == 401
    assert visit("vic").get("/metrics")[0] == 200
    assert stranger.get(f"/api/texts/{run_id(server)}/0/1", Authorization=f"Bearer {TOKEN}")[0] == 401


def test_the_cookies_secret_and_the_clients_are_in_no_answer_and_no_log(server: Server) -> None:
    told = server.log.read_bytes() + Visitor(server).get("/")[1]
    assert b"0123456789abcdef" not in told
    assert provider_module.CLIENT_SECRET.encode() not in told
