"""What the pages keep of the store: labels that come in between, and reading that asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alvin_core import Projection
from dashboard import data, map_arrays


@pytest.fixture(autouse=True)
def _empty_shelves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path))  # what is kept is kept by store
    yield
    for shelf in (data._columns, data._stored, data._pca):  # what stands in for runs here must meet no other test
        shelf.drop(lambda key: True)


def test_a_label_that_comes_while_a_round_is_read_is_seen_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = pd.DataFrame({"id": ["a"], "label": ["neg"]})
    now = 0.0

    def map_columns(round_no: int) -> Any:
        nonlocal labels
        seen = labels["id"].tolist()
        labels = pd.DataFrame({"id": ["a", "b"], "label": ["neg", "pos"]})  # a colleague's, just after they were read
        return seen

    monkeypatch.setattr(data, "opened", lambda run_id: SimpleNamespace(map_columns=map_columns, labels=lambda: labels))
    monkeypatch.setattr(data, "_size", lambda value: 0)
    monkeypatch.setattr(data, "monotonic", lambda: now)
    assert data.columns("run", 0) == ["a"]
    now = data.LABELS_HOLD + 1
    assert data.columns("run", 0) == ["a", "b"]


def test_a_route_reads_places_and_asks_the_worker_for_none(
    monkeypatch: pytest.MonkeyPatch, projection: Projection
) -> None:
    asked: list[tuple[str, int, str]] = []
    run = SimpleNamespace(
        projection=lambda round_no, space: None,
        project=lambda round_no, space, method: projection,
        dataset=SimpleNamespace(rows_of=lambda split: np.arange(10)),
    )
    monkeypatch.setattr(data, "opened", lambda run_id: run)
    monkeypatch.setattr(data, "list_jobs", lambda store, run, limit: [])
    monkeypatch.setattr(data, "request_projection", lambda *wanted: asked.append(wanted))
    map_arrays.forget_all()
    assert len(map_arrays.positions_bytes("0123abcd", 2, "model", projection.revision)) == projection.xy.nbytes
    assert asked == []
    assert data.shown_projection("0123abcd", 2, "model")[1] == "PCA until UMAP is ready"
    assert asked == [("0123abcd", 2, "model")]
    map_arrays.forget_all()
