"""A client of the dashboard's routes, for tests of what they answer."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from alvin_core import MapColumns, Projection, RunNotFoundError, StoreError
from dashboard import data
from dashboard.api import ROUTES


def client_of(run: Any, columns: MapColumns, projection: Projection, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Return a client of the routes on one run with rounds 0 to 2, which all look the same."""

    def opened(run_id: str) -> Any:
        if run_id != run.id:
            raise RunNotFoundError(f"no run is called {run_id!r}; there is {run.name}")
        return run

    def of_round(run_id: str, round_no: int) -> MapColumns:
        opened(run_id)
        if round_no > 2:
            raise StoreError(f"the run has no round {round_no}; it has 0 to 2")
        return columns

    monkeypatch.setattr(data, "opened", opened)
    monkeypatch.setattr(data, "columns", of_round)
    monkeypatch.setattr(
        data, "shown_projection", lambda run_id, round_no, space, ask: (of_round(run_id, round_no), (projection, ""))[1]
    )
    return TestClient(Starlette(routes=ROUTES), raise_server_exceptions=False)
