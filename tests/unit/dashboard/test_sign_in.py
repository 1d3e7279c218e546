"""The sign-in file, what a cookie is worth, which role what takes, and what a server says before it listens."""

from __future__ import annotations

import ast
import errno
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import streamlit
from processes import free_port
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

import alvin_core as alvin
from dashboard import __main__ as program
from dashboard import acting, people, serving, sign_in
from dashboard.guards import guards
from dashboard.people import NotAllowedError, Person
from dashboard.sign_in_file import read_sign_in_file

ROOT = Path(__file__).parents[3]
GOOD = """
[auth]
redirect_uri = "https://lab.example.org/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "alvin"
client_secret = "x"
server_metadata_url = "https://provider.example/.well-known/openid-configuration"
[roles]
owner = ["Ada@Lab.example"]
annotator = ["*@lab.example", "bo@else.example"]
viewer = ["cy@lab.example", "bo@else.example"]
"""
CLAIMS = {"is_logged_in": True, "provider": "default", "aud": "alvin", "email_verified": True, "nonce": "one"}
READS = {
    *(
        "added",
        "agreement",
        "anchors",
        "annotator",
        "changed_here",
        "created_at",
        "cue_examples",
        "cue_history",
        "cue_members",
    ),
    *("cue_words", "cues", "dataset", "dataset_map", "diagnose", "dynamics", "environment", "example_cues"),
    *("examples", "explain", "group_matrix", "history", "id", "labels", "map_anchors", "map_columns", "marks"),
    *("metrics", "n_rounds", "name", "nearest", "opinions", "parent", "pending", "place", "predictions"),
    *(
        "projection",
        "provenance",
        "queue",
        "queue_state",
        "record",
        "recorded_environment",
        "records",
        "search",
        "selection",
        "settings",
    ),
    *("slice_members", "slice_metrics", "slice_names", "slices", "source", "state", "texts", "vectors", "waits_for"),
    "export",  # to a file of the page's own choice
    "project",  # by PCA, which is kept nowhere
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sign-in.toml"
    path.write_text(GOOD, encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def access(file: Path, tmp_path: Path) -> sign_in.SignIn:
    return sign_in.SignIn(file, tmp_path / "store")


def claims(email: str, **more: Any) -> dict[str, Any]:
    return {**CLAIMS, "email": email, "iat": time.time(), **more}


@pytest.fixture
def sitting(access: sign_in.SignIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The claims of who sits before the page; change them to have somebody else sit there."""
    here: dict[str, Any] = {}
    monkeypatch.setattr(people, "sign_in", lambda: access)
    monkeypatch.setattr(people, "_claims", lambda: here)
    return here


def test_a_name_goes_before_its_domain_and_the_higher_role_before_the_lower(file: Path) -> None:
    found = read_sign_in_file(file)
    given = ["ada@lab.example", "CY@LAB.EXAMPLE", "di@lab.example", "bo@else.example", "x@sub.lab.example", "@", ""]
    assert [found.role_of(one) for one in given] == ["owner", "viewer", "annotator", "annotator", None, None, None]
    assert (found.origin, found.is_secure, found.hours) == ("https://lab.example.org", True, 12)
    for alike in (
        "bo@el\u017fe.example",
        "x@\u212aab.example",
        "di@\uff4cab.example",
    ):  # letters that become ASCII ones
        assert found.role_of(alike) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[auth]", "[auth", "is no TOML"),
        ("[roles]", "[rules]", r"section \[rules\] is unknown"),
        ('client_id = "alvin"', "", r"client_id in \[auth\] is missing"),
        ('client_secret = "x"', "client_secret = 3", "must be a text"),
        ("0123456789abcdef0123456789abcdef", "short", "has 5 characters, at least 32 are needed: python -c"),
        ("oauth2callback", "callback", "must be the dashboard's own address and /oauth2callback"),
        ("https://lab", "http://lab", "begins with http://"),
        ("https://provider", "http://provider", "must begin with https://"),
        ('owner = ["Ada@Lab.example"]', "", "names no owner"),
        ("viewer =", "guest =", "role 'guest' in"),
        ('"Ada@Lab.example"', '"*"', r"'\*' in \[roles\] is neither an address nor all of a domain"),
        ('["Ada@Lab.example"]', '"ada"', "must be a list of addresses"),
        ("[roles]", "[session]\nhours = 0\n[roles]", "hours = 0 in"),
        ("[roles]", '[monitoring]\ntoken = "x"\n[roles]', "needs 32 ASCII characters"),
        ("[roles]", "[auth.my_own]\nclient_id = 1\n[roles]", "has an underscore"),
    ],
    ids=range(15),
)
def test_what_is_wrong_with_the_file_is_said_with_its_key(file: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(alvin.SettingsError, match=words) as told:
        read_sign_in_file(file)
    assert str(file) in str(told.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_or_change_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(alvin.SettingsError, match=f"mode {mode:o}.: chmod 600"):
        read_sign_in_file(file)


@pytest.mark.skipif(os.name != "posix", reason="files have no owner by number")
def test_a_file_that_belongs_to_somebody_else_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:  # the administrator's may be read by anybody's server
        assert read_sign_in_file(file).roles
        os.chown(file, 12345, -1)
        owner = 12345
    with pytest.raises(alvin.SettingsError, match=f"belongs to the user {owner}, who could give anybody a role"):
        read_sign_in_file(file)


def test_a_file_in_the_store_or_none_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(alvin.SettingsError, match="lies in the store"):
        read_sign_in_file(file, tmp_path)
    with pytest.raises(alvin.SettingsError, match="No such file"):
        read_sign_in_file(tmp_path / "none.toml")
    with pytest.raises(alvin.SettingsError, match="is no file"):
        read_sign_in_file(tmp_path)


def test_the_sign_in_file_and_its_like_are_kept_out_of_git() -> None:
    assert "*sign-in*.toml" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_a_cookie_is_worth_what_the_file_says_now(access: sign_in.SignIn, file: Path, tmp_path: Path) -> None:
    ada = claims("ADA@lab.example")
    assert (access.look(ada).name, access.look(ada).role) == ("ada@lab.example", "owner")
    assert access.look(claims("eve@evil.example")).state == "nobody"
    assert access.look({}).state == access.look({"email": "ada@lab.example"}).state == "out"
    for change in ({"iat": time.time() - 43201}, {"iat": time.time() + 400}, {"iat": None}, {"iat": True}):
        assert access.look(ada | change).state == "out"
    for change in ({"aud": "x"}, {"aud": []}, {"aud": None}, {"provider": "x"}, {"provider": None}):
        assert access.look(ada | change).state == "out"
    for change in ({"email_verified": "true"}, {"email_verified": 1}, {"email": None}, {"email": ["ada@lab.example"]}):
        assert access.look(ada | change).state == "nobody"
    access.sign_out(ada)
    assert access.look(ada).state == "out"
    assert access.look(ada | {"nonce": "two"}).state == "in"
    assert sign_in.SignIn(file, tmp_path / "store").look(ada).state == "out"  # after the server began anew, too


def test_an_address_that_looks_like_anothers_in_lower_case_is_another(
    access: sign_in.SignIn, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "LOOK_AGAIN", -1.0)
    file.write_text(GOOD.replace("Ada@Lab.example", "kass@else.example"), encoding="utf-8")
    assert access.look(claims("KASS@Else.example")).role == "owner"
    for other in ("\u212aass@else.example", "ka\u017f\u017f@else.example", "ka\u00df@else.example"):
        assert access.look(claims(other)).role is None
        assert access.look(claims(other)).name != "kass@else.example"


@pytest.mark.parametrize(
    "email",
    [
        *(" di@lab.example", "di@lab.example ", "d i@lab.example", "d\u00a0i@lab.example", "di\n@lab.example"),
        *("di\x1b[2J@lab.example", "\u202edi@lab.example", "d\u200bi@lab.example", f"{'d' * 250}@lab.example"),
    ],
)
def test_an_address_with_signs_of_none_gets_no_role_though_its_domain_has_one(
    access: sign_in.SignIn, email: str
) -> None:
    found = access.look(claims(email))
    assert (found.state, found.role, found.name) == ("nobody", None, "")
    assert "white space or other signs" in found.refusal


def test_a_sign_in_without_a_time_that_can_be_is_none(access: sign_in.SignIn) -> None:
    for wrong in (float("nan"), float("inf"), float("-inf")):
        assert access.look(claims("ada@lab.example", iat=wrong)).state == "out"


def test_a_sign_out_that_cannot_be_stored_counts_all_the_same(
    access: sign_in.SignIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dashboard.signed_out.os.fsync", no_room)
    ada = claims("ada@lab.example")
    access.sign_out(ada)
    assert access.look(ada).state == "out"
    assert "a sign-out was not stored" in caplog.text


def test_roles_are_read_again_and_a_file_that_is_broken_lets_nobody_in(
    access: sign_in.SignIn, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sign_in, "LOOK_AGAIN", -1.0)
    ada = claims("ada@lab.example")
    file.write_text(GOOD.replace("Ada@", "bob@"), encoding="utf-8")
    assert access.look(ada).role == "annotator"
    file.write_text("[", encoding="utf-8")
    assert access.look(ada).state == "out"
    assert "nobody is let in until this is mended" in caplog.text
    file.write_text(GOOD + "# mended\n", encoding="utf-8")
    assert access.look(ada).role == "owner"
    file.unlink()
    assert access.look(ada).state == "out"


def test_without_sign_in_whoever_is_here_is_an_owner_without_a_name() -> None:
    assert people.person() == Person("", "owner", signed_in=False)
    assert people.may("owner")
    assert people.require("owner").name == ""


def test_a_role_covers_those_below_it_and_a_refusal_names_who_asked_and_what_it_takes(
    sitting: dict[str, Any],
) -> None:
    with pytest.raises(NotAllowedError, match="nobody is signed in"):
        people.person()
    for email, able in (
        ("ada@lab.example", {"viewer", "annotator", "owner"}),
        ("di@lab.example", {"viewer", "annotator"}),
        ("cy@lab.example", {"viewer"}),
        ("eve@evil.example", set()),
    ):
        sitting.update(claims(email))
        assert {role for role in people.ROLES if people.may(role)} == able
    sitting.update(claims("cy@lab.example"))
    with pytest.raises(NotAllowedError, match=r"cy@lab.example is signed in as viewer; to label takes the role annot"):
        people.require("annotator")


def test_labels_carry_the_name_that_was_signed_in_with_whatever_is_typed(
    sitting: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    given: list[tuple[Any, ...]] = []

    class Stub:
        id = "0a1b2c3d"

        def submit(self, labels: Any, *, annotator: str = "person") -> None:
            given.append((labels, annotator))

        def undo(self, ids: Any, annotator: str = "person") -> None:
            given.append((ids, annotator))

        def step(self) -> None:
            given.append(("step",))

    run = acting.guarded(Stub())  # type: ignore[arg-type]
    sitting.update(claims("cy@lab.example"))
    with pytest.raises(NotAllowedError):
        run.submit({"e": "a secret text"})
    assert given == []
    sitting.update(claims("di@lab.example"))
    caplog.set_level(logging.INFO, "dashboard.acting")
    run.submit({"e": "a secret text"}, annotator="mallory")
    run.undo("e", "mallory")
    with pytest.raises(NotAllowedError):
        run.step()
    assert given == [({"e": "a secret text"}, "di@lab.example"), ("e", "di@lab.example")]
    assert "di@lab.example did submit (run 0a1b2c3d)" in caplog.text
    assert "step was refused (run 0a1b2c3d)" in caplog.text
    assert "secret" not in caplog.text


@pytest.fixture
def held(tmp_path: Path, fake: ModuleType) -> alvin.Run:
    """A run with an example that di labeled, one that ed did, and one of which both think something else."""
    settings = alvin.RunSettings(budget=5, initial=4).with_values(
        {"annotation.overlap": 2, "annotation.overlap_share": 0.5}
    )
    run = alvin.create_run(tmp_path / "labels", fake.make_dataset(labeled=0.0), settings)
    wanted = {one.id: one.wanted for one in run.queue_state().examples}
    alone = [one for one, n in wanted.items() if n == 1]
    shared = next(one for one, n in wanted.items() if n == 2)
    run.submit({alone[0]: "pos", shared: "pos"}, annotator="di@lab.example")
    run.submit({alone[1]: "neg", shared: "pos"}, annotator="ed@lab.example")
    return run


def test_an_annotator_takes_back_what_is_theirs_and_an_owner_what_is_anybodys(
    held: alvin.Run, sitting: dict[str, Any], tmp_path: Path
) -> None:
    own, theirs = (
        held.labels().set_index("annotator")["id"].get(name) for name in ("di@lab.example", "ed@lab.example")
    )
    [shared] = set(held.opinions()["id"])
    run = acting.guarded(alvin.open_run(tmp_path / "labels", held.id))
    sitting.update(claims("di@lab.example"))
    for more in ({}, {"annotator": "ed@lab.example"}, {"only_own": False}):  # whatever a page says
        with pytest.raises(alvin.LabelError, match=r"was labeled by ed@lab\.example: they, or an owner, may"):
            run.undo(theirs, **more)
    with pytest.raises(alvin.LabelError, match="none of the 2 was taken back"):
        run.undo([own, theirs])
    assert set(held.labels()["id"]) == {own, theirs, shared}
    run.undo([own, shared])  # of the shared one their opinion, and with it the majority
    assert held.labels()["id"].tolist() == [theirs]
    assert held.opinions()["annotator"].tolist() == ["ed@lab.example"]
    sitting.update(claims("ada@lab.example"))
    run.undo(theirs)
    assert held.labels().empty


def test_where_nobody_signs_in_everybody_takes_back_anything(
    held: alvin.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(people, "sign_in", lambda: None)
    run = acting.guarded(alvin.open_run(tmp_path / "labels", held.id))
    run.undo(held.labels()["id"].tolist(), annotator="Grace")
    assert held.labels().empty


def test_where_the_store_may_only_be_read_nobody_changes_anything_and_all_may_look(
    sitting: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "why_closed", lambda: "the store /x can be read only")
    for email in ("ada@lab.example", "di@lab.example", "cy@lab.example"):
        sitting.update(claims(email))
        assert (people.why_not("viewer"), people.may("viewer")) == ("", True)
        for role in ("annotator", "owner"):
            assert people.why_not(role) == people.CLOSED
            with pytest.raises(NotAllowedError, match="the store may only be read"):
                people.require(role)
    monkeypatch.setattr(people, "sign_in", lambda: None)
    assert people.why_not("owner") == people.CLOSED
    with pytest.raises(NotAllowedError, match="the store may only be read"):
        acting.delete_run("store", "x")


@pytest.mark.parametrize("name", sorted(acting.STORE_CHANGES))
def test_every_change_of_the_store_takes_its_role(
    sitting: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role, home = acting.STORE_CHANGES[name]
    done: list[Any] = []
    monkeypatch.setattr(f"{home}.{name}", lambda *args: done.append(args))
    change = getattr(acting, name)
    with pytest.raises(NotAllowedError):
        change("store", "x")
    sitting.update(claims("di@lab.example"))
    if role == "owner":
        with pytest.raises(NotAllowedError, match="takes the role owner"):
            change("store", "x")
    assert done == []
    sitting.update(claims("ada@lab.example"))
    change("store", "x")
    assert done == [("store", "x")]


def test_whatever_a_run_can_do_is_known_to_read_or_to_take_a_role() -> None:
    public = {name for name in dir(alvin.Run) if not name.startswith("_")}
    assert public - READS == set(acting.RUN_CHANGES), "say in dashboard/acting.py what a new method takes"
    assert not READS & set(acting.RUN_CHANGES)


def test_pages_change_the_store_by_way_of_acting_alone() -> None:
    alone = {"reporting.py"}  # a program of its own
    may = {
        ("data.py", "open_run"),  # hands out guarded runs
        ("data.py", "enqueue_job"),  # a picture of a round, made when somebody looks at it
        ("labelling_seat.py", "open_run"),  # a request beside the page: its route asks who sent it
        ("supervising.py", "start_worker"),
    }
    changing = {*acting.STORE_CHANGES, "open_run", "start_worker", "create_run", "create_comparison", "sweep_world"}
    changing |= {"sweep_phase", "backup_store", "restore_store", "repair_store"}
    found = set()
    for path in (ROOT / "dashboard").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module not in ("dashboard.acting",):
                found |= {(path.name, one.name) for one in node.names if one.name in changing}
            elif isinstance(node, ast.Attribute) and node.attr in changing and path.name != "acting.py":
                found.add((path.name, node.attr))
    assert {one for one in found if one[0] not in alone} == may


# -- before it listens -------------------------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``start(*options)`` begins to serve, without serving, and returns the code and Streamlit's options."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(streamlit.App, "run", lambda self, config: told.update(config, app=self))
    monkeypatch.setattr(serving, "provider_troubles", lambda access: iter(()))
    monkeypatch.setattr(alvin, "set_up_logs", lambda **_: None)  # this process goes on
    monkeypatch.setenv("ALVIN_STORE", "")
    monkeypatch.setenv("ALVIN_SIGN_IN", "")
    port = free_port()

    def begin(*options: str) -> tuple[int, dict[str, Any]]:
        return program.main(["--store", str(tmp_path / "store"), "--port", str(port), "--no-browser", *options]), told

    return begin


def test_a_server_that_others_reach_without_sign_in_says_who_can_do_what_and_the_remedy(
    start: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = start("--host", "0.0.0.0", "--name", "lab.example.org")
    assert (code, told["server.address"]) == (0, "0.0.0.0")
    said = capsys.readouterr().err
    assert "listens on 0.0.0.0" in said
    assert "no sign-in is configured" in said
    assert "--sign-in FILE.toml" in said
    assert "ssh -L" in said
    assert start()[0] == 0
    assert capsys.readouterr().err == ""


def test_with_sign_in_the_warning_is_of_the_missing_encryption_alone(
    start: Any, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start("--host", "0.0.0.0", "--sign-in", str(file))[0] == 0
    said = capsys.readouterr().err
    assert "without encryption" in said
    assert "no sign-in" not in said


def test_what_guards_the_server_cannot_be_turned_off_by_a_file_beside_it(start: Any) -> None:
    _, told = start()
    assert told["server.enableXsrfProtection"] is told["server.enableCORS"] is True
    assert told["server.trustedUserHeaders"] == {}
    assert told["secrets.files"] == told["server.corsAllowedOrigins"] == []
    assert (
        told["server.enableAgentApi"] is told["server.enableStaticServing"] is told["global.developmentMode"] is False
    )
    assert told["server.unsafeMetricsUserAttributes"] == []
    assert told["global.e2eTest"] is told["server.enableWebsocketCompression"] is False
    assert (told["server.xsrfCookieSameSite"], told["server.customComponentBaseUrlPath"]) == ("lax", "")
    known = streamlit.config.get_config_options()
    assert all(name in known and not known[name].sensitive for name in told if name != "app")  # else it does not start


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "no such address"), "is no address of this machine"),
        (("--host", "192.0.2.1"), "is no address of this machine"),
        (("--name", "https://lab.example.org"), "is no name of a machine"),
        (("--name", "*"), "is no name of a machine"),
        (("--sign-in", "/nowhere/sign-in.toml"), "cannot read the sign-in file"),
    ],
    ids=range(5),
)
def test_what_cannot_be_served_is_said_with_the_remedy(
    start: Any, options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = start(*options)
    assert (code, told) == (2, {})
    assert words in capsys.readouterr().err


def test_behind_tls_every_cookie_is_sent_back_over_tls_alone(access: sign_in.SignIn) -> None:
    async def greet(_: Any) -> Response:
        answer = PlainTextResponse("hello")
        answer.set_cookie("one", "1")
        answer.set_cookie("two", "2", secure=True)
        return answer

    app = Starlette(routes=[Route("/healthz", greet)], middleware=guards(("lab.example.org",), access))
    told = TestClient(app, base_url="https://lab.example.org").get("/healthz").headers.get_list("set-cookie")
    assert [one.count("ecure") for one in told] == [1, 1]


def test_the_names_of_a_server_are_those_given_its_own_and_the_sign_ins(access: sign_in.SignIn) -> None:
    assert serving.known_names("127.0.0.1", [], None) == ()
    assert serving.known_names("lab", ["a.example"], access) == ("a.example", "lab", "lab.example.org")
    assert serving.known_names("0.0.0.0", [], access) == ("lab.example.org",)


def test_a_provider_that_cannot_be_read_or_lacks_something_is_told(
    access: sign_in.SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime, timedelta

    whole = dict.fromkeys(serving.NEEDED, "https://x")
    answers: list[Any] = [OSError("no route"), ({}, None), (whole, datetime.now(UTC)), (whole, None)]
    answers.append((whole, datetime.now(UTC) - timedelta(seconds=300)))

    def answer(_: Any) -> Any:
        if isinstance(answers[0], OSError):
            raise answers.pop(0)
        return answers.pop(0)

    monkeypatch.setattr(serving, "_description", answer)
    assert "nobody can sign in: https://provider.example" in next(serving.provider_troubles(access))
    assert "does not say its issuer" in next(serving.provider_troubles(access))
    assert list(serving.provider_troubles(access)) == []
    assert list(serving.provider_troubles(access)) == []
    assert "300 seconds ahead of" in next(serving.provider_troubles(access))


def test_the_command_line_hands_its_options_to_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from alvin_core.cli import dashboard as command
    from alvin_core.cli.app import app

    told: list[Any] = []
    monkeypatch.setattr(command, "serve_dashboard", lambda store, **options: told.append(options) or 0)
    monkeypatch.chdir(tmp_path)
    more = ["--host", "0.0.0.0", "--name", "a.example", "--name", "b.example", "--sign-in", "s.toml"]
    assert CliRunner().invoke(app, ["dashboard", "--store", str(tmp_path / "store"), *more]).exit_code == 0
    assert told[0]["more"] == [*more[:-1], os.fspath(tmp_path / "s.toml")]
