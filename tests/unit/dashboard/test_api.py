"""The routes: what they answer, and that a wrong address is answered in one line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from routes_client import client_of
from starlette.applications import Starlette
from starlette.testclient import TestClient

from alvin_core import RunSettings, create_run
from dashboard.api import ROUTES
from dashboard.maps import map_data

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> $x^2$ \x00 \u202e مرحبا 😀 \ud800"


@pytest.fixture
def client(forget_arrays, run, columns, projection, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    return client_of(run, columns, projection, monkeypatch)


@pytest.fixture
def told(client, run, columns, projection) -> dict[str, Any]:
    return map_data(run, 2, columns=columns, projection=projection, note="")


def test_every_address_of_a_map_answers_and_may_be_kept_for_ever(client, told) -> None:
    urls = [told["positions"], told["codes"]["url"], told["marks"]["url"], told["anchors"]["url"]]
    answers = [client.get(url) for url in urls]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [len(answer.content) for answer in answers[:3]] == [80, 10, 10]
    assert {answer.headers["cache-control"] for answer in answers} == {"private, max-age=31536000, immutable"}
    assert [answer.headers["content-type"] for answer in answers] == ["application/octet-stream"] * 3 + [
        "application/json"
    ]
    assert set(answers[3].json()) == {"xy", "minority", "majority", "weight", "picks"}


def test_positions_are_little_endian_float32_x_before_y(client, told, projection) -> None:
    places = np.frombuffer(client.get(told["positions"]).content, dtype="<f4")
    assert places[:4].tolist() == projection.xy[:2].ravel().tolist()


def test_a_text_comes_with_what_the_hover_shows(client) -> None:
    answer = client.get("/api/texts/0123abcd/2/1")
    assert answer.json() == {
        "id": "p1", "text": ["text of row 101"], "cut": False, "label": "positive", "predicted": "negative",
        "confidence": pytest.approx(0.5556, abs=1e-4), "split": "labeled",
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"


def test_a_label_is_told_only_where_it_was_given(client, columns, monkeypatch) -> None:
    labels = [client.get(f"/api/texts/0123abcd/2/{index}").json()["label"] for index in (0, 4, 9)]
    assert labels == ["negative", None, "positive"]  # by the round, not yet, since the round


def test_before_a_label_is_given_the_blind_route_tells_nothing_of_the_model(client) -> None:
    answers = [client.get(f"/api/texts/0123abcd/2/blind/{index}").json() for index in (4, 9)]
    assert [answer["label"] for answer in answers] == [None, "positive"]
    assert (answers[0]["predicted"], answers[0]["confidence"]) == (None, None)
    assert answers[1]["predicted"] in ("positive", "negative")


def test_hostile_texts_come_as_the_characters_they_are(client, run) -> None:
    run.texts = lambda rows: [(HOSTILE,)]
    answer = client.get("/api/texts/0123abcd/2/4")
    assert json.loads(answer.content)["text"] == [HOSTILE]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_long_text_is_cut_and_says_so(client, run) -> None:
    run.texts = lambda rows: [("a" * 100_000, "b" * 2_000)]
    answer = client.get("/api/texts/0123abcd/2/4").json()
    assert [len(text) for text in answer["text"]] == [2_000, 2_000]
    assert answer["cut"] is True


def test_the_server_says_that_it_is_ready(client) -> None:
    assert client.get("/api/ready").json() == {"ready": True}


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("/api/maps/ffffffff/2/model/abcd/positions.bin", 404, "no run is called"),
        ("/api/maps/0123abcd/7/model/abcd/positions.bin", 404, "no round 7"),
        ("/api/maps/0123abcd/2/model/abcd/positions.bin", 404, "held no more"),
        ("/api/maps/0123abcd/2/model/abcd/anchors.json", 404, "held no more"),
        ("/api/maps/0123abcd/2/codes/class/abcd.bin", 404, "held no more"),
        ("/api/maps/0123abcd/2/codes/match/abcd.bin", 404, "held no more"),
        ("/api/maps/0123abcd/2/codes/age/abcd.bin", 404, "'age' is unknown"),
        ("/api/maps/0123abcd/2/marks/abcd.bin", 404, "held no more"),
        ("/api/texts/0123abcd/2/10", 404, "point 10 is not on the map, which has 10"),
        ("/api/texts/0123abcd/7/0", 404, "no round 7"),
        ("/api/maps/0123abcd/2/world/abcd/positions.bin", 400, "space 'world' is unknown"),
        ("/api/maps/0123ABCD/2/model/abcd/positions.bin", 400, "run_id"),
        ("/api/maps/..%2F..%2Fetc/2/model/abcd/positions.bin", 404, ""),
        ("/api/maps/0123abcd/-1/model/abcd/positions.bin", 400, "round"),
        ("/api/maps/0123abcd/two/marks/abcd.bin", 400, "round"),
        ("/api/maps/0123abcd/9999999999/marks/abcd.bin", 400, "round"),
        ("/api/maps/0123abcd/2/marks/a%20b.bin", 400, "revision"),
        ("/api/texts/0123abcd/2/-1", 400, "index"),
        ("/api/texts/0123abcd/2/1e3", 400, "index"),
        ("/api/texts/0123abcd/²/1", 400, "round"),
    ],
)
def test_a_wrong_address_is_answered_in_one_line(client, url: str, status: int, said: str) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    if said:
        assert said in answer.json()["error"]
        assert "\n" not in answer.json()["error"]
        assert answer.headers["cache-control"] == "no-store"


def test_a_fault_is_logged_and_not_shown(client, run, caplog) -> None:
    def fail(rows: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    run.texts = fail
    answer = client.get("/api/texts/0123abcd/2/4")
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed to make this; its log tells why"}
    assert "secret detail" in caplog.text


def test_nothing_can_be_written_by_a_route(client, told) -> None:
    assert {client.post(told["positions"]).status_code, client.delete("/api/texts/0123abcd/2/1").status_code} == {405}


@pytest.fixture
def watched(tmp_path, fake, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The routes of a server whose store is that of the test."""
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "store"))
    return TestClient(Starlette(routes=ROUTES), raise_server_exceptions=False)


def test_health_is_ok_with_and_without_a_store_and_503_where_it_cannot_be_read(watched, tmp_path, fake) -> None:
    assert watched.get("/healthz").json() == {"status": "ok", "store": "none yet", "worker": False}
    create_run(tmp_path / "store", fake.make_dataset(20), RunSettings(budget=4, initial=8))
    answer = watched.get("/healthz")
    assert (answer.status_code, answer.json()["store"]) == (200, "readable")
    (tmp_path / "store" / "alvin.db").write_bytes(b"no database" * 100)
    answer = watched.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    assert str(tmp_path) not in answer.text
    assert "alvin_store_readable 0.0" in watched.get("/metrics").text


def test_a_store_that_may_not_be_looked_into_fails_its_health(watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> bool:
        raise PermissionError("no")

    monkeypatch.setattr("dashboard.health.has_store", refuse)
    assert watched.get("/healthz").status_code == 503
    assert "alvin_store_readable 0.0" in watched.get("/metrics").text


def test_metrics_count_and_name_nothing_of_the_data(watched, tmp_path, fake) -> None:
    run = create_run(tmp_path / "store", fake.make_dataset(20), RunSettings(budget=4, initial=8), name="secret-run")
    run.flag("e00001", annotator="Ada")
    assert watched.get("/api/watch/nonsense!").status_code == 400
    answer = watched.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert 'alvin_runs{in="use"} 1.0' in lines
    assert "alvin_marks 1.0" in lines
    assert "alvin_opinions 0.0" in lines
    assert any(
        line.startswith('alvin_label_events{action="label",source="') and line.endswith(" 8.0") for line in lines
    )
    assert any(line.startswith('alvin_answers_total{status="400"}') for line in lines)
    for word in ("secret-run", "Ada", "e00001", "text 1", run.id):
        assert word not in answer.text
