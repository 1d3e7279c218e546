"""The pages on a store that may only be read: each opens, says so on top, and offers nothing that must fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from folders import contents
from ordinary_user import as_an_ordinary_user, closed_to_writing
from streamlit.testing.v1 import AppTest

import alvin_core as alvin
from alvin_core.store.database import open_store
from dashboard import data
from dashboard.sign_in import Found

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="permissions as Linux has them")

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PLACES = {
    "explore": {"page": "explore", "run": "first", "example": "e00003"},
    "explore before round 0": {"page": "explore", "run": "young"},
    "compare": {"page": "compare", "run": "first"},
    "shortcuts": {"page": "shortcuts", "run": "first"},
    "label": {"page": "label", "run": "person", "annotator": "Ada"},
    "label, nothing left": {"page": "label", "run": "first"},
    "classroom": {"page": "classroom", "view": "phase"},
    "runs": {"page": "runs", "run": "first"},
}
# What may be offered all the same: other places, what changes this view alone, and questions to a model.
LOOKING = (
    *("nav_", "open_", "near_", "parent_", "phase_cell_", "more_", "tour_", "play", "skip", "filter_clear"),
    *("attribution_", "examples_more", "usual"),
)
PRESSED = ("tour_skip", "skip", "open_log")  # which read the store, or remember something
# Opens each place in a process that may do no more than an ordinary user, presses some buttons, and prints what was
# seen: one line of JSON each.
VISIT = """
import json, sys
from streamlit.testing.v1 import AppTest

app_file, places, pressed = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])

def look(app):
    notices = app.session_state["_notices"] if "_notices" in app.session_state else {}
    return {
        "failed": [one.value for one in app.exception] + [one.value for one in app.error],
        "told": [one.text for one in notices.values()],
        "text": " ".join(str(one.proto.body) for one in app.get("html")),
        "enabled": [one.key for one in app.button if not one.disabled],
    }

for name, place in places.items():
    app = AppTest.from_file(app_file, default_timeout=60)
    for key, value in place.items():
        app.query_params[key] = value
    seen = look(app.run())
    for key in pressed:
        if key in [one.key for one in app.button if not one.disabled]:
            then = look(app.button(key=key).click().run())
            seen["failed"] += [f"{key}: {one}" for one in then["failed"]]
            seen["told"] += [f"{key}: {one}" for one in then["told"]]
    print(json.dumps([name, seen]))

from dashboard.health import health
from dashboard.watching import look as watched

print(json.dumps(["health", health()]))
print(json.dumps(["watched", watched("")]))
"""


def visit(store: Path) -> dict[str, Any]:
    python = [*as_an_ordinary_user(), sys.executable, "-B", "-W", "ignore"]
    done = subprocess.run(
        [*python, "-c", VISIT, str(APP), json.dumps(PLACES), json.dumps(PRESSED)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "ALVIN_STORE": str(store)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.fixture
def store(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs with rounds, before round 0, and before the labels for it; a worker was killed there."""
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    folder, settings = tmp_path / "store", alvin.RunSettings(budget=4, initial=8)
    list(alvin.create_run(folder, fake.make_dataset(), settings, name="first").run_rounds(1))
    alvin.create_run(folder, fake.make_dataset(), settings, name="young")
    person = alvin.create_run(folder, fake.make_dataset(labeled=0.0), settings, name="person")
    person.submit({person.queue("Ada")[0]: "pos"}, annotator="Ada")
    alvin.enqueue_job(folder, "rounds", run="first", params={"n": 1})
    job = alvin.list_jobs(folder)[0]
    alvin.cancel_job(folder, job.id)
    for name, text in (("worker.lock", "4000000"), ("worker.json", '{"alive": true, "pid": 4000000}')):
        (folder / "locks" / name).write_text(text, encoding="ascii")
    return folder


def test_every_page_opens_says_on_top_that_nothing_can_be_changed_and_offers_nothing_that_fails(store: Path) -> None:
    with closed_to_writing(store):
        before = contents(store)
        seen = visit(store)
        assert contents(store) == before
    for name in PLACES:
        page = seen[name]
        assert page["failed"] == page["told"] == [], name
        assert f"The store {store} can be read only: this user may not write to {store}; ask" in page["text"], name
    offered = {key for name in PLACES for key in seen[name]["enabled"]}
    assert {key for key in offered if not key.startswith(LOOKING)} == set()
    assert set(PRESSED) <= offered
    assert "Look on: the store may only be read" in seen["label"]["text"]
    assert seen["health"] == [200, {"status": "ok", "store": "readable", "worker": False}]
    assert seen["watched"]["worker"] is True  # nobody waits for one


def opened(page: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["page"] = page
    app.run()
    assert not app.exception
    return app


def page_text(app: AppTest) -> str:
    return " ".join(str(one.proto.body) for one in app.get("html"))


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the store's permissions are, this process takes it that it may not write."""
    for module in ("read_only", "sqlite", "database"):
        monkeypatch.setattr(f"alvin_core.store.{module}.may_write", lambda path: False)


@pytest.mark.parametrize("page", ["explore", "runs"])
def test_a_store_without_runs_that_may_only_be_read_offers_no_sample(
    page: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(tmp_path / "store", create=True)
    request.getfixturevalue("closed")
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "store"))
    app = opened(page)
    assert "Nothing can be changed on this server." in page_text(app)
    assert [one.key for one in app.button if not one.disabled and not one.key.startswith("nav_")] == ["tour_open"]


def test_a_page_goes_on_when_its_store_is_closed_and_writes_again_once_it_is_open(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALVIN_STORE", str(store))
    run = alvin.open_run(store, "person")
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params.update({"page": "label", "run": "person", "annotator": "Ada"})
    app.run()
    n_labels = len(run.labels())
    app.button(key="label_0").click().run()
    assert len(run.labels()) == n_labels + 1
    with monkeypatch.context() as patch:
        for module in ("read_only", "sqlite", "database"):
            patch.setattr(f"alvin_core.store.{module}.may_write", lambda path: False)
        data.forget_run(run.id)  # it is opened anew, as after the server was started
        app.run()
        assert not app.exception
        assert "Look on: the store may only be read" in page_text(app)
        assert app.button(key="label_0").disabled
        assert not app.button(key="skip").disabled
    app.run()
    app.button(key="label_0").click().run()
    assert "Not stored" not in page_text(app)
    assert len(run.labels()) == n_labels + 2


@pytest.mark.parametrize(("role", "tells"), [("viewer", False), ("annotator", False), ("owner", True)])
def test_where_people_sign_in_owners_alone_are_told_which_folder_it_is(
    store: Path, role: str, tells: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Access:
        def look(self, claims: object) -> Found:
            return Found(state="in", name="ada@lab.example", role=role)  # type: ignore[arg-type]

    monkeypatch.setenv("ALVIN_STORE", str(store))
    monkeypatch.setattr("dashboard.people.sign_in", Access)
    request.getfixturevalue("closed")
    app = opened("runs")
    text = page_text(app)
    assert "Nothing can be changed on this server." in text
    assert (str(store) in text) is tells
    assert all(one.disabled for one in app.button if str(one.key).startswith(("delete_", "pack_", "fork_")))
