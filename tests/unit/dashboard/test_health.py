"""What the server tells whoever watches it: read with Prometheus's own parser, true to the store, without names."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from alvin_core import RunSettings, create_run
from alvin_core.run.engine import Engine
from alvin_core.store.jobs import add_job
from dashboard import server_logs
from dashboard.api import ROUTES
from dashboard.server_logs import COUNTS, CountRequests, ServerCounts, begin_logs

DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "store"))
    return TestClient(Starlette(routes=ROUTES, middleware=[Middleware(CountRequests)]))


def families(client: TestClient) -> dict[str, Any]:
    return {one.name: one for one in text_string_to_metric_families(client.get("/metrics").text)}


def values(family: Any) -> dict[tuple[str, ...], float]:
    return {tuple(one.labels.values()): one.value for one in family.samples}


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Engine, "compute", fake.compute)
    made = create_run(tmp_path / "store", fake.make_dataset(), RunSettings(budget=4, initial=8), name="secret")
    made.step()
    return made


def test_prometheus_reads_every_metric_and_each_has_help_and_a_type(client: TestClient, run: Any) -> None:
    found = families(client)
    assert all(one.documentation and one.type != "unknown" for one in found.values())
    assert {name for name in found if not name.startswith("alvin_")} == set()


def test_every_metric_is_documented_and_no_other(client: TestClient, run: Any) -> None:
    text = DOCS.read_text(encoding="utf-8")
    found = families(client)
    documented = {line.split("`")[1].partition("{")[0] for line in text.splitlines() if line.startswith("| `alvin_")}
    assert documented == {name + ("_total" if one.type == "counter" else "") for name, one in found.items()}


def test_rounds_jobs_and_people_are_counted_and_nobody_is_named(client: TestClient, run: Any) -> None:
    before = families(client)["alvin_round_seconds"]
    run.step()
    with run._handle.store.write() as session:
        add_job(session, "rounds", run.id, {"n": 1}).created_at = "2026-01-01T00:00:00.000000+00:00"
    run.flag(run.dataset.ids[30], annotator="Ada")
    run.flag(run.dataset.ids[31], annotator="Bob")
    run.flag(run.dataset.ids[32], annotator="Ada")
    found = families(client)
    assert values(found["alvin_rounds_by_state"]) == {
        ("finished",): 2, ("training",): 0, ("queued",): 1, ("failed",): 0,
    }  # fmt: skip
    assert values(found["alvin_job_queue_age_seconds"])[()] > 1000
    assert values(found["alvin_job_heartbeat_age_seconds"])[()] == 0
    assert values(found["alvin_people_active"])[()] == 2
    assert values(found["alvin_leases"])[()] == 0
    counted = [
        next(one.value for one in family.samples if one.name.endswith("_count"))
        for family in (before, found["alvin_round_seconds"], families(client)["alvin_round_seconds"])
    ]
    assert counted[1] == counted[2] == counted[0] + 1
    for word in ("secret", "Ada", "Bob", run.id, "e00030"):
        assert word not in client.get("/metrics").text


def test_examples_that_are_held_are_counted(client: TestClient, tmp_path: Path, fake: ModuleType) -> None:
    settings = RunSettings(budget=4, initial=8)
    run = create_run(tmp_path / "store", fake.make_dataset(labeled=0.0), settings, name="people")
    run.take("Ada", 3)
    assert values(families(client)["alvin_leases"])[()] == 3


def test_requests_are_counted_by_kind_and_not_by_address(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = ServerCounts()
    monkeypatch.setattr(server_logs, "COUNTS", fresh)
    client.get("/api/watch/nonsense!")
    client.get("/api/ready")
    client.get("/no/such/secret-page")
    client.get("/healthz")
    assert fresh.requests == {("api", "4xx"): 1, ("api", "2xx"): 1, ("page", "4xx"): 1, ("watch", "2xx"): 1}


def test_an_open_page_is_a_session_until_its_socket_closes() -> None:
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        seen.append(COUNTS.sessions)
        raise ConnectionError

    async def nothing(*_: Any) -> None:
        return None

    before = COUNTS.sessions
    with pytest.raises(ConnectionError):
        asyncio.run(CountRequests(app)({"type": "websocket", "path": "/_stcore/stream"}, nothing, nothing))
    assert (seen, COUNTS.sessions) == ([before + 1], before)


@pytest.fixture
def _loggers() -> Iterator[None]:
    names = (None, "streamlit", "streamlit.made_up", "uvicorn.made_up")
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in names}
    yield
    for name, (handlers, propagate) in before.items():
        logging.getLogger(name).handlers, logging.getLogger(name).propagate = handlers, propagate


@pytest.mark.usefixtures("_loggers")
def test_warnings_and_errors_of_the_server_are_counted_once(client: TestClient) -> None:
    own = logging.getLogger("streamlit.made_up")
    own.propagate = False
    own.addHandler(logging.NullHandler())
    begin_logs()
    begin_logs()
    before = dict(COUNTS.records)
    own.error("a")
    logging.getLogger("dashboard.worker").warning("b")
    found = values(families(client)["alvin_log_records"])
    assert found["error",] == before.get("error", 0) + 1
    assert found["warning",] == before.get("warning", 0) + 1


@pytest.mark.usefixtures("_loggers")
def test_libraries_write_in_the_same_form_where_logs_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit import logger as streamlit_logger

    from alvin_core import set_up_logs

    monkeypatch.setattr(streamlit_logger, "setup_formatter", streamlit_logger.setup_formatter)  # puts it back
    monkeypatch.setenv("ALVIN_LOG", "json")
    monkeypatch.setenv("ALVIN_LOG_FILE", str(tmp_path / "a.log"))
    library = logging.getLogger("uvicorn.made_up")
    library.propagate = False
    library.addHandler(logging.StreamHandler())
    set_up_logs()
    begin_logs()
    library.error("Exception in %s", "the text of somebody")
    streamlit_logger.get_logger("streamlit.made_up").error("late %s", "the text of somebody")
    monkeypatch.setenv("ALVIN_LOG_FILE", "")
    monkeypatch.setenv("ALVIN_LOG", "")
    set_up_logs()
    lines = [json.loads(line)["message"] for line in (tmp_path / "a.log").read_text().splitlines()]
    assert lines == ["Exception in …", "late …"]
