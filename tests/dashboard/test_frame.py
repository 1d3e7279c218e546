"""The frame around the pages: addresses, navigation, messages, the tour and an empty store. Pages are stand-ins."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

import alvin_core as alvin
from dashboard import data, theme
from dashboard.api import ROUTES
from dashboard.state import PAGES, Place
from dashboard.watching import SERVER

pytestmark = pytest.mark.usefixtures("cheap_rounds")
APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture(scope="module")
def finished(fake: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with `older` (rounds 0 to 1) and `newer` (round 0). Tests take a copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
        folder = tmp_path_factory.mktemp("frame") / "store"
        settings = alvin.RunSettings(budget=5, initial=10)
        for name, rounds in (("older", 1), ("newer", 0)):
            run = alvin.create_run(folder, fake.make_dataset(), settings, name=name, source=f"/data/<b>{name}</b>.csv")
            list(run.run_rounds(rounds))
        yield folder


@pytest.fixture
def store(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(finished, tmp_path / "store"))
    (folder / "dashboard").mkdir()
    (folder / "dashboard" / "tour-seen").touch()
    monkeypatch.setenv("ALVIN_STORE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """The places that pages were drawn for, newest last."""
    places: list[Place] = []
    for page in PAGES:
        stand_in = ModuleType(f"dashboard.views.{page}")
        stand_in.render = places.append  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    return places


def _visit(**params: str) -> Any:
    app = AppTest.from_file(str(APP), default_timeout=20)
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def _html(app: Any) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def _params(app: Any) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def test_without_an_address_the_newest_run_opens_at_its_newest_round(store: Path, shown: list[Place]) -> None:
    app = _visit()
    place = shown[-1]
    assert place.run is not None
    assert (place.run.name, place.round_no, place.n_rounds, place.page) == ("newer", 0, 1, "explore")
    assert "<b>Round 0</b> · 10 labeled" in _html(app)
    assert _params(app) == {"run": "newer", "round": "0", "page": "explore"}


def test_a_link_opens_the_same_view_again(store: Path, shown: list[Place]) -> None:
    app = _visit(run="older", round="0", page="label", example="e00003", color="entropy", q="a", annotator="Ada")
    place = shown[-1]
    assert place.run is not None
    assert (place.run.name, place.round_no, place.page, place.example) == ("older", 0, "label", "e00003")
    assert (place.color, place.search, place.annotator) == ("entropy", "a", "Ada")
    _visit(**_params(app))
    assert shown[-1] == place


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"run": "<script>alert(1)</script>"}, "&lt;script&gt;"),
        ({"run": "older", "round": "7"}, "Run older has no round 7: its rounds are 0 to 1. Round 1 is shown."),
        ({"run": "older", "round": "seven"}, "which is no number"),
        ({"page": "lounge"}, "it can be explore, compare, shortcuts, label, classroom, runs"),
    ],
)
def test_a_wrong_address_shows_something_that_is_there_and_says_so(
    store: Path, shown: list[Place], params: dict[str, str], said: str
) -> None:
    app = _visit(**params)
    assert shown[-1].run is not None
    assert shown[-1].round_no == shown[-1].n_rounds - 1
    assert said in _html(app)
    assert "<script>alert" not in _html(app)
    app.button(key="dismiss_0").click().run()
    assert said not in _html(app)


def test_the_navigation_changes_the_page_and_the_address(store: Path, shown: list[Place]) -> None:
    app = _visit(run="older", round="0")
    app.button(key="nav_label").click().run()
    assert (shown[-1].page, shown[-1].round_no) == ("label", 0)
    assert _params(app)["page"] == "label"


def test_a_new_round_is_followed_only_by_those_at_the_newest(store: Path, shown: list[Place]) -> None:
    at_the_front, behind = _visit(run="older", round="1"), _visit(run="older", round="0")
    alvin.open_run(store, "older").step()
    at_the_front.run()
    assert shown[-1].round_no == 2
    assert _params(at_the_front)["round"] == "2"
    behind.run()
    assert (shown[-1].round_no, shown[-1].n_rounds) == (0, 3)


def test_a_run_deleted_under_the_page_is_said_and_another_opens(
    store: Path, shown: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "STILL_THERE", 0.0)
    app = _visit(run="newer")
    alvin.delete_run(store, "newer")
    app.run()
    assert not app.exception
    assert shown[-1].run is not None
    assert shown[-1].run.name == "older"
    assert "no run is called" in _html(app)


def test_what_a_page_cannot_show_is_a_sentence_and_no_traceback(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(place: Place) -> None:
        raise alvin.StoreError("the arrays of round 0 are <gone>; restore them from a copy")

    monkeypatch.setattr(sys.modules["dashboard.views.explore"], "render", fail)
    app = _visit(page="explore")
    assert "the arrays of round 0 are &lt;gone&gt;; restore them from a copy" in _html(app)


def test_an_empty_store_offers_the_samples_and_asks_the_worker_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "new"))
    app = _visit()
    assert "There are no runs here yet" in _html(app)
    for name in alvin.sample_names():
        assert app.button(key=f"sample_{name}").disabled is False
    app.button(key="sample_reviews").click().run()
    (job,) = alvin.list_jobs(tmp_path / "new")
    assert (job.kind, job.params["rounds"], job.state) == ("create", 0, "queued")
    assert job.params["path"] == "reviews"
    assert "Making the run: waiting for the worker" in _html(app)
    assert app.button(key="sample_nli").disabled is True
    app.button(key="cancel").click().run()
    assert alvin.get_job(tmp_path / "new", job.id).state == "cancelled"


def _add_failed_job(store: Path, run_id: str) -> None:
    from alvin_core.store.database import open_store
    from alvin_core.store.tables import JobRow

    with open_store(store).write() as session:
        session.add(
            JobRow(
                kind="rounds",
                run_id=run_id,
                params={"n": 1},
                state="failed",
                error="out of <memory>; lower the budget",
                traceback="Traceback: <deep>",
                created_at="2025-01-01T00:00:00+00:00",
            )
        )


def test_a_job_that_failed_while_nobody_looked_is_told_once(store: Path) -> None:
    _add_failed_job(store, alvin.open_run(store, "newer").id)
    app = _visit()
    assert "Training failed: out of &lt;memory&gt;; lower the budget" in _html(app)
    assert "Traceback: &lt;deep&gt;" in _html(app)
    app.run()
    assert _html(app).count("Training failed") == 1, "it stays until it is dismissed"
    assert "Training failed" not in _html(_visit())


def test_whatever_the_page_must_follow_changes_the_stamp_and_nothing_else_does(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(Starlette(routes=ROUTES)) as client:
        run = alvin.open_run(store, "newer")
        other = alvin.open_run(store, "older")

        def ask() -> dict[str, Any]:
            answer = client.get(f"/api/watch/{run.id}")
            assert answer.headers["cache-control"] == "no-store"
            return answer.json()

        first = ask()
        assert first == {"stamp": f"{SERVER}.open.1", "worker": False, "line": None}
        alvin.enqueue_job(store, "rounds", run=other.id, params={"n": 1})
        assert ask() == first, "another run's job"
        job = alvin.enqueue_job(store, "rounds", run=run.id, params={"n": 1})
        waiting = ask()
        assert waiting["stamp"] == f"{SERVER}.open.1.{job.id}"
        assert waiting["line"] == {
            "words": "Training: waiting for the worker",
            "share": None,
            "job": job.id,
            "stopping": False,
        }
        alvin.cancel_job(store, job.id)
        assert ask() == first
        run.step()
        assert ask()["stamp"] == f"{SERVER}.open.2"
        monkeypatch.setattr("dashboard.watching.why_closed", lambda: "it may only be read")
        assert ask() == {"stamp": f"{SERVER}.closed.2", "worker": True, "line": None}
        monkeypatch.setattr("dashboard.watching.SERVER", "started-again")
        monkeypatch.setattr("dashboard.watching.why_closed", lambda: "")
        assert ask()["stamp"] == "started-again.open.2"
        alvin.delete_run(store, run.id)
        data.forget_run(run.id)
        assert ask()["stamp"] == "started-again.open.gone"
        assert client.get("/api/watch/-").json()["stamp"] == "started-again.open."
        assert client.get("/api/watch/..").status_code in (400, 404)
        assert client.get("/api/watch/NOT-A-RUN").status_code == 400


def test_a_page_tells_its_script_what_it_was_drawn_with(store: Path) -> None:
    app = _visit(run="newer")
    (chip,) = [text for text in _html(app).splitlines() if text.startswith("<span") and "alvin-worker-away" in text]
    assert "hidden" not in chip, "no worker runs here"
    run = alvin.open_run(store, "newer")
    job = alvin.enqueue_job(store, "rounds", run=run.id, params={"n": 1})
    told = [json.loads(one.proto.json) for one in _visit(run="newer").get("bidi_component")]
    assert {"run": run.id, "stamp": f"{SERVER}.open.1.{job.id}", "busy": True} in told


def test_the_tour_starts_by_itself_once_and_again_when_asked_for(store: Path) -> None:
    (store / "dashboard" / "tour-seen").unlink()
    app = _visit()
    assert "1 of 9" in _html(app)
    app.button(key="tour_next").click().run()
    assert "2 of 9" in _html(app)
    app.button(key="tour_skip").click().run()
    assert "of 9" not in _html(app)
    again = _visit()
    assert "of 9" not in _html(again)
    again.button(key="tour_open").click().run()
    assert "1 of 9" in _html(again)
    for _ in range(8):
        again.button(key="tour_next").click().run()
    assert "9 of 9" in _html(again)
    again.button(key="tour_next").click().run()
    assert "of 9" not in _html(again)


def test_the_pieces_of_pages_show_texts_as_text() -> None:
    hostile = '<img src=x onerror="alert(1)">'
    assert "<img" not in theme.term(hostile, hostile) + theme.figure_tile(hostile, hostile, hostile, hostile)
    assert theme.term("anchor").startswith('<span class="alvin-term"')
    assert theme.term("no such word") == "no such word"
    assert theme.plain("*a* :red[b] $x$ `c` <d>") == "\\*a\\* \\:\u2060red\\[b\\] \\$x\\$ \\`c\\` \\<d\\>"
