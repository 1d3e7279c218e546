"""Small questions about a run, answered from what is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alvin_core
from alvin_core import MapColumns
from dashboard import at_hand


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    at_hand._indexes.drop(lambda key: True)


def test_a_place_on_the_map_is_found_by_id(columns: MapColumns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_hand.data, "columns", lambda run_id, round_no: columns)
    at = at_hand.index_of("run", 2)
    assert [at[str(one)] for one in columns.ids] == list(range(10))
    assert at_hand.index_of("run", 0) is at, "the order is the same in every round"


def test_a_row_is_found_in_any_split_and_an_unknown_id_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    run = SimpleNamespace(dataset=SimpleNamespace(ids=np.array(["p0", "t0", "p1"])))
    monkeypatch.setattr(at_hand.data, "opened", lambda run_id: run)
    assert at_hand.row_of("run", "p1") == 2
    with pytest.raises(KeyError):
        at_hand.row_of("run", "p9")


def test_the_row_of_an_example_that_was_added_since_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = SimpleNamespace(ids=np.array(["p0", "t0"]))
    monkeypatch.setattr(at_hand.data, "opened", lambda run_id: SimpleNamespace(dataset=dataset))
    assert at_hand.row_of("run", "t0") == 1
    dataset.ids = np.array(["p0", "t0", "edit-0001"])
    assert [at_hand.row_of("run", one) for one in ("edit-0001", "p0")] == [2, 0]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (pd.DataFrame({"id": [], "flagged": []}), []),
        (pd.DataFrame({"id": ["a", "b"], "flagged": [True, False]}), ["a"]),
    ],
)
def test_flagged_examples_are_those_that_are_flagged_now(
    marks: pd.DataFrame, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_hand.data, "opened", lambda run_id: SimpleNamespace(marks=lambda: marks))
    assert at_hand.flagged_ids("run") == expected


def jobs(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    def listed(store: object, **asked: Any) -> list[SimpleNamespace]:
        assert asked == {"run": "run", "active": True}
        return [SimpleNamespace(kind=kind) for kind in kinds]

    monkeypatch.setattr(alvin_core, "list_jobs", listed)


def test_a_run_is_busy_while_rounds_wait_or_run_but_not_for_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs(monkeypatch, "project", "rounds")
    assert at_hand.is_busy("run")
    jobs(monkeypatch, "project")
    assert not at_hand.is_busy("run")


@pytest.mark.parametrize(
    ("note", "kinds", "offered"),
    [
        ("", (), False),
        ("PCA", (), True),
        ("PCA", ("project",), False),
        ("PCA", ("rounds",), False),
        ("PCA", ("create",), True),
    ],
)
def test_a_map_is_offered_only_where_it_is_missing_and_not_coming(
    note: str, kinds: tuple[str, ...], offered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_hand.data, "shown_projection", lambda *asked: (None, note))
    jobs(monkeypatch, *kinds)
    assert at_hand.can_request_map("run", 2, "model") is offered
